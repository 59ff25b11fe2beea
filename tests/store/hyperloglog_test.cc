#include "engine/store/hyperloglog.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <string>

namespace redoubt::hyperloglog {
namespace {

using Dense = std::array<char, kDenseBytes>;

std::string_view view(const Dense& dense) {
  return {dense.data(), dense.size()};
}

Dense empty_dense() {
  Dense dense;
  EXPECT_TRUE(make_dense(empty_value(), dense));
  return dense;
}

TEST(HyperLogLog, HashesAsMurmurHash64A) {
  EXPECT_EQ(murmur_hash("", 0xadc83b19), 0xd8dfea6585bc9732);
  EXPECT_NE(murmur_hash("a", 0xadc83b19), murmur_hash("b", 0xadc83b19));
}

TEST(HyperLogLog, SparseAndDenseHoldTheSameRegisters) {
  SparseEditor editor;
  ASSERT_TRUE(editor.load(empty_value()));
  Dense dense = empty_dense();
  Registers expected{};
  for (int i = 0; i < 3000; ++i) {
    const Observation seen = observe("element" + std::to_string(i));
    const bool raised = expected[seen.index] < seen.value;
    expected[seen.index] = std::max(expected[seen.index], seen.value);
    EXPECT_EQ(set_dense(dense, seen), raised);
    EXPECT_EQ(editor.set(seen, kSparseBytesMax),
              raised ? SparseEditor::Result::changed : SparseEditor::Result::unchanged);
  }
  Registers read;
  ASSERT_TRUE(read_registers(read, editor.value()));
  EXPECT_EQ(read, expected);
  ASSERT_TRUE(read_registers(read, view(dense)));
  EXPECT_EQ(read, expected);
  EXPECT_EQ(estimate(view(dense)), estimate(editor.value()));
  Dense written = empty_dense();
  write_dense(written, expected);
  EXPECT_EQ(0, std::memcmp(written.data() + kHeaderBytes, dense.data() + kHeaderBytes,
                           kDenseBytes - kHeaderBytes));
}

TEST(HyperLogLog, EveryRegisterHoldsEveryValue) {
  Dense dense = empty_dense();
  Registers expected{};
  for (uint32_t i = 0; i < kRegisters; ++i) {
    expected[i] = static_cast<uint8_t>((i * 37 + i / 64) % 64);
    EXPECT_EQ(set_dense(dense, {i, expected[i]}), expected[i] > 0);
    EXPECT_FALSE(set_dense(dense, {i, expected[i]}));
  }
  Registers read;
  ASSERT_TRUE(read_registers(read, view(dense)));
  EXPECT_EQ(read, expected);
}

TEST(HyperLogLog, EstimatesAreClose) {
  Dense dense = empty_dense();
  int64_t next = 10;
  for (int64_t i = 1; i <= 300'000; ++i) {
    set_dense(dense, observe(std::to_string(i)));
    if (i != next) continue;
    next = next * 3 / 2;
    const auto found = static_cast<double>(*estimate(view(dense)));
    EXPECT_LT(std::abs(found - static_cast<double>(i)), 0.035 * static_cast<double>(i) + 1) << i;
  }
}

TEST(HyperLogLog, AValueStopsGrowingAtItsLimit) {
  SparseEditor editor;
  ASSERT_TRUE(editor.load(empty_value()));
  int i = 0;
  while (editor.set(observe(std::to_string(i)), 200) != SparseEditor::Result::too_large) ++i;
  EXPECT_GT(i, 30);
  EXPECT_LE(editor.value().size(), 200u);
}

// Bytes from a client: anything may follow the header.
TEST(HyperLogLog, CorruptValuesAreFound) {
  const std::string header(empty_value().substr(0, kHeaderBytes));
  Registers registers{};
  for (const std::string& body :
       {std::string(), std::string("\x7f"), std::string("\x7f\xfe"), std::string("\x7f\xff\x00", 3),
        std::string(70'000, '\x00'), std::string("\x7f\xff\x80")}) {
    const std::string value = header + body;
    ASSERT_TRUE(has_header(value));
    EXPECT_FALSE(merge(registers, value));
    EXPECT_EQ(estimate(value), std::nullopt);
    Dense dense;
    EXPECT_FALSE(make_dense(value, dense));
    SparseEditor editor;
    if (editor.load(value)) editor.set({16383, 3}, 3000);
  }
  EXPECT_FALSE(has_header("HYLL"));
  EXPECT_FALSE(has_header("HYLX" + std::string(14, '\0')));
  EXPECT_FALSE(has_header("HYLL" + std::string(14, '\0')));  // a dense one of a wrong length
}

TEST(HyperLogLog, TheEstimateIsKeptInTheHeader) {
  Dense dense = empty_dense();
  EXPECT_EQ(cached_estimate(view(dense)), 0u);
  set_cached_estimate(dense, 0x1234567890);
  EXPECT_EQ(cached_estimate(view(dense)), 0x1234567890u);
  invalidate_estimate(dense);
  EXPECT_EQ(cached_estimate(view(dense)), std::nullopt);
}

// As Redis 7.0.15 has them: elements of each length that the hash treats in a way of its own.
TEST(HyperLogLog, ElementsOfAnyLengthHaveTheRegistersThatRedisGivesThem) {
  const std::string letters = "abcdefghijklmnopqrstuvwxyzabcde";
  struct Case {
    size_t length;
    uint32_t index;
    uint8_t value;
  };
  for (const Case& each : std::initializer_list<Case>{
           {0, 5938, 2},   {1, 12711, 2},  {2, 719, 1},   {3, 9474, 1},  {4, 11070, 8},
           {5, 3726, 4},   {6, 13647, 2},  {7, 5634, 2},  {8, 1383, 1},  {9, 6903, 1},
           {10, 12228, 1}, {11, 14121, 1}, {12, 9695, 5}, {13, 9157, 1}, {14, 5697, 2},
           {15, 12377, 4}, {16, 9328, 1},  {17, 4271, 1}, {24, 2894, 1}, {31, 13443, 2}}) {
    const Observation seen = observe(std::string_view(letters).substr(0, each.length));
    EXPECT_EQ(seen.index, each.index) << each.length;
    EXPECT_EQ(seen.value, each.value) << each.length;
  }
}

// Of the elements 1, 2, 3 ..., as PFCOUNT of Redis 7.0.15 says it.
TEST(HyperLogLog, EstimatesAreThoseOfRedis) {
  const std::map<int, uint64_t> expected = {
      {1, 1},         {2, 2},          {3, 3},          {10, 10},     {100, 100},
      {1000, 1001},   {1500, 1512},    {2000, 2006},    {5000, 4985}, {10000, 9988},
      {30000, 29850}, {100000, 99562}, {300000, 301169}};
  Dense dense = empty_dense();
  EXPECT_EQ(estimate(view(dense)), 0u);
  for (int i = 1; i <= 300'000; ++i) {
    set_dense(dense, observe(std::to_string(i)));
    const auto found = expected.find(i);
    if (found == expected.end()) continue;
    EXPECT_EQ(estimate(view(dense)), found->second) << i;
  }
}

// Registers that hold the largest value that an element can ask for, and larger ones that come from
// a client, as Redis 7.0.15 counts them.
TEST(HyperLogLog, EstimatesOfVeryHighRegistersAreThoseOfRedis) {
  Registers registers;
  std::fill_n(registers.begin(), 4096, uint8_t{51});
  std::fill_n(registers.begin() + 4096, 4096, uint8_t{50});
  std::fill_n(registers.begin() + 8192, 8192, uint8_t{48});
  EXPECT_EQ(estimate(registers), 5711241660973172736u);
  std::fill_n(registers.begin() + 6144, 10240, uint8_t{45});
  EXPECT_EQ(estimate(registers), 658579139189806208u);
  registers.fill(51);
  EXPECT_EQ(estimate(registers), uint64_t{1} << 63);
  registers.fill(63);
  EXPECT_EQ(estimate(registers), uint64_t{1} << 63);
}

TEST(HyperLogLog, MergingNeverLowersARegister) {
  SparseEditor editor;
  ASSERT_TRUE(editor.load(empty_value()));
  editor.set({1, 2}, 3000);
  editor.set({2, 9}, 3000);
  Dense dense;
  ASSERT_TRUE(make_dense(editor.value(), dense));
  for (const std::string_view value : {editor.value(), view(dense)}) {
    Registers registers{};
    registers[0] = 5;
    registers[1] = 5;
    registers[2] = 5;
    ASSERT_TRUE(merge(registers, value));
    EXPECT_EQ(registers[0], 5);
    EXPECT_EQ(registers[1], 5);
    EXPECT_EQ(registers[2], 9);
  }
}

// The runs of a value in which these registers were set one after the other.
std::string runs_of(std::initializer_list<Observation> observations) {
  SparseEditor editor;
  EXPECT_TRUE(editor.load(empty_value()));
  for (const Observation& each : observations) editor.set(each, 3000);
  return describe(editor.value());
}

TEST(HyperLogLog, RunsAreWrittenInTheShortestForm) {
  EXPECT_EQ(describe(empty_value()), "Z:16384");
  EXPECT_EQ(runs_of({{0, 1}}), "v:1,1 Z:16383");
  EXPECT_EQ(runs_of({{64, 3}}), "z:64 v:3,1 Z:16319");
  EXPECT_EQ(runs_of({{65, 3}}), "Z:65 v:3,1 Z:16318");
  EXPECT_EQ(runs_of({{16383, 32}}), "Z:16383 v:32,1");
}

TEST(HyperLogLog, NeighboursWithOneValueBecomeOneRunOfUpToFour) {
  EXPECT_EQ(runs_of({{10, 1}, {11, 1}}), "z:10 v:1,2 Z:16372");
  EXPECT_EQ(runs_of({{11, 1}, {10, 1}}), "z:10 v:1,2 Z:16372");
  EXPECT_EQ(runs_of({{10, 1}, {12, 1}, {11, 1}}), "z:10 v:1,3 Z:16371");
  EXPECT_EQ(runs_of({{10, 1}, {11, 1}, {12, 1}, {13, 1}}), "z:10 v:1,4 Z:16370");
  EXPECT_EQ(runs_of({{10, 1}, {11, 1}, {12, 1}, {13, 1}, {14, 1}}), "z:10 v:1,4 v:1,1 Z:16369");
  // What is left behind the raised one joins what follows.
  EXPECT_EQ(runs_of({{10, 1}, {11, 1}, {12, 1}, {13, 1}, {14, 1}, {11, 2}}),
            "z:10 v:1,1 v:2,1 v:1,3 Z:16369");
  // Far behind the beginning too.
  EXPECT_EQ(runs_of({{0, 1}, {2, 1}, {4, 1}, {6, 1}, {8, 1}, {100, 1}, {101, 1}}),
            "v:1,1 z:1 v:1,1 z:1 v:1,1 z:1 v:1,1 z:1 v:1,1 Z:91 v:1,2 Z:16282");
}

TEST(HyperLogLog, OnlyASmallValueFitsARun) {
  SparseEditor editor;
  ASSERT_TRUE(editor.load(empty_value()));
  EXPECT_EQ(editor.set({3, 33}, 3000), SparseEditor::Result::too_large);
  EXPECT_EQ(editor.set({3, 32}, 3000), SparseEditor::Result::changed);
}

TEST(HyperLogLog, AValueGrowsToItsLimitAndNotBeyond) {
  SparseEditor editor;
  ASSERT_TRUE(editor.load(empty_value()));
  // XZERO, VAL and XZERO are five bytes where two were.
  EXPECT_EQ(editor.set({100, 1}, 20), SparseEditor::Result::too_large);
  EXPECT_EQ(editor.value(), empty_value());
  EXPECT_EQ(editor.set({100, 1}, 21), SparseEditor::Result::changed);
  EXPECT_EQ(editor.value().size(), 21u);
  // What takes no more room than before is done above the limit too.
  EXPECT_EQ(editor.set({100, 2}, 0), SparseEditor::Result::changed);
  EXPECT_EQ(describe(editor.value()), "Z:100 v:2,1 Z:16283");
}

std::string with_body(const std::string& body) {
  return std::string(empty_value().substr(0, kHeaderBytes)) + body;
}

// Runs that Redis does not write but reads: zeros in two bytes where one would do.
TEST(HyperLogLog, ALongFormOfAShortRunIsReplacedWhole) {
  SparseEditor editor;
  ASSERT_TRUE(editor.load(with_body(std::string("\x40\x00\x7f\xfe", 4))));
  EXPECT_EQ(describe(editor.value()), "Z:1 Z:16383");
  EXPECT_EQ(editor.set({0, 5}, 3000), SparseEditor::Result::changed);
  EXPECT_EQ(describe(editor.value()), "v:5,1 Z:16383");
  ASSERT_TRUE(editor.load(with_body(std::string("\x40\x01\x7f\xfd", 4))));
  EXPECT_EQ(editor.set({0, 5}, 0), SparseEditor::Result::changed);
  EXPECT_EQ(describe(editor.value()), "v:5,1 z:1 Z:16382");
}

TEST(HyperLogLog, AValueOfTheLongestRunsIsReadAndNotMadeLonger) {
  // A run a register.
  std::string body;
  for (size_t i = 0; i < kRegisters; ++i) body += static_cast<char>(i % 2 == 0 ? 0x80 : 0x84);
  SparseEditor editor;
  ASSERT_TRUE(editor.load(with_body(body)));
  EXPECT_EQ(editor.set({16383, 3}, kSparseBytesMax), SparseEditor::Result::changed);
  Registers registers;
  ASSERT_TRUE(read_registers(registers, editor.value()));
  EXPECT_EQ(registers[16382], 1);
  EXPECT_EQ(registers[16383], 3);
  // As many bytes as there may be, for too many registers.
  std::string longest;
  for (size_t i = 0; i < kRegisters; ++i) longest += "\x40\x02";
  ASSERT_TRUE(editor.load(with_body(longest)));
  EXPECT_EQ(editor.set({1, 3}, SIZE_MAX), SparseEditor::Result::too_large);
  EXPECT_FALSE(editor.load(with_body(longest + "\x40")));
}

TEST(HyperLogLog, AChangeOutdatesTheEstimateOfASparseValue) {
  std::string value(empty_value());
  set_cached_estimate(value, 0);
  SparseEditor editor;
  ASSERT_TRUE(editor.load(value));
  EXPECT_EQ(editor.set({7, 2}, 3000), SparseEditor::Result::changed);
  EXPECT_EQ(cached_estimate(editor.value()), std::nullopt);
  value = editor.value();
  value[15] = 0;
  set_cached_estimate(value, 1);
  ASSERT_TRUE(editor.load(value));
  EXPECT_EQ(editor.set({7, 2}, 3000), SparseEditor::Result::unchanged);
  EXPECT_EQ(cached_estimate(editor.value()), 1u);
}

}  // namespace
}  // namespace redoubt::hyperloglog
