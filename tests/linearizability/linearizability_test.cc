// Known histories, good and bad; and random ones against the definition.
#include "sim/linearizability/linearizability.h"

#include <gtest/gtest.h>

#include "tests/linearizability/cell.h"

namespace redoubt::linearizability {
namespace {

constexpr Verdict kGood = Verdict::linearizable;
constexpr Verdict kBad = Verdict::violation;

TEST(Known, NothingIsFine) {
  EXPECT_EQ(CellHistory().verdict(), kGood);
}

TEST(Known, OneAfterAnother) {
  CellHistory history;
  history.read(1, 2, 0);
  history.write(3, 4, 7);
  history.read(5, 6, 7);
  EXPECT_EQ(history.verdict(), kGood);
}

TEST(Known, StaleRead) {
  CellHistory history;
  const uint32_t first = history.write(1, 2, 7);
  const uint32_t second = history.write(3, 4, 8);
  const uint32_t stale = history.read(5, 6, 7);
  const Result result = history.result();
  EXPECT_EQ(result.verdict, kBad);
  EXPECT_EQ(result.order, (std::vector<uint32_t>{first, second}));
  EXPECT_EQ(result.state, "8");
  EXPECT_EQ(result.stuck, (std::vector<uint32_t>{stale}));
}

TEST(Known, ReadOfAValueThatNobodyWrote) {
  CellHistory history;
  history.write(1, 10, 7);
  history.read(2, 9, 8);
  EXPECT_EQ(history.verdict(), kBad);
}

TEST(Known, ReadFromTheFuture) {
  CellHistory history;
  history.read(1, 2, 7);
  history.write(3, 4, 7);
  EXPECT_EQ(history.verdict(), kBad);
  // Where they overlap, it is not the future.
  CellHistory overlapping;
  overlapping.read(1, 3, 7);
  overlapping.write(3, 4, 7);
  EXPECT_EQ(overlapping.verdict(), kGood);
}

TEST(Known, LostUpdate) {
  CellHistory history;
  history.add(1, 10, {Kind::add, 1, 1});
  history.add(2, 11, {Kind::add, 1, 1});
  EXPECT_EQ(history.verdict(), kBad);
  CellHistory kept;
  kept.add(1, 10, {Kind::add, 1, 2});
  kept.add(2, 11, {Kind::add, 1, 1});
  EXPECT_EQ(kept.verdict(), kGood);
}

TEST(Known, OverlappingWritesInEitherOrder) {
  for (const int64_t last : {7, 8}) {
    CellHistory history;
    history.write(1, 10, 7);
    history.write(2, 9, 8);
    history.read(11, 12, last);
    EXPECT_EQ(history.verdict(), kGood) << last;
  }
  CellHistory both;
  both.write(1, 10, 7);
  both.write(2, 9, 8);
  both.read(11, 12, 7);
  both.read(13, 14, 8);
  EXPECT_EQ(both.verdict(), kBad);
}

// Two readers may not disagree about which of two writes came first.
TEST(Known, ReadersThatDisagree) {
  CellHistory history;
  history.write(1, 20, 7);
  history.write(1, 20, 8);
  history.read(2, 3, 7);
  history.read(4, 5, 8);
  EXPECT_EQ(history.verdict(), kGood);
  history.read(6, 7, 7);
  EXPECT_EQ(history.verdict(), kBad);
}

TEST(Known, AReadThatGoesBack) {
  CellHistory history;
  history.write(1, 2, 7);
  history.write(3, 10, 8);
  history.read(4, 5, 8);
  history.read(6, 7, 7);
  EXPECT_EQ(history.verdict(), kBad);
}

TEST(Known, SwapsAreAChain) {
  CellHistory history;
  history.add(1, 10, {Kind::swap, 1, 2});
  history.add(1, 10, {Kind::swap, 2, 3});
  history.add(1, 10, {Kind::swap, 3, 0});
  EXPECT_EQ(history.verdict(), kGood);
  history.add(11, 12, {Kind::swap, 4, 2});
  EXPECT_EQ(history.verdict(), kBad);
}

TEST(Unknown, WriteThatNeverHappened) {
  CellHistory history;
  history.write(1, 2, 7);
  history.write(3, kNever, 8);
  history.read(4, 5, 7);
  history.read(100, 101, 7);
  EXPECT_EQ(history.verdict(), kGood);
}

TEST(Unknown, WriteThatIsSeenLate) {
  CellHistory history;
  history.write(1, 2, 7);
  history.write(3, kNever, 8);
  history.read(4, 5, 7);
  history.write(6, 7, 9);
  history.read(8, 9, 9);
  history.read(100, 101, 8);
  EXPECT_EQ(history.verdict(), kGood);
}

TEST(Unknown, SeenAndThenUnseen) {
  CellHistory history;
  history.write(1, 2, 7);
  history.write(3, kNever, 8);
  history.read(4, 5, 8);
  history.read(6, 7, 7);
  EXPECT_EQ(history.verdict(), kBad);
}

TEST(Unknown, SeenBeforeItWasCalled) {
  CellHistory history;
  history.read(1, 2, 8);
  history.write(3, kNever, 8);
  EXPECT_EQ(history.verdict(), kBad);
}

TEST(Unknown, HappensOnlyOnce) {
  CellHistory history;
  history.add(1, kNever, {Kind::add, 5, 0});
  history.read(2, 3, 5);
  history.read(4, 5, 10);
  EXPECT_EQ(history.verdict(), kBad);
  history.add(1, kNever, {Kind::add, 5, 0});
  EXPECT_EQ(history.verdict(), kGood);
}

// Alike, but not called at the same time: the later one is no stand-in for the earlier.
TEST(Unknown, AlikeAndNotYetCalled) {
  CellHistory history;
  history.add(1, kNever, {Kind::add, 5, 0});
  history.read(2, 3, 5);
  history.read(4, 5, 10);
  history.add(6, kNever, {Kind::add, 5, 0});
  EXPECT_EQ(history.verdict(), kBad);
}

// Three of many that nobody knows of, one behind another.
TEST(Unknown, ManyAndAChainOfThem) {
  CellHistory history;
  for (int i = 0; i < 40; ++i) history.add(1, kNever, {Kind::add, int64_t{1} << i, 0});
  history.read(2, 3, 7);
  EXPECT_EQ(history.verdict(), kGood);
}

TEST(Witness, SettlesWhatFits) {
  CellHistory history;
  const uint32_t late = history.write(1, 10, 7, 2);
  const uint32_t early = history.write(2, 9, 8, 1);
  const uint32_t read = history.read(11, 12, 7, 2);
  const Result result = history.result();
  EXPECT_EQ(result.verdict, kGood);
  EXPECT_TRUE(result.by_witness);
  EXPECT_EQ(result.states, 0u);
  EXPECT_EQ(result.order, (std::vector<uint32_t>{early, late, read}));
}

TEST(Witness, ThatIsWrongProvesNothing) {
  CellHistory history;
  history.write(1, 10, 7, 1);
  history.write(2, 9, 8, 2);
  history.read(11, 12, 7, 3);
  const Result result = history.result();
  EXPECT_EQ(result.verdict, kGood);
  EXPECT_FALSE(result.by_witness);
}

// The specification is content with this order; real time is not.
TEST(Witness, IsHeldAgainstRealTime) {
  CellHistory history;
  history.write(1, 2, 7, 2);
  history.write(3, 4, 8, 1);
  history.read(5, 6, 7, 3);
  const Result result = history.result();
  EXPECT_EQ(result.verdict, kBad);
  EXPECT_FALSE(result.by_witness);
}

TEST(Witness, WithoutAPlaceForAllIsNone) {
  CellHistory history;
  history.write(1, 2, 7, 1);
  history.read(3, 4, 7, 0);
  const Result result = history.result();
  EXPECT_EQ(result.verdict, kGood);
  EXPECT_FALSE(result.by_witness);
}

TEST(Witness, KnowsOfWhatItsClientDoesNot) {
  CellHistory history;
  history.write(1, kNever, 7, 1);
  history.write(1, kNever, 8, 0);
  history.read(3, 4, 7, 1);
  const Result result = history.result();
  EXPECT_EQ(result.verdict, kGood);
  EXPECT_TRUE(result.by_witness);
  EXPECT_EQ(result.order.size(), 2u);
}

TEST(Keys, AreCheckedApart) {
  CellHistory history;
  for (uint64_t key = 0; key < 100; ++key) {
    const auto value = static_cast<int64_t>(key);
    history.add(1, 10, {Kind::write, value, 0}, 1, key);
    history.add(11, 12, {Kind::read, 0, value}, key % 2, key);
  }
  Report report = check(history, history.intervals);
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.keys, 100u);
  EXPECT_EQ(report.by_witness, 50u);
  EXPECT_EQ(report.by_search, 50u);

  // Of two violations, the one that shows first.
  const uint32_t second = history.add(20, 30, {Kind::read, 0, 1}, 0, 40);
  const uint32_t first = history.add(21, 29, {Kind::read, 0, 1}, 0, 60);
  report = check(history, history.intervals);
  ASSERT_TRUE(report.violation);
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(report.key, 60u);
  EXPECT_EQ(report.violation->stuck, (std::vector<uint32_t>{first}));
  static_cast<void>(second);
}

TEST(Limits, AreSaidAndNotTakenForAnAnswer) {
  // Fifteen writes of which none can be told from its neighbours, and a read that fits none.
  CellHistory history;
  for (int64_t i = 1; i <= 15; ++i) history.write(1, 100, i);
  history.read(101, 102, 99);
  EXPECT_EQ(history.verdict(), kBad);
  Limits limits;
  limits.states_per_key = 1'000;
  const Result result = history.result(limits);
  EXPECT_EQ(result.verdict, Verdict::undecided);
  EXPECT_EQ(result.states, 1'000u);
  EXPECT_FALSE(check(history, history.intervals, limits).ok());
  EXPECT_EQ(check(history, history.intervals, limits).undecided, std::vector<uint64_t>{0});
  limits = {};
  limits.bytes_max = 10'000;
  EXPECT_EQ(history.result(limits).verdict, Verdict::undecided);
  limits = {};
  limits.states = 1'000;
  EXPECT_EQ(history.result(limits).verdict, Verdict::undecided);
}

// --- random histories

TEST(Random, WhatIsAtomicIsAccepted) {
  for (uint64_t seed = 0; seed < 2'000; ++seed) {
    Shape shape;
    shape.clients = 1 + static_cast<uint32_t>(seed % 8);
    shape.operations = 1 + static_cast<uint32_t>(seed % 60);
    shape.unknown = static_cast<uint32_t>(seed % 4);
    shape.keys = 1 + static_cast<uint32_t>(seed % 3);
    shape.with_witness = seed % 5 == 0;
    AtomicRun run(seed, shape);
    const CellHistory& history = run.history();
    const Report report = check(history, history.intervals);
    ASSERT_TRUE(report.ok()) << "seed " << seed;
    const uint64_t settled = shape.with_witness ? report.keys : 0;
    ASSERT_GE(report.by_witness, settled) << "seed " << seed;
    if (shape.keys > 1) continue;
    const Result result = history.result();
    EXPECT_TRUE(history.allows(result.order)) << "seed " << seed;
  }
}

TEST(Random, AnErrorIsRefusedExactlyWhenTheDefinitionRefuses) {
  uint64_t refused = 0;
  uint64_t accepted = 0;
  for (uint64_t seed = 0; seed < 3'000; ++seed) {
    Shape shape;
    shape.clients = 2 + static_cast<uint32_t>(seed % 3);
    shape.operations = 3 + static_cast<uint32_t>(seed % 4);
    shape.unknown = static_cast<uint32_t>(seed % 3);
    shape.only_registers = seed % 2 == 0;
    AtomicRun run(seed, shape);
    run.plant();
    const CellHistory& history = run.history();
    const Result result = history.result();
    const bool expected = history.linearizable_by_definition();
    ASSERT_EQ(result.verdict == kGood, expected) << "seed " << seed;
    EXPECT_TRUE(history.allows(result.order)) << "seed " << seed;
    ++(expected ? accepted : refused);
  }
  // Both were met often.
  EXPECT_GT(refused, 300u);
  EXPECT_GT(accepted, 1'000u);
}

// The size that has to be a matter of less than a second, in which 400,000 states are visited.
TEST(Random, EightClientsThreeHundredOperationsTenUnknown) {
  uint64_t most_good = 0;
  uint64_t most_bad = 0;
  uint64_t bad = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Shape shape;
    shape.clients = 8;
    shape.operations = 300;
    shape.unknown = 10;
    shape.values = seed % 3 == 0 ? 2 : 1'000;
    shape.only_registers = seed % 2 == 0;
    AtomicRun run(seed, shape);
    const Result good = run.history().result();
    EXPECT_EQ(good.verdict, kGood) << "seed " << seed;
    most_good = std::max(most_good, good.states);
    run.plant();
    const Result planted = run.history().result();
    EXPECT_NE(planted.verdict, Verdict::undecided) << "seed " << seed;
    bad += planted.verdict == kBad ? 1 : 0;
    most_bad = std::max(most_bad, planted.states);
  }
  RecordProperty("states_good", std::to_string(most_good));
  RecordProperty("states_bad", std::to_string(most_bad));
  EXPECT_GT(bad, 20u);
  EXPECT_LT(most_good, 200'000u);
  EXPECT_LT(most_bad, 200'000u);
}

}  // namespace
}  // namespace redoubt::linearizability
