#include "engine/store/rank_tree.h"

#include "net/places.h"

#include <algorithm>
#include <cstring>

namespace redoubt {

namespace {

// So many neighbours share their room before a new one is made among them. With more of them nodes
// are fuller (n * ln((n + 1) / n)), and sharing moves more.
constexpr size_t kShare = 5;
// Room that sharing must leave in each, so that it does not come again at once.
constexpr size_t kLeafSlack = 4;
constexpr size_t kInnerSlack = 2;

// [from, to) of `count` children around one of them.
struct Window {
  size_t from;
  size_t to;
  size_t size() const { return to - from; }
};
Window window_around(size_t index, size_t count, size_t width) {
  const size_t size = std::min(width, count);
  const size_t from = std::min(index > size / 2 ? index - size / 2 : 0, count - size);
  return {from, from + size};
}

// The i-th of `parts` nearly equal parts of `total`.
size_t share_of(size_t total, size_t parts, size_t i) {
  return total / parts + (i < total % parts ? 1 : 0);
}

template <typename T>
void open_gap(T* array, size_t count, size_t index) {
  std::memmove(array + index + 1, array + index, (count - index) * sizeof(T));
}
template <typename T>
void close_gap(T* array, size_t count, size_t index, size_t width = 1) {
  std::memmove(array + index, array + index + width, (count - index - width) * sizeof(T));
}

}  // namespace

RankTreeNodes::~RankTreeNodes() {
  ASSERT(root_ == nullptr && node_bytes_ == 0);
}

// --- Nodes

void* RankTreeNodes::allocate(size_t bytes) {
  node_bytes_ += counted_size(bytes);
  return allocator_->allocate(bytes);
}

void RankTreeNodes::release(void* piece, size_t bytes) {
  node_bytes_ -= counted_size(bytes);
  allocator_->release(piece, bytes);
}

RankTreeNodes::Leaf* RankTreeNodes::make_leaf(uint32_t capacity) {
  return new (allocate(leaf_bytes(capacity))) Leaf{nullptr, nullptr, 0, capacity};
}

RankTreeNodes::Inner* RankTreeNodes::make_inner(uint16_t capacity, uint32_t level) {
  return new (allocate(inner_bytes(capacity))) Inner{0, capacity, level};
}

void RankTreeNodes::free_inner(Inner* node) {
  release(node, inner_bytes(node->capacity));
}

// Takes it off the list too.
void RankTreeNodes::free_leaf(Leaf* leaf) {
  (leaf->previous != nullptr ? leaf->previous->next : first_) = leaf->next;
  (leaf->next != nullptr ? leaf->next->previous : last_) = leaf->previous;
  release(leaf, leaf_bytes(leaf->capacity));
}

// In front of all for null.
void RankTreeNodes::link_after(Leaf* leaf, Leaf* previous) {
  leaf->previous = previous;
  leaf->next = previous != nullptr ? previous->next : first_;
  (leaf->previous != nullptr ? leaf->previous->next : first_) = leaf;
  (leaf->next != nullptr ? leaf->next->previous : last_) = leaf;
}

// Only a leaf that is the root is smaller than the others.
void RankTreeNodes::grow_leaf(Leaf*& leaf) {
  ASSERT(root_ == leaf);
  const uint32_t capacity = std::min(kLeafItems, leaf->capacity * 2 + leaf->capacity / 2);
  Leaf* larger = make_leaf(capacity);
  larger->count = leaf->count;
  std::memcpy(larger->items(), leaf->items(), leaf->count * sizeof(void*));
  free_leaf(leaf);
  link_after(larger, nullptr);
  root_ = leaf = larger;
}

RankTreeNodes::Inner* RankTreeNodes::grow_inner(Inner* node) {
  const int capacity = std::min<int>(kChildren, node->capacity + std::max(4, node->capacity / 4));
  Inner* larger = make_inner(static_cast<uint16_t>(capacity), node->level);
  larger->count = node->count;
  std::memcpy(larger->children(), node->children(), node->count * sizeof(void*));
  std::memcpy(larger->prefixes(), node->prefixes(), node->count * sizeof(uint64_t));
  std::memcpy(larger->counts(), node->counts(), node->count * sizeof(uint32_t));
  free_inner(node);
  return larger;
}

void RankTreeNodes::insert_child(Inner* node, size_t index, void* child) {
  ASSERT(node->count < node->capacity && index <= node->count);
  open_gap(node->children(), node->count, index);
  open_gap(node->prefixes(), node->count, index);
  open_gap(node->counts(), node->count, index);
  node->children()[index] = child;
  node->prefixes()[index] = UINT64_MAX;
  node->counts()[index] = 0;
  ++node->count;
}

void RankTreeNodes::remove_child(Inner* node, size_t index) {
  close_gap(node->children(), node->count, index);
  close_gap(node->prefixes(), node->count, index);
  close_gap(node->counts(), node->count, index);
  --node->count;
}

// --- Ways

size_t RankTreeNodes::rank(const Path& path) const {
  size_t before = path.at;
  for (size_t depth = 0; depth < path.depth; ++depth) {
    const uint32_t* counts = path.nodes[depth]->counts();
    for (size_t i = 0; i < path.index[depth]; ++i) before += counts[i];
  }
  return before;
}

void RankTreeNodes::descend(size_t rank, Path& path) const {
  ASSERT(rank <= size_ && root_ != nullptr);
  path.depth = depth_;
  void* node = root_;
  for (size_t depth = 0; depth < depth_; ++depth) {
    Inner* inner = static_cast<Inner*>(node);
    const uint32_t* counts = inner->counts();
    size_t index = 0;
    while (index + 1u < inner->count && rank >= counts[index]) rank -= counts[index++];
    path.nodes[depth] = inner;
    path.index[depth] = static_cast<uint16_t>(index);
    node = inner->children()[index];
  }
  path.leaf = static_cast<Leaf*>(node);
  path.at = static_cast<uint32_t>(rank);
  ASSERT(path.at <= path.leaf->count);
}

void* RankTreeNodes::first_below(Inner* node, size_t index) {
  void* child = node->children()[index];
  for (uint32_t level = node->level; level > 1; --level) {
    child = static_cast<Inner*>(child)->children()[0];
  }
  return static_cast<Leaf*>(child)->items()[0];
}

// --- Insertion

void RankTreeNodes::insert_at(Path& path, void* item, uint64_t prefix, PrefixOf prefix_of) {
  if (root_ == nullptr) {
    path.leaf = make_leaf(kLeafFirst);
    link_after(path.leaf, nullptr);
    root_ = path.leaf;
  }
  while (path.leaf->count == path.leaf->capacity) {
    if (path.leaf->capacity < kLeafItems) {
      grow_leaf(path.leaf);
      break;
    }
    const size_t rank_wanted = rank(path);
    if (make_room(path, prefix_of)) break;
    const bool front = rank_wanted == 0;
    descend(rank_wanted, path);
    ASSERT(!front || path.leaf == first_);
  }
  Leaf* leaf = path.leaf;
  open_gap(leaf->items(), leaf->count, path.at);
  leaf->items()[path.at] = item;
  ++leaf->count;
  ++size_;
  for (size_t depth = 0; depth < path.depth; ++depth) {
    Inner* node = path.nodes[depth];
    const size_t index = path.index[depth];
    ++node->counts()[index];
    node->prefixes()[index] = std::min(node->prefixes()[index], prefix);
  }
}

// One step towards room in the path's leaf, which is full. True: there is room, and the path is
// right; otherwise it is to be found again.
bool RankTreeNodes::make_room(Path& path, PrefixOf prefix_of) {
  if (path.depth == 0) {
    put_above_root(prefix_of);
    return false;
  }
  Inner* parent = path.nodes[path.depth - 1];
  const size_t index = path.index[path.depth - 1];
  End end = End::none;
  if (path.leaf == last_ && path.at == path.leaf->count) end = End::back;
  if (path.leaf == first_ && path.at == 0) end = End::front;
  const Window window = window_around(index, parent->count, kShare);
  if (end == End::none) {
    size_t total = 0;
    for (size_t i = window.from; i < window.to; ++i) total += parent->counts()[i];
    if (total <= window.size() * (kLeafItems - kLeafSlack)) {
      spread_leaves(parent, window.from, window.to, window.size(), prefix_of);
      return false;
    }
  }
  if (parent->count == parent->capacity) {
    make_inner_room(path, path.depth - 1, end);
    return false;
  }
  Leaf* fresh = make_leaf(kLeafItems);
  if (end == End::none) {
    link_after(fresh, parent->leaf(window.to - 1));
    insert_child(parent, window.to, fresh);
    spread_leaves(parent, window.from, window.to + 1, window.size() + 1, prefix_of);
    return false;
  }
  // A new leaf for this item alone: the full one stays full.
  const bool front = end == End::front;
  if (front) parent->prefixes()[index] = prefix_of(path.leaf->items()[0]);
  const size_t place = front ? 0 : index + 1;
  link_after(fresh, front ? nullptr : path.leaf);
  insert_child(parent, place, fresh);
  path.index[path.depth - 1] = static_cast<uint16_t>(place);
  path.leaf = fresh;
  path.at = 0;
  return true;
}

void RankTreeNodes::put_above_root(PrefixOf prefix_of) {
  ASSERT(depth_ + 1 < kDepthMax);
  Inner* root = make_inner(kChildrenFirst, static_cast<uint32_t>(depth_ + 1));
  insert_child(root, 0, root_);
  root->prefixes()[0] = depth_ == 0 ? prefix_of(static_cast<Leaf*>(root_)->items()[0])
                                    : static_cast<Inner*>(root_)->prefixes()[0];
  root->counts()[0] = static_cast<uint32_t>(size_);
  root_ = root;
  ++depth_;
  if (depth_ > 1) REDOUBT_REACHED(rank_tree_of_three_levels);
}

// One step towards room in an inner node of the path, which is full. The path is then to be found
// again.
void RankTreeNodes::make_inner_room(Path& path, size_t depth, End end) {
  Inner* node = path.nodes[depth];
  if (node->capacity < kChildren) {
    Inner* larger = grow_inner(node);
    (depth == 0 ? root_ : path.nodes[depth - 1]->children()[path.index[depth - 1]]) = larger;
    return;
  }
  if (depth == 0) {
    put_above_root(nullptr);
    return;
  }
  Inner* parent = path.nodes[depth - 1];
  const size_t index = path.index[depth - 1];
  Window window = window_around(index, parent->count, kShare);
  if (end == End::none) {
    size_t total = 0;
    for (size_t i = window.from; i < window.to; ++i) total += parent->inner(i)->count;
    if (total <= window.size() * (kChildren - kInnerSlack)) {
      spread_inners(parent, window.from, window.to, window.size());
      return;
    }
  }
  if (parent->count == parent->capacity) {
    make_inner_room(path, depth - 1, end);
    return;
  }
  Inner* fresh = make_inner(kChildren, node->level);
  if (end == End::none) {
    insert_child(parent, window.to, fresh);
    spread_inners(parent, window.from, window.to + 1, window.size() + 1);
    return;
  }
  // The child at the end moves alone into the new node.
  const bool front = end == End::front;
  const size_t taken = front ? 0 : node->count - 1u;
  insert_child(fresh, 0, node->children()[taken]);
  fresh->prefixes()[0] = node->prefixes()[taken];
  fresh->counts()[0] = node->counts()[taken];
  parent->counts()[index] -= fresh->counts()[0];
  remove_child(node, taken);
  parent->prefixes()[index] = node->prefixes()[0];
  const size_t place = front ? index : index + 1;
  insert_child(parent, place, fresh);
  parent->prefixes()[place] = fresh->prefixes()[0];
  parent->counts()[place] = fresh->counts()[0];
}

// Gives the items of the leaves [from, to) to the first `into` of them in equal parts. Those that
// get nothing are freed.
void RankTreeNodes::spread_leaves(Inner* parent, size_t from, size_t to, size_t into,
                                  PrefixOf prefix_of) {
  std::array<void*, (kShare + 1) * kLeafItems> items;
  size_t total = 0;
  for (size_t i = from; i < to; ++i) {
    Leaf* leaf = parent->leaf(i);
    std::memcpy(&items[total], leaf->items(), leaf->count * sizeof(void*));
    total += leaf->count;
  }
  size_t at = 0;
  for (size_t i = 0; i < into; ++i) {
    Leaf* leaf = parent->leaf(from + i);
    const size_t count = share_of(total, into, i);
    ASSERT(count > 0 && count <= leaf->capacity);
    std::memcpy(leaf->items(), &items[at], count * sizeof(void*));
    leaf->count = static_cast<uint32_t>(count);
    parent->counts()[from + i] = leaf->count;
    parent->prefixes()[from + i] = prefix_of(items[at]);
    at += count;
  }
  for (size_t i = to; i > from + into; --i) {
    free_leaf(parent->leaf(i - 1));
    remove_child(parent, i - 1);
  }
}

void RankTreeNodes::spread_inners(Inner* parent, size_t from, size_t to, size_t into) {
  constexpr size_t kMost = (kShare + 1) * kChildren;
  std::array<void*, kMost> children;
  std::array<uint64_t, kMost> prefixes;
  std::array<uint32_t, kMost> counts;
  size_t total = 0;
  for (size_t i = from; i < to; ++i) {
    Inner* node = parent->inner(i);
    std::copy_n(node->children(), node->count, &children[total]);
    std::copy_n(node->prefixes(), node->count, &prefixes[total]);
    std::copy_n(node->counts(), node->count, &counts[total]);
    total += node->count;
  }
  size_t at = 0;
  for (size_t i = 0; i < into; ++i) {
    Inner*& node = reinterpret_cast<Inner*&>(parent->children()[from + i]);
    const size_t count = share_of(total, into, i);
    if (count > node->capacity) {
      const uint32_t level = node->level;
      free_inner(node);
      node = make_inner(kChildren, level);
    }
    node->count = static_cast<uint16_t>(count);
    std::copy_n(&children[at], count, node->children());
    std::copy_n(&prefixes[at], count, node->prefixes());
    std::copy_n(&counts[at], count, node->counts());
    parent->prefixes()[from + i] = prefixes[at];
    uint32_t below = 0;
    for (size_t j = 0; j < count; ++j) below += counts[at + j];
    parent->counts()[from + i] = below;
    at += count;
  }
  for (size_t i = to; i > from + into; --i) {
    free_inner(parent->inner(i - 1));
    remove_child(parent, i - 1);
  }
}

// --- Removal

void RankTreeNodes::erase_at(Path& path, uint32_t count, PrefixOf prefix_of) {
  Leaf* leaf = path.leaf;
  ASSERT(path.at + count <= leaf->count);
  close_gap(leaf->items(), leaf->count, path.at, count);
  leaf->count -= count;
  size_ -= count;
  for (size_t depth = 0; depth < path.depth; ++depth) {
    path.nodes[depth]->counts()[path.index[depth]] -= count;
  }
  if (path.depth == 0) {
    if (leaf->count > 0) return;
    free_leaf(leaf);
    root_ = nullptr;
  } else if (leaf->count < kLeafItems / 2) {
    tidy(path, prefix_of);
  }
}

// After the path's leaf has lost much: neighbours that fit into fewer nodes get fewer, up to the
// root.
void RankTreeNodes::tidy(Path& path, PrefixOf prefix_of) {
  size_t depth = path.depth - 1;
  if (!drop_one_leaf(path.nodes[depth], path.index[depth], prefix_of)) return;
  for (; depth > 0; --depth) {
    if (path.nodes[depth]->count >= kChildren / 2) return;
    if (!drop_one_inner(path.nodes[depth - 1], path.index[depth - 1])) return;
  }
  lower_root();
}

bool RankTreeNodes::drop_one_leaf(Inner* parent, size_t index, PrefixOf prefix_of) {
  if (parent->counts()[index] == 0) {
    free_leaf(parent->leaf(index));
    remove_child(parent, index);
    return true;
  }
  const Window window = window_around(index, parent->count, 3);
  const size_t fewer = window.size() - 1;
  size_t total = 0;
  for (size_t i = window.from; i < window.to; ++i) total += parent->counts()[i];
  if (total > fewer * (kLeafItems - kLeafSlack)) return false;
  REDOUBT_REACHED(rank_tree_leaf_dropped);
  spread_leaves(parent, window.from, window.to, fewer, prefix_of);
  return true;
}

bool RankTreeNodes::drop_one_inner(Inner* parent, size_t index) {
  if (parent->inner(index)->count == 0) {
    free_inner(parent->inner(index));
    remove_child(parent, index);
    return true;
  }
  const Window window = window_around(index, parent->count, 3);
  const size_t fewer = window.size() - 1;
  size_t total = 0;
  for (size_t i = window.from; i < window.to; ++i) total += parent->inner(i)->count;
  if (total > fewer * (kChildren - kInnerSlack)) return false;
  REDOUBT_REACHED(rank_tree_inner_dropped);
  spread_inners(parent, window.from, window.to, fewer);
  return true;
}

void RankTreeNodes::lower_root() {
  while (depth_ > 0) {
    Inner* root = static_cast<Inner*>(root_);
    if (root->count > 1) return;
    root_ = root->count == 1 ? root->children()[0] : nullptr;
    REDOUBT_REACHED(rank_tree_root_lowered);
    free_inner(root);
    depth_ = root_ != nullptr ? depth_ - 1 : 0;
  }
}

// --- Checks

size_t RankTreeNodes::check_structure() const {
  const Leaf* expected = first_;
  const size_t counted = root_ != nullptr ? check_node(root_, depth_, expected) : 0;
  ASSERT(counted == size_ && expected == nullptr);
  ASSERT((size_ == 0) == (root_ == nullptr));
  return counted;
}

// Items below a node. `expected` is the leaf that has to come next.
size_t RankTreeNodes::check_node(void* node, size_t depth, const Leaf*& expected) const {
  if (depth == 0) {
    Leaf* leaf = static_cast<Leaf*>(node);
    ASSERT(leaf == expected && leaf->count > 0 && leaf->count <= leaf->capacity);
    ASSERT(leaf->next != nullptr ? leaf->next->previous == leaf : last_ == leaf);
    expected = leaf->next;
    return leaf->count;
  }
  Inner* inner = static_cast<Inner*>(node);
  ASSERT(inner->count > 0 && inner->count <= inner->capacity && inner->level == depth);
  size_t total = 0;
  for (size_t i = 0; i < inner->count; ++i) {
    const size_t below = check_node(inner->children()[i], depth - 1, expected);
    ASSERT(inner->counts()[i] == below);
    total += below;
  }
  return total;
}

}  // namespace redoubt
