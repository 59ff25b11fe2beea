// Parts of a value that expire on their own: fields of a hash, members of a set.
//
// Those that have a deadline stand in a tree by deadline, so that the ones that are due are found
// without a walk. Deadlines are Unix time in ms. Nothing here knows a clock: a part whose deadline
// is over is there until it is removed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "engine/store/rank_tree.h"

namespace redoubt {

// No deadline. Later than every one.
inline constexpr int64_t kNeverExpires = std::numeric_limits<int64_t>::max();

// `Item` has deadline_ms() and name(); no two have the same name.
template <typename Item>
struct DeadlineOrder {
  static uint64_t prefix_of(int64_t deadline_ms) {
    return static_cast<uint64_t>(deadline_ms) ^ uint64_t { 1 } << 63;
  }
  static uint64_t prefix(const Item& item) { return prefix_of(item.deadline_ms()); }
  static bool less(const Item& a, const Item& b) {
    const int64_t x = a.deadline_ms();
    const int64_t y = b.deadline_ms();
    return x != y ? x < y : a.name() < b.name();
  }
};

// The parts of one value that have a deadline. Items belong to the caller; the deadline of one that
// is in here does not change.
template <typename Item>
class Deadlines {
 public:
  explicit Deadlines(Allocator& allocator) : items_(allocator) {}

  bool empty() const { return items_.empty(); }
  void insert(Item* item) { items_.insert(item); }
  void erase(const Item* item) { items_.erase(item); }

  // The first deadline; kNeverExpires when there is none.
  int64_t earliest_ms() const {
    return items_.empty() ? kNeverExpires : items_.first().item()->deadline_ms();
  }
  // How many had expired before `now_ms`.
  size_t due(int64_t now_ms) const {
    if (earliest_ms() >= now_ms) return 0;
    return items_.count_before(DeadlineOrder<Item>::prefix_of(now_ms),
                               [](const Item&) { return false; });
  }
  // Calls visit(const Item&) for those, at most `most` of them, the earliest first.
  template <typename Visit>
  void for_each_due(int64_t now_ms, size_t most, Visit&& visit) const {
    for (auto at = items_.first(); at && most > 0; at.next(), --most) {
      if (at.item()->deadline_ms() >= now_ms) return;
      visit(*at.item());
    }
  }

  // Bytes of the tree, as counted.
  size_t bytes() const { return items_.node_bytes(); }
  // As MemberTable::clear_some(); items are only let go.
  bool clear_some(size_t& budget) {
    return items_.clear_some(budget, [](Item*) {});
  }
  // For tests.
  void check_invariants() const { items_.check_invariants(); }

 private:
  RankTree<Item, DeadlineOrder<Item>> items_;
};

}  // namespace redoubt
