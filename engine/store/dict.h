// Dict: the hash table of entries.
//
// Keys are found by one hash, one line of the bucket and one entry. Buckets belong to segments of
// up to 126 (dict_segment.h); a directory of pointers, indexed by the first bits of the hash, leads
// to them (extendible hashing; Dash, Lu et al., VLDB 2020, is the model for small segments that
// split one at a time).
//
// * When an entry finds no place in its segment, the segment grows by a sixth or so, and past 126
//   buckets it splits in two. Since the segments are not in step and grow in small steps, the table
//   is 72% to 87% full at any size, where a doubling table is between 45% and 90%.
// * Segments of a large dict lie in pools without holes (block_pool.h), so they move in memory.
// * There is never a second table: growth touches one segment, about 800 entries. The directory
//   doubles by copying 8 bytes for each segment (1 MB at 100 million keys).
// * SCAN walks in hash order. Its cursor is a position on the circle of hashes (48 bits), and means
//   the same after any change of the layout: an entry that is there from the first call to the last
//   is returned exactly once.
// * A miss costs the same after any number of changes, because displaced entries come home.
// * With the bounds of segments and of the directory (expiry_bounds.h) the active expiry reads
// about
//   four buckets for each key that falls due, and nothing while nothing is due.
//
// Pointers to slots are valid until the next insert, erase or reserve.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/store/block_pool.h"
#include "engine/store/dict_segment.h"
#include "engine/store/entry.h"
#include "engine/store/expiry_bounds.h"
#include "engine/store/hash.h"
#include "engine/store/random.h"

namespace redoubt {

class Dict {
 public:
  static constexpr uint64_t kCursorEnd = 0;

  using Segment = DictSegment;
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
    note_expiry(*place.segment, place.segment->bucket_of(place.slot), *place.entry());
  }

  // Calls visit(Entry&) for the entries of the bucket at the cursor, at most 28 of them, and of
  // following buckets until one had entries; returns the next cursor, kCursorEnd at the end.
  // visit must not change the dict.
  template <typename Visit>
  uint64_t scan(uint64_t cursor, Visit&& visit) const;
  // Begins to bring into the cache the entries that a scan from this cursor visits after a few
  // others.
  void prefetch_scan(uint64_t cursor) const;
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
  // cursor to 0. An entry that moves to another bucket during a round may have to wait for the next
  // one.
  static constexpr size_t kDueCost = Segment::kDueCost;
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
  // Asserts relations between fields. Walks everything.
  void check_invariants() const;

 private:
  using Bucket = DictBucket;

  static constexpr size_t kSlots = Bucket::kSlots;
  static constexpr int64_t kNever = ExpiryBounds::kNever;
  // Up to so many segments each has memory of its own: most dicts are small.
  static constexpr size_t kAloneMax = 32;
  static constexpr size_t kSplitSize = 6;  // index into kSizes of the halves of a split

  // A directory entry: pointer to the first bucket (48 bits), depth, bucket count.
  struct Reference {
    uint64_t bits;

    Segment* segment() const { return reinterpret_cast<Segment*>(bits & 0xffffffffffff); }
    Bucket* buckets() const { return reinterpret_cast<Bucket*>(segment() + 1); }
    int depth() const { return static_cast<int>(bits >> 48 & 255); }
    size_t bucket_count() const { return bits >> 56; }
  };

  Reference reference(uint64_t hash) const { return directory_[directory_index(hash)]; }
  Segment* make_segment(uint64_t prefix, int depth, size_t size_index);
  void free_segment(Segment* segment);
  void free_segments(Segment* a, Segment* b);
  void point_to(Segment& segment);
  bool move_entries(Segment& from, Segment& to);
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
  void lower_directory_bounds(const Segment& segment);
  void compute_group(size_t group) const;
  size_t next_expiring(size_t directory_index) const;
  size_t directory_index(uint64_t hash) const { return depth_ == 0 ? 0 : hash >> (64 - depth_); }

  Allocator& allocator_;
  const HashKey& hash_key_;
  std::vector<Reference> directory_;
  mutable ExpiryBounds expiry_bounds_;  // look-ups make it more exact
  std::vector<BlockPool> pools_;  // by size index, once there are more than kAloneMax segments
  size_t segment_count_ = 0;
  int depth_ = 0;
  std::array<uint32_t, 64> segments_at_depth_{};
  size_t size_ = 0;
  size_t expiring_ = 0;
  size_t table_bytes_ = 0;
  size_t slot_count_ = 0;
  uint64_t moved_ = 0;
};

template <typename Visit>
void Dict::for_each(Visit&& visit) const {
  for (size_t i = 0; i < directory_.size();) {
    const Reference ref = directory_[i];
    ref.segment()->for_each(visit);
    i += size_t{1} << (depth_ - ref.depth());
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
    const size_t bucket =
        Segment::home(Segment::position(at, segment.depth), segment.bucket_count());
    segment.visit_home(bucket, at, hash_key_, [&](Entry& entry) {
      ++seen;
      visit(entry);
    });
    at = segment.hash_at(bucket + 1);
    if (at == 0) break;
  }
  return at >> 16;
}

}  // namespace redoubt
