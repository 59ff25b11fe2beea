#include "engine/store/member_table.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

namespace redoubt {

namespace {

// Each fills a class of the allocator: tags, pointers and two bytes.
constexpr std::array<uint8_t, 21> kCapacities = {2,  4,  6,  9,  14, 19, 26, 31, 35,  38, 42,
                                                 46, 49, 53, 56, 63, 70, 85, 99, 113, 127};

}  // namespace

size_t MemberBlocks::capacity_for(size_t count) {
  ASSERT(count <= kLargestBlock);
  return *std::lower_bound(kCapacities.begin(), kCapacities.end(), count);
}

size_t MemberBlocks::next_capacity(size_t capacity) {
  ASSERT(capacity < kLargestBlock);
  return *std::upper_bound(kCapacities.begin(), kCapacities.end(), capacity);
}

// Two steps down: what so many or fewer members are in has a step of room to spare.
size_t MemberBlocks::capacity_below(size_t capacity) {
  const auto at = std::lower_bound(kCapacities.begin(), kCapacities.end(), capacity);
  return at - kCapacities.begin() < 2 ? 0 : *(at - 2);
}

MemberBlocks::Block* MemberBlocks::make_block(Allocator& allocator, size_t capacity) {
  const size_t bytes = Block::bytes(capacity);
  table_bytes_ += counted_size(bytes);
  return new (allocator.allocate(bytes)) Block{0, static_cast<uint8_t>(capacity)};
}

void MemberBlocks::release_block(Allocator& allocator, Block* block) {
  const size_t bytes = Block::bytes(block->capacity);
  table_bytes_ -= counted_size(bytes);
  allocator.release(block, bytes);
}

size_t MemberBlocks::slot_count() const {
  if (root_ == 0) return 0;
  size_t count = 0;
  for (size_t at = 0; at < directory_size();) {
    const Reference ref = reference_at(at);
    count += ref.block()->capacity;
    at += block_span(ref.depth());
  }
  return count;
}

void MemberBlocks::point_to(Block* block, uint64_t hash, int depth) {
  const Reference ref(block, depth);
  if (depth_ == 0) {
    root_ = ref.bits;
    return;
  }
  uint64_t* first = directory() + (first_hash(hash, depth) >> (64 - depth_));
  std::fill_n(first, block_span(depth), ref.bits);
}

MemberBlocks::Block* MemberBlocks::resize_block(Allocator& allocator, uint64_t hash,
                                                size_t capacity) {
  const Reference ref = reference(hash);
  Block* old = ref.block();
  ASSERT(old->count <= capacity);
  Block* block = make_block(allocator, capacity);
  block->count = old->count;
  std::memcpy(block->tags(), old->tags(), old->count);
  std::memcpy(block->items(), old->items(), old->count * sizeof(void*));
  release_block(allocator, old);
  point_to(block, hash, ref.depth());
  return block;
}

void MemberBlocks::insert_item(Allocator& allocator, void* item, uint64_t hash, HashOf hash_of) {
  ASSERT(cleared_ == 0);
  if (root_ == 0) root_ = Reference(make_block(allocator, 2), 0).bits;
  Block* block = reference(hash).block();
  while (block->count == block->capacity) {
    if (block->count >= kSplitAt && split(allocator, hash, hash_of)) {
      block = reference(hash).block();
    } else {
      block = resize_block(allocator, hash, next_capacity(block->capacity));
    }
  }
  block->tags()[block->count] = tag_of(hash);
  block->items()[block->count] = item;
  ++block->count;
  ++size_;
}

// Replaces the hash's block by two. False when that would need a longer directory, and there are
// not members enough for one.
bool MemberBlocks::split(Allocator& allocator, uint64_t hash, HashOf hash_of) {
  const Reference ref = reference(hash);
  Block* old = ref.block();
  const int depth = ref.depth();
  if (depth == depth_) {
    if (depth > 0 && size_ < kDense << depth && old->count < kLargestBlock) return false;
    ASSERT(depth < kMaxDepth);
    double_directory(allocator);
  }
  uint64_t hashes[kLargestBlock];
  size_t high_count = 0;
  for (size_t i = 0; i < old->count; ++i) __builtin_prefetch(old->items()[i]);
  for (size_t i = 0; i < old->count; ++i) {
    hashes[i] = hash_of(old->items()[i], *hash_key_) << depth >> 63;
    high_count += hashes[i];
  }
  // One half may get all, as when items come in the order of their hashes. Then it has no room, and
  // the insertion splits again.
  const auto with_room = [](size_t count) {
    return capacity_for(std::min(count + 1, kLargestBlock));
  };
  Block* halves[2] = {make_block(allocator, with_room(old->count - high_count)),
                      make_block(allocator, with_room(high_count))};
  for (size_t i = 0; i < old->count; ++i) {
    Block* to = halves[hashes[i]];
    to->tags()[to->count] = old->tags()[i];
    to->items()[to->count] = old->items()[i];
    ++to->count;
  }
  release_block(allocator, old);
  const uint64_t first = first_hash(hash, depth);
  point_to(halves[0], first, depth + 1);
  point_to(halves[1], first | uint64_t{1} << (63 - depth), depth + 1);
  if (depth + 1 == depth_) deepest_ += 2;
  return true;
}

void MemberBlocks::set_directory(Allocator& allocator, uint64_t* fresh, int depth) {
  const size_t bytes = directory_size() * sizeof(uint64_t);
  if (depth_ > 0) {
    table_bytes_ -= counted_size(bytes);
    allocator.release(directory(), bytes);
  }
  root_ = reinterpret_cast<uint64_t>(fresh);
  depth_ = depth;
}

void MemberBlocks::double_directory(Allocator& allocator) {
  const size_t bytes = directory_size() * 2 * sizeof(uint64_t);
  uint64_t* fresh = static_cast<uint64_t*>(allocator.allocate(bytes));
  table_bytes_ += counted_size(bytes);
  for (size_t i = 0; i < directory_size(); ++i) {
    fresh[2 * i] = fresh[2 * i + 1] = reference_at(i).bits;
  }
  set_directory(allocator, fresh, depth_ + 1);
  deepest_ = 0;
}

// No block needs the whole depth.
void MemberBlocks::halve_directory(Allocator& allocator) {
  ASSERT(deepest_ == 0 && depth_ > 0);
  const int depth = depth_ - 1;
  if (depth == 0) {
    const uint64_t only = directory()[0];
    set_directory(allocator, nullptr, 0);
    root_ = only;
    return;
  }
  const size_t bytes = directory_size() / 2 * sizeof(uint64_t);
  uint64_t* fresh = static_cast<uint64_t*>(allocator.allocate(bytes));
  table_bytes_ += counted_size(bytes);
  for (size_t i = 0; i < directory_size() / 2; ++i) {
    const Reference ref = reference_at(2 * i);
    fresh[i] = ref.bits;
    if (ref.depth() == depth) ++deepest_;
  }
  set_directory(allocator, fresh, depth);
}

// Merges the hash's block with the other half that it was split from, when both are small.
bool MemberBlocks::merge(Allocator& allocator, uint64_t hash) {
  const Reference ref = reference(hash);
  const int depth = ref.depth();
  if (depth == 0) return false;
  const Reference buddy = reference(hash ^ uint64_t{1} << (64 - depth));
  if (buddy.depth() != depth) return false;
  Block* sources[2] = {ref.block(), buddy.block()};
  const size_t sum = size_t{sources[0]->count} + sources[1]->count;
  if (sum > kMergedMax) return false;
  Block* block = make_block(allocator, capacity_for(sum + 1));
  for (Block* from : sources) {
    std::memcpy(block->tags() + block->count, from->tags(), from->count);
    std::memcpy(block->items() + block->count, from->items(), from->count * sizeof(void*));
    block->count = static_cast<uint8_t>(block->count + from->count);
    release_block(allocator, from);
  }
  point_to(block, hash, depth - 1);
  if (depth == depth_) deepest_ -= 2;
  return true;
}

void MemberBlocks::remove_at(Allocator& allocator, uint64_t hash, size_t index) {
  ASSERT(cleared_ == 0);
  Block* block = reference(hash).block();
  const size_t last = --block->count;
  block->tags()[index] = block->tags()[last];
  block->items()[index] = block->items()[last];
  --size_;
  if (size_ == 0) {
    // Blocks without members and a directory of them may be left.
    while (Block* empty = block_to_clear()) {
      ASSERT(empty->count == 0);
      drop_cleared_block(allocator);
    }
    return;
  }
  const bool merged = last < kMergedMax / 2 && merge(allocator, hash);
  if (!merged && last <= capacity_below(block->capacity)) {
    resize_block(allocator, hash, capacity_for(last + 1));
  }
  if (deepest_ == 0 && depth_ > 0 && size_ < kDense << depth_ >> 2) halve_directory(allocator);
}

// References are drawn, and then a slot of an imagined block of 96: a block that does not have it
// is drawn again. A block that stands in several references imagines as many more slots, so each
// item of the table has the same chance.
void* MemberBlocks::random_item(Random& random) const {
  ASSERT(size_ > 0);
  constexpr uint64_t kImagined = 96;
  constexpr int kTries = 200;
  if (depth_ == 0) {
    Block* only = Reference(root_).block();
    return only->items()[random.below(only->count)];
  }
  size_t index = 0;
  for (int i = 0; i < kTries; ++i) {
    index = random.below(directory_size());
    const Reference ref = reference_at(index);
    const uint64_t slot = random.below(kImagined << (depth_ - ref.depth()));
    if (slot < ref.block()->count) return ref.block()->items()[slot];
  }
  // A table that has lost nearly all its members: the next block that has some.
  while (reference_at(index).block()->count == 0) index = (index + 1) & (directory_size() - 1);
  Block* block = reference_at(index).block();
  return block->items()[random.below(block->count)];
}

MemberBlocks::Block* MemberBlocks::copy_blocks(Allocator& allocator, const MemberBlocks& other,
                                               size_t index) {
  if (index == 0) {
    ASSERT(root_ == 0 && hash_key_ == other.hash_key_);
    if (other.root_ == 0) return nullptr;
    depth_ = other.depth_;
    deepest_ = other.deepest_;
    size_ = other.size_;
    if (depth_ > 0) {
      const size_t bytes = directory_size() * sizeof(uint64_t);
      root_ = reinterpret_cast<uint64_t>(allocator.allocate(bytes));
      table_bytes_ += counted_size(bytes);
    }
  }
  if (index >= directory_size()) return nullptr;
  const Reference ref = other.reference_at(index);
  Block* from = ref.block();
  Block* block = make_block(allocator, from->capacity);
  block->count = from->count;
  std::memcpy(block->tags(), from->tags(), from->count);
  if (depth_ == 0) {
    root_ = Reference(block, 0).bits;
  } else {
    std::fill_n(directory() + index, block_span(ref.depth()), Reference(block, ref.depth()).bits);
  }
  return from;
}

MemberBlocks::Block* MemberBlocks::block_to_clear() const {
  return root_ == 0 ? nullptr : reference_at(cleared_).block();
}

void MemberBlocks::drop_cleared_block(Allocator& allocator) {
  const Reference ref = reference_at(cleared_);
  const size_t span = block_span(ref.depth());
  release_block(allocator, ref.block());
  cleared_ += static_cast<uint32_t>(span);
  if (cleared_ < directory_size()) return;
  set_directory(allocator, nullptr, 0);
  root_ = 0;
  size_ = 0;
  cleared_ = deepest_ = 0;
}

void MemberBlocks::check(HashOf hash_of) const {
  size_t members = 0;
  size_t bytes = depth_ > 0 ? counted_size(directory_size() * sizeof(uint64_t)) : 0;
  uint32_t deepest = 0;
  for (size_t i = 0; root_ != 0 && i < directory_size();) {
    const Reference ref = reference_at(i);
    ASSERT(ref.depth() <= depth_);
    const size_t span = block_span(ref.depth());
    ASSERT(i % span == 0);
    for (size_t k = 0; k < span; ++k) ASSERT(reference_at(i + k).bits == ref.bits);
    Block* block = ref.block();
    ASSERT(block->count <= block->capacity);
    for (size_t k = 0; k < block->count; ++k) {
      const uint64_t h = hash_of(block->items()[k], *hash_key_);
      ASSERT(block->tags()[k] == tag_of(h) && reference(h).bits == ref.bits);
    }
    members += block->count;
    bytes += counted_size(Block::bytes(block->capacity));
    if (depth_ > 0 && ref.depth() == depth_) ++deepest;
    i += span;
  }
  ASSERT(members == size_ && bytes == table_bytes_ && deepest == deepest_);
}

}  // namespace redoubt
