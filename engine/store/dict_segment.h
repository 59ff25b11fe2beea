// DictSegment: a piece of a dict (dict.h) with up to 126 buckets, for the hashes that begin with
// the same bits.
//
// A bucket is one cache line: 7 tags of 8 bits, a byte of marks, 7 pointers to entries.
//
//   hash      [ depth bits: the segment ][ 14 bits: the position in it ][ ... ]
//   bucket    = position * buckets / 2^14, so buckets of a segment are in hash order too
//   tag       = low 8 bits of the position
//
// * An entry that finds its bucket full goes to one of the next three: its slot is marked as
//   displaced, and the bucket to which it belongs as overflowed. A bucket that is marked as
//   overflowed is full, and an entry that belongs to it is displaced: when a slot becomes free, a
//   displaced entry comes home.
// * Bucket and tag together give the position back (a bucket of a large segment spans at most 265
//   positions, a tag tells 256 apart), so entries move to a larger segment without being read. Only
//   displaced entries, and all of them in a split, are hashed again.
// * A segment knows how many of its entries expire, a time before which none does, and for each
//   four buckets in a row such a bound in units of 128 ms.
//
// The dict makes and frees the memory of segments. Pointers to slots are valid until the next
// change.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <tuple>
#include <vector>

#include "engine/store/entry.h"
#include "engine/store/expiry_bounds.h"
#include "engine/store/hash.h"

namespace redoubt {

struct alignas(64) DictBucket {
  static constexpr size_t kSlots = 7;
  static constexpr uint8_t kOverflowed = 0x80;

  std::array<uint8_t, kSlots> tags;
  uint8_t marks;  // bit i: slot i is displaced; bit 7: entries that belong here are displaced
  std::array<Entry*, kSlots> entries;

  bool overflowed() const { return (marks & kOverflowed) != 0; }
  bool displaced(size_t slot) const { return (marks >> slot & 1) != 0; }
  // A byte of 0x80 for each slot whose tag is equal; a free slot may be among them.
  uint64_t matches(uint8_t tag) const {
    constexpr uint64_t kAllTags = 0x00ffffffffffffff;
    constexpr uint64_t kLowBits = 0x007f7f7f7f7f7f7f;
    constexpr uint64_t kOnes = 0x0001010101010101;
    uint64_t all;
    std::memcpy(&all, tags.data(), sizeof all);
    const uint64_t x = (all & kAllTags) ^ (kOnes * tag);
    return ~(((x & kLowBits) + kLowBits) | x | kLowBits) & kAllTags;
  }
  // -1: there is none.
  int free_slot() const {
    for (int slot = 0; slot < static_cast<int>(kSlots); ++slot) {
      if (entries[static_cast<size_t>(slot)] == nullptr) return slot;
    }
    return -1;
  }
  // Fills a free slot.
  void fill(int slot, uint8_t tag, Entry* entry, bool is_displaced) {
    const size_t at = static_cast<size_t>(slot);
    tags[at] = tag;
    entries[at] = entry;
    const int mark = 1 << slot;
    marks = static_cast<uint8_t>(is_displaced ? marks | mark : marks & ~mark);
  }
};
static_assert(sizeof(DictBucket) == 64);

// In memory the buckets follow, and behind them the bounds of a segment of many.
struct alignas(64) DictSegment {
  static constexpr size_t kSlots = DictBucket::kSlots;
  // Numbers of buckets that a segment may have.
  static constexpr std::array<uint8_t, 11> kSizes = {1, 3, 7, 15, 31, 62, 70, 78, 94, 110, 126};
  static constexpr uint32_t kAlone = UINT32_MAX;
  static constexpr int kPositionBits = 14;
  // How far from its own bucket an entry may be.
  static constexpr size_t kMaxDisplacement = 3;
  // The cost of an entry that is due, besides that of looking at it (find_expired).
  static constexpr size_t kDueCost = 16;
  static constexpr int64_t kNever = ExpiryBounds::kNever;

  uint64_t prefix;  // the first `depth` bits of the hashes in it, at the top
  uint8_t depth;
  uint8_t size_index;          // in kSizes
  uint16_t count;              // entries
  uint16_t expiring;           // entries with an expiry
  uint16_t shrink_at;          // with so many entries or fewer a smaller segment is tried
  uint32_t index;              // in the pool of its size; kAlone when it has memory of its own
  int64_t earliest_expiry_ms;  // no entry expires before this; kNever when none expires
  int64_t bounds_from;         // the zero of the bounds, in units of Unix time
  std::array<uint16_t, 12> few_bounds;

  // --- places

  static uint64_t position(uint64_t hash, int depth) {
    return (hash << depth) >> (64 - kPositionBits);
  }
  // The bucket to which a position belongs.
  static size_t home(uint64_t position, size_t bucket_count) {
    return position * bucket_count >> kPositionBits;
  }
  // The first position that belongs to a bucket, or the end of the positions.
  static uint64_t first_position(size_t bucket, size_t bucket_count) {
    return ((uint64_t{bucket} << kPositionBits) + bucket_count - 1) / bucket_count;
  }
  // `distance` buckets on, and from the last on to the first; at most `count` on.
  static size_t behind(size_t bucket, size_t distance, size_t count) {
    const size_t at = bucket + distance;
    return at < count ? at : at - count;
  }
  // The hash of the first position of a bucket, or of the end of the segment.
  uint64_t hash_at(size_t bucket) const {
    return prefix + (first_position(bucket, bucket_count()) << (64 - kPositionBits - depth));
  }

  // --- memory

  // Bytes of a segment of kSizes[size_index] buckets.
  static size_t bytes(size_t size_index) {
    const size_t buckets = kSizes[size_index];
    return sizeof(DictSegment) + (buckets + (has_few_bounds(buckets) ? 0 : 1)) * sizeof(DictBucket);
  }
  size_t bucket_count() const { return kSizes[size_index]; }
  DictBucket* buckets() { return reinterpret_cast<DictBucket*>(this + 1); }
  const DictBucket* buckets() const { return reinterpret_cast<const DictBucket*>(this + 1); }
  size_t bucket_of(Entry* const* slot) const {
    const uintptr_t first = reinterpret_cast<uintptr_t>(buckets());
    return (reinterpret_cast<uintptr_t>(slot) - first) / sizeof(DictBucket);
  }

  // --- entries

  // Puts an entry into its bucket or one of the next three, and returns which. -1 when they are
  // full, and none of them can lend a slot by moving an entry of its own further on. The caller
  // counts the entry.
  int place(uint64_t position, Entry* entry);
  // Empties a slot of an entry with this hash. An entry that belongs to the bucket may come home
  // then. The caller counts the entry.
  void clear(Entry** slot, uint64_t hash, const HashKey& hash_key);
  // Copies the slots to a segment that covers the same hashes or more. False: one does not fit.
  bool move_to(DictSegment& to, const HashKey& hash_key);
  // Copies the slots to two segments that each cover half of the hashes. False: one does not fit.
  bool split_to(DictSegment& low, DictSegment& high, const HashKey& hash_key);
  // Asserts that marks of overflow are right.
  void check_overflow_marks(const HashKey& hash_key);
  // Calls visit(Entry&) for all entries.
  template <typename Visit>
  void for_each(Visit&& visit);
  // Calls visit(Entry&) for entries that belong to a bucket and whose hash is not before
  // `from_hash`: in the bucket itself all that are not displaced, in the next ones the displaced.
  template <typename Visit>
  void visit_home(size_t home_bucket, uint64_t from_hash, const HashKey& hash_key,
                  Visit&& visit) const;

  // --- deadlines: a bound for each four buckets in a row, in units since `bounds_from`. A bound of
  // 0 may lie further in the past.

  static constexpr size_t kBucketsPerBound = 4;
  static constexpr int kUnitShift = 7;  // of 128 ms
  static constexpr uint16_t kNoneExpires = UINT16_MAX;
  static constexpr uint16_t kFarBound = UINT16_MAX - 1;

  static size_t bound_count(size_t bucket_count) {
    return (bucket_count + kBucketsPerBound - 1) / kBucketsPerBound;
  }
  static bool has_few_bounds(size_t bucket_count) {
    return bound_count(bucket_count) <= std::tuple_size_v<decltype(few_bounds)>;
  }
  std::span<uint16_t> bounds() {
    const size_t buckets_here = bucket_count();
    uint16_t* first = has_few_bounds(buckets_here)
                          ? few_bounds.data()
                          : reinterpret_cast<uint16_t*>(buckets() + buckets_here);
    return {first, bound_count(buckets_here)};
  }
  // Nothing in it expires, whatever the bounds are.
  void forget_bounds();
  // An entry of the bucket expires then. True when earliest_expiry_ms became lower.
  bool lower_bounds(size_t bucket, int64_t expiry_ms);
  // Appends entries that expire before `now_ms` to `due`, from the hash `cursor` to the end of the
  // segment. The budget counts as for Dict::find_expired(). False: it ended before the segment did,
  // and `next` is the hash to go on from.
  bool find_expired(uint64_t cursor, int64_t now_ms, size_t& budget, std::vector<Entry*>& due,
                    uint64_t* next);

 private:
  int lend_slot(size_t lender);
  Entry** find_displaced(size_t home_bucket, const HashKey& hash_key);
  void settle(size_t bucket, size_t slot, const HashKey& hash_key);
  void update_overflow_mark(size_t bucket, const HashKey& hash_key);
  bool recover_position(size_t bucket, size_t slot, uint64_t* out) const;
  void copy_bound(size_t bucket, DictSegment& to, size_t to_bucket);
  void copy_expiry_to(DictSegment& to);
  void count_bounds_from(int64_t unit);
  int64_t look_at_bound(size_t bound, int64_t now_ms, size_t& budget, std::vector<Entry*>& due);
};
static_assert(sizeof(DictSegment) == 64);

template <typename Visit>
void DictSegment::for_each(Visit&& visit) {
  DictBucket* bucket = buckets();
  for (size_t i = 0; i < bucket_count(); ++i, ++bucket) {
    for (Entry* entry : bucket->entries) {
      if (entry != nullptr) visit(*entry);
    }
  }
}

template <typename Visit>
void DictSegment::visit_home(size_t home_bucket, uint64_t from_hash, const HashKey& hash_key,
                             Visit&& visit) const {
  const size_t all = bucket_count();
  const bool whole = from_hash <= hash_at(home_bucket);
  const bool overflowed = buckets()[home_bucket].overflowed();
  const size_t reach = overflowed ? std::min(kMaxDisplacement, all - 1) : 0;
  for (size_t distance = 0; distance <= reach; ++distance) {
    const DictBucket& bucket = buckets()[(home_bucket + distance) % all];
    for (size_t slot = 0; slot < kSlots; ++slot) {
      Entry* entry = bucket.entries[slot];
      const bool displaced = bucket.displaced(slot);
      if (entry == nullptr || displaced != (distance > 0)) continue;
      if (displaced || !whole) {
        const uint64_t hash = hash_key(entry->key());
        if (home(position(hash, depth), all) != home_bucket || hash < from_hash) continue;
      }
      visit(*entry);
    }
  }
}

}  // namespace redoubt
