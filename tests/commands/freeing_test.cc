// A value of many parts never holds the node: whatever way it goes, it is freed in slices between
// turns or by another thread. Counted, not timed: how much memory a command and a turn give back.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/commands/local_node.h"
#include "tests/sanitized.h"

namespace redoubt {
namespace {

constexpr size_t kParts = 20'000;

// Allocations that a slice may free.
constexpr size_t kSlice = 4000;

using Words = std::vector<std::string>;

std::string call(LocalNode& node, const Words& words) {
  return node.call(words);
}

std::string numbered(const char* what, size_t number) {
  return what + std::to_string(number);
}

// Calls `head` with the words of many parts behind it, a thousand parts at a time.
void add_parts(LocalNode& node, const Words& head, size_t count,
               const std::function<void(size_t, Words&)>& part) {
  for (size_t i = 0; i < count;) {
    Words words = head;
    for (size_t end = std::min(count, i + 1000); i < end; ++i) part(i, words);
    const std::string reply = call(node, words);
    ASSERT_NE(reply[0], '-') << reply;
  }
}

void add_set(LocalNode& node, const std::string& key) {
  add_parts(node, {"SADD", key}, kParts,
            [](size_t i, Words& words) { words.push_back(numbered("member", i)); });
}

void add_hash(LocalNode& node, const std::string& key) {
  add_parts(node, {"HSET", key}, kParts, [](size_t i, Words& words) {
    words.push_back(numbered("field", i));
    words.push_back(numbered("value", i));
  });
}

void add_hash_that_expires(LocalNode& node, const std::string& key) {
  add_hash(node, key);
  for (size_t i = 0; i < kParts; i += 1000) {
    Words words = {"HEXPIRE", key, "1000", "FIELDS", "1000"};
    for (size_t k = i; k < i + 1000; ++k) words.push_back(numbered("field", k));
    call(node, words);
  }
}

void add_zset(LocalNode& node, const std::string& key) {
  add_parts(node, {"ZADD", key}, kParts, [](size_t i, Words& words) {
    words.push_back(std::to_string(i * 7919 % kParts));
    words.push_back(numbered("member", i));
  });
}

// Elements of 1000 bytes, a few to a node.
void add_list(LocalNode& node, const std::string& key) {
  add_parts(node, {"RPUSH", key}, kParts, [](size_t i, Words& words) {
    words.push_back(numbered("", i) + std::string(1000, 'x'));
  });
}

void add_stream(LocalNode& node, const std::string& key) {
  for (size_t i = 0; i < kParts; ++i) call(node, {"XADD", key, "*", "f", std::string(500, 'x')});
}

void add_pending(LocalNode& node, const std::string& key) {
  for (size_t i = 0; i < kParts; ++i) call(node, {"XADD", key, "*", "f", "v"});
  call(node, {"XGROUP", "CREATE", key, "g", "0"});
  call(node, {"XREADGROUP", "GROUP", "g", "c", "STREAMS", key, ">"});
}

void add_groups(LocalNode& node, const std::string& key) {
  call(node, {"XADD", key, "*", "f", "v"});
  for (size_t i = 0; i < kParts; ++i) call(node, {"XGROUP", "CREATE", key, numbered("g", i), "0"});
}

void add_consumers(LocalNode& node, const std::string& key) {
  call(node, {"XADD", key, "*", "f", "v"});
  call(node, {"XGROUP", "CREATE", key, "g", "0"});
  for (size_t i = 0; i < kParts; ++i) {
    call(node, {"XGROUP", "CREATECONSUMER", key, "g", numbered("c", i)});
  }
}

struct Kind {
  const char* name;
  void (*add)(LocalNode& node, const std::string& key);
  size_t pieces;  // allocations, about
};
constexpr Kind kKinds[] = {
    {"set", add_set, kParts},
    {"hash", add_hash, kParts},
    {"hash with deadlines", add_hash_that_expires, kParts},
    {"sorted set", add_zset, kParts},
    {"list", add_list, kParts / 8},
    {"stream", add_stream, kParts / 8},
    {"pending entries", add_pending, kParts},
    {"groups", add_groups, kParts},
    {"consumers", add_consumers, kParts},
};

struct Way {
  const char* name;
  std::vector<Words> before;  // the value is there
  Words command;
};
const std::vector<Way>& ways() {
  static const std::vector<Way> all = {
      {"DEL", {}, {"DEL", "big"}},
      {"UNLINK", {}, {"UNLINK", "big"}},
      {"overwriting it", {}, {"SET", "big", "x"}},
      {"renaming over it", {{"SET", "small", "x"}}, {"RENAME", "small", "big"}},
      {"copying over it", {{"SET", "small", "x"}}, {"COPY", "small", "big", "REPLACE"}},
      {"a deadline in the past", {}, {"PEXPIREAT", "big", "1"}},
      {"a deadline that is met", {{"PEXPIRE", "big", "1"}}, {"EXISTS", "big"}},
      {"a union over it", {{"SADD", "small", "x"}}, {"SUNIONSTORE", "big", "small"}},
      {"an empty union over it", {}, {"ZUNIONSTORE", "big", "1", "nosuch"}},
      {"sorting over it", {{"RPUSH", "small", "1"}}, {"SORT", "small", "STORE", "big"}},
      {"FLUSHDB", {}, {"FLUSHDB", "SYNC"}},
      {"FLUSHALL", {}, {"FLUSHALL"}},
  };
  return all;
}

// All that is held, on its way to be freed or not.
size_t held(LocalNode& node) {
  return node.node->used_memory() + node.node->keyspace().reclaim().bytes();
}

void expect_freed_in_slices(LocalNode& node, size_t before, size_t bytes, size_t pieces) {
  // A slice of pieces of twice the average size.
  const size_t most = 2 * bytes * kSlice / std::max(pieces, kSlice) + 40'000;
  const size_t waiting = node.node->used_memory();
  node.pass_ms(100);  // the first slices; one a turn then
  ASSERT_LE(waiting, node.node->used_memory() + 2 * most);
  size_t turns = 1;
  for (; turns < 1000 && node.node->keyspace().reclaim().bytes() > 0; ++turns) {
    const size_t there = node.node->used_memory();
    node.turn();
    ASSERT_LE(there, node.node->used_memory() + most);
  }
  EXPECT_LT(turns, 1000u);
  EXPECT_LT(held(node), before + 20'000);
}

TEST(Freeing, AValueOfManyPartsIsFreedInSlicesWhateverWayItGoes) {
  size_t number = 0;
  for (const Kind& kind : kKinds) {
    for (const Way& way : ways()) {
      // With sanitizers each kind in some ways, and each way with some kinds.
      if (kSanitized && ++number % 5 != 0) continue;
      SCOPED_TRACE(std::string(kind.name) + ", " + way.name);
      LocalNode node;
      call(node, {"SET", "other", "x"});
      const size_t before = held(node);
      kind.add(node, "big");
      node.turn();
      const size_t bytes = node.node->used_memory() - before;
      for (const Words& words : way.before) call(node, words);
      if (way.command[0] == "EXISTS") node.pass_ms(10);
      call(node, way.command);
      // Nearly all of it is there still.
      EXPECT_GT(held(node), before + bytes - bytes / 16);
      EXPECT_GT(node.node->keyspace().reclaim().bytes(), bytes / 2);
      expect_freed_in_slices(node, before, bytes, kind.pieces);
    }
  }
}

// Commands that remove all, or much, of a value.
TEST(Freeing, WhatACommandTakesOutAsAWholeIsFreedInSlices) {
  struct Case {
    const Kind& kind;
    Words command;
  };
  const Case cases[] = {
      {kKinds[0], {"SPOP", "big", "1000000"}},
      {kKinds[3], {"ZREMRANGEBYRANK", "big", "0", "-1"}},
      {kKinds[3], {"ZREMRANGEBYSCORE", "big", "-inf", "inf"}},
      {kKinds[3], {"ZPOPMIN", "big", "1000000"}},
      {kKinds[4], {"LTRIM", "big", "1", "0"}},
      {kKinds[4], {"LTRIM", "big", "0", "0"}},
      {kKinds[4], {"LTRIM", "big", "10000", "10000"}},
      {kKinds[4], {"LPOP", "big", "19999"}},
      {kKinds[6], {"XGROUP", "DESTROY", "big", "g"}},
      {kKinds[8], {"XGROUP", "DESTROY", "big", "g"}},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.command[0] + " of " + each.kind.name);
    LocalNode node;
    const size_t before = held(node);
    each.kind.add(node, "big");
    node.turn();
    const size_t bytes = node.node->used_memory() - before;
    const std::string reply = call(node, each.command);
    ASSERT_NE(reply[0], '-') << reply;
    EXPECT_GT(node.node->keyspace().reclaim().bytes(), bytes / 4);
    EXPECT_GT(node.node->used_memory(), before + bytes - bytes / 16);
    call(node, {"DEL", "big"});
    expect_freed_in_slices(node, before, bytes, each.kind.pieces);
  }
}

TEST(Freeing, EvictionTakesNoLongerForAValueOfManyParts) {
  LocalNode node({"maxmemory-policy", "allkeys-random"});
  const size_t before = held(node);
  add_zset(node, "big");
  node.turn();
  const size_t bytes = node.node->used_memory() - before;
  call(node, {"CONFIG", "SET", "maxmemory", std::to_string(before + bytes / 2)});
  call(node, {"SET", "other", "x"});
  EXPECT_EQ(call(node, {"EXISTS", "big"}), ":0\r\n");
  EXPECT_GT(node.node->used_memory(), before + bytes - bytes / 16);
  expect_freed_in_slices(node, before, bytes, kParts);
}

// Many values of some parts each, in one command: no more is freed at once than of one large one.
TEST(Freeing, ManyValuesInOneCommandAreFreedInSlices) {
  LocalNode node;
  const size_t before = held(node);
  Words words = {"DEL"};
  constexpr size_t kValues = 500;
  for (size_t i = 0; i < kValues; ++i) {
    const std::string key = numbered("key", i);
    Words adding = {"SADD", key};
    for (size_t k = 0; k < 200; ++k) adding.push_back(numbered("member", k));
    call(node, adding);
    words.push_back(key);
  }
  node.turn();
  const size_t bytes = node.node->used_memory() - before;
  EXPECT_EQ(call(node, words), ":500\r\n");
  EXPECT_GT(node.node->used_memory(), before + bytes - bytes / 8);
  expect_freed_in_slices(node, before, bytes, kValues * 200);
}

// Pages cost time too: a value of few but large parts.
TEST(Freeing, LargePartsCountAsTheirPages) {
  const std::string part(100'000, 'x');
  const auto adders = {
      +[](LocalNode& node, const std::string& text, size_t i) {
        call(node, {"RPUSH", "big", numbered("", i) + text});
      },
      +[](LocalNode& node, const std::string& text, size_t i) {
        call(node, {"HSET", "big", numbered("f", i), text});
      },
      +[](LocalNode& node, const std::string& text, size_t i) {
        call(node, {"SADD", "big", numbered("m", i) + text});
      },
      +[](LocalNode& node, const std::string& text, size_t i) {
        call(node, {"ZADD", "big", "1", numbered("m", i) + text});
      },
      +[](LocalNode& node, const std::string& text, size_t) {
        call(node, {"XADD", "big", "*", "f", text});
      },
  };
  for (const auto add : adders) {
    LocalNode node;
    const size_t before = held(node);
    // Fewer than are freed at once when they are small.
    for (size_t i = 0; i < 600; ++i) add(node, part, i % 200 + (i / 200) * 1000);
    node.turn();
    const size_t bytes = node.node->used_memory() - before;
    ASSERT_GT(bytes, 600 * part.size());
    call(node, {"DEL", "big"});
    EXPECT_GT(node.node->used_memory(), before + bytes - 200'000);
    size_t turns = 0;
    for (; turns < 1000 && node.node->keyspace().reclaim().bytes() > 0; ++turns) {
      const size_t there = node.node->used_memory();
      node.pass_ms(100);
      // Two slices of 4000 pages, and the last steps.
      ASSERT_LE(there, node.node->used_memory() + 2 * (4000 * 4096 + 64 * 2 * part.size()));
    }
    EXPECT_GE(turns, 2u);
    EXPECT_LT(held(node), before + 20'000);
  }
}

// What is larger than a slice by itself goes to another thread.
TEST(Freeing, AVeryLargePartIsFreedBesideTheNode) {
  const std::string part(2'000'000, 'x');
  const std::vector<Words> adding = {
      {"RPUSH", "big", part},          {"HSET", "big", "f", part},
      {"SADD", "big", part},           {"ZADD", "big", "1", part},
      {"XADD", "big", "*", "f", part}, {"SETRANGE", "big", "10000000", "x"}};
  for (const Words& words : adding) {
    SCOPED_TRACE(words[0]);
    LocalNode node;
    const size_t before = held(node);
    call(node, words);
    const size_t bytes = node.node->used_memory() - before;
    call(node, {"DEL", "big"});
    EXPECT_GT(node.node->keyspace().reclaim().bytes(), bytes / 2);
    for (int i = 0; i < 5; ++i) node.pass_ms(100);
    EXPECT_EQ(node.node->keyspace().reclaim().bytes(), 0u);
    EXPECT_LT(held(node), before + 20'000);
  }
}

// Growing takes no longer for a value that is large: no insertion changes much more memory than its
// own element does, but for the directories, which are a small part of the whole and double.
TEST(Freeing, GrowingByOneElementMovesLittle) {
  struct Case {
    const char* name;
    std::function<Words(size_t)> next;
  };
  const Case cases[] = {
      {"set", [](size_t i) { return Words{"SADD", "big", numbered("member", i)}; }},
      {"hash", [](size_t i) { return Words{"HSET", "big", numbered("field", i), "v"}; }},
      {"sorted set",
       [](size_t i) {
         return Words{"ZADD", "big", std::to_string(i * 7919 % 100'003), numbered("member", i)};
       }},
      {"sorted set, all equal",
       [](size_t i) { return Words{"ZADD", "big", "1", numbered("member", i * 7919 % 100'003)}; }},
      {"list, front", [](size_t i) { return Words{"LPUSH", "big", numbered("element", i)}; }},
      {"stream", [](size_t) { return Words{"XADD", "big", "*", "f", "v"}; }},
      {"keys", [](size_t i) { return Words{"SET", numbered("key", i), "v"}; }},
  };
  constexpr size_t kCount = 200'000;
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    LocalNode node;
    size_t before = node.node->used_memory();
    size_t largest = 0;
    for (size_t i = 0; i < kCount; ++i) {
      call(node, each.next(i));
      const size_t now = node.node->used_memory();
      largest = std::max(largest, now > before ? now - before : before - now);
      before = now;
    }
    // Ten million elements are fifty times as many: a directory of 2 MB then.
    EXPECT_LT(largest, 40'000u);
  }
}

}  // namespace
}  // namespace redoubt
