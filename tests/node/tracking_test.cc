#include "engine/clients/tracking.h"

#include <gtest/gtest.h>

#include <ctime>

#include "tests/node/talk.h"
#include "tests/resp_text.h"

namespace redoubt {
namespace {

std::string invalidate(std::initializer_list<std::string_view> keys) {
  std::string text = ">2\r\n" + bulk("invalidate") + "*" + std::to_string(keys.size()) + "\r\n";
  for (const std::string_view key : keys) text += bulk(key);
  return text;
}

// A command of more words than fit into a line.
std::string request(std::string_view words, std::string_view repeated, int from, int to) {
  std::string bulks;
  size_t count = 0;
  const auto add = [&](std::string_view word) {
    bulks += bulk(word);
    ++count;
  };
  for (size_t at = 0; at < words.size();) {
    const size_t end = std::min(words.find(' ', at), words.size());
    add(words.substr(at, end - at));
    at = end + 1;
  }
  for (int i = from; i < to; ++i) {
    if (!repeated.empty()) add(repeated);
    add("p" + std::to_string(i));
  }
  return "*" + std::to_string(count) + "\r\n" + bulks;
}

// A connection that speaks RESP3 and tracks.
size_t tracker(Talk& talk, std::string_view options = "") {
  const size_t c = talk.connect();
  talk.say(c, "HELLO 3\r\nCLIENT TRACKING ON " + std::string(options) + "\r\n");
  return c;
}

TEST(Tracking, AChangeIsToldOnce) {
  Talk talk;
  const size_t t = tracker(talk);
  const size_t w = talk.connect();
  talk.say(t, "GET a\r\nMGET a b\r\n");
  EXPECT_EQ(talk.node().clients().tracking().key_count(), 2u);
  talk.say(w, "SET a 1\r\nSET a 2\r\n");
  EXPECT_EQ(talk.client(t).take(), invalidate({"a"}));
  EXPECT_EQ(talk.node().clients().tracking().key_count(), 1u);
  EXPECT_EQ(talk.say(t, "SET b 1\r\n"), "+OK\r\n" + invalidate({"b"}));
  EXPECT_EQ(talk.node().clients().tracking().memory_bytes(), 0u);
  EXPECT_EQ(talk.node().clients().tracking().item_count(), 0u);
}

TEST(Tracking, ExpiredAndEvictedKeys) {
  Talk talk({"--maxmemory-policy", "allkeys-random"});
  const size_t t = tracker(talk);
  const size_t w = talk.connect();
  talk.say(w, "SET a 1 PX 2500\r\n");
  talk.say(t, "GET a\r\n");
  talk.run(Duration::seconds(2));
  EXPECT_EQ(talk.client(t).take(), invalidate({"a"}));
  talk.say(w, "SET b 1\r\n");
  talk.say(t, "GET b\r\n");
  talk.say(w, "CONFIG SET maxmemory 1\r\n");
  talk.run();
  EXPECT_EQ(talk.client(t).take(), invalidate({"b"}));
}

TEST(Tracking, TheOldestKeyGoesWhenTheTableIsFull) {
  Talk talk({"--tracking-table-max-keys", "3"});
  const size_t t = tracker(talk);
  EXPECT_EQ(talk.say(t, "EXISTS a b c d e\r\n"), ":0\r\n" + invalidate({"a"}) + invalidate({"b"}));
  EXPECT_EQ(talk.node().clients().tracking().key_count(), 3u);
  talk.say(t, "CONFIG SET tracking-table-max-keys 1\r\n");
  talk.run();
  EXPECT_EQ(talk.node().clients().tracking().key_count(), 1u);
  talk.say(t, "CONFIG SET tracking-table-max-keys 0\r\n");
  std::string keys;
  for (int i = 0; i < 1000; ++i) keys += " k" + std::to_string(i);
  talk.say(t, "EXISTS" + keys + "\r\n");
  EXPECT_EQ(talk.node().clients().tracking().key_count(), 1001u);
}

TEST(Tracking, WhoBroadcastsNowHearsNoMoreOfWhatItRead) {
  Talk talk;
  const size_t t = tracker(talk);
  const size_t w = talk.connect();
  talk.say(t, "GET a\r\nCLIENT TRACKING OFF\r\nCLIENT TRACKING ON BCAST PREFIX x\r\n");
  talk.say(w, "SET a 1\r\nSET x 1\r\n");
  EXPECT_EQ(talk.client(t).take(), invalidate({"x"}));
}

TEST(Tracking, BroadcastsOnceATurn) {
  Talk talk;
  const size_t all = tracker(talk, "BCAST");
  const size_t some = tracker(talk, "BCAST PREFIX user: PREFIX x");
  const size_t w = talk.connect();
  talk.say(w, "SET user:1 a\r\nSET other 1\r\nSET user:1 b\r\nDEL user:2\r\nSET x 1\r\n");
  EXPECT_EQ(talk.client(all).take(), invalidate({"other", "user:1", "x"}));
  EXPECT_EQ(talk.client(some).take(), invalidate({"user:1"}) + invalidate({"x"}));
  EXPECT_EQ(talk.node().clients().tracking().prefix_count(), 3u);
  talk.client(some).disconnect();
  talk.run();
  EXPECT_EQ(talk.node().clients().tracking().prefix_count(), 1u);
  EXPECT_EQ(talk.node().clients().tracking().session_count(), 1u);
}

// Of two changes of a key in one turn the last one counts: its own, and the client knows the value;
// another's, and it has to be told.
TEST(Tracking, NoLoopWithTwoChangesInATurn) {
  Talk talk;
  const size_t t = tracker(talk, "BCAST NOLOOP");
  const size_t w = talk.connect();
  const auto in_one_turn = [&](size_t first, size_t second) {
    talk.node_host().set_paused(true);
    talk.send(first, "SET a 1\r\n");
    talk.run();
    talk.send(second, "SET a 2\r\n");
    talk.run();
    talk.node_host().set_paused(false);
    talk.run();
    talk.client(w).take();
    return talk.client(t).take();
  };
  EXPECT_EQ(in_one_turn(w, t), "+OK\r\n");
  EXPECT_EQ(in_one_turn(t, w), "+OK\r\n" + invalidate({"a"}));
}

TEST(Tracking, NothingIsLeftWhenNobodyTracks) {
  Talk talk;
  const size_t t = tracker(talk, "NOLOOP");
  const size_t w = talk.connect();
  talk.say(t, request("EXISTS", "", 0, 12'000));
  EXPECT_EQ(talk.node().clients().tracking().key_count(), 12'000u);
  talk.client(t).disconnect();
  talk.run();
  EXPECT_FALSE(talk.node().clients().tracking().active());
  EXPECT_EQ(talk.node().clients().tracking().key_count(), 0u) << "freed in slices";
  EXPECT_EQ(talk.node().clients().tracking().memory_bytes(), 0u);
  EXPECT_EQ(talk.say(w, "SET p1 1\r\n"), "+OK\r\n");
}

TEST(Tracking, AFlushEmptiesTheTable) {
  Talk talk;
  const size_t t = tracker(talk);
  const size_t w = talk.connect();
  talk.say(t, "EXISTS a b c\r\n");
  talk.say(w, "FLUSHALL\r\nSET a 1\r\n");
  EXPECT_EQ(talk.client(t).take(), ">2\r\n" + bulk("invalidate") + "_\r\n");
  EXPECT_EQ(talk.node().clients().tracking().key_count(), 0u);
}

TEST(Tracking, ARedirectThatIsGone) {
  Talk talk;
  const size_t to = talk.connect();
  const std::string id = talk.say(to, "CLIENT ID\r\n").substr(1);
  const size_t t = tracker(talk, "REDIRECT " + id.substr(0, id.size() - 2));
  const size_t w = talk.connect();
  talk.say(to, "SUBSCRIBE __redis__:invalidate\r\n");
  talk.say(t, "EXISTS a b\r\n");
  talk.say(w, "SET a 1\r\n");
  EXPECT_EQ(talk.client(to).take(),
            "*3\r\n" + bulk("message") + bulk("__redis__:invalidate") + "*1\r\n" + bulk("a"));
  talk.client(to).disconnect();
  talk.run();
  talk.say(w, "SET b 1\r\n");
  EXPECT_EQ(talk.client(t).take(), ">2\r\n" + bulk("tracking-redir-broken") + ":" + id);
}

// Neither a client's prefixes nor a change among them costs more the more there are.
TEST(Tracking, ManyPrefixesCostNoMoreThanTheyAre) {
  constexpr int kPrefixes = 100'000;
  Talk talk;
  const size_t t = talk.connect();
  const size_t w = talk.connect();
  const std::clock_t since = std::clock();
  talk.say(t, "HELLO 3\r\n" +
                  request("CLIENT TRACKING ON BCAST", "PREFIX", 100'000, 100'000 + kPrefixes));
  EXPECT_EQ(talk.node().clients().tracking().prefix_count(), static_cast<size_t>(kPrefixes));
  for (int i = 0; i < 1000; ++i) {
    talk.send(w, "SET p" + std::to_string(100'000 + i) + " x\r\n");
    talk.run(Duration::milliseconds(1));
  }
  talk.run();
  EXPECT_EQ(talk.client(t).take().substr(0, 3), ">2\r");
  talk.client(t).disconnect();
  talk.run();
  EXPECT_EQ(talk.node().clients().tracking().prefix_count(), 0u);
  EXPECT_EQ(talk.node().clients().tracking().memory_bytes(), 0u);
  // Half a second; with a walk over all, or a move of all, for each, ten or more.
  EXPECT_LT(static_cast<double>(std::clock() - since) / CLOCKS_PER_SEC, 4.0);
}

TEST(Tracking, TenThousandPrefixes) {
  Talk talk;
  const size_t t = talk.connect();
  const std::string command = request("CLIENT TRACKING ON BCAST", "PREFIX", 10'000, 20'000);
  EXPECT_EQ(talk.say(t, "HELLO 3\r\n" + command).substr(0, 1), "%");
  EXPECT_EQ(talk.node().clients().tracking().prefix_count(), 10'000u);
  EXPECT_EQ(talk.say(t, "SET p12345x 1\r\nSET p1234 1\r\n"),
            "+OK\r\n+OK\r\n" + invalidate({"p12345x"}));
  EXPECT_EQ(talk.say(t, command).substr(0, 5), "-ERR ");
  talk.say(t, "CLIENT TRACKING OFF\r\n");
  EXPECT_EQ(talk.node().clients().tracking().prefix_count(), 0u);
  EXPECT_EQ(talk.node().clients().tracking().memory_bytes(), 0u);
}

}  // namespace
}  // namespace redoubt
