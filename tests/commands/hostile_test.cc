// Numbers of things that mean harm, in one process: clients that wait, keys that are watched,
// commands that are queued, entries that are pending, patterns that take long. What is asserted is
// memory, replies, and that others are served; an algorithm that is worse than it should be shows
// by not ending.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/commands/crowd.h"
#include "tests/commands/local_node.h"
#include "tests/resp_text.h"
#include "tests/sanitized.h"

namespace redoubt {
namespace {

constexpr size_t kMillion = affordable(1'000'000, 10);

using Words = std::vector<std::string>;

template <typename AnyNode>
std::string call(AnyNode& node, const Words& words) {
  return node.call(words);
}

template <typename AnyNode>
std::string info(AnyNode& node, std::string_view field) {
  const std::string text = call(node, {"INFO", "everything"});
  const size_t at = text.find("\n" + std::string(field) + ":");
  if (at == std::string::npos) return "none";
  const size_t from = at + field.size() + 2;
  return text.substr(from, text.find('\r', from) - from);
}

std::string starred(size_t stars, std::string_view between, std::string_view end) {
  std::string pattern;
  for (size_t i = 0; i < stars; ++i) pattern.append("*").append(between);
  return pattern.append(end);
}

// --- clients that wait

class Crowd : public testing::Test {
 protected:
  static constexpr size_t kClients = kMillion / 10;

  Crowd() : node({"maxclients", "200000"}) {
    std::string why;
    EXPECT_TRUE(node.node->listen(&why)) << why;
    for (size_t i = 0; i < kClients; ++i) node.backend.connect();
    node.turn();
    count_all();
    node.take_effects();
    EXPECT_EQ(node.node->clients().sessions().count(), kClients);
    idle_bytes = node.node->used_memory();
  }
  ~Crowd() override {
    for (size_t i = 0; i < kClients; ++i) node.backend.vanish(i);
    for (int i = 0; i < 3; ++i) node.turn();
    EXPECT_EQ(node.node->clients().sessions().count(), 0u);
    EXPECT_EQ(info(node, "blocked_clients"), "0");
    EXPECT_EQ(info(node, "total_blocking_keys"), "0");
  }

  // What connections take in memory is counted a part at a time, in a second of all.
  void count_all() {
    for (int i = 0; i < 12; ++i) node.pass_ms(100);
  }
  void all_say(const std::string& text) {
    for (size_t i = 0; i < kClients; ++i) node.backend.say(i, text);
    node.turn();
    count_all();
  }
  std::string waiting() { return info(node, "blocked_clients"); }
  // Each of them and what it waits for is small.
  void expect_little_memory() {
    EXPECT_LT(node.node->used_memory(), idle_bytes + kClients * 1024);
    EXPECT_EQ(call(node, {"PING"}), "+PONG\r\n");
  }

  LocalNodeOn<CrowdBackend> node;
  size_t idle_bytes = 0;
};

TEST_F(Crowd, WaitsForOneKeyAndIsServedInOrder) {
  all_say("BLPOP k 0\r\n");
  EXPECT_EQ(waiting(), std::to_string(kClients));
  expect_little_memory();
  size_t served = 0;
  for (const size_t count : {size_t{1}, size_t{999}, kClients - 1000}) {
    Words words = {"RPUSH", "k"};
    for (size_t i = served; i < served + count; ++i) words.push_back(std::to_string(i));
    EXPECT_EQ(call(node, words), ":" + std::to_string(count) + "\r\n");
    node.turn();
    served += count;
    EXPECT_EQ(waiting(), std::to_string(kClients - served));
    EXPECT_EQ(call(node, {"EXISTS", "k"}), ":0\r\n");
    node.take_effects();
  }
  for (size_t i = 0; i < kClients; ++i) {
    ASSERT_EQ(node.backend.received(i), "*2\r\n$1\r\nk\r\n" + bulk(std::to_string(i)));
  }
}

TEST_F(Crowd, WaitsForManyKeysAndLeaves) {
  for (size_t i = 0; i < kClients; ++i) {
    node.backend.say(i, "BZPOPMIN all own" + std::to_string(i) + " 0\r\n");
  }
  node.turn();
  count_all();
  EXPECT_EQ(waiting(), std::to_string(kClients));
  EXPECT_EQ(info(node, "total_blocking_keys"), std::to_string(kClients + 1));
  expect_little_memory();
  // Every second one, so that they leave from the middle of the line.
  for (size_t i = 0; i < kClients; i += 2) node.backend.vanish(i);
  node.turn();
  EXPECT_EQ(waiting(), std::to_string(kClients / 2));
  EXPECT_EQ(call(node, {"ZADD", "all", "1", "first"}), ":1\r\n");
  node.turn();
  EXPECT_EQ(node.backend.received(1), "*3\r\n$3\r\nall\r\n$5\r\nfirst\r\n$1\r\n1\r\n");
  EXPECT_EQ(waiting(), std::to_string(kClients / 2 - 1));
}

TEST_F(Crowd, WaitsUntilTheTimeIsOver) {
  all_say("BLMOVE k other LEFT LEFT 2\r\n");
  EXPECT_EQ(waiting(), std::to_string(kClients));
  node.pass_ms(1500);
  node.turn();
  EXPECT_EQ(waiting(), "0");
  for (size_t i = 0; i < kClients; ++i) ASSERT_EQ(node.backend.received(i), "*-1\r\n");
  count_all();
  EXPECT_LT(node.node->used_memory(), idle_bytes + 1'000'000);
}

TEST_F(Crowd, WaitsForAStreamAndAllAreServed) {
  all_say("XREAD BLOCK 0 STREAMS s $\r\n");
  EXPECT_EQ(waiting(), std::to_string(kClients));
  expect_little_memory();
  call(node, {"XADD", "s", "1-1", "f", "v"});
  node.turn();
  EXPECT_EQ(waiting(), "0");
  const std::string entry =
      "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n";
  for (size_t i = 0; i < kClients; ++i) ASSERT_EQ(node.backend.received(i), entry);
}

TEST_F(Crowd, OneOfManyIsWokenByItsNumber) {
  all_say("BRPOP a b c 0\r\n");
  const std::string reply = call(node, {"CLIENT", "UNBLOCK", std::to_string(kClients / 2)});
  EXPECT_EQ(reply, ":1\r\n");
  EXPECT_EQ(waiting(), std::to_string(kClients - 1));
  expect_little_memory();
}

// A timer's turn looks at some of the connections, however many there are.
TEST_F(Crowd, IsLookedAfterAPartAtATime) {
  for (size_t i = 0; i < kClients; ++i) node.backend.say(i, "BRPOP a b c d e f g h 0\r\n");
  node.turn();
  const size_t before = node.node->used_memory();
  std::vector<size_t> steps;
  for (int i = 0; i < 20; ++i) {
    const size_t there = node.node->used_memory();
    node.pass_ms(100);
    steps.push_back(node.node->used_memory() - there);
  }
  const size_t all = node.node->used_memory() - before;
  EXPECT_GT(all, kClients * 100);
  for (const size_t step : steps) EXPECT_LE(step, all / 8);
}

// --- transactions

TEST(Hostile, ATransactionOfAMillionCommands) {
  constexpr size_t kCount = kMillion;
  LocalNode node;
  const size_t before = node.session->memory_bytes();
  EXPECT_EQ(call(node, {"MULTI"}), "+OK\r\n");
  for (size_t i = 0; i < kCount; ++i) ASSERT_EQ(node.call({"INCR", "n"}), "+QUEUED\r\n");
  const size_t queued = node.session->memory_bytes() - before;
  EXPECT_GT(queued, kCount * 5);
  EXPECT_LT(queued, kCount * 64);
  const std::string reply = call(node, {"EXEC"});
  const std::string count = std::to_string(kCount);
  EXPECT_TRUE(reply.starts_with("*" + count + "\r\n:1\r\n:2\r\n"));
  EXPECT_TRUE(reply.ends_with(":" + std::to_string(kCount - 1) + "\r\n:" + count + "\r\n"));
  EXPECT_LT(node.session->memory_bytes(), before + 100'000);
  EXPECT_EQ(node.call({"GET", "n"}), bulk(count));
}

TEST(Hostile, WhatATransactionCannotExecuteIsNotKept) {
  LocalNode node;
  call(node, {"MULTI"});
  EXPECT_EQ(call(node, {"NOSUCH"}).substr(0, 4), "-ERR");
  const size_t before = node.session->memory_bytes();
  for (size_t i = 0; i < 10'000; ++i) call(node, {"SET", "k", std::string(1000, 'x')});
  EXPECT_LT(node.session->memory_bytes(), before + 100'000);
  EXPECT_EQ(call(node, {"EXEC"}).substr(0, 10), "-EXECABORT");
}

TEST(Hostile, AMillionWatchedKeys) {
  constexpr size_t kCount = kMillion;
  LocalNode node;
  Session& other = node.node->clients().make_local();
  for (const bool touched : {false, true}) {
    const size_t before = node.session->memory_bytes();
    for (size_t i = 0; i < kCount;) {
      Words words = {"WATCH"};
      for (size_t end = i + 10'000; i < end; ++i) words.push_back("key" + std::to_string(i));
      ASSERT_EQ(call(node, words), "+OK\r\n");
      // Again the same keys: nothing is added.
      if (i == 10'000) {
        const size_t once = node.session->memory_bytes();
        for (int k = 0; k < 10; ++k) ASSERT_EQ(call(node, words), "+OK\r\n");
        EXPECT_LT(node.session->memory_bytes(), once + 1000);
      }
    }
    EXPECT_LT(node.session->memory_bytes() - before, kCount * 256);
    EXPECT_EQ(info(node, "total_watched_keys"), std::to_string(kCount));
    call(node, {"MULTI"});
    call(node, {"INCR", "n"});
    if (touched) {
      const std::vector<std::string_view> change = {"SET", "key99999", "x"};
      EXPECT_EQ(node.node->dispatcher().execute(other, change), "+OK\r\n");
    }
    EXPECT_EQ(call(node, {"EXEC"}).substr(0, 8), touched ? "*-1\r\n" : "*1\r\n:1\r\n");
    EXPECT_EQ(info(node, "total_watched_keys"), "0");
    EXPECT_LT(node.session->memory_bytes(), before + 1000);
  }
  // All of them at once, and those who watch them leave.
  for (size_t i = 0; i < kCount / 10; ++i) {
    const std::string key = "key" + std::to_string(i);
    const std::vector<std::string_view> watch = {"WATCH", key};
    node.node->dispatcher().execute(other, watch);
  }
  call(node, {"SET", "key5", "x"});
  EXPECT_EQ(info(node, "total_watched_keys"), "0");
  node.node->clients().drop_local(other);
}

// --- patterns

TEST(Hostile, PatternsTakeTheirLengthTimesThatOfTheText) {
  LocalNode node;
  const std::string text(5000, 'a');
  call(node, {"SET", text, "v"});
  call(node, {"SADD", "s", text});
  call(node, {"HSET", "h", text, "v"});
  call(node, {"ZADD", "z", "1", text});
  call(node, {"RPUSH", "l", text, text});
  const std::string none = "*2\r\n$1\r\n0\r\n*0\r\n";
  const Words patterns = {starred(2000, "a", "~"),         starred(2000, "?", "~"),
                          starred(1000, "[a]", "[~]"),     starred(1000, "[^b]", "\\~"),
                          starred(1000, "[a-z]", "[{-~]"), starred(2000, "", "~"),
                          starred(500, "aaaa", "~"),       starred(2, std::string(2000, 'a'), "~")};
  for (const std::string& pattern : patterns) {
    SCOPED_TRACE(pattern.substr(0, 20));
    EXPECT_EQ(call(node, {"KEYS", pattern}), "*0\r\n");
    EXPECT_EQ(call(node, {"SCAN", "0", "MATCH", pattern, "COUNT", "100"}), none);
    EXPECT_EQ(call(node, {"SSCAN", "s", "0", "MATCH", pattern}), none);
    EXPECT_EQ(call(node, {"HSCAN", "h", "0", "MATCH", pattern}), none);
    EXPECT_EQ(call(node, {"ZSCAN", "z", "0", "MATCH", pattern}), none);
    EXPECT_EQ(call(node, {"CONFIG", "GET", pattern}), "*0\r\n");
    EXPECT_EQ(call(node, {"COMMAND", "LIST", "FILTERBY", "PATTERN", pattern}), "*0\r\n");
    EXPECT_EQ(call(node, {"SORT", "l", "ALPHA", "BY", pattern}),
              "*2\r\n" + bulk(text) + bulk(text));
    EXPECT_EQ(call(node, {"SORT", "l", "ALPHA", "GET", pattern}), "*2\r\n$-1\r\n$-1\r\n");
    EXPECT_TRUE(call(node, {"PSUBSCRIBE", pattern}).ends_with(":1\r\n"));
    Session& publisher = node.node->clients().make_local();
    const std::vector<std::string_view> publish = {"PUBLISH", text, "m"};
    EXPECT_EQ(node.node->dispatcher().execute(publisher, publish), ":0\r\n");
    node.node->clients().drop_local(publisher);
    EXPECT_TRUE(call(node, {"PUNSUBSCRIBE"}).ends_with(":0\r\n"));
    EXPECT_TRUE(call(node, {"SUBSCRIBE", text}).ends_with(":1\r\n"));
    EXPECT_EQ(call(node, {"RESET"}), "+RESET\r\n");
  }
  EXPECT_EQ(call(node, {"KEYS", starred(2000, "a", "")}), "*1\r\n" + bulk(text));
}

// --- a stream with a million pending entries

class Pending : public testing::Test {
 protected:
  static constexpr size_t kCount = kMillion;

  Pending() {
    for (size_t i = 1; i <= kCount; ++i) {
      const std::string id = std::to_string(i) + "-0";
      node.call({"XADD", "s", id, "f", "v"});
    }
    call(node, {"XGROUP", "CREATE", "s", "g", "0"});
    bytes_before = node.node->used_memory();
    for (size_t i = 0; i < kCount; i += 10'000) {
      call(node, {"XREADGROUP", "GROUP", "g", "a", "COUNT", "10000", "STREAMS", "s", ">"});
    }
    node.take_effects();
  }
  std::string summary() { return call(node, {"XPENDING", "s", "g"}); }

  LocalNode node;
  size_t bytes_before = 0;
};

TEST_F(Pending, TakesLittleMemoryAndIsLookedAtInParts) {
  const size_t bytes = node.node->used_memory() - bytes_before;
  EXPECT_LT(bytes, kCount * 72);
  const std::string count = std::to_string(kCount);
  EXPECT_EQ(summary(), "*4\r\n:" + count + "\r\n$3\r\n1-0\r\n" + bulk(count + "-0") +
                           "*1\r\n*2\r\n$1\r\na\r\n" + bulk(count));
  const uint64_t work = node.env.work();
  EXPECT_TRUE(call(node, {"XPENDING", "s", "g", "50000-0", "+", "2"})
                  .starts_with("*2\r\n*4\r\n" + bulk("50000-0")));
  EXPECT_TRUE(call(node, {"XAUTOCLAIM", "s", "g", "b", "0", "50000-0", "COUNT", "3", "JUSTID"})
                  .starts_with("*3\r\n" + bulk("50003-0") + "*3\r\n"));
  EXPECT_EQ(call(node, {"XACK", "s", "g", "50000-0", "50001-0", "7-7"}), ":2\r\n");
  EXPECT_EQ(call(node, {"XCLAIM", "s", "g", "c", "0", "99999-0", "JUSTID"}),
            "*1\r\n" + bulk("99999-0"));
  // What these commands look at does not depend on how much there is.
  EXPECT_LT(node.env.work() - work, 1000u);
  EXPECT_NE(summary().find(":" + std::to_string(kCount - 2) + "\r\n"), std::string::npos);
}

TEST_F(Pending, GoesWithItsConsumer) {
  EXPECT_EQ(call(node, {"XGROUP", "DELCONSUMER", "s", "g", "a"}),
            ":" + std::to_string(kCount) + "\r\n");
  EXPECT_EQ(summary(), "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n");
  EXPECT_LT(node.node->used_memory(), bytes_before + 1000);
}

TEST_F(Pending, GoesWithItsGroup) {
  EXPECT_EQ(call(node, {"XGROUP", "DESTROY", "s", "g"}), ":1\r\n");
  EXPECT_GT(node.node->keyspace().reclaim().bytes(), kCount * 40);
  for (int i = 0; i < 1000 && node.node->keyspace().reclaim().bytes() > 0; ++i) node.pass_ms(100);
  EXPECT_LT(node.node->used_memory(), bytes_before + 1000);
}

TEST_F(Pending, StaysWhenItsEntriesGoAndIsFoundDeleted) {
  EXPECT_EQ(call(node, {"XTRIM", "s", "MAXLEN", "0"}), ":" + std::to_string(kCount) + "\r\n");
  EXPECT_NE(summary().find(":" + std::to_string(kCount) + "\r\n"), std::string::npos);
  std::string next = "0-0";
  size_t calls = 0;
  for (; calls < 2000; ++calls) {
    const std::string reply =
        call(node, {"XAUTOCLAIM", "s", "g", "b", "0", next, "COUNT", "1000", "JUSTID"});
    // "*3\r\n$N\r\nID\r\n*0\r\n..."
    const size_t at = reply.find("\r\n", 4) + 2;
    next = reply.substr(at, reply.find("\r\n", at) - at);
    EXPECT_EQ(reply.substr(reply.find("\r\n", at) + 2, 4), "*0\r\n");
    if (next == "0-0") break;
  }
  EXPECT_EQ(calls, kCount / 1000 - 1);
  EXPECT_EQ(summary(), "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n");
}

// --- sizes

TEST(Hostile, ASetrangeToTheLargestSizeAndBeyond) {
  constexpr size_t kLargest = 512 << 20;
  LocalNode node;
  const size_t before = node.node->used_memory();
  EXPECT_EQ(call(node, {"SETRANGE", "k", std::to_string(kLargest), "x"}),
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
  EXPECT_EQ(call(node, {"SETRANGE", "k", std::to_string(kLargest - 1), "xy"}),
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
  EXPECT_EQ(call(node, {"SETRANGE", "k", "9223372036854775807", "x"}),
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
  EXPECT_LT(node.node->used_memory(), before + 1000);
  EXPECT_EQ(call(node, {"SETRANGE", "k", std::to_string(kLargest - 1), "x"}),
            ":" + std::to_string(kLargest) + "\r\n");
  // What the size asks for and at most an eighth, as sizes are counted.
  EXPECT_LT(node.node->used_memory(), before + kLargest + kLargest / 8 + 1000);
  EXPECT_EQ(call(node, {"APPEND", "k", "x"}),
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
  EXPECT_EQ(call(node, {"GETRANGE", "k", "-2", "9223372036854775807"}),
            std::string("$2\r\n\0x\r\n", 8));
  EXPECT_EQ(call(node, {"BITPOS", "k", "1"}),
            ":" + std::to_string((kLargest - 1) * 8 + 1) + "\r\n");
  EXPECT_EQ(call(node, {"BITFIELD", "k", "INCRBY", "u8", "#536870911", "255", "SET", "u63",
                        "4294967296", "1"}),
            "-ERR bit offset is not an integer or out of range\r\n");
  EXPECT_EQ(call(node, {"DEL", "k"}), ":1\r\n");
  // A very large string is freed beside the node.
  EXPECT_GE(node.node->keyspace().reclaim().bytes(), kLargest);
  for (int i = 0; i < 3; ++i) node.pass_ms(100);
  EXPECT_EQ(node.node->keyspace().reclaim().bytes(), 0u);
}

}  // namespace
}  // namespace redoubt
