// The sorted containers of the model against those of the standard library.
#include "sim/model/sorted.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "sim/model/generator.h"

namespace redoubt::sim {
namespace {

// Bytes beyond ASCII and zeros: the order is that of unsigned bytes.
std::string some_key(Xoshiro& random) {
  static constexpr std::string_view kLetters("\0a\x7f\x80\xff", 5);
  std::string key;
  for (uint64_t size = random.below(4); size > 0; size--) {
    key += kLetters[random.below(kLetters.size())];
  }
  return key;
}

TEST(SortedSet, IsWhatAStdSetIs) {
  Xoshiro random(1);
  SortedSet sorted;
  std::set<std::string> expected;
  for (int i = 0; i < 20'000; i++) {
    const std::string key = some_key(random);
    ASSERT_EQ(sorted.contains(key), expected.contains(key));
    if (random.below(2) == 0) {
      const auto [place, is_new] = sorted.insert(key);
      ASSERT_EQ(*place, key);
      ASSERT_EQ(is_new, expected.insert(key).second);
    } else {
      ASSERT_EQ(sorted.erase(key), expected.erase(key));
    }
    ASSERT_EQ(sorted.size(), expected.size());
    ASSERT_EQ(sorted.empty(), expected.empty());
    ASSERT_TRUE(std::equal(sorted.begin(), sorted.end(), expected.begin(), expected.end())) << i;
  }
}

TEST(SortedMap, IsWhatAStdMapIs) {
  Xoshiro random(2);
  SortedMap<uint64_t> sorted;
  std::map<std::string, uint64_t> expected;
  for (int i = 0; i < 20'000; i++) {
    const std::string key = some_key(random);
    const uint64_t value = random.below(1'000);
    const auto place = sorted.find(key);
    ASSERT_EQ(place != sorted.end(), expected.contains(key));
    if (place != sorted.end()) {
      ASSERT_EQ(place->second, expected.at(key));
    }
    switch (random.below(4)) {
      case 0: {
        // What is there stays as it is.
        const auto [at, is_new] = sorted.emplace(key, value);
        ASSERT_EQ(is_new, expected.emplace(key, value).second);
        ASSERT_EQ(at->second, expected.at(key));
        break;
      }
      case 1: sorted[key] = expected[key] = value; break;
      case 2: ASSERT_EQ(sorted[key] += 1, expected[key] += 1); break;
      default: ASSERT_EQ(sorted.erase(key), expected.erase(key));
    }
    ASSERT_EQ(sorted.size(), expected.size());
    ASSERT_TRUE(std::equal(
        sorted.begin(), sorted.end(), expected.begin(), expected.end(),
        [](const auto& a, const auto& b) { return a.first == b.first && a.second == b.second; }));
  }
}

TEST(SortedSet, IsMadeOfARangeInAnyOrder) {
  const std::vector<std::string> texts = {"c", "a", "b", "a", ""};
  const SortedSet sorted(texts.begin(), texts.end());
  EXPECT_EQ(std::vector<std::string>(sorted.begin(), sorted.end()),
            (std::vector<std::string>{"", "a", "b", "c"}));
  SortedSet other;
  EXPECT_NE(sorted, other);
  other.insert(texts.rbegin(), texts.rend());
  EXPECT_EQ(sorted, other);
  other.clear();
  EXPECT_TRUE(other.empty());
  EXPECT_EQ(other.find(""), other.end());
}

TEST(SortedSet, ErasesByPlaceAndByWhatIsTrueOfIt) {
  const std::vector<std::string> texts = {"a", "bb", "c", "dd", "e"};
  SortedSet sorted(texts.begin(), texts.end());
  // The place behind the one that is gone.
  EXPECT_EQ(*sorted.erase(sorted.find("bb")), "c");
  const auto behind = sorted.erase(sorted.find("e"));
  EXPECT_EQ(behind, sorted.end());
  EXPECT_EQ(erase_if(sorted, [](const std::string& text) { return text.size() == 1; }), 2U);
  EXPECT_EQ(sorted.size(), 1U);
  EXPECT_TRUE(sorted.contains("dd"));
}

TEST(SortedMap, ErasesByWhatIsTrueOfAPair) {
  SortedMap<int> sorted;
  sorted["a"] = 1;
  sorted["b"] = 2;
  sorted["c"] = 3;
  EXPECT_EQ(erase_if(sorted, [](const auto& item) { return item.second != 2; }), 2U);
  EXPECT_EQ(sorted.begin()->first, "b");
}

}  // namespace
}  // namespace redoubt::sim
