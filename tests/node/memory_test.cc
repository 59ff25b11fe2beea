#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/node/talk.h"

namespace redoubt {
namespace {

std::string run(Talk& talk, Session& session, std::vector<std::string> words) {
  const std::vector<std::string_view> args(words.begin(), words.end());
  return talk.node().dispatcher().execute(session, args);
}

TEST(Expiry, KeysThatNobodyAsksForGo) {
  Talk talk;
  Session& session = talk.node().clients().make_local();
  for (int i = 0; i < 5000; ++i) {
    run(talk, session, {"SET", "k" + std::to_string(i), "v", "PX", i % 2 == 0 ? "1000" : "100000"});
  }
  talk.run(Duration::seconds(4));
  EXPECT_EQ(talk.node().keyspace().database(0).size(), 2500u);
  EXPECT_EQ(talk.node().stats().expired_keys, 2500u);
  talk.node().clients().drop_local(session);
}

TEST(Expiry, CanBeSwitchedOffAndIsLazyStill) {
  Talk talk;
  Session& session = talk.node().clients().make_local();
  talk.node().upkeep().set_active_expiry(false);
  run(talk, session, {"SET", "a", "v", "PX", "100"});
  run(talk, session, {"SET", "b", "v", "PX", "100"});
  talk.run(Duration::seconds(2));
  EXPECT_EQ(talk.node().keyspace().database(0).size(), 2u);
  EXPECT_EQ(run(talk, session, {"GET", "a"}), "$-1\r\n");
  EXPECT_EQ(talk.node().keyspace().database(0).size(), 1u);
  talk.node().clients().drop_local(session);
}

TEST(Memory, ReturnsToItsBase) {
  Talk talk;
  Session& session = talk.node().clients().make_local();
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
  talk.node().clients().drop_local(session);
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
  Session& session = talk.node().clients().make_local();
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
  talk.node().clients().drop_local(session);
}

TEST(Eviction, VolatilePoliciesTouchOnlyKeysWithAnExpiry) {
  for (const char* policy : {"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"}) {
    Talk talk({"--maxmemory", "1mb", "--maxmemory-policy", policy});
    Session& session = talk.node().clients().make_local();
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
    talk.node().clients().drop_local(session);
  }
}

TEST(Eviction, TtlPolicyTakesTheSoonestFirst) {
  Talk talk(
      {"--maxmemory", "1mb", "--maxmemory-policy", "volatile-ttl", "--maxmemory-samples", "10"});
  Session& session = talk.node().clients().make_local();
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
  talk.node().clients().drop_local(session);
}

// Many keys fall due at once: a step removes about a thousand.
TEST(Expiry, AStepIsBounded) {
  Talk talk;
  Session& session = talk.node().clients().make_local();
  for (int i = 0; i < 20'000; ++i) {
    run(talk, session, {"SET", "k" + std::to_string(i), "v", "PX", "2000"});
  }
  uint64_t before = 0;
  uint64_t most = 0;
  for (int i = 0; i < 20'000 && before < 20'000; ++i) {
    talk.run(Duration::microseconds(500));
    const uint64_t now = talk.node().stats().expired_keys;
    most = std::max(most, now - before);
    before = now;
  }
  EXPECT_EQ(before, 20'000u);
  EXPECT_LE(most, 1100u);
  EXPECT_GT(talk.node().stats().expire_cycle_time_cap, 15u);
  talk.node().clients().drop_local(session);
}

// Few among many are found.
TEST(Eviction, VolatilePoliciesFindTheLastKeyWithAnExpiry) {
  for (const char* policy : {"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"}) {
    SCOPED_TRACE(policy);
    Talk talk({"--maxmemory-policy", policy});
    Session& session = talk.node().clients().make_local();
    for (int i = 0; i < 60'000; ++i) run(talk, session, {"SET", "k" + std::to_string(i), "v"});
    for (int i = 0; i < 5; ++i) {
      run(talk, session, {"SET", "v" + std::to_string(i), std::string(2000, 'x'), "EX", "1000"});
    }
    talk.run(Duration::milliseconds(1));
    run(talk, session,
        {"CONFIG", "SET", "maxmemory", std::to_string(talk.node().used_memory() + 500)});
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(run(talk, session, {"SET", "n" + std::to_string(i), std::string(1900, 'y')}),
                "+OK\r\n");
    }
    EXPECT_EQ(talk.node().stats().evicted_keys, 5u);
    EXPECT_EQ(run(talk, session, {"SET", "another", std::string(1900, 'y')}).substr(0, 4), "-OOM");
    talk.node().clients().drop_local(session);
  }
}

// Large values among small keys: what comes is let in when there is room for it, and eviction goes
// on between commands.
TEST(Eviction, MemoryStaysNearTheLimitWhateverCommandsBring) {
  constexpr size_t kLimit = 8 * 1024 * 1024;
  for (const char* policy : {"allkeys-lru", "allkeys-random", "allkeys-lfu", "allkeys-lrm"}) {
    SCOPED_TRACE(policy);
    Talk talk({"--maxmemory", std::to_string(kLimit), "--maxmemory-policy", policy});
    const size_t c = talk.connect();
    Session& session = talk.node().clients().make_local();
    for (int i = 0; i < 100'000; ++i) {
      ASSERT_EQ(run(talk, session, {"SET", "k" + std::to_string(i), std::string(30, 'v')}),
                "+OK\r\n");
    }
    const std::string value(200'000, 'x');
    int taken = 0;
    for (int i = 0; i < 200; ++i) {
      const std::string reply = run(talk, session, {"SET", "big" + std::to_string(i), value});
      taken += reply == "+OK\r\n" ? 1 : 0;
      const size_t counted =
          talk.node().used_memory() - talk.node().upkeep().not_counted_for_eviction();
      ASSERT_LE(counted, kLimit + kLimit / 32 + 1000);
      talk.run(Duration::microseconds(200));
    }
    EXPECT_GT(taken, 1);
    // Whoever comes back later is served.
    for (int i = 0; i < 30; ++i) {
      talk.run(Duration::seconds(1));
      EXPECT_EQ(run(talk, session, {"SET", "big" + std::to_string(i), value}), "+OK\r\n");
    }
    EXPECT_EQ(run(talk, session, {"SET", "toobig", std::string(kLimit, 'x')}).substr(0, 4), "-OOM");
    EXPECT_EQ(talk.say(c, "GET nosuch\r\n"), "$-1\r\n");
    talk.node().clients().drop_local(session);
  }
}

TEST(Eviction, TenacityBoundsWhatACommandEvicts) {
  const std::pair<const char*, uint64_t> cases[] = {
      {"0", 1}, {"5", 250}, {"10", 500}, {"26", 2000}};
  for (const auto& [tenacity, most] : cases) {
    Talk talk({"--maxmemory-policy", "allkeys-random", "--maxmemory-eviction-tenacity", tenacity});
    Session& session = talk.node().clients().make_local();
    for (int i = 0; i < 20'000; ++i) run(talk, session, {"SET", "k" + std::to_string(i), "v"});
    run(talk, session, {"CONFIG", "SET", "maxmemory", "200kb"});
    const uint64_t before = talk.node().stats().evicted_keys;
    EXPECT_EQ(run(talk, session, {"SET", "n", "v"}).substr(0, 4), "-OOM");
    EXPECT_EQ(talk.node().stats().evicted_keys - before, most) << tenacity;
    talk.node().clients().drop_local(session);
  }
  Talk talk({"--maxmemory-policy", "allkeys-random", "--maxmemory-eviction-tenacity", "100"});
  Session& session = talk.node().clients().make_local();
  for (int i = 0; i < 20'000; ++i) run(talk, session, {"SET", "k" + std::to_string(i), "v"});
  run(talk, session, {"CONFIG", "SET", "maxmemory", "200kb"});
  EXPECT_EQ(run(talk, session, {"SET", "n", "v"}), "+OK\r\n");
  talk.node().clients().drop_local(session);
}

// Without a turn in between: the command that makes a value frees what others left.
TEST(Reclaim, WhatIsReplacedAgainAndAgainIsFreedAsFastAsItComes) {
  for (const char* limit : {"0", "40mb"}) {
    SCOPED_TRACE(limit);
    Talk talk({"--maxmemory", limit});
    Session& session = talk.node().clients().make_local();
    std::vector<std::string> words = {"SADD", "src"};
    for (int i = 0; i < 50'000; ++i) words.push_back("member:" + std::to_string(i));
    run(talk, session, words);
    const size_t one = talk.node().used_memory();
    size_t most = 0;
    for (int i = 0; i < 60; ++i) {
      ASSERT_EQ(run(talk, session, {"COPY", "src", "dst", "REPLACE"}), ":1\r\n");
      most = std::max(most, talk.node().used_memory() + talk.node().keyspace().reclaim().bytes());
    }
    // Two values, twice what may wait and one value more.
    const size_t waiting = limit[0] == '0' ? 64u << 20 : 40u << 14;
    EXPECT_LT(most, 4 * one + 2 * waiting);
    talk.node().clients().drop_local(session);
  }
}

TEST(Reclaim, LargeStringsThatAreReplacedWaitUpToABound) {
  Talk talk({"--maxmemory", "100mb", "--lazyfree-lazy-server-del", "yes"});
  Session& session = talk.node().clients().make_local();
  const std::string value(1'000'000, 'x');
  for (int i = 0; i < 300; ++i) {
    run(talk, session, {"SET", "k", value});
    ASSERT_LE(talk.node().keyspace().reclaim().bytes(), (100u << 14) + 2 * value.size());
  }
  talk.node().clients().drop_local(session);
}

}  // namespace
}  // namespace redoubt
