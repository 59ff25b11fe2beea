#include "engine/store/rank_tree.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>
#include <set>
#include <vector>

#include "engine/store/random.h"

namespace redoubt {
namespace {

// Few values, so that many items have the same prefix.
struct Number {
  int64_t value;
  int64_t tie;
};

struct NumberOrder {
  static uint64_t prefix_of(int64_t value) {
    return static_cast<uint64_t>(value) ^ (uint64_t{1} << 63);
  }
  static uint64_t prefix(const Number& number) { return prefix_of(number.value); }
  static bool less(const Number& a, const Number& b) {
    return a.value != b.value ? a.value < b.value : a.tie < b.tie;
  }
};

struct ByOrder {
  bool operator()(const Number* a, const Number* b) const { return NumberOrder::less(*a, *b); }
};

// A tree beside a set that holds the same items.
class RankTreeFixture {
 public:
  RankTreeFixture() : tree_(allocator_) {}
  ~RankTreeFixture() {
    size_t budget = tree_.size();
    tree_.clear_some(budget, [](Number*) {});
  }

  void insert(int64_t value, int64_t tie) {
    Number probe{value, tie};
    if (model_.contains(&probe)) return;
    numbers_.push_back(probe);
    tree_.insert(&numbers_.back());
    model_.insert(&numbers_.back());
  }
  void erase_rank(size_t rank) {
    const auto at = std::next(model_.begin(), static_cast<std::ptrdiff_t>(rank));
    tree_.erase(*at);
    model_.erase(at);
  }
  void erase_range(size_t from, size_t count) {
    auto at = std::next(model_.begin(), static_cast<std::ptrdiff_t>(from));
    tree_.erase_range(from, count, [&](Number* number) {
      EXPECT_EQ(number, *at);
      at = model_.erase(at);
    });
  }
  std::vector<const Number*> in_order() const { return {model_.begin(), model_.end()}; }

  double bytes_each() const {
    return static_cast<double>(tree_.node_bytes()) / static_cast<double>(tree_.size());
  }

  Allocator allocator_;
  RankTree<Number, NumberOrder> tree_;
  std::deque<Number> numbers_;
  std::set<Number*, ByOrder> model_;
};

void expect_equal(const RankTreeFixture& f, Random& random) {
  f.tree_.check_invariants();
  const std::vector<const Number*> model = f.in_order();
  RC_ASSERT(f.tree_.size() == model.size());
  size_t i = 0;
  for (auto cursor = f.tree_.first(); cursor; cursor.next()) RC_ASSERT(cursor.item() == model[i++]);
  RC_ASSERT(i == model.size());
  for (auto cursor = f.tree_.last(); cursor; cursor.previous()) {
    RC_ASSERT(cursor.item() == model[--i]);
  }
  RC_ASSERT(i == 0u);
  for (int look = 0; look < 20 && !model.empty(); ++look) {
    const size_t rank = random.below(model.size());
    RC_ASSERT(f.tree_.at(rank) == model[rank]);
    RC_ASSERT(f.tree_.rank_of(*model[rank]) == rank);
    const int64_t bound = static_cast<int64_t>(random.below(60));
    size_t lower = 0;
    while (lower < model.size() && model[lower]->value < bound) ++lower;
    size_t upper = lower;
    while (upper < model.size() && model[upper]->value == bound) ++upper;
    const uint64_t prefix = NumberOrder::prefix_of(bound);
    RC_ASSERT(f.tree_.count_before(prefix, [](const Number&) { return false; }) == lower);
    RC_ASSERT(f.tree_.count_before(prefix, [](const Number&) { return true; }) == upper);
  }
  RC_ASSERT(!f.tree_.select(model.size()));
}

RC_GTEST_PROP(RankTree, AgreesWithASet, (uint64_t seed)) {
  RankTreeFixture f;
  Random random(seed);
  const uint64_t values = 1 + random.below(random.below(2) == 0 ? 50 : 100'000);
  const uint64_t ties = 1 + random.below(3000);
  const int phases = *rc::gen::inRange(1, 8);
  for (int phase = 0; phase < phases; ++phase) {
    const uint64_t kind = random.below(5);
    const uint64_t steps = random.below(4000);
    const int64_t low = static_cast<int64_t>(random.below(values));
    for (uint64_t i = 0; i < steps; ++i) {
      const auto step = static_cast<int64_t>(i);
      switch (kind) {
        case 0: f.insert(low, step); break;     // ascending, somewhere
        case 1: f.insert(-step, -step); break;  // above all, descending
        case 2: f.insert(static_cast<int64_t>(values) + step, 0); break;
        case 3:
          f.insert(static_cast<int64_t>(random.below(values)),
                   static_cast<int64_t>(random.below(ties)));
          break;
        default:
          if (!f.model_.empty()) f.erase_rank(random.below(f.model_.size()));
      }
    }
    if (random.below(2) == 0 && !f.model_.empty()) {
      const size_t from = random.below(f.model_.size());
      f.erase_range(from, random.below(f.model_.size() - from + 1));
    }
    expect_equal(f, random);
  }
}

TEST(RankTree, IsFullWhenItemsComeInOrder) {
  RankTreeFixture up;
  RankTreeFixture down;
  for (int64_t i = 0; i < 200'000; ++i) up.insert(i, 0);
  for (int64_t i = 200'000; i > 0; --i) down.insert(i, 0);
  EXPECT_LT(up.bytes_each(), 8.5);
  EXPECT_LT(down.bytes_each(), 8.5);
  up.tree_.check_invariants();
  down.tree_.check_invariants();
}

TEST(RankTree, IsWellFilledWhenItemsComeAtRandom) {
  RankTreeFixture f;
  Random random(5);
  size_t looks = 0;
  double sum = 0;
  for (int64_t i = 0; i < 300'000; ++i) {
    f.insert(static_cast<int64_t>(random.below(1u << 30)), i);
    if (i % 1000 != 999) continue;
    EXPECT_LT(f.bytes_each(), 10.6) << i;
    sum += f.bytes_each();
    ++looks;
  }
  EXPECT_LT(sum / static_cast<double>(looks), 9.8);
  RecordProperty("bytes_each", std::to_string(sum / static_cast<double>(looks)));
  f.tree_.check_invariants();
}

TEST(RankTree, GivesNodesBackWhileItemsGo) {
  RankTreeFixture f;
  Random random(6);
  for (int64_t i = 0; i < 100'000; ++i) f.insert(static_cast<int64_t>(random.below(1u << 30)), i);
  // A set cannot say what has a rank, so the largest values of random ranges go.
  while (f.tree_.size() > 10'000) {
    const size_t from = random.below(f.tree_.size() - 2);
    f.tree_.erase_range(from, 3, [&](Number* number) { f.model_.erase(number); });
  }
  EXPECT_LT(f.bytes_each(), 14);
  f.tree_.check_invariants();
}

TEST(RankTree, IsEmptiedInSlices) {
  RankTreeFixture f;
  for (int64_t i = 0; i < 10'000; ++i) f.insert(i, 0);
  size_t taken = 0;
  int slices = 0;
  size_t budget = 300;
  while (!f.tree_.clear_some(budget, [&](Number*) { ++taken; })) {
    EXPECT_EQ(budget, 0u);
    budget = 300;
    ++slices;
  }
  EXPECT_EQ(taken, 10'000u);
  EXPECT_EQ(slices, 33);
  EXPECT_EQ(f.tree_.node_bytes(), 0u);
  EXPECT_EQ(f.allocator_.used_bytes(), 0u);
}

TEST(RankTree, ASmallTreeIsSmall) {
  RankTreeFixture f;
  f.insert(1, 0);
  EXPECT_LE(f.tree_.node_bytes(), 64u);
  Number other{1, 0};
  f.tree_.replace(f.tree_.at(0), &other);
  EXPECT_EQ(f.tree_.at(0), &other);
}

size_t lower(const RankTreeFixture& f, int64_t bound) {
  return f.tree_.count_before(NumberOrder::prefix_of(bound), [](const Number&) { return false; });
}

// What a node knows of its first item may be of one that has gone. A new leaf in front must not
// stand beside such a prefix, which may be lower than its own.
TEST(RankTree, ANewLeafInFrontIsInOrderThoughTheOldFirstItemHasGone) {
  RankTreeFixture f;
  for (int64_t i = 0; i < 500; ++i) f.insert(10 * i, 0);
  f.erase_rank(0);  // 0, of which the prefix stays
  f.insert(15, 0);  // the first leaf is full again
  f.insert(7, 0);   // a leaf in front of it
  EXPECT_EQ(lower(f, 6), 0u);
  EXPECT_EQ(lower(f, 7), 0u);
  EXPECT_EQ(lower(f, 8), 1u);
  EXPECT_EQ(lower(f, 11), 2u);
  f.tree_.check_invariants();
}

// Inner nodes too, of which there are three levels here.
TEST(RankTree, InnerNodesAreGivenBackWhileItemsGo) {
  RankTreeFixture f;
  for (int64_t i = 0; i < 400'000; ++i) f.insert(i, 0);
  Random random(6);
  while (f.tree_.size() > 1000) {
    const size_t most = std::min<size_t>(f.tree_.size() - 1000, 50);
    const size_t from = random.below(f.tree_.size() - most + 1);
    f.tree_.erase_range(from, most, [&](Number* number) { f.model_.erase(number); });
  }
  EXPECT_LT(f.bytes_each(), 20);
  f.tree_.check_invariants();
}

TEST(RankTree, ATreeThatHasBecomeSmallIsOneLeaf) {
  RankTreeFixture f;
  for (int64_t i = 0; i < 10'000; ++i) f.insert(i, 0);
  f.erase_range(5, 9990);
  EXPECT_EQ(f.tree_.size(), 10u);
  EXPECT_LE(f.tree_.node_bytes(), counted_size(1024));
  f.tree_.check_invariants();
}

TEST(RankTree, TheFirstItemBehindABoundIsFoundAtTheEndOfALeafToo) {
  RankTreeFixture f;
  const auto behind = [&](int64_t bound) {
    const auto cursor =
        f.tree_.first_behind(NumberOrder::prefix_of(bound), [](const Number&) { return false; });
    return cursor ? cursor.item()->value : -1;
  };
  EXPECT_EQ(behind(0), -1);
  for (int64_t i = 0; i < 1000; ++i) f.insert(2 * i, 0);
  for (int64_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(behind(2 * i), 2 * i);
    ASSERT_EQ(behind(2 * i - 1), 2 * i);
  }
  EXPECT_EQ(behind(1999), -1);
}

TEST(RankTree, AnAppendedItemIsTheLastOne) {
  RankTreeFixture f;
  for (int64_t i = 0; i < 1000; ++i) {
    f.numbers_.push_back({i / 3, i});
    f.tree_.append(&f.numbers_.back());
    ASSERT_EQ(f.tree_.last().item(), &f.numbers_.back());
  }
  f.tree_.check_invariants();
}

}  // namespace
}  // namespace redoubt
