// Properties of the commands, inside one process: against the model, and on their own.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "sim/model/generator.h"
#include "sim/model/resp_value.h"
#include "tests/commands/any_step.h"
#include "tests/commands/checked_node.h"
#include "tests/resp_text.h"

namespace redoubt {
namespace {

// --- Against the model ---------------------------------------------------------------------------

// A stream of the generator, with a clock that moves by little most of the time.
std::vector<TestStep> make_steps(uint64_t seed, size_t count, const sim::GeneratorConfig& config,
                                 bool jumps) {
  sim::CommandGenerator generator(config, seed);
  sim::Xoshiro random(seed + 1);
  std::vector<TestStep> steps;
  if (random.one_in(2)) {
    steps.push_back({{"HELLO", "3"}, 0, 0});
  }
  int64_t now_ms = kQuietStart_ms;
  while (steps.size() < count) {
    TestStep step;
    step.advance_ms = random.one_in(3) ? static_cast<int64_t>(random.below(40)) : 0;
    step.advance_ms += random.one_in(200) ? 3000 : 0;
    if (jumps && random.one_in(100)) {
      step.jump_ms = static_cast<int64_t>(random.below(4000)) - 2000;
    }
    now_ms += step.advance_ms + step.jump_ms;
    const sim::GeneratedCommand command = generator.next(now_ms);
    step.command.assign(command.arguments.begin(), command.arguments.end());
    steps.push_back(std::move(step));
  }
  return steps;
}

// Fails with the shortest stream that still shows the difference.
void expect_agreement(const std::vector<TestStep>& steps,
                      const std::vector<std::string_view>& settings = {}) {
  if (!play_steps(steps, settings)) {
    return;
  }
  const std::vector<TestStep> fewer = shrink_steps(steps, settings);
  std::string text;
  for (const TestStep& step : fewer) {
    text += "    " + describe_step(step) + "\n";
  }
  ADD_FAILURE() << play_steps(fewer, settings).value_or("(gone)") << "\n  with:\n" << text;
}

TEST(Commands, LongStreamsAgreeWithTheModel) {
  for (uint64_t seed = 1; seed <= 12; seed++) {
    expect_agreement(make_steps(seed, 8000, {}, false));
    ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
  }
}

TEST(Commands, AWallClockThatJumpsAgreesWithTheModel) {
  for (uint64_t seed = 100; seed <= 106; seed++) {
    expect_agreement(make_steps(seed, 4000, {}, true));
    ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
  }
}

TEST(Commands, ManyKeysWithShortLivesAgreeWithTheModel) {
  sim::GeneratorConfig config;
  config.keys = 5000;
  config.deadline_per_mille = 600;
  config.ttl_ms_max = 400;
  config.databases = 2;
  for (uint64_t seed = 200; seed <= 203; seed++) {
    expect_agreement(make_steps(seed, 20'000, config, false));
    ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
  }
}

TEST(Commands, EvictionAgreesWithTheModel) {
  sim::GeneratorConfig config;
  config.keys = 3000;
  config.flush = false;
  config.value_bytes_max = 400;
  config.weights[0] = 100;
  for (const char* policy : {"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru",
                             "volatile-lfu", "volatile-random", "volatile-ttl", "noeviction"}) {
    const std::vector<std::string_view> settings = {"maxmemory-policy", policy, "maxmemory",
                                                    "200000"};
    const std::vector<TestStep> steps = make_steps(7, 20'000, config, false);
    expect_agreement(steps, settings);
    ASSERT_FALSE(::testing::Test::HasFailure()) << policy;
    CheckedNode checked(settings);
    for (const TestStep& step : steps) {
      ASSERT_EQ(checked.run(step), std::nullopt);
    }
    const bool evicts = std::string_view(policy) != "noeviction";
    EXPECT_EQ(checked.evicted() > 0, evicts) << policy;
    EXPECT_EQ(checked.refused() > 0, !evicts || std::string_view(policy).starts_with("volatile"))
        << policy << " refused " << checked.refused() << " evicted " << checked.evicted();
  }
}

// One family, with limits of encodings that are met often.
void expect_family_agrees(sim::CommandFamily family,
                          const std::vector<std::vector<std::string_view>>& limits) {
  sim::GeneratorConfig config;
  std::fill(std::begin(config.weights), std::end(config.weights), 0U);
  config.weights[static_cast<size_t>(sim::CommandFamily::string)] = 10;
  config.weights[static_cast<size_t>(sim::CommandFamily::generic)] = 20;
  config.weights[static_cast<size_t>(family)] = 100;
  config.keys = 10;
  uint64_t seed = 300;
  for (const std::vector<std::string_view>& settings : limits) {
    for (int i = 0; i < 3; i++) {
      expect_agreement(make_steps(++seed, 6000, config, i == 2), settings);
      ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
    }
  }
}

TEST(Commands, SortedSetsAgreeWithTheModel) {
  expect_family_agrees(sim::CommandFamily::zset,
                       {{},
                        {"zset-max-listpack-entries", "5"},
                        {"zset-max-listpack-entries", "1000", "zset-max-listpack-value", "1000"},
                        {"zset-max-listpack-entries", "0"},
                        {"zset-max-listpack-value", "2"}});
}

TEST(Commands, PlacesAgreeWithTheModel) {
  expect_family_agrees(sim::CommandFamily::geo, {{}, {"zset-max-listpack-entries", "5"}});
}

TEST(Commands, ListsAgreeWithTheModel) {
  expect_family_agrees(sim::CommandFamily::list, {{},
                                                  {"list-max-listpack-size", "0"},
                                                  {"list-max-listpack-size", "2"},
                                                  {"list-max-listpack-size", "16"},
                                                  {"list-max-listpack-size", "-1"},
                                                  {"list-max-listpack-size", "-5"}});
}

TEST(Commands, StreamsAgreeWithTheModel) {
  expect_family_agrees(sim::CommandFamily::stream,
                       {{}, {"stream-node-max-entries", "3"}, {"stream-node-max-entries", "1"}});
}

TEST(Commands, SetsAgreeWithTheModel) {
  expect_family_agrees(sim::CommandFamily::set,
                       {{},
                        {"set-max-intset-entries", "10", "set-max-listpack-entries", "20"},
                        {"set-max-intset-entries", "300", "set-max-listpack-entries", "3"},
                        {"set-max-intset-entries", "0", "set-max-listpack-entries", "400"},
                        {"set-max-listpack-entries", "0", "set-max-listpack-value", "3"}});
}

TEST(Commands, HashesAgreeWithTheModel) {
  expect_family_agrees(sim::CommandFamily::hash,
                       {{},
                        {"hash-max-listpack-entries", "10"},
                        {"hash-max-listpack-entries", "300", "hash-max-listpack-value", "20"},
                        {"hash-max-listpack-entries", "0"}});
}

TEST(Commands, ALostEffectIsFound) {
  int found = 0;  // not where it set a key to what it was
  for (uint64_t seed = 1; seed <= 10; seed++) {
    CheckedNode checked({}, seed);
    checked.replay().lose_one_in(10);
    bool differs = false;
    for (const TestStep& step : make_steps(seed, 100, {}, false)) {
      ASSERT_EQ(checked.run(step), std::nullopt);
      differs = differs || checked.replay().compare().has_value();
    }
    found += differs;
  }
  EXPECT_GE(found, 8);
}

// Small streams that RapidCheck shrinks by itself: each step is drawn on its own.
RC_GTEST_PROP(CommandProperties, AnyStepsAgreeWithTheModel, ()) {
  const auto steps = *rc::gen::container<std::vector<TestStep>>(any_step({.keys = 6}));
  const std::optional<std::string> difference = play_steps(steps);
  if (difference) {
    RC_LOG() << *difference;
  }
  RC_ASSERT(!difference);
}

// --- On their own --------------------------------------------------------------------------------

std::string integer(int64_t number) {
  return sim::resp_integer(number);
}

RC_GTEST_PROP(CommandProperties, WhatIsSetIsGot,
              (const std::string& key, const std::string& value)) {
  CheckedNode node;
  RC_ASSERT(node.call({"SET", key, value}) == "+OK\r\n");
  RC_ASSERT(node.call({"GET", key}) == bulk(value));
  RC_ASSERT(node.call({"STRLEN", key}) == integer(static_cast<int64_t>(value.size())));
  RC_ASSERT(node.call({"GETRANGE", key, "0", "-1"}) == bulk(value));
  RC_ASSERT(node.call({"DELEX", key, "IFNE", value}) == integer(0));
  RC_ASSERT(node.call({"DELEX", key, "IFEQ", value}) == integer(1));
}

RC_GTEST_PROP(CommandProperties, AppendIsConcatenation, (const std::vector<std::string>& pieces)) {
  CheckedNode node;
  std::string whole;
  for (const std::string& piece : pieces) {
    whole += piece;
    RC_ASSERT(node.call({"APPEND", "k", piece}) == integer(static_cast<int64_t>(whole.size())));
  }
  RC_ASSERT(pieces.empty() || node.call({"GET", "k"}) == bulk(whole));
}

RC_GTEST_PROP(CommandProperties, BitsAreCountedAndFound, (const std::set<uint8_t>& bits)) {
  CheckedNode node;
  for (uint8_t bit : bits) {
    RC_ASSERT(node.call({"SETBIT", "k", std::to_string(bit), "1"}) == integer(0));
  }
  RC_ASSERT(node.call({"BITCOUNT", "k"}) == integer(static_cast<int64_t>(bits.size())));
  RC_ASSERT(node.call({"BITPOS", "k", "1"}) == integer(bits.empty() ? -1 : *bits.begin()));
  for (uint8_t bit : bits) {
    RC_ASSERT(node.call({"SETBIT", "k", std::to_string(bit), "0"}) == integer(1));
  }
  RC_ASSERT(node.call({"BITPOS", "k", "1", "0", "-1"}) == integer(-1));
}

RC_GTEST_PROP(CommandProperties, NotNotIsTheSame, (const std::string& value)) {
  CheckedNode node;
  RC_PRE(!value.empty());
  node.call({"SET", "a", value});
  node.call({"BITOP", "NOT", "b", "a"});
  node.call({"BITOP", "NOT", "c", "b"});
  RC_ASSERT(node.call({"GET", "c"}) == bulk(value));
  node.call({"BITOP", "XOR", "d", "a", "c"});
  RC_ASSERT(node.call({"BITCOUNT", "d"}) == integer(0));
}

RC_GTEST_PROP(CommandProperties, IncrementsAddUp, (const std::vector<int32_t>& increments)) {
  CheckedNode node;
  int64_t sum = 0;
  for (int32_t increment : increments) {
    sum += increment;
    RC_ASSERT(node.call({"INCRBY", "k", std::to_string(increment)}) == integer(sum));
  }
  for (int32_t increment : increments) {
    sum -= increment;
    RC_ASSERT(node.call({"DECRBY", "k", std::to_string(increment)}) == integer(sum));
  }
  RC_ASSERT(increments.empty() || node.call({"GET", "k"}) == bulk("0"));
}

RC_GTEST_PROP(CommandProperties, ACopyIsEqualAndIndependent, (const std::string& value)) {
  CheckedNode node;
  node.call({"SET", "a", value, "PX", "5000"});
  RC_ASSERT(node.call({"COPY", "a", "b", "DB", "3"}) == integer(1));
  node.call({"APPEND", "a", "tail"});
  node.call({"PERSIST", "a"});
  node.call({"SELECT", "3"});
  RC_ASSERT(node.call({"GET", "b"}) == bulk(value));
  RC_ASSERT(node.call({"PTTL", "b"}) == integer(5000));
}

// SCAN's promise: what is there from the first call to the last is returned at least once, and
// nothing is returned that was never there, whatever else comes and goes.
RC_GTEST_PROP(CommandProperties, ScanReturnsWhatStays, ()) {
  const auto stay = *rc::gen::inRange<size_t>(0, 3000);
  const auto come = *rc::gen::inRange<size_t>(0, 6000);
  const auto count = *rc::gen::inRange<int>(1, 200);
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  CheckedNode node;
  sim::Xoshiro random(seed);
  for (size_t i = 0; i < stay; i++) {
    node.call({"SET", "stay" + std::to_string(i), "v"});
  }
  std::set<std::string> seen;
  std::string cursor = "0";
  size_t came = 0;
  do {
    sim::RespValue page;
    RC_ASSERT(
        sim::parse_resp_exactly(node.call({"SCAN", cursor, "COUNT", std::to_string(count)}), page));
    cursor = page.items[0].text;
    for (const sim::RespValue& key : page.items[1].items) {
      seen.insert(key.text);
    }
    // Growth and shrinkage between the pages.
    for (size_t i = 0; i < 100 && came < come; i++, came++) {
      node.call({"SET", "come" + std::to_string(came), "v"});
    }
    for (size_t i = 0; i < 120 && came > 0; i++) {
      node.call({"DEL", "come" + std::to_string(random.below(came))});
    }
  } while (cursor != "0");
  size_t stayed = 0;
  for (const std::string& key : seen) {
    RC_ASSERT(key.rfind("stay", 0) == 0 || key.rfind("come", 0) == 0);
    stayed += key.rfind("stay", 0) == 0 ? 1 : 0;
  }
  RC_ASSERT(stayed == stay);
}

// What connections take is counted by the cron, so it runs before each look.
size_t memory_after_cron(CheckedNode& node) {
  for (int i = 0; i < 3; i++) {
    node.world().backend.advance(Duration::milliseconds(200));
    node.world().turn();
  }
  return node.node().used_memory();
}

TEST(Commands, MemoryReturnsToItsBase) {
  CheckedNode node;
  node.call({"PING"});
  const size_t before = memory_after_cron(node);
  for (const TestStep& step : make_steps(3, 5000, {}, false)) {
    ASSERT_EQ(node.run(step), std::nullopt);
  }
  EXPECT_GT(memory_after_cron(node), before);
  node.call({"HELLO", "2"});
  node.call({"HIMPORT", "DISCARDALL"});
  node.call({"FLUSHALL", "SYNC"});
  EXPECT_EQ(memory_after_cron(node), before);
}

}  // namespace
}  // namespace redoubt
