#include "engine/clients/pubsub.h"

#include <gtest/gtest.h>

#include "engine/clients/session.h"
#include "tests/node/fake_log.h"
#include "tests/node/talk.h"
#include "tests/resp_text.h"

namespace redoubt {
namespace {

std::string message(std::string_view channel, std::string_view text, char type = '*') {
  return std::string(1, type) + "3\r\n" + bulk("message") + bulk(channel) + bulk(text);
}

TEST(PubSub, MessagesReachSubscribersInOrder) {
  Talk talk;
  const size_t two = talk.connect();
  const size_t three = talk.connect();
  const size_t publisher = talk.connect();
  talk.say(two, "SUBSCRIBE news\r\n");
  talk.say(three, "HELLO 3\r\nSUBSCRIBE news\r\n");
  EXPECT_EQ(talk.say(publisher, "PUBLISH news a\r\nPUBLISH news b\r\nPUBLISH other c\r\n"),
            ":2\r\n:2\r\n:0\r\n");
  EXPECT_EQ(talk.client(two).take(), message("news", "a") + message("news", "b"));
  EXPECT_EQ(talk.client(three).take(), message("news", "a", '>') + message("news", "b", '>'));
}

TEST(PubSub, OwnMessagesComeBehindTheReply) {
  Talk talk;
  const size_t c = talk.connect();
  talk.say(c, "HELLO 3\r\nSUBSCRIBE news\r\n");
  EXPECT_EQ(talk.say(c, "PUBLISH news a\r\nPING\r\n"),
            ":1\r\n" + message("news", "a", '>') + "+PONG\r\n");
  EXPECT_EQ(talk.say(c, "CLIENT REPLY SKIP\r\nPUBLISH news b\r\nPING\r\n"),
            message("news", "b", '>') + "+PONG\r\n")
      << "the reply is kept back, not the message";
}

TEST(PubSub, NothingIsLeftOfAConnectionThatEnds) {
  Talk talk;
  const size_t before = talk.node().clients().pubsub().memory_bytes();
  const size_t c = talk.connect();
  const size_t other = talk.connect();
  talk.say(c, "SUBSCRIBE a b c\r\nPSUBSCRIBE *\r\nSSUBSCRIBE a\r\n");
  EXPECT_EQ(talk.node().clients().pubsub().session_count(), 1u);
  EXPECT_GT(talk.node().clients().pubsub().memory_bytes(), before);
  talk.client(c).disconnect();
  talk.run();
  EXPECT_EQ(talk.say(other, "PUBLISH a x\r\nSPUBLISH a x\r\nPUBSUB CHANNELS\r\nPUBSUB NUMPAT\r\n"),
            ":0\r\n:0\r\n*0\r\n:0\r\n");
  EXPECT_EQ(talk.node().clients().pubsub().session_count(), 0u);
  EXPECT_EQ(talk.node().clients().pubsub().memory_bytes(), before);
}

TEST(PubSub, ASubscriberInTheMiddleLeavesTheOthersInOrder) {
  Talk talk;
  const size_t first = talk.connect();
  const size_t middle = talk.connect();
  const size_t last = talk.connect();
  for (const size_t c : {first, middle, last}) talk.say(c, "SUBSCRIBE a\r\n");
  talk.say(middle, "UNSUBSCRIBE a\r\n");
  EXPECT_EQ(talk.say(middle, "PUBLISH a x\r\n"), ":2\r\n");
  EXPECT_EQ(talk.client(first).take(), message("a", "x"));
  EXPECT_EQ(talk.client(last).take(), message("a", "x"));
  talk.say(first, "UNSUBSCRIBE\r\n");
  talk.say(middle, "SUBSCRIBE a\r\n");
  EXPECT_EQ(talk.say(first, "PUBLISH a y\r\nPUBSUB NUMSUB a\r\n"), ":2\r\n*2\r\n$1\r\na\r\n:2\r\n");
}

TEST(PubSub, ASlowSubscriberIsDroppedAndNobodyWaitsForIt) {
  Talk talk({"--client-output-buffer-limit", "pubsub", "1000000", "0", "0"});
  const size_t slow = talk.connect();
  const size_t quick = talk.connect();
  const size_t publisher = talk.connect();
  talk.say(slow, "SUBSCRIBE a\r\n");
  talk.say(quick, "SUBSCRIBE a\r\n");
  talk.client(slow).stop_reading();
  talk.say(publisher, "PUBLISH a last-one-read\r\n");
  const std::string text(10'000, 'x');
  std::string pipeline;
  std::string expected;
  size_t messages = 0;
  for (int i = 0; i < 200 && talk.node().clients().pubsub().session_count() == 2; ++i) {
    EXPECT_EQ(talk.say(publisher, "*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n" + bulk(text)), ":2\r\n");
    ++messages;
  }
  EXPECT_LT(messages, 200u);
  EXPECT_EQ(talk.node().stats().output_limit_disconnections, 1u);
  EXPECT_EQ(talk.say(publisher, "PUBSUB NUMSUB a\r\n"), "*2\r\n$1\r\na\r\n:1\r\n");
  EXPECT_EQ(
      talk.client(quick).take(), message("a", "last-one-read") + [&] {
        std::string all;
        for (size_t i = 0; i < messages; ++i) all += message("a", text);
        return all;
      }());
}

TEST(PubSub, WhatIsAboveTheLimitInOneTurnIsNotEvenCopied) {
  Talk talk({"--client-output-buffer-limit", "pubsub", "1000000", "0", "0"});
  const size_t slow = talk.connect();
  const size_t publisher = talk.connect();
  talk.say(slow, "SUBSCRIBE a\r\nPSUBSCRIBE a\r\nPSUBSCRIBE *\r\n");
  const std::string big(2'000'000, 'x');
  EXPECT_EQ(talk.say(publisher, "*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n" + bulk(big)), ":3\r\n");
  EXPECT_EQ(talk.client(slow).take(), "");
  EXPECT_TRUE(talk.client(slow).closed());
  EXPECT_EQ(talk.node().clients().pubsub().session_count(), 0u);
}

TEST(PubSub, TheSoftLimitOfItsClassHolds) {
  Talk talk({"--client-output-buffer-limit", "pubsub", "0", "100000", "3"});
  const size_t slow = talk.connect();
  const size_t publisher = talk.connect();
  talk.say(slow, "SUBSCRIBE a\r\n");
  talk.client(slow).stop_reading();
  talk.say(publisher, "PUBLISH a read\r\n");
  const std::string publish =
      "*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n" + bulk(std::string(2'000'000, 'x'));
  talk.send(publisher, publish);
  talk.run(Duration::seconds(2));
  EXPECT_EQ(talk.node().clients().pubsub().session_count(), 1u);
  talk.run(Duration::seconds(3));
  EXPECT_EQ(talk.node().clients().pubsub().session_count(), 0u);
}

TEST(PubSub, AStreamOfMessagesIsSentInPieces) {
  Talk talk;
  const size_t subscriber = talk.connect();
  const size_t publisher = talk.connect();
  talk.say(subscriber, "SUBSCRIBE a\r\n");
  const uint64_t before = talk.node().stats().writes_processed;
  std::string expected;
  constexpr int kMessages = 500;
  for (int i = 0; i < kMessages; ++i) {
    talk.send(publisher, "PUBLISH a " + std::to_string(i) + "\r\n");
    talk.run(Duration::microseconds(10));
    expected += message("a", std::to_string(i));
  }
  talk.run(Duration::milliseconds(5));
  EXPECT_EQ(talk.client(subscriber).take(), expected);
  const uint64_t sends = talk.node().stats().writes_processed - before;
  EXPECT_LT(sends, 2 * kMessages) << "replies take one each at most";
  talk.client(publisher).take();
  talk.say(publisher, "PUBLISH a x\r\n");
  talk.run(Duration::milliseconds(1));
  EXPECT_EQ(talk.client(subscriber).take(), message("a", "x"));
}

TEST(PubSub, AMessageThatWaitsForItsPieceIsNoTrouble) {
  Talk talk;
  const size_t subscriber = talk.connect();
  const size_t publisher = talk.connect();
  talk.say(subscriber, "SUBSCRIBE a\r\n");
  for (int i = 0; i < 5; ++i) {
    talk.send(publisher, "PUBLISH a x\r\nPUBLISH a y\r\n");
    talk.run(Duration::microseconds(30));
  }
  talk.client(subscriber).disconnect();
  talk.run();
  EXPECT_EQ(talk.node().clients().sessions().count(), 1u);
  EXPECT_EQ(talk.say(publisher, "PING\r\n"), "+PONG\r\n");
}

TEST(PubSub, SubscribersAreNotIdle) {
  Talk talk({"--timeout", "2"});
  const size_t subscriber = talk.connect();
  const size_t idle = talk.connect();
  talk.say(subscriber, "SUBSCRIBE a\r\n");
  talk.run(Duration::seconds(5));
  EXPECT_FALSE(talk.client(subscriber).closed());
  EXPECT_TRUE(talk.client(idle).closed());
}

TEST(PubSub, ManyHostilePatterns) {
  Talk talk;
  const size_t subscriber = talk.connect();
  const size_t publisher = talk.connect();
  std::string pattern;
  for (int i = 0; i < 40; ++i) pattern += "*a";
  for (int i = 0; i < 100; ++i) {
    talk.send(subscriber, "PSUBSCRIBE " + pattern + std::to_string(i) + "b\r\n");
  }
  talk.run();
  talk.client(subscriber).take();
  EXPECT_EQ(talk.say(publisher, "PUBLISH " + std::string(5'000, 'a') + " x\r\n"), ":0\r\n");
  EXPECT_EQ(talk.client(subscriber).take(), "");
}

TEST(PubSub, MessagesPassTheGate) {
  Talk talk;
  const size_t subscriber = talk.connect();
  const size_t writer = talk.connect();
  talk.say(subscriber, "SUBSCRIBE a\r\n");
  FakeLog log;
  talk.node().effects().attach(log);
  const ReplyGate::Source file = talk.node().gate().open_source("file", 0);
  EXPECT_EQ(talk.say(writer, "PUBLISH a before\r\n"), ":1\r\n");
  EXPECT_EQ(talk.client(subscriber).take(), message("a", "before"));
  EXPECT_EQ(talk.say(writer, "SET x 1\r\nPUBLISH a first\r\n"), "");
  const uint64_t first = log.offset;
  EXPECT_EQ(talk.client(subscriber).take(), "") << "it tells of a write that may still be lost";
  EXPECT_EQ(talk.say(writer, "SET x 2\r\nPUBLISH a second\r\n"), "");
  release_gate(talk, file, first);
  EXPECT_EQ(talk.client(subscriber).take(), message("a", "first"));
  release_gate(talk, file, log.offset);
  EXPECT_EQ(talk.client(subscriber).take(), message("a", "second"));
  talk.node().effects().detach(log);
}

TEST(PubSub, ExpiryByItselfPassesTheGateToo) {
  Talk talk({"--notify-keyspace-events", "Ex"});
  const size_t subscriber = talk.connect();
  const size_t writer = talk.connect();
  talk.say(subscriber, "SUBSCRIBE __keyevent@0__:expired\r\n");
  talk.say(writer, "SET x 1 PX 2000\r\n");
  FakeLog log;
  talk.node().effects().attach(log);
  const ReplyGate::Source file = talk.node().gate().open_source("file", 0);
  talk.run(Duration::seconds(3));
  EXPECT_GT(log.offset, 0u);
  EXPECT_EQ(talk.client(subscriber).take(), "");
  release_gate(talk, file, log.offset);
  EXPECT_EQ(talk.client(subscriber).take(), message("__keyevent@0__:expired", "x"));
  talk.node().effects().detach(log);
}

}  // namespace
}  // namespace redoubt
