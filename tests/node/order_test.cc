// What runs when, and where its reply stands: pauses, transactions, replies that come later,
// malformed requests behind those that wait.
#include <gtest/gtest.h>

#include <string>

#include "engine/commands/families.h"
#include "tests/commands/local_node.h"
#include "tests/node/talk.h"

namespace redoubt {
namespace {

TEST(Order, NothingOfAnotherClientRunsInsideACommand) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  EXPECT_EQ(talk.say(a, "CLIENT ID\r\n"), ":1\r\n");
  EXPECT_EQ(talk.say(a, "CLIENT PAUSE 100000 WRITE\r\n"), "+OK\r\n");
  EXPECT_EQ(talk.say(b, "INCR n\r\nINCR n\r\n"), "");
  // EXEC sees the data stand still, although it ends the pause.
  EXPECT_EQ(talk.say(a, "MULTI\r\nGET n\r\nCLIENT UNPAUSE\r\nGET n\r\nEXEC\r\n"),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n$-1\r\n+OK\r\n$-1\r\n");
  EXPECT_EQ(talk.client(b).take(), ":1\r\n:2\r\n");
}

TEST(Order, WhatWaitedForAPauseMayCloseWhoEndsIt) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  EXPECT_EQ(talk.say(a, "CLIENT PAUSE 100000 WRITE\r\n"), "+OK\r\n");
  EXPECT_EQ(talk.say(b, "SET x 1\r\nCLIENT KILL ID 1\r\n"), "");
  talk.say(a, "CLIENT UNPAUSE\r\nGET x\r\n");  // closed before its replies leave
  EXPECT_EQ(talk.client(b).take(), "+OK\r\n:1\r\n");
  EXPECT_TRUE(talk.client(a).closed());
  EXPECT_TRUE(talk.alive());
}

TEST(Order, PausedWritesHoldWhatMayReplicate) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  EXPECT_EQ(talk.say(a, "PFADD h a b\r\nCLIENT PAUSE 100000 WRITE\r\n"), ":1\r\n+OK\r\n");
  EXPECT_EQ(talk.say(b, "PFCOUNT h\r\n"), "");
  EXPECT_EQ(talk.say(a, "CLIENT UNPAUSE\r\n"), "+OK\r\n");
  EXPECT_EQ(talk.client(b).take(), ":2\r\n");
}

TEST(Order, AMalformedRequestComesBehindThoseThatWait) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  EXPECT_EQ(talk.say(a, "BLPOP q 0\r\nSET x 1\r\n*1\r\n+wrong\r\nSET x 2\r\n"), "");
  EXPECT_EQ(talk.say(b, "GET x\r\nRPUSH q v\r\nGET x\r\n"), "$-1\r\n:1\r\n$-1\r\n");
  EXPECT_EQ(talk.client(a).take(),
            "*2\r\n$1\r\nq\r\n$1\r\nv\r\n+OK\r\n-ERR Protocol error: expected '$', got '+'\r\n");
  EXPECT_TRUE(talk.client(a).closed());
  EXPECT_EQ(talk.say(b, "GET x\r\n"), "$1\r\n1\r\n");
}

TEST(Order, AClientThatIsGoneBehindAMalformedRequestIsNotServed) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  EXPECT_EQ(talk.say(a, "BLPOP q 0\r\n*1\r\n+wrong\r\n"), "");
  talk.say(a, "more that nobody reads\r\n");
  talk.client(a).disconnect();
  talk.run();
  EXPECT_EQ(talk.say(b, "RPUSH q v\r\nLLEN q\r\n"), ":1\r\n:1\r\n");
}

// --- each queued command is one element

std::string in_multi(LocalNode& node, std::initializer_list<std::string_view> command) {
  node.call({"MULTI"});
  if (node.call(command) != "+QUEUED\r\n") return "not queued";
  return node.call({"EXEC"});
}

TEST(OneElement, OfCommandsThatSayNothing) {
  LocalNode node;
  EXPECT_EQ(in_multi(node, {"CLIENT", "REPLY", "OFF"}), "*1\r\n+OK\r\n");
  EXPECT_EQ(node.call({"PING"}), "");  // it holds for those behind EXEC
  EXPECT_EQ(in_multi(node, {"PING"}), "not queued");
  EXPECT_EQ(node.call({"EXEC"}), "");
  EXPECT_EQ(node.call({"CLIENT", "REPLY", "ON"}), "+OK\r\n");
  EXPECT_EQ(in_multi(node, {"CLIENT", "REPLY", "SKIP"}), "*1\r\n+OK\r\n");
  EXPECT_EQ(node.call({"PING"}), "");
  EXPECT_EQ(node.call({"PING"}), "+PONG\r\n");
}

TEST(OneElement, OfMonitorIsARefusal) {
  LocalNode node;
  EXPECT_EQ(in_multi(node, {"MONITOR"}),
            "*1\r\n-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n");
}

TEST(OneElement, OfSubscribe) {
  Talk talk;
  const size_t a = talk.connect();
  EXPECT_EQ(talk.say(a, "MULTI\r\nSUBSCRIBE x y\r\nPING\r\nEXEC\r\n"),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n"
            "*2\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n"
            "*3\r\n$9\r\nsubscribe\r\n$1\r\ny\r\n:2\r\n");
  const size_t b = talk.connect();
  talk.say(b, "HELLO 3\r\n");
  EXPECT_EQ(talk.say(b, "MULTI\r\nSUBSCRIBE x y\r\nPING\r\nEXEC\r\n"),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+PONG\r\n"
            ">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\ny\r\n:2\r\n");
}

}  // namespace
}  // namespace redoubt
