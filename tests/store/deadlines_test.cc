#include "engine/store/deadlines.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

namespace redoubt {
namespace {

struct Part {
  std::string text;
  int64_t deadline;
  int64_t deadline_ms() const { return deadline; }
  std::string_view name() const { return text; }
};

class DeadlinesFixture : public ::testing::Test {
 protected:
  ~DeadlinesFixture() override {
    size_t budget = SIZE_MAX;
    deadlines_.clear_some(budget);
  }

  Part* insert(const std::string& name, int64_t deadline) {
    parts_.push_back({name, deadline});
    deadlines_.insert(&parts_.back());
    deadlines_.check_invariants();
    return &parts_.back();
  }
  std::vector<std::string> due(int64_t now_ms, size_t most = SIZE_MAX) const {
    std::vector<std::string> names;
    deadlines_.for_each_due(now_ms, most, [&](const Part& part) { names.push_back(part.text); });
    return names;
  }

  Allocator allocator_;
  Deadlines<Part> deadlines_{allocator_};
  std::deque<Part> parts_;
};

using Names = std::vector<std::string>;

TEST_F(DeadlinesFixture, APartLivesThroughTheMillisecondOfItsDeadline) {
  insert("a", 10);
  insert("b", 11);
  EXPECT_EQ(due(10), Names{});
  EXPECT_EQ(due(11), Names{"a"});
  EXPECT_EQ(deadlines_.due(10), 0u);
  EXPECT_EQ(deadlines_.due(11), 1u);
  EXPECT_EQ(deadlines_.due(12), 2u);
}

TEST_F(DeadlinesFixture, TheFirstDeadlineIsKnown) {
  EXPECT_EQ(deadlines_.earliest_ms(), kNeverExpires);
  insert("a", 30);
  const Part* first = insert("b", 20);
  EXPECT_EQ(deadlines_.earliest_ms(), 20);
  deadlines_.erase(first);
  EXPECT_EQ(deadlines_.earliest_ms(), 30);
}

TEST_F(DeadlinesFixture, NoMoreAreVisitedThanAskedForTheEarliestFirst) {
  insert("c", 30);
  insert("a", 10);
  insert("b", 20);
  EXPECT_EQ(due(100, 2), (Names{"a", "b"}));
  EXPECT_EQ(due(100, 0), Names{});
}

// Runs are to be equal: where a part lies must not show.
TEST_F(DeadlinesFixture, PartsWithOneDeadlineComeInTheOrderOfTheirNames) {
  for (const char* name : {"d", "b", "a", "c"}) insert(name, 10);
  EXPECT_EQ(due(11), (Names{"a", "b", "c", "d"}));
}

TEST_F(DeadlinesFixture, DeadlinesBefore1970AreTheEarliest) {
  insert("late", 5);
  insert("early", -5);
  EXPECT_EQ(deadlines_.earliest_ms(), -5);
  EXPECT_EQ(deadlines_.due(0), 1u);
  EXPECT_EQ(due(0), Names{"early"});
}

TEST_F(DeadlinesFixture, TheTreeIsCounted) {
  const size_t before = allocator_.used_bytes();
  for (int i = 0; i < 1000; ++i) {
    insert(std::to_string(i), i);
    ASSERT_EQ(deadlines_.bytes(), allocator_.used_bytes() - before);
  }
}

}  // namespace
}  // namespace redoubt
