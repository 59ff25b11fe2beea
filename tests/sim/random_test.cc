#include "sim/random.h"

#include <gtest/gtest.h>

#include <array>

#include "sim/digest.h"

namespace redoubt::sim {
namespace {

TEST(Random, SameSeedSameNumbers) {
  // Fixed numbers: they must be the same with every compiler, today and in a year.
  Random random(7);
  EXPECT_EQ(random.next(), Random(7).next());
  Random named(7, "network");
  EXPECT_NE(named.next(), Random(7, "disk").next());
  EXPECT_NE(Random(7, "disk", 0).next(), Random(7, "disk", 1).next());
  EXPECT_EQ(mix64(0), 0xe220a8397b1dcdafu);
}

TEST(Random, BoundsAreKept) {
  Random random(1);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70'000; ++i) ++counts[random.below(7)];
  for (const int count : counts) {
    EXPECT_GT(count, 9'500);
    EXPECT_LT(count, 10'500);
  }
  for (int i = 0; i < 10'000; ++i) {
    const int64_t value = random.between(-3, 4);
    EXPECT_GE(value, -3);
    EXPECT_LE(value, 4);
    const int64_t log_value = random.between_log(10, 1'000'000);
    EXPECT_GE(log_value, 10);
    EXPECT_LE(log_value, 1'000'000);
  }
  EXPECT_EQ(random.between(INT64_MIN, INT64_MIN), INT64_MIN);
}

TEST(Random, ExponentialHasItsMean) {
  Random random(3);
  int64_t sum = 0;
  for (int i = 0; i < 100'000; ++i) sum += random.exponential(1'000'000);
  const int64_t mean = sum / 100'000;
  EXPECT_GT(mean, 950'000);
  EXPECT_LT(mean, 1'100'000);
  EXPECT_EQ(random.exponential(0), 0);
}

TEST(Random, ChanceOfNothingDrawsNothing) {
  Random random(3);
  EXPECT_FALSE(random.chance(0));
  EXPECT_EQ(random.draws(), 0u);
  EXPECT_TRUE(random.chance(1'000'000));
  EXPECT_EQ(random.draws(), 1u);
}

TEST(Digest, EveryBitAndTheOrderCount) {
  const auto of = [](std::string_view text) {
    Digest digest;
    digest.add_bytes(as_slice(text));
    return digest.text();
  };
  EXPECT_EQ(of("abc").size(), 32u);
  EXPECT_EQ(of("abc"), of("abc"));
  EXPECT_NE(of("abc"), of("abd"));
  EXPECT_NE(of(std::string_view("abc\0", 4)), of("abc"));
  EXPECT_NE(of("0123456789abcdefX"), of("0123456789abcdef"));
  Digest first;
  first.add(1, 2);
  first.add(3, 4);
  Digest second;
  second.add(3, 4);
  second.add(1, 2);
  EXPECT_FALSE(first == second);
}

}  // namespace
}  // namespace redoubt::sim
