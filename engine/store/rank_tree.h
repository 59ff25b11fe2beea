// RankTree: items in order, with ranks. A B+ tree of pointers in which every inner node knows how
// many items are below each child, so that rank, select and the bounds of a range are O(log n).
//
//   Inner   count, capacity, level | children | counts below | the prefix of each child's first
//   item Leaf    next, previous, count, capacity | pointers to items
//
// Sorted sets have one of 1000 members as often as one of ten million, and pay for each pointer, so
// the nodes are kept full: a leaf that overflows first shares with its neighbours, and only when
// they are full too a new leaf is made among them. Under random insertion nodes are about 90% full,
// under ascending or descending insertion completely. A tree of one node is as large as it needs.
//
// Comparing two items means two cache misses, so that an order has a prefix: 64 bits of an item
// that never contradict the order (a score, the first half of an id). Inner nodes hold prefixes,
// and look at items only where prefixes are equal. The prefix of a child may be too low after its
// first item was erased; it is never too high.
//
// Items belong to the caller. While an item is in the tree, its place in the order must not change.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/store/allocator.h"

namespace redoubt {

// The structure, whatever the order is.
class RankTreeNodes {
 public:
  explicit RankTreeNodes(Allocator& allocator) : allocator_(&allocator) {}
  RankTreeNodes(const RankTreeNodes&) = delete;
  RankTreeNodes& operator=(const RankTreeNodes&) = delete;
  ~RankTreeNodes();  // the tree is empty by then

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Bytes of the nodes, as counted.
  size_t node_bytes() const { return node_bytes_; }

 protected:
  using PrefixOf = uint64_t (*)(const void* item);

  struct Leaf {
    Leaf* next;
    Leaf* previous;
    uint32_t count;
    uint32_t capacity;

    void** items() { return reinterpret_cast<void**>(this + 1); }
  };
  struct Inner {
    uint16_t count;
    uint16_t capacity;
    uint32_t level;  // 1: the children are leaves

    void** children() { return reinterpret_cast<void**>(this + 1); }
    uint64_t* prefixes() { return reinterpret_cast<uint64_t*>(children() + capacity); }
    uint32_t* counts() { return reinterpret_cast<uint32_t*>(prefixes() + capacity); }
    Inner* inner(size_t index) { return static_cast<Inner*>(children()[index]); }
    Leaf* leaf(size_t index) { return static_cast<Leaf*>(children()[index]); }
  };

  static constexpr uint32_t kLeafItems = 125;  // 1024 bytes
  static constexpr uint32_t kLeafFirst = 5;
  static constexpr uint16_t kChildren = 50;  // 1008 bytes
  static constexpr uint16_t kChildrenFirst = 4;
  static constexpr size_t kDepthMax = 20;

  // The way from the root to a place in a leaf.
  struct Path {
    std::array<Inner*, kDepthMax> nodes;
    std::array<uint16_t, kDepthMax> index;
    size_t depth = 0;  // inner nodes on it
    Leaf* leaf = nullptr;
    uint32_t at = 0;
  };

  size_t rank(const Path& path) const;
  // The path to the item at a rank; to the end of the last leaf for size().
  void descend(size_t rank, Path& path) const;
  // The item that is first below a node.
  static void* first_below(Inner* node, size_t index);

  void insert_at(Path& path, void* item, uint64_t prefix, PrefixOf prefix_of);
  // Removes `count` items of the path's leaf, from path.at on.
  void erase_at(Path& path, uint32_t count, PrefixOf prefix_of);

  // For tests: counts, links and fill of all nodes; how many leaves there are.
  size_t check_structure() const;

  Allocator* allocator_;
  void* root_ = nullptr;  // null, a Leaf or an Inner
  Leaf* first_ = nullptr;
  Leaf* last_ = nullptr;
  size_t depth_ = 0;  // levels of inner nodes
  size_t size_ = 0;
  size_t node_bytes_ = 0;

 private:
  // Items that come in order: at which end of the tree.
  enum class End : uint8_t { none, front, back };

  size_t check_node(void* node, size_t depth, const Leaf*& expected) const;
  static size_t leaf_bytes(size_t capacity) { return sizeof(Leaf) + capacity * sizeof(void*); }
  static size_t inner_bytes(size_t capacity) {
    return (sizeof(Inner) + capacity * (sizeof(void*) + 12) + 7) / 8 * 8;
  }
  void* allocate(size_t bytes);
  void release(void* piece, size_t bytes);
  Leaf* make_leaf(uint32_t capacity);
  Inner* make_inner(uint16_t capacity, uint32_t level);
  void free_leaf(Leaf* leaf);
  void free_inner(Inner* node);
  void link_after(Leaf* leaf, Leaf* previous);

  void grow_leaf(Leaf*& leaf);
  Inner* grow_inner(Inner* node);
  void put_above_root(PrefixOf prefix_of);
  bool make_room(Path& path, PrefixOf prefix_of);
  void make_inner_room(Path& path, size_t depth, End end);
  void insert_child(Inner* node, size_t index, void* child);
  void remove_child(Inner* node, size_t index);
  void spread_leaves(Inner* parent, size_t from, size_t to, size_t into, PrefixOf prefix_of);
  void spread_inners(Inner* parent, size_t from, size_t to, size_t into);
  void tidy(Path& path, PrefixOf prefix_of);
  bool drop_one_leaf(Inner* parent, size_t index, PrefixOf prefix_of);
  bool drop_one_inner(Inner* parent, size_t index);
  void lower_root();
};

// Order has
//   static uint64_t prefix(const Item&);                 prefix(a) < prefix(b) implies a before b
//   static bool less(const Item&, const Item&);          a strict order; no two items are equal
template <typename Item, typename Order>
class RankTree : public RankTreeNodes {
 public:
  using RankTreeNodes::RankTreeNodes;

  // A place in the tree. Valid until the tree changes.
  class Cursor {
   public:
    Cursor() = default;
    // False: behind the last item or in front of the first one.
    explicit operator bool() const { return leaf_ != nullptr; }
    Item* item() const { return static_cast<Item*>(leaf_->items()[at_]); }
    void next() {
      if (++at_ < leaf_->count) return;
      leaf_ = leaf_->next;
      at_ = 0;
    }
    void previous() {
      if (at_-- > 0) return;
      leaf_ = leaf_->previous;
      at_ = leaf_ != nullptr ? leaf_->count - 1 : 0;
    }
    // Prefetches an item some steps ahead.
    void prefetch_next(uint32_t steps) const {
      if (at_ + steps < leaf_->count) __builtin_prefetch(leaf_->items()[at_ + steps]);
    }
    void prefetch_previous(uint32_t steps) const {
      if (at_ >= steps) __builtin_prefetch(leaf_->items()[at_ - steps]);
    }

   private:
    friend class RankTree;
    Cursor(Leaf* leaf, uint32_t at) : leaf_(leaf), at_(at) {}
    Leaf* leaf_ = nullptr;
    uint32_t at_ = 0;
  };

  Cursor first() const { return Cursor(first_, 0); }
  Cursor last() const { return Cursor(last_, last_ != nullptr ? last_->count - 1 : 0); }
  // The item at a rank; none when rank >= size().
  Cursor select(size_t rank_wanted) const {
    if (rank_wanted >= size_) return {};
    Path path;
    descend(rank_wanted, path);
    return Cursor(path.leaf, path.at);
  }
  Item* at(size_t rank_wanted) const {
    const Cursor cursor = select(rank_wanted);
    return cursor ? cursor.item() : nullptr;
  }

  // The number of items in front of a bound: those with a lower prefix than `prefix`, and those
  // with the same prefix of which `before` is true. It must be true up to some item and false
  // behind it.
  template <typename Before>
  size_t count_before(uint64_t prefix, Before before) const {
    if (root_ == nullptr) return 0;
    Path path;
    find(prefix, before, path);
    return rank(path);
  }

  // The first item behind such a bound.
  template <typename Before>
  Cursor first_behind(uint64_t prefix, Before before) const {
    if (root_ == nullptr) return {};
    Path path;
    find(prefix, before, path);
    return path.at < path.leaf->count ? Cursor(path.leaf, path.at) : Cursor(path.leaf->next, 0);
  }

  // The number of items in front of this one, which is in the tree.
  size_t rank_of(const Item& item) const {
    Path path;
    find_item(item, path);
    return rank(path);
  }

  void insert(Item* item) {
    Path path;
    const uint64_t prefix = Order::prefix(*item);
    find(prefix, [&](const Item& other) { return Order::less(other, *item); }, path);
    insert_at(path, item, prefix, prefix_of);
  }

  // The same for an item that belongs behind all others.
  void append(Item* item) {
    Path path;
    if (root_ != nullptr) descend(size_, path);
    insert_at(path, item, Order::prefix(*item), prefix_of);
  }

  // Takes out an item that is in the tree.
  void erase(const Item* item) {
    Path path;
    find_item(*item, path);
    ASSERT(path.leaf->items()[path.at] == item);
    erase_at(path, 1, prefix_of);
  }

  // Puts an item in the place of another one, to which it is equal in order.
  void replace(const Item* old, Item* item) {
    Path path;
    find_item(*old, path);
    ASSERT(path.leaf->items()[path.at] == old);
    path.leaf->items()[path.at] = item;
  }

  // Takes out `count` items from a rank on. `taken(Item*)` is called for each of them, in order,
  // and may free it.
  template <typename Taken>
  void erase_range(size_t from, size_t count, Taken taken) {
    ASSERT(from <= size_ && count <= size_ - from);
    while (count > 0) {
      Path path;
      descend(from, path);
      const size_t here = path.leaf->count - path.at;
      const uint32_t step = static_cast<uint32_t>(here < count ? here : count);
      for (uint32_t i = 0; i < step; ++i) {
        taken(static_cast<Item*>(path.leaf->items()[path.at + i]));
      }
      erase_at(path, step, prefix_of);
      count -= step;
    }
  }

  // For tests: the structure, the order of all items, and the prefixes in inner nodes.
  void check_invariants() const {
    check_structure();
    const Item* before = nullptr;
    size_t rank_here = 0;
    for (Cursor cursor = first(); cursor; cursor.next(), ++rank_here) {
      ASSERT(before == nullptr || Order::less(*before, *cursor.item()));
      before = cursor.item();
      ASSERT(rank_of(*before) == rank_here);
    }
    ASSERT(rank_here == size_);
  }

  // Takes out up to `budget` items from the front; true when none are left.
  template <typename Taken>
  bool clear_some(size_t& budget, Taken taken) {
    const size_t step = size_ < budget ? size_ : budget;
    budget -= step;
    erase_range(0, step, taken);
    return size_ == 0;
  }

 private:
  static uint64_t prefix_of(const void* item) {
    return Order::prefix(*static_cast<const Item*>(item));
  }

  // In the leaf an item is known by its address: no other item needs to be looked at.
  void find_item(const Item& item, Path& path) const {
    ASSERT(root_ != nullptr);
    find_leaf(
        Order::prefix(item), [&](const Item& other) { return Order::less(other, item); }, path);
    void** items = path.leaf->items();
    const uint32_t count = path.leaf->count;
    while (path.at < count && items[path.at] != &item) ++path.at;
    // The first item of a leaf is looked for behind the end of the leaf before.
    if (path.at == count) descend(rank(path), path);
  }

  template <typename Before>
  static bool is_before(const void* raw, uint64_t prefix, Before& before) {
    const Item& item = *static_cast<const Item*>(raw);
    const uint64_t other = Order::prefix(item);
    return other != prefix ? other < prefix : before(item);
  }

  // The last child whose first item is before the bound, or the first child.
  template <typename Before>
  static size_t find_child(Inner* node, uint64_t prefix, Before& before) {
    const uint64_t* prefixes = node->prefixes();
    size_t low = 0;
    size_t high = node->count;
    while (high - low > 1) {
      const size_t middle = (low + high) / 2;
      const bool lower = prefixes[middle] != prefix
                             ? prefixes[middle] < prefix
                             : is_before(first_below(node, middle), prefix, before);
      (lower ? low : high) = middle;
    }
    return low;
  }

  template <typename Before>
  static uint32_t find_in_leaf(Leaf* leaf, uint64_t prefix, Before& before) {
    void** items = leaf->items();
    uint32_t low = 0;
    uint32_t high = leaf->count;
    // Three steps at a time: the items that they may look at are fetched together.
    while (high - low >= 8) {
      const uint32_t eighth = (high - low) / 8;
      for (uint32_t i = 1; i < 8; ++i) __builtin_prefetch(items[low + i * eighth]);
      uint32_t from = 0;
      uint32_t to = 8;
      while (to - from > 1) {
        const uint32_t middle = (from + to) / 2;
        (is_before(items[low + middle * eighth], prefix, before) ? from : to) = middle;
      }
      if (to < 8) high = low + to * eighth;
      if (from > 0) low += from * eighth + 1;
    }
    for (uint32_t i = low; i < high; ++i) __builtin_prefetch(items[i]);
    while (low < high) {
      const uint32_t middle = (low + high) / 2;
      if (is_before(items[middle], prefix, before)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  // The way to the leaf that a bound is in, or at the end of.
  template <typename Before>
  void find_leaf(uint64_t prefix, Before before, Path& path) const {
    path.depth = depth_;
    path.leaf = nullptr;
    path.at = 0;
    void* node = root_;
    for (size_t depth = 0; depth < depth_; ++depth) {
      Inner* inner = static_cast<Inner*>(node);
      const size_t index = find_child(inner, prefix, before);
      path.nodes[depth] = inner;
      path.index[depth] = static_cast<uint16_t>(index);
      node = inner->children()[index];
    }
    path.leaf = static_cast<Leaf*>(node);
  }

  template <typename Before>
  void find(uint64_t prefix, Before before, Path& path) const {
    find_leaf(prefix, before, path);
    if (path.leaf != nullptr) path.at = find_in_leaf(path.leaf, prefix, before);
  }
};

}  // namespace redoubt
