// Sets at their limits, and how fair draws from them are.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "engine/store/set_type.h"
#include "tests/store/outside_entry.h"

namespace redoubt {
namespace {

class SetLimitsTest : public ::testing::Test {
 protected:
  SetLimitsTest() : hash_key_([this] { return random_.next(); }) {}

  SetEditor make() { return {allocator_, hash_key_, limits_}; }
  Entry* entry_of(const SetEditor& set) {
    return outside_entry(allocator_, Type::set, set.encoding(), set.value());
  }
  // The encoding of a new set for a first member and so many in all.
  Encoding begun(std::string_view first, size_t expected) {
    const SetMember member(first);
    SetEditor set(allocator_, hash_key_, limits_, member, expected);
    const Encoding encoding = set.encoding();
    set.discard();
    return encoding;
  }
  // That of an existing set before so many members are added.
  Encoding continued(SetEditor set, size_t expected) {
    Entry* entry = entry_of(set);
    SetEditor again(allocator_, hash_key_, limits_, *entry, expected);
    const Encoding encoding = again.encoding();
    again.discard();
    Entry::release(allocator_, entry);
    return encoding;
  }
  std::string digest(const SetEditor& set) {
    Entry* entry = entry_of(set);
    Digest whole;
    digest_set(*entry, whole);
    whole.end_element();
    Entry::release(allocator_, entry);
    return whole.hex();
  }

  SetLimits limits_ = {.intset_entries = 4, .listpack_entries = 6, .listpack_value = 8};
  Random random_{7};
  Allocator allocator_;
  HashKey hash_key_;
};

TEST_F(SetLimitsTest, ANewSetIsAsLargeAsItIsExpectedToBecome) {
  EXPECT_EQ(begun("1", 4), Encoding::intset);
  EXPECT_EQ(begun("1", 5), Encoding::listpack);
  EXPECT_EQ(begun("1", 6), Encoding::listpack);
  EXPECT_EQ(begun("1", 7), Encoding::hashtable);
  EXPECT_EQ(begun("x", 1), Encoding::listpack);
  EXPECT_EQ(begun("x", 6), Encoding::listpack);
  EXPECT_EQ(begun("x", 7), Encoding::hashtable);
}

TEST_F(SetLimitsTest, ASetGoesToATableBeforeTooManyAreAdded) {
  const auto with = [&](const char* member) {
    SetEditor set = make();
    set.add(SetMember(member));
    return set;
  };
  EXPECT_EQ(continued(with("1"), 4), Encoding::intset);
  EXPECT_EQ(continued(with("1"), 5), Encoding::hashtable);
  EXPECT_EQ(continued(with("x"), 6), Encoding::listpack);
  EXPECT_EQ(continued(with("x"), 7), Encoding::hashtable);
}

TEST_F(SetLimitsTest, AMemberAtTheLimitFitsAListpack) {
  SetEditor set = make();
  for (const char* member : {"x", "12345678", "abcdefgh"}) set.add(SetMember(member));
  EXPECT_EQ(set.encoding(), Encoding::listpack);
  set.add(SetMember("abcdefghi"));
  EXPECT_EQ(set.encoding(), Encoding::hashtable);
  set.discard();
}

// The longest integer is at one of the ends.
TEST_F(SetLimitsTest, AnIntegerThatIsTooLongForAListpackIsSeen) {
  for (const char* integer : {"-12345678", "123456789"}) {
    SetEditor set = make();
    for (const char* member : {"-1", "1", integer}) set.add(SetMember(member));
    ASSERT_EQ(set.encoding(), Encoding::intset);
    set.add(SetMember("x"));
    EXPECT_EQ(set.encoding(), Encoding::hashtable) << integer;
    set.discard();
  }
}

TEST_F(SetLimitsTest, TheLeastAndTheLargestIntegerAreIntegers) {
  SetEditor set = make();
  set.add(SetMember("-9223372036854775808"));
  set.add(SetMember("9223372036854775807"));
  EXPECT_EQ(set.encoding(), Encoding::intset);
  EXPECT_TRUE(set.view().contains(SetMember("-9223372036854775808")));
  set.add(SetMember("9223372036854775808"));
  EXPECT_EQ(set.encoding(), Encoding::hashtable);
  set.discard();
}

TEST_F(SetLimitsTest, TakingADeadlineFromASmallSetLeavesItSmall) {
  for (const char* member : {"1", "x"}) {
    SetEditor set = make();
    set.add(SetMember(member));
    const Encoding before = set.encoding();
    set.set_deadline(member, kNeverExpires);
    EXPECT_EQ(set.encoding(), before);
    set.discard();
  }
}

TEST_F(SetLimitsTest, ACopiedTableTakesThePlaceOfAnEmptySet) {
  SetEditor from = make();
  for (int i = 0; i < 100; ++i) from.add(SetMember("m" + std::to_string(i)));
  const size_t before = allocator_.used_bytes();
  SetEditor to = make();
  to.copy_table(from.view().whole_table());
  EXPECT_EQ(to.size(), 100u);
  EXPECT_EQ(digest(to), digest(from));
  to.discard();
  EXPECT_EQ(allocator_.used_bytes(), before);
  from.discard();
}

TEST_F(SetLimitsTest, ADigestDependsOnDeadlines) {
  SetEditor set = make();
  set.add(SetMember("a"));
  set.add(SetMember("b"));
  const std::string none = digest(set);
  set.set_deadline("a", 10);
  const std::string ten = digest(set);
  set.set_deadline("a", 11);
  EXPECT_NE(ten, none);
  EXPECT_NE(ten, digest(set));
  set.set_deadline("a", kNeverExpires);
  EXPECT_EQ(digest(set), none);
  set.discard();
}

TEST_F(SetLimitsTest, FreeingATableIsAsMuchWorkAsItHasMembers) {
  const auto effort = [&](const SetEditor& set) {
    Entry* entry = entry_of(set);
    const size_t found = set_free_effort(*entry);
    Entry::release(allocator_, entry);
    return found;
  };
  SetEditor set = make();
  for (int i = 0; i < 3; ++i) set.add(SetMember(std::to_string(i)));
  EXPECT_EQ(effort(set), 1u);
  for (int i = 0; i < 50; ++i) set.add(SetMember(std::to_string(i)));
  EXPECT_EQ(effort(set), 50u);
  set.set_deadline("7", 10);
  EXPECT_EQ(effort(set), 50u);
  set.discard();
}

TEST_F(SetLimitsTest, FreeingASmallSetIsAStepOfWork) {
  for (const char* member : {"1", "x"}) {
    SetEditor set = make();
    set.add(SetMember(member));
    void* value = set.value();
    size_t budget = 10;
    EXPECT_TRUE(free_some_set(allocator_, set.encoding(), value, budget));
    EXPECT_EQ(budget, 9u);
  }
}

TEST_F(SetLimitsTest, ACopyKnowsItsDeadlines) {
  SetEditor set = make();
  for (const char* member : {"a", "b", "c"}) set.add(SetMember(member));
  set.set_deadline("a", 20);
  set.set_deadline("b", 10);
  Entry* entry = entry_of(set);
  void* copy = copy_set(allocator_, *entry);
  const SetView view(set.encoding(), copy, 11);
  EXPECT_EQ(view.earliest_ms(), 10);
  EXPECT_EQ(view.hidden(), 1u);
  EXPECT_EQ(view.find("a")->deadline_ms, 20);
  EXPECT_EQ(view.find("c")->deadline_ms, kNeverExpires);
  size_t budget = SIZE_MAX;
  free_some_set(allocator_, set.encoding(), copy, budget);
  Entry::release(allocator_, entry);
  set.discard();
  EXPECT_EQ(allocator_.used_bytes(), 0u);
}

// In each encoding, and where few of the members are shown, so that the draw is a walk.
TEST_F(SetLimitsTest, DrawsAreFair) {
  const auto expect_fair = [&](const SetView& view, size_t members) {
    std::map<std::string, int> drawn;
    for (size_t i = 0; i < 1000 * members; ++i) {
      ++drawn[std::string(SetMember(view.random(random_)).text())];
    }
    EXPECT_EQ(drawn.size(), members);
    for (const auto& [member, times] : drawn) EXPECT_NEAR(times, 1000, 150) << member;
  };
  for (const char* prefix : {"", "m"}) {
    SetEditor set = make();
    for (const char* digit : {"1", "2", "3"}) set.add(SetMember(prefix + std::string(digit)));
    expect_fair(set.view(), 3);
    for (int i = 4; i <= 100; ++i) {
      const std::string member = prefix + std::to_string(i);
      set.add(SetMember(member));
      set.set_deadline(member, 10);
    }
    expect_fair(SetView(set.encoding(), set.value(), 11), 3);
    set.discard();
  }
}

TEST_F(SetLimitsTest, SamplesAreFair) {
  SetEditor set = make();
  for (int i = 0; i < 10; ++i) set.add(SetMember("m" + std::to_string(i)));
  std::map<std::string, int> sampled;
  for (int i = 0; i < 2000; ++i) {
    size_t count = 0;
    set.view().sample(random_, 5, [&](const SetElement& element) {
      ++sampled[std::string(SetMember(element).text())];
      ++count;
    });
    ASSERT_EQ(count, 5u);
  }
  EXPECT_EQ(sampled.size(), 10u);
  for (const auto& [member, times] : sampled) EXPECT_NEAR(times, 1000, 120) << member;
  set.discard();
}

}  // namespace
}  // namespace redoubt
