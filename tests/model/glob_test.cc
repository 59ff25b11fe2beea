// The model's patterns: against a matcher that tries everything, and against the clock.
#include <gtest/gtest.h>

#include <string>

#include "sim/model/call.h"
#include "sim/model/generator.h"

namespace redoubt::sim {
namespace {

// The places where a text may end that this pattern matches from its front, one star tried at every
// length. Only what tests make here: letters, ? * and whole classes of two letters.
bool tries_everything(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) {
    return text.empty();
  }
  if (pattern[0] == '*') {
    return tries_everything(pattern.substr(1), text) ||
           (!text.empty() && tries_everything(pattern, text.substr(1)));
  }
  if (text.empty()) {
    return false;
  }
  const bool is_class = pattern[0] == '[';
  const bool fits = is_class ? text[0] == pattern[1] || text[0] == pattern[2]
                             : pattern[0] == '?' || pattern[0] == text[0];
  return fits && tries_everything(pattern.substr(is_class ? 4 : 1), text.substr(1));
}

TEST(Glob, StarsTakeWhateverMakesTheRestFit) {
  static constexpr std::string_view kParts[] = {"*", "*", "a", "b", "?", "[ab]", "[bc]"};
  Xoshiro random(1);
  size_t matched = 0;
  constexpr size_t kTries = 50'000;
  for (size_t i = 0; i < kTries; i++) {
    std::string pattern;
    for (uint64_t parts = random.below(8); parts > 0; parts--) {
      pattern += kParts[random.below(std::size(kParts))];
    }
    std::string text = "a";
    for (uint64_t size = random.below(8); size > 0; size--) {
      text += static_cast<char>('a' + random.below(3));
    }
    const bool expected = tries_everything(pattern, text);
    ASSERT_EQ(glob_matches(pattern, text), expected) << pattern << " " << text;
    matched += expected ? 1 : 0;
  }
  EXPECT_GT(matched, kTries / 10);
  EXPECT_LT(matched, kTries * 9 / 10);
}

TEST(Glob, ManyStarsTakeNoLongerThanOne) {
  std::string pattern;
  for (int i = 0; i < 1'000; i++) {
    pattern += "*a";
  }
  const std::string text(10'000, 'a');
  EXPECT_TRUE(glob_matches(pattern, text));
  EXPECT_FALSE(glob_matches(pattern + "*b", text));
  EXPECT_FALSE(glob_matches(pattern + "b*", text));
}

TEST(Glob, EscapesAndClassesThatAreCutOff) {
  EXPECT_TRUE(glob_matches("\\*", "*"));
  EXPECT_FALSE(glob_matches("\\*", "a"));
  EXPECT_FALSE(glob_matches("\\?", "a"));
  EXPECT_TRUE(glob_matches("*\\", "a\\"));
  EXPECT_TRUE(glob_matches("[^a]", "b"));
  EXPECT_FALSE(glob_matches("[^a]", "a"));
  EXPECT_TRUE(glob_matches("[c-a]", "b"));
  EXPECT_TRUE(glob_matches("[\\]]", "]"));
  EXPECT_TRUE(glob_matches("[ab", "b"));
  EXPECT_FALSE(glob_matches("[", "["));
  EXPECT_TRUE(glob_matches("[^", "["));
  // An empty text is what only a lone star matches.
  EXPECT_TRUE(glob_matches("", ""));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_FALSE(glob_matches("**", ""));
  EXPECT_TRUE(glob_matches("a**", "a"));
}

}  // namespace
}  // namespace redoubt::sim
