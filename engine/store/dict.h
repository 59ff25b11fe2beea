// Dict: the hash table of entries.
//
// Keys are found by one hash, one line of the bucket and one entry. A bucket is one cache line: 7
// tags of 8 bits, a byte of marks, 7 pointers. Buckets belong to segments of up to 126; a directory
// of pointers, indexed by the first bits of the hash, says which (extendible hashing; Dash, Lu et
// al., VLDB 2020, is the model for small segments that split one at a time).
//
//   hash      [ depth bits: the segment ][ 14 bits: the position in it ][ ... ]
//   bucket    = position * buckets / 2^14, so buckets of a segment are in hash order too
//   tag       = low 8 bits of the position
//
// * An entry that finds its bucket full goes to one of the next three (`displaced` bit for its
//   slot, `overflowed` bit on the bucket it belongs to). When those are full too, the segment grows
//   by a sixth or so, and past 126 buckets it splits in two. Since the segments are not in step and
//   grow in small steps, the table is 72% to 87% full at any size, where a doubling table is
//   between 45% and 90%.
// * A segment that grows moves its entries without reading them: bucket and tag together give the
//   position back (a bucket of a large segment spans at most 265 positions, a tag tells 256 apart).
//   Only a split, and displaced entries, hash keys anew: once for each doubling.
// * Segments of a large dict lie in pools without holes (block_pool.h), so they move in memory.
// * There is never a second table: growth touches one segment, about 800 entries. The directory
//   doubles by copying 8 bytes for each segment (1 MB at 100 million keys).
// * SCAN walks in hash order. Its cursor is a position on the circle of hashes (48 bits), and means
//   the same whatever the layout is by then: an entry that is there from the first call to the last
//   is returned exactly once.
// * A bucket that is marked as overflowed is full, and an entry that belongs to it is displaced:
//   when a slot becomes free, a displaced entry comes home. So a miss costs the same after any
//   number of changes.
// * A segment knows how many of its entries expire, a time before which none does, and for each
//   four buckets in a row such a bound in units of 128 ms. With the bounds of the directory
//   (expiry_bounds.h) the active expiry reads about four buckets for each key that falls due, and
//   nothing while nothing is due.
//
// Pointers to slots are valid until the next insert, erase or reserve.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>

#include "engine/store/block_pool.h"
#include "engine/store/entry.h"
#include "engine/store/expiry_bounds.h"
#include "engine/store/hash.h"
#include "engine/store/random.h"

namespace redoubt {

class Dict {
 public:
  static constexpr uint64_t kCursorEnd = 0;

  struct Segment;
  // Where an entry is. Empty when the key was not found.
  struct Place {
    Entry** slot = nullptr;
    Segment* segment = nullptr;

    explicit operator bool() const { return slot != nullptr; }
    Entry* entry() const { return *slot; }
  };

  // The allocator counts the segments' memory; both outlive the dict.
  Dict(Allocator& allocator, const HashKey& hash_key);
  Dict(const Dict&) = delete;
  Dict& operator=(const Dict&) = delete;
  ~Dict();  // frees segments, not entries: clear them first

  size_t size() const { return size_; }
  // Entries with an expiry.
  size_t expiring() const { return expiring_; }
  uint64_t hash(std::string_view key) const { return hash_key_(key); }

  // Two steps of a batched look-up, each a round of cache misses that overlap: fetch the bucket's
  // line; then the lines of the entry whose tag matches.
  void prefetch_bucket(uint64_t hash) const;
  void prefetch_entry(uint64_t hash) const;

  Place find(std::string_view key, uint64_t hash) const;
  // Adds an entry whose key is not there.
  void insert(Entry* entry, uint64_t hash);
  // Puts another entry with the same key into the place. The old one is the caller's.
  void replace(Place place, Entry* entry);
  // Takes the entry out; it is the caller's.
  Entry* erase(Place place, uint64_t hash);
  // An expiry was changed in place.
  void note_expiry(Place place) {
    note_expiry(*place.segment, bucket_of(*place.segment, place.slot), *place.entry());
  }

  // Calls visit(Entry&) for the entries of the bucket at the cursor, at most 28 of them, and of
  // following buckets until one had entries; returns the next cursor, kCursorEnd at the end.
  // visit must not change the dict.
  template <typename Visit>
  uint64_t scan(uint64_t cursor, Visit&& visit) const;
  // Calls visit(Entry&) for all entries, in hash order of buckets. visit may free the entry when
  // the dict is not used afterwards.
  template <typename Visit>
  void for_each(Visit&& visit) const;

  // An entry, each with nearly the same probability. The dict is not empty.
  Entry* random_entry(Random& random) const;
  // Up to `count` entries from neighbouring buckets at a random place; only such with an expiry
  // when `only_expiring`. Looks at no more than 16 places, each with
  // such an entry if there is one. Returns how many.
  size_t sample(Random& random, bool only_expiring, Entry** out, size_t count) const;

  // Active expiry: goes on from `cursor`, a hash, to the next segment where something expires
  // before `now_ms`, and appends such entries to `due`; the caller erases them before the next
  // call. The budget counts entries that are looked at, and kDueCost more for each that is due; it
  // is overdrawn by four buckets at most. Returns false at the end of the round, and then sets the
  // cursor to 0. What moves to another bucket during a round may be left for the next one.
  static constexpr size_t kDueCost = 16;
  bool find_expired(uint64_t& cursor, int64_t now_ms, size_t& budget, std::vector<Entry*>& due);
  // No entry expires before this.
  int64_t earliest_expiry_ms() const { return expiry_bounds_.earliest(); }

  // Bytes of segments and directory, as counted.
  size_t table_bytes() const { return table_bytes_; }
  size_t slot_count() const { return slot_count_; }
  // Entries that growing and shrinking have moved so far, or tried to.
  uint64_t moved() const { return moved_; }
  // Buckets of which an entry is displaced: a look-up that finds nothing looks into four there.
  // Walks everything.
  size_t overflowed_buckets() const;
  // Asserts what must hold between fields. Walks everything.
  void check_invariants() const;

 private:
  static constexpr size_t kSlots = 7;
  static constexpr uint64_t kAllTags = 0x00ffffffffffffff;
  static constexpr uint8_t kOverflowed = 0x80;
  static constexpr int kPositionBits = 14;
  static constexpr size_t kMaxDisplacement = 3;
  static constexpr std::array<uint8_t, 11> kSizes = {1, 3, 7, 15, 31, 62, 70, 78, 94, 110, 126};
  // Up to so many segments each has memory of its own: most dicts are small.
  static constexpr size_t kAloneMax = 32;
  static constexpr uint32_t kAlone = UINT32_MAX;
  static constexpr size_t kSplitSize = 6;  // index into kSizes of the halves of a split

  struct alignas(64) Bucket {
    std::array<uint8_t, kSlots> tags;
    uint8_t marks;  // bit i: slot i is displaced; bit 7: entries that belong here are displaced
    std::array<Entry*, kSlots> entries;
  };
  static_assert(sizeof(Bucket) == 64);

  // A directory entry: pointer to the first bucket (48 bits), depth, bucket count.
  struct Reference {
    uint64_t bits;

    Segment* segment() const { return reinterpret_cast<Segment*>(bits & 0xffffffffffff); }
    Bucket* buckets() const { return reinterpret_cast<Bucket*>(segment() + 1); }
    int depth() const { return static_cast<int>(bits >> 48 & 255); }
    size_t bucket_count() const { return bits >> 56; }
  };

 public:
  // In memory the buckets follow, and behind them the bounds of a segment of many.
  struct alignas(64) Segment {
    uint64_t prefix;  // the first `depth` bits of the hashes in it, at the top
    uint8_t depth;
    uint8_t size_index;
    uint16_t count;
    uint16_t expiring;
    uint16_t shrink_at;          // with so many entries or fewer a smaller segment is tried
    uint32_t index;              // in the pool of its size; kAlone when it has memory of its own
    int64_t earliest_expiry_ms;  // no entry expires before this; kNever when none expires
    int64_t bounds_from;         // what the bounds count from, in units of Unix time
    std::array<uint16_t, 12> few_bounds;
  };
  static_assert(sizeof(Segment) == 64);

 private:
  // Bounds of four buckets in a row, which are a quarter of a segment or less: units since
  // `bounds_from`. 0: perhaps long ago.
  static constexpr size_t kBucketsPerBound = 4;
  static constexpr int kUnitShift = 7;  // of 128 ms
  static constexpr uint16_t kNoneExpires = UINT16_MAX;
  static constexpr uint16_t kFarBound = UINT16_MAX - 1;
  static constexpr int64_t kNever = ExpiryBounds::kNever;

  static size_t bucket_count(const Segment& segment) { return kSizes[segment.size_index]; }
  static Bucket* buckets(Segment& segment) { return reinterpret_cast<Bucket*>(&segment + 1); }
  static size_t bound_count(size_t bucket_count) {
    return (bucket_count + kBucketsPerBound - 1) / kBucketsPerBound;
  }
  static bool has_few_bounds(size_t bucket_count) {
    return bound_count(bucket_count) <= std::tuple_size_v<decltype(Segment::few_bounds)>;
  }
  static std::span<uint16_t> bounds(Segment& segment) {
    const size_t count = bucket_count(segment);
    uint16_t* first = has_few_bounds(count) ? segment.few_bounds.data()
                                            : reinterpret_cast<uint16_t*>(buckets(segment) + count);
    return {first, bound_count(count)};
  }
  static size_t segment_bytes(size_t size_index) {
    const size_t count = kSizes[size_index];
    return sizeof(Segment) + (count + (has_few_bounds(count) ? 0 : 1)) * sizeof(Bucket);
  }
  static size_t bucket_of(Segment& segment, Entry* const* slot) {
    const uintptr_t first = reinterpret_cast<uintptr_t>(buckets(segment));
    return (reinterpret_cast<uintptr_t>(slot) - first) / sizeof(Bucket);
  }
  static uint64_t position(uint64_t hash, int depth) {
    return (hash << depth) >> (64 - kPositionBits);
  }
  static size_t home(uint64_t position, size_t bucket_count) {
    return position * bucket_count >> kPositionBits;
  }
  // `distance` buckets on, and from the last on to the first; at most `count` on.
  static size_t behind(size_t bucket, size_t distance, size_t count) {
    const size_t at = bucket + distance;
    return at < count ? at : at - count;
  }
  // Hash of the first position whose home is `bucket`, or of the end of the segment.
  static uint64_t hash_at(const Segment& segment, size_t bucket);
  static uint64_t matches(const Bucket& bucket, uint8_t tag);
  static int free_slot(const Bucket& bucket);
  Reference reference(uint64_t hash) const { return directory_[directory_index(hash)]; }
  Segment* make_segment(uint64_t prefix, int depth, size_t size_index);
  void free_segment(Segment* segment);
  void free_segments(Segment* a, Segment* b);
  void point_to(Segment& segment);
  static void fill(Bucket& bucket, int slot, uint8_t tag, Entry* entry, bool displaced);
  static int place(Segment& segment, uint64_t position, Entry* entry);
  static int lend_slot(Segment& segment, size_t lender);
  static bool may_belong(uint8_t tag, size_t bucket, size_t bucket_count);
  Entry** find_displaced(Segment& segment, size_t home_bucket) const;
  void settle(Segment& segment, size_t bucket, size_t slot);
  void check_overflow_marks(Segment& segment) const;
  void update_overflow_mark(Segment& segment, size_t bucket) const;
  bool recover_position(const Segment& segment, size_t bucket, size_t slot, uint64_t* out) const;
  bool move_entries(Segment& from, Segment& to) const;
  bool split_entries(Segment& from, Segment& low, Segment& high) const;
  void grow(Segment& segment);
  void split(Segment& segment);
  void shrink(Segment& segment);
  bool merge_with_buddy(Segment& segment);
  void double_directory();
  void halve_directory();

  // dict_expiry.cc
  void add_expiring(Segment& segment, size_t bucket, const Entry& entry);
  void remove_expiring(Segment& segment);
  void note_expiry(Segment& segment, size_t bucket, const Entry& entry);
  static bool lower_bounds(Segment& segment, size_t bucket, int64_t expiry_ms);
  static void copy_bound(Segment& from, size_t bucket, Segment& to, size_t to_bucket);
  static void forget_bounds(Segment& segment);
  static void count_bounds_from(Segment& segment, int64_t unit);
  static void take_expiry(Segment& from, Segment& to);
  bool find_in_segment(Segment& segment, uint64_t cursor, int64_t now_ms, size_t& budget,
                       std::vector<Entry*>& due, uint64_t* next);
  static int64_t look_at_bound(Segment& segment, size_t bound, int64_t now_ms, size_t& budget,
                               std::vector<Entry*>& due);
  void lower_directory_bounds(const Segment& segment);
  void compute_group(size_t group) const;
  size_t next_expiring(size_t directory_index) const;
  size_t directory_index(uint64_t hash) const { return depth_ == 0 ? 0 : hash >> (64 - depth_); }

  template <typename Visit>
  void visit_home(const Segment& segment, size_t bucket, uint64_t from_hash, Visit&& visit) const;
  template <typename Visit>
  static void visit_segment(Segment& segment, Visit&& visit);

  Allocator& allocator_;
  const HashKey& hash_key_;
  std::vector<Reference> directory_;
  mutable ExpiryBounds expiry_bounds_;  // may be made more exact by whoever looks
  std::vector<BlockPool> pools_;  // by size index, once there are more than kAloneMax segments
  size_t segment_count_ = 0;
  int depth_ = 0;
  std::array<uint32_t, 64> segments_at_depth_{};
  size_t size_ = 0;
  size_t expiring_ = 0;
  size_t table_bytes_ = 0;
  size_t slot_count_ = 0;
  mutable uint64_t moved_ = 0;
};

template <typename Visit>
void Dict::visit_segment(Segment& segment, Visit&& visit) {
  Bucket* bucket = buckets(segment);
  for (size_t i = 0; i < bucket_count(segment); ++i, ++bucket) {
    for (Entry* entry : bucket->entries) {
      if (entry != nullptr) visit(*entry);
    }
  }
}

template <typename Visit>
void Dict::for_each(Visit&& visit) const {
  for (size_t i = 0; i < directory_.size();) {
    const Reference ref = directory_[i];
    visit_segment(*ref.segment(), visit);
    i += size_t{1} << (depth_ - ref.depth());
  }
}

// Entries whose home is this bucket and whose hash is not before from_hash: in the bucket itself
// all that are not displaced, in the next ones the displaced.
template <typename Visit>
void Dict::visit_home(const Segment& segment, size_t home_bucket, uint64_t from_hash,
                      Visit&& visit) const {
  const size_t count = bucket_count(segment);
  const Bucket* all = buckets(const_cast<Segment&>(segment));
  const bool whole = from_hash <= hash_at(segment, home_bucket);
  const bool overflowed = (all[home_bucket].marks & kOverflowed) != 0;
  const size_t reach = overflowed ? std::min(kMaxDisplacement, count - 1) : 0;
  for (size_t distance = 0; distance <= reach; ++distance) {
    const Bucket& bucket = all[(home_bucket + distance) % count];
    for (size_t slot = 0; slot < kSlots; ++slot) {
      Entry* entry = bucket.entries[slot];
      const bool displaced = (bucket.marks >> slot & 1) != 0;
      if (entry == nullptr || displaced != (distance > 0)) continue;
      if (displaced || !whole) {
        const uint64_t h = hash_key_(entry->key());
        if (home(position(h, segment.depth), count) != home_bucket || h < from_hash) continue;
      }
      visit(*entry);
    }
  }
}

template <typename Visit>
uint64_t Dict::scan(uint64_t cursor, Visit&& visit) const {
  uint64_t at = cursor << 16;
  size_t seen = 0;
  // Empty buckets are passed over, but not without end: a nearly empty table answers with no
  // entries and a cursor now and then, as Redis's does.
  for (size_t steps = 0; steps < 128 && seen == 0; ++steps) {
    const Segment& segment = *reference(at).segment();
    const size_t bucket = home(position(at, segment.depth), bucket_count(segment));
    visit_home(segment, bucket, at, [&](Entry& entry) {
      ++seen;
      visit(entry);
    });
    at = hash_at(segment, bucket + 1);
    if (at == 0) break;
  }
  return at >> 16;
}

}  // namespace redoubt
