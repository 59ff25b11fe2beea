// The order of scores: as the scores themselves compare.
#include "engine/commands/keys/sort_order.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace redoubt {
namespace {

TEST(SortOrder, KeysCompareAsScores) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> rising = {-infinity, -1e300, -1.5, -1, -5e-324, 0,
                                      5e-324,    0.5,    1,    2,  1e300,   infinity};
  for (size_t i = 0; i < rising.size(); ++i) {
    for (size_t j = 0; j < rising.size(); ++j) {
      EXPECT_EQ(score_key(rising[i], false) < score_key(rising[j], false), i < j) << i << " " << j;
      EXPECT_EQ(score_key(rising[i], true) < score_key(rising[j], true), i > j) << i << " " << j;
    }
  }
  EXPECT_EQ(score_key(-0.0, false), score_key(0.0, false));
}

// Few different scores, so that some are equal, and sizes on both sides of the smallest for radix.
RC_GTEST_PROP(SortOrder, IsThatOfAStableSort, (uint64_t seed)) {
  uint64_t state = seed;
  const auto draw = [&](uint64_t below) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33) % below;
  };
  const size_t count = draw(300);
  const double scale = draw(2) == 0 ? 1 : 1e17 / 3;
  std::vector<RankedScore> items;
  for (size_t i = 0; i < count; ++i) {
    const double score = (static_cast<double>(draw(150)) - 75) * scale;
    items.push_back({score_key(score, false), i});
  }
  std::vector<RankedScore> expected = items;
  std::sort(expected.begin(), expected.end(), [](const RankedScore& a, const RankedScore& b) {
    return a.key != b.key ? a.key < b.key : a.index < b.index;
  });
  sort_by_key(items);
  for (size_t i = 0; i < count; ++i) RC_ASSERT(items[i].index == expected[i].index);
}

}  // namespace
}  // namespace redoubt
