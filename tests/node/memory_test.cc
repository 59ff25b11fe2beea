#include <gtest/gtest.h>

#include "tests/node/talk.h"

namespace redoubt {
namespace {

std::string run(Talk& talk, Session& session, std::vector<std::string> words) {
  const std::vector<std::string_view> args(words.begin(), words.end());
  return talk.node().execute(session, args);
}

TEST(Expiry, KeysThatNobodyAsksForGo) {
  Talk talk;
  Session& session = talk.node().make_local_session();
  for (int i = 0; i < 5000; ++i) {
    run(talk, session, {"SET", "k" + std::to_string(i), "v", "PX", i % 2 == 0 ? "1000" : "100000"});
  }
  talk.run(Duration::seconds(4));
  EXPECT_EQ(talk.node().keyspace().database(0).size(), 2500u);
  EXPECT_EQ(talk.node().stats().expired_keys, 2500u);
  talk.node().drop_local_session(session);
}

TEST(Expiry, CanBeSwitchedOffAndIsLazyStill) {
  Talk talk;
  Session& session = talk.node().make_local_session();
  talk.node().set_active_expiry(false);
  run(talk, session, {"SET", "a", "v", "PX", "100"});
  run(talk, session, {"SET", "b", "v", "PX", "100"});
  talk.run(Duration::seconds(2));
  EXPECT_EQ(talk.node().keyspace().database(0).size(), 2u);
  EXPECT_EQ(run(talk, session, {"GET", "a"}), "$-1\r\n");
  EXPECT_EQ(talk.node().keyspace().database(0).size(), 1u);
  talk.node().drop_local_session(session);
}

TEST(Memory, ReturnsToItsBase) {
  Talk talk;
  Session& session = talk.node().make_local_session();
  talk.run();
  const size_t base = talk.node().used_memory();
  for (int i = 0; i < 20'000; ++i) {
    run(talk, session,
        {"SET", "k" + std::to_string(i), std::string(static_cast<size_t>(i % 700), 'v')});
  }
  EXPECT_GT(talk.node().used_memory(), base + 20'000 * 300);
  for (int i = 0; i < 20'000; ++i) run(talk, session, {"DEL", "k" + std::to_string(i)});
  talk.run();
  EXPECT_LT(talk.node().used_memory(), base + 20'000);
  for (int i = 0; i < 20'000; ++i) run(talk, session, {"SET", "k" + std::to_string(i), "v"});
  run(talk, session, {"FLUSHALL"});
  talk.run();
  EXPECT_LE(talk.node().used_memory(), base);
  EXPECT_EQ(talk.node().keyspace().reclaim().objects(), 0u);
  talk.node().drop_local_session(session);
}

TEST(Memory, ARegionIsMadeBesideTheNodeWhileADatabaseGrows) {
  Talk talk;
  const size_t c = talk.connect();
  const Regions& regions = talk.node().keyspace().database(0).allocator().regions();
  bool seen = false;
  for (int i = 0; i < 20'000; ++i) {
    talk.send(c, "SET k" + std::to_string(i) + " " + std::string(200, 'v') + "\r\n");
    talk.run(Duration::milliseconds(2));
    seen = seen || regions.has_spare();
  }
  EXPECT_TRUE(seen);
  talk.run(Duration::seconds(1));
  EXPECT_FALSE(regions.has_spare());
}

TEST(Eviction, NoevictionRefusesWritesButServesReads) {
  Talk talk({"--maxmemory", "1mb"});
  const size_t c = talk.connect();
  std::string reply;
  for (int i = 0; i < 2000 && reply.substr(0, 4) != "-OOM"; ++i) {
    reply = talk.say(c, "SET k" + std::to_string(i) + " " + std::string(1000, 'v') + "\r\n");
  }
  EXPECT_EQ(reply, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
  EXPECT_EQ(talk.say(c, "STRLEN k0\r\n"), ":1000\r\n");
  EXPECT_EQ(talk.say(c, "DEL k0 k1 k2 k3\r\n"), ":4\r\n");
}

// Keys that are used again and again stay; of the others the oldest go first, more or less.
TEST(Eviction, LruKeepsWhatIsUsed) {
  Talk talk(
      {"--maxmemory", "2mb", "--maxmemory-policy", "allkeys-lru", "--maxmemory-samples", "10"});
  Session& session = talk.node().make_local_session();
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 200; ++i) {
      run(talk, session, {"SET", "new" + std::to_string(round * 200 + i), std::string(400, 'v')});
      if (round == 0 && i < 100)
        run(talk, session, {"SET", "hot" + std::to_string(i), std::string(400, 'v')});
    }
    for (int i = 0; i < 100; ++i) run(talk, session, {"GET", "hot" + std::to_string(i)});
    talk.run(Duration::seconds(1));
  }
  EXPECT_GT(talk.node().stats().evicted_keys, 1000u);
  int kept = 0;
  for (int i = 0; i < 100; ++i) {
    if (run(talk, session, {"EXISTS", "hot" + std::to_string(i)}) == ":1\r\n") ++kept;
  }
  EXPECT_GE(kept, 95);
  talk.node().drop_local_session(session);
}

TEST(Eviction, VolatilePoliciesTouchOnlyKeysWithAnExpiry) {
  for (const char* policy : {"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"}) {
    Talk talk({"--maxmemory", "1mb", "--maxmemory-policy", policy});
    Session& session = talk.node().make_local_session();
    for (int i = 0; i < 500; ++i)
      run(talk, session, {"SET", "stay" + std::to_string(i), std::string(500, 'v')});
    for (int i = 0; i < 5000; ++i) {
      run(talk, session,
          {"SET", "go" + std::to_string(i), std::string(500, 'v'), "EX", std::to_string(1000 + i)});
    }
    EXPECT_GT(talk.node().stats().evicted_keys, 1000u) << policy;
    for (int i = 0; i < 500; ++i) {
      EXPECT_EQ(run(talk, session, {"EXISTS", "stay" + std::to_string(i)}), ":1\r\n") << policy;
    }
    talk.node().drop_local_session(session);
  }
}

TEST(Eviction, TtlPolicyTakesTheSoonestFirst) {
  Talk talk(
      {"--maxmemory", "1mb", "--maxmemory-policy", "volatile-ttl", "--maxmemory-samples", "10"});
  Session& session = talk.node().make_local_session();
  for (int i = 0; i < 3000; ++i) {
    run(talk, session,
        {"SET", "k" + std::to_string(i), std::string(500, 'v'), "EX",
         std::to_string(i % 2 == 0 ? 100 : 100'000)});
  }
  int soon = 0;
  int late = 0;
  for (int i = 0; i < 3000; ++i) {
    if (run(talk, session, {"EXISTS", "k" + std::to_string(i)}) == ":1\r\n")
      ++(i % 2 == 0 ? soon : late);
  }
  EXPECT_LT(soon * 5, late);
  talk.node().drop_local_session(session);
}

}  // namespace
}  // namespace redoubt
