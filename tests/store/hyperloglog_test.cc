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

}  // namespace
}  // namespace redoubt::hyperloglog
