// MemberTable: the big encoding of sets and hashes, and the index of sorted sets by member.
//
// A table of pointers to items, found by the keyed hash of an item's key (extendible hashing). The
// items are pieces of memory of their own, so that other structures can point to them too; the
// trait of the table tells only where the bytes of an item's key are.
//
//   hash       [ depth bits: the block ][ ... ][ 8 bits: the tag ]
//   directory  2^depth references to blocks, indexed by the first bits of the hash
//   block      count, capacity, a tag for each slot, a pointer for each slot; in no order
//
// * A look-up reads a reference, the tags of one block (16 at once) and the items whose tag is
//   equal: nearly always only the item with the key.
// * Capacities are those that fill a class of the allocator, in steps of three to seven slots. A
//   full block of 63 or more is split in two; two that have become small are merged. So a member
//   takes 9.5 to 10 bytes at any size, directory included.
// * The directory doubles only when it has at least 48 members for each reference. Until then a
//   block that would need a longer one grows beyond 63: hashes are uniform, so few do, and not
//   far. That keeps the directory a quarter of a byte a member.
// * No operation touches more than one block (two when they merge), and the directory when it
//   doubles or halves.
// * A scan walks in hash order. Its cursor is a position on the circle of hashes (48 bits), as that
//   of the dict: an item that is there from the first call to the last is visited exactly once.
//
// With one block there is no directory. The table holds no allocator: each call that changes
// something is given the one it belongs to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "engine/store/allocator.h"
#include "engine/store/hash.h"
#include "engine/store/random.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace redoubt {

// The part that does not depend on the kind of items.
class MemberBlocks {
 public:
  static constexpr uint64_t kCursorEnd = 0;

  MemberBlocks(const MemberBlocks&) = delete;
  MemberBlocks& operator=(const MemberBlocks&) = delete;

  size_t size() const { return size_; }
  // Bytes of blocks and directory, as counted; items are not included.
  size_t table_bytes() const { return table_bytes_; }
  // Places for items, with and without one. Walks all blocks.
  size_t slot_count() const;
  const HashKey& hash_key() const { return *hash_key_; }
  uint64_t hash(std::string_view key) const { return (*hash_key_)(key); }

  // Two steps of a batched look-up, each a round of cache misses that overlap.
  void prefetch_block(uint64_t hash) const {
    if (root_ != 0) __builtin_prefetch(reference(hash).block());
  }

 protected:
  using HashOf = uint64_t (*)(const void* item, const HashKey& hash_key);

  static constexpr size_t kSplitAt = 63;
  static constexpr size_t kLargestBlock = 127;
  static constexpr size_t kMergedMax = 32;
  static constexpr uint64_t kDense = 48;  // members a reference, before the directory doubles
  static constexpr int kMaxDepth = 40;    // the cursor's 48 bits tell blocks apart

  struct Block {
    uint8_t count;
    uint8_t capacity;

    uint8_t* tags() { return reinterpret_cast<uint8_t*>(this) + 2; }
    void** items() {
      return reinterpret_cast<void**>(reinterpret_cast<char*>(this) + tag_bytes(capacity));
    }
    static size_t tag_bytes(size_t capacity) { return (capacity + 2 + 7) & ~size_t{7}; }
    static size_t bytes(size_t capacity) { return tag_bytes(capacity) + 8 * capacity; }
  };

  // A pointer of 48 bits and the depth of the block above it.
  struct Reference {
    uint64_t bits;

    Reference(Block* block, int depth)
        : bits(reinterpret_cast<uint64_t>(block) | static_cast<uint64_t>(depth) << 56) {}
    explicit Reference(uint64_t from) : bits(from) {}
    Block* block() const { return reinterpret_cast<Block*>(bits & 0xffffffffffff); }
    int depth() const { return static_cast<int>(bits >> 56); }
  };

  explicit MemberBlocks(const HashKey& hash_key) : hash_key_(&hash_key) {}
  ~MemberBlocks() { ASSERT(root_ == 0); }

  static uint8_t tag_of(uint64_t hash) { return static_cast<uint8_t>(hash); }
  // Which of up to 16 tags from `tags` on are equal, as bits.
  static uint32_t matches(const uint8_t* tags, uint8_t tag) {
#if defined(__SSE2__)
    const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i*>(tags));
    const __m128i equal = _mm_cmpeq_epi8(all, _mm_set1_epi8(static_cast<char>(tag)));
    return static_cast<uint32_t>(_mm_movemask_epi8(equal));
#else
    uint32_t bits = 0;
    for (uint32_t i = 0; i < 16; ++i) bits |= static_cast<uint32_t>(tags[i] == tag) << i;
    return bits;
#endif
  }

  int directory_depth() const { return depth_; }
  size_t directory_size() const { return size_t{1} << depth_; }
  uint64_t* directory() const { return reinterpret_cast<uint64_t*>(root_); }
  // The table is not empty.
  Reference reference(uint64_t hash) const {
    return Reference(depth_ == 0 ? root_ : directory()[hash >> (64 - depth_)]);
  }
  Reference reference_at(size_t index) const {
    return Reference(depth_ == 0 ? root_ : directory()[index]);
  }
  static uint64_t first_hash(uint64_t hash, int depth) {
    return depth == 0 ? 0 : hash >> (64 - depth) << (64 - depth);
  }
  // 0 behind the last one.
  static uint64_t end_hash(uint64_t hash, int depth) {
    return depth == 0 ? 0 : first_hash(hash, depth) + (uint64_t{1} << (64 - depth));
  }

  // Calls accept(item) for items in the hash's block whose tag is equal, until it returns true;
  // the index of that one, or -1.
  template <typename Accept>
  static int find_in(Block* block, uint64_t hash, Accept&& accept) {
    const uint8_t tag = tag_of(hash);
    const uint8_t* tags = block->tags();
    void** items = block->items();
    const uint32_t count = block->count;
    for (uint32_t from = 0; from < count; from += 16) {
      // Reading beyond the tags reads pointers: a block is never shorter than that.
      uint32_t bits = matches(tags + from, tag);
      if (count - from < 16) bits &= (1u << (count - from)) - 1;
      for (; bits != 0; bits &= bits - 1) {
        const uint32_t at = from + static_cast<uint32_t>(__builtin_ctz(bits));
        if (accept(items[at])) return static_cast<int>(at);
      }
    }
    return -1;
  }

  void insert_item(Allocator& allocator, void* item, uint64_t hash, HashOf hash_of);
  void remove_at(Allocator& allocator, uint64_t hash, size_t index);
  void* random_item(Random& random) const;
  void check(HashOf hash_of) const;
  // The block of another table at this place of its directory, and one like it in this one, with
  // the same tags. The first call copies the directory. Null at the end.
  Block* copy_blocks(Allocator& allocator, const MemberBlocks& other, size_t index);
  // Takes a block out of a table that is going away; null when all is gone.
  Block* block_to_clear() const;
  void drop_cleared_block(Allocator& allocator);

 private:
  static size_t capacity_for(size_t count);
  static size_t next_capacity(size_t capacity);
  static size_t capacity_below(size_t capacity);

  Block* make_block(Allocator& allocator, size_t capacity);
  void release_block(Allocator& allocator, Block* block);
  Block* resize_block(Allocator& allocator, uint64_t hash, size_t capacity);
  void point_to(Block* block, uint64_t hash, int depth);
  bool split(Allocator& allocator, uint64_t hash, HashOf hash_of);
  bool merge(Allocator& allocator, uint64_t hash);
  void set_directory(Allocator& allocator, uint64_t* fresh, int depth);
  void double_directory(Allocator& allocator);
  void halve_directory(Allocator& allocator);
  size_t block_span(int depth) const { return size_t{1} << (depth_ - depth); }

  const HashKey* hash_key_;
  uint64_t root_ = 0;  // depth_ 0: the reference of the only block; otherwise the directory
  size_t size_ = 0;
  size_t table_bytes_ = 0;
  uint32_t deepest_ = 0;  // blocks whose depth is depth_; 0 when depth_ is 0
  uint32_t cleared_ = 0;  // references passed by a table that is going away
  int depth_ = 0;
};

// `Trait` has a type Item and `static std::string_view key(const Item&)`.
template <typename Trait>
class MemberTable : public MemberBlocks {
 public:
  using Item = typename Trait::Item;

  // The hash key outlives the table.
  explicit MemberTable(const HashKey& hash_key) : MemberBlocks(hash_key) {}

  // Null when there is none.
  Item* find(std::string_view key, uint64_t hash) const {
    if (size() == 0) return nullptr;
    Block* block = reference(hash).block();
    const int at = find_in(block, hash, [&](const void* item) {
      return Trait::key(*static_cast<const Item*>(item)) == key;
    });
    return at < 0 ? nullptr : static_cast<Item*>(block->items()[at]);
  }
  Item* find(std::string_view key) const { return find(key, hash(key)); }

  // The second step of a batched look-up: fetches the items whose tag is equal.
  void prefetch_item(uint64_t hash) const {
    if (size() == 0) return;
    find_in(reference(hash).block(), hash, [](const void* item) {
      __builtin_prefetch(item);
      return false;
    });
  }

  // Adds an item whose key is not there.
  void insert(Allocator& allocator, Item* item, uint64_t hash) {
    insert_item(allocator, item, hash, hash_of);
  }
  // Takes an item out, which is the caller's then; null when there is none.
  Item* erase(Allocator& allocator, std::string_view key, uint64_t hash) {
    if (size() == 0) return nullptr;
    Block* block = reference(hash).block();
    const int at = find_in(block, hash, [&](const void* item) {
      return Trait::key(*static_cast<const Item*>(item)) == key;
    });
    if (at < 0) return nullptr;
    Item* item = static_cast<Item*>(block->items()[at]);
    remove_at(allocator, hash, static_cast<size_t>(at));
    return item;
  }
  // Puts another item with the same key into the place of one that is there.
  void replace(const Item* old, Item* item, uint64_t hash) {
    Block* block = reference(hash).block();
    const int at = find_in(block, hash, [&](const void* other) { return other == old; });
    ASSERT(at >= 0);
    block->items()[at] = item;
  }

  // Calls visit(Item&) for all, in hash order of blocks. visit must not change the table.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    if (size() == 0) return;
    for (size_t i = 0; i < directory_size();) {
      const Reference ref = reference_at(i);
      const size_t next = i + (directory_size() >> ref.depth());
      // Another block's items are on their way while those of this one are visited.
      if (next < directory_size()) prefetch_items(reference_at(next).block());
      visit_block(ref.block(), visit);
      i = next;
    }
  }
  // The same until visit returns false.
  template <typename Visit>
  void for_each_while(Visit&& visit) const {
    if (size() == 0) return;
    for (size_t i = 0; i < directory_size();) {
      const Reference ref = reference_at(i);
      Block* block = ref.block();
      i += directory_size() >> ref.depth();
      if (i < directory_size()) prefetch_items(reference_at(i).block());
      for (size_t k = 0; k < block->count; ++k) {
        if (!visit(*static_cast<Item*>(block->items()[k]))) return;
      }
    }
  }
  // Calls visit(Item&, Item* other) for all items with their like in another table that has the
  // same hash key, null for none, until it returns false. Both tables are in the order of hashes:
  // members of one block stand in one block, or few, of the other, and mostly need not be hashed.
  template <typename Visit>
  void for_each_paired(const MemberTable& other, Visit&& visit) const {
    if (size() == 0) return;
    ASSERT(&hash_key() == &other.hash_key());
    const int shift = 64 - directory_depth();
    for (size_t i = 0; i < directory_size();) {
      const Reference ref = reference_at(i);
      const uint64_t first = shift == 64 ? 0 : uint64_t{i} << shift;
      i += directory_size() >> ref.depth();
      if (i < directory_size()) prefetch_items(reference_at(i).block());
      if (!visit_paired(ref, first, other, visit)) return;
    }
  }

  // Calls visit(Item&) for the items of the block at the cursor; returns the next cursor,
  // kCursorEnd at the end. visit must not change the table.
  template <typename Visit>
  uint64_t scan(uint64_t cursor, Visit&& visit) const {
    if (size() == 0) return kCursorEnd;
    const uint64_t from = cursor << 16;
    const Reference ref = reference(from);
    const bool whole = from == first_hash(from, ref.depth());
    visit_block(ref.block(), [&](Item& item) {
      if (whole || hash_of(&item, hash_key()) >= from) visit(item);
    });
    return end_hash(from, ref.depth()) >> 16;
  }

  // An item, each with the same probability. The table is not empty.
  Item* random(Random& random) const { return static_cast<Item*>(random_item(random)); }

  // Makes this table, which is empty, equal to another one with the same hash key, block by block.
  // `copy_of(const Item&)` makes an Item* of the allocator's.
  template <typename CopyOf>
  void copy_from(Allocator& allocator, const MemberTable& other, CopyOf&& copy_of) {
    for (size_t i = 0; Block* from = copy_blocks(allocator, other, i);) {
      Block* block = reference_at(i).block();
      for (size_t k = 0; k < from->count; ++k) {
        block->items()[k] = copy_of(*static_cast<const Item*>(from->items()[k]));
      }
      i += directory_size() >> reference_at(i).depth();
    }
  }

  // Empties the table, which can be used for nothing else from the first call on: calls
  // release(Item*) for up to about `budget` items. The budget becomes the unused part. True when
  // all is gone.
  template <typename Release>
  bool clear_some(Allocator& allocator, size_t& budget, Release&& release) {
    while (Block* block = block_to_clear()) {
      while (block->count > 0) {
        if (budget == 0) return false;
        --budget;
        release(static_cast<Item*>(block->items()[--block->count]));
      }
      drop_cleared_block(allocator);
    }
    return true;
  }

  // Asserts relations between fields. Walks everything.
  void check_invariants() const { check(hash_of); }

 private:
  static uint64_t hash_of(const void* item, const HashKey& hash_key) {
    return hash_key(Trait::key(*static_cast<const Item*>(item)));
  }
  static void prefetch_items(Block* block) {
    for (size_t k = 0; k < block->count; ++k) __builtin_prefetch(block->items()[k]);
  }
  // False: visit did not want more.
  template <typename Visit>
  static bool visit_paired(Reference ref, uint64_t first, const MemberTable& other, Visit&& visit) {
    Block* block = ref.block();
    Block* like = nullptr;  // the one block of the other table where all of these would stand
    if (other.size() > 0 && other.reference(first).depth() <= ref.depth()) {
      like = other.reference(first).block();
      prefetch_items(like);
    }
    for (size_t k = 0; k < block->count; ++k) {
      Item& item = *static_cast<Item*>(block->items()[k]);
      const std::string_view key = Trait::key(item);
      Item* found = nullptr;
      if (like == nullptr) {
        found = other.find(key);
      } else {
        const int at = find_in(like, block->tags()[k], [&](const void* candidate) {
          return Trait::key(*static_cast<const Item*>(candidate)) == key;
        });
        if (at >= 0) found = static_cast<Item*>(like->items()[at]);
      }
      if (!visit(item, found)) return false;
    }
    return true;
  }
  template <typename Visit>
  static void visit_block(Block* block, Visit&& visit) {
    void** items = block->items();
    for (size_t k = 0; k < block->count; ++k) visit(*static_cast<Item*>(items[k]));
  }
};

}  // namespace redoubt
