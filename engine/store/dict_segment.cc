#include "engine/store/dict_segment.h"

#include <bit>

#include "net/assert.h"

namespace redoubt {

// --- entries

int DictSegment::place(uint64_t position, Entry* entry) {
  const size_t all = bucket_count();
  DictBucket* bucket = buckets();
  const size_t first = home(position, all);
  const size_t reach = std::min(kMaxDisplacement, all - 1);
  for (size_t distance = 0; distance <= reach; ++distance) {
    const size_t at = behind(first, distance, all);
    const int slot = bucket[at].free_slot();
    if (slot < 0) continue;
    bucket[at].fill(slot, static_cast<uint8_t>(position), entry, distance > 0);
    if (distance > 0) bucket[first].marks |= DictBucket::kOverflowed;
    return static_cast<int>(at);
  }
  for (size_t distance = 0; distance <= reach; ++distance) {
    const size_t lender = behind(first, distance, all);
    const int slot = lend_slot(lender);
    if (slot < 0) continue;
    bucket[lender].fill(slot, static_cast<uint8_t>(position), entry, distance > 0);
    if (distance > 0) bucket[first].marks |= DictBucket::kOverflowed;
    return static_cast<int>(lender);
  }
  return -1;
}

// Moves an entry that belongs to this full bucket to one of the next three, and returns the slot
// that is free then; -1 when that cannot be done.
int DictSegment::lend_slot(size_t lender) {
  const size_t all = bucket_count();
  DictBucket& from = buckets()[lender];
  const int own = std::countr_one(static_cast<unsigned>(from.marks & ~DictBucket::kOverflowed));
  if (own >= static_cast<int>(kSlots)) return -1;
  const size_t lent = static_cast<size_t>(own);
  for (size_t distance = 1; distance <= kMaxDisplacement && distance < all; ++distance) {
    const size_t to = behind(lender, distance, all);
    const int slot = buckets()[to].free_slot();
    if (slot < 0) continue;
    buckets()[to].fill(slot, from.tags[lent], from.entries[lent], true);
    copy_bound(lender, *this, to);
    from.marks |= DictBucket::kOverflowed;
    from.entries[lent] = nullptr;
    return own;
  }
  return -1;
}

void DictSegment::clear(Entry** slot, uint64_t hash, const HashKey& hash_key) {
  const size_t bucket = bucket_of(slot);
  DictBucket& from = buckets()[bucket];
  const size_t at = static_cast<size_t>(slot - from.entries.data());
  *slot = nullptr;
  if (from.displaced(at)) {
    update_overflow_mark(home(position(hash, depth), bucket_count()), hash_key);
  }
  settle(bucket, at, hash_key);
}

namespace {

// False when the tag rules out that an entry belongs to the bucket.
bool may_belong(uint8_t tag, size_t bucket, size_t bucket_count) {
  const uint64_t low = DictSegment::first_position(bucket, bucket_count);
  const uint64_t end = DictSegment::first_position(bucket + 1, bucket_count);
  return low + ((tag - low) & 255) < end;
}

}  // namespace

// The slot of an entry that belongs to the bucket and is in one of the next three. Null when there
// is none.
Entry** DictSegment::find_displaced(size_t home_bucket, const HashKey& hash_key) {
  const size_t all = bucket_count();
  for (size_t distance = 1; distance <= kMaxDisplacement && distance < all; ++distance) {
    DictBucket& bucket = buckets()[behind(home_bucket, distance, all)];
    for (size_t slot = 0; slot < kSlots; ++slot) {
      Entry* entry = bucket.entries[slot];
      if (entry == nullptr || !bucket.displaced(slot)) continue;
      if (!may_belong(bucket.tags[slot], home_bucket, all)) continue;
      const uint64_t hash = hash_key(entry->key());
      if (home(position(hash, depth), all) == home_bucket) return &bucket.entries[slot];
    }
  }
  return nullptr;
}

void DictSegment::update_overflow_mark(size_t bucket, const HashKey& hash_key) {
  if (find_displaced(bucket, hash_key) != nullptr) return;
  buckets()[bucket].marks &= static_cast<uint8_t>(~DictBucket::kOverflowed);
}

// A slot of the bucket has become free: an entry that belongs to the bucket comes home, and the
// same goes on with the slot that it leaves.
void DictSegment::settle(size_t bucket, size_t slot, const HashKey& hash_key) {
  DictBucket* all = buckets();
  while (all[bucket].overflowed()) {
    Entry** found = find_displaced(bucket, hash_key);
    ASSERT(found != nullptr);
    const size_t from = bucket_of(found);
    const size_t from_slot = static_cast<size_t>(found - all[from].entries.data());
    all[bucket].fill(static_cast<int>(slot), all[from].tags[from_slot], *found, false);
    *found = nullptr;
    copy_bound(from, *this, bucket);
    update_overflow_mark(bucket, hash_key);
    bucket = from;
    slot = from_slot;
  }
}

void DictSegment::check_overflow_marks(const HashKey& hash_key) {
  for (size_t bucket = 0; bucket < bucket_count(); ++bucket) {
    const DictBucket& marked = buckets()[bucket];
    ASSERT(marked.overflowed() == (find_displaced(bucket, hash_key) != nullptr));
    ASSERT(!marked.overflowed() || marked.free_slot() < 0);
  }
}

// The position of an entry from its place, when that is enough to know it.
bool DictSegment::recover_position(size_t bucket, size_t slot, uint64_t* out) const {
  const DictBucket& from = buckets()[bucket];
  if (from.displaced(slot)) return false;
  const uint64_t low = first_position(bucket, bucket_count());
  const uint64_t end = first_position(bucket + 1, bucket_count());
  const uint64_t candidate = low + ((from.tags[slot] - low) & 255);
  if (candidate + 256 < end) return false;
  ASSERT(candidate < end);
  *out = candidate;
  return true;
}

bool DictSegment::move_to(DictSegment& to, const HashKey& hash_key) {
  const bool same_depth = depth == to.depth;
  copy_expiry_to(to);
  for (size_t bucket = 0; bucket < bucket_count(); ++bucket) {
    for (size_t slot = 0; slot < kSlots; ++slot) {
      Entry* entry = buckets()[bucket].entries[slot];
      if (entry == nullptr) continue;
      uint64_t pos;
      if (!same_depth || !recover_position(bucket, slot, &pos)) {
        pos = position(hash_key(entry->key()), to.depth);
      }
      const int placed = to.place(pos, entry);
      if (placed < 0) return false;
      copy_bound(bucket, to, static_cast<size_t>(placed));
    }
  }
  to.count = static_cast<uint16_t>(to.count + count);
  return true;
}

bool DictSegment::split_to(DictSegment& low, DictSegment& high, const HashKey& hash_key) {
  const size_t all = bucket_count();
  for (size_t bucket = 0; bucket < all; ++bucket) {
    // The keys are read: fetch those of the bucket after the next.
    if (bucket + 2 < all) {
      for (const Entry* entry : buckets()[bucket + 2].entries) __builtin_prefetch(entry);
    }
    for (Entry* entry : buckets()[bucket].entries) {
      if (entry == nullptr) continue;
      const uint64_t hash = hash_key(entry->key());
      DictSegment& to = (hash << depth) >> 63 == 0 ? low : high;
      const int placed = to.place(position(hash, to.depth), entry);
      if (placed < 0) return false;
      ++to.count;
      if (entry->has_expiry()) {
        ++to.expiring;
        to.lower_bounds(static_cast<size_t>(placed), entry->expiry_ms());
      }
    }
  }
  return true;
}

// --- deadlines

void DictSegment::forget_bounds() {
  earliest_expiry_ms = kNever;
  std::ranges::fill(bounds(), kNoneExpires);
}

// Moves the zero of the bounds. They get no later.
void DictSegment::count_bounds_from(int64_t unit) {
  const int64_t moved = unit - bounds_from;
  if (moved == 0) return;
  bounds_from = unit;
  for (uint16_t& bound : bounds()) {
    if (bound == kNoneExpires || bound == 0) continue;
    bound = static_cast<uint16_t>(std::clamp<int64_t>(bound - moved, 0, kFarBound));
  }
}

bool DictSegment::lower_bounds(size_t bucket, int64_t expiry_ms) {
  const int64_t units = (expiry_ms >> kUnitShift) - bounds_from;
  const uint16_t units_bound = static_cast<uint16_t>(std::clamp<int64_t>(units, 0, kFarBound));
  uint16_t& bound = bounds()[bucket / kBucketsPerBound];
  bound = std::min(bound, units_bound);
  expiry_ms = std::min(expiry_ms, kNever - 1);  // the largest deadline is one, too
  if (expiry_ms >= earliest_expiry_ms) return false;
  earliest_expiry_ms = expiry_ms;
  return true;
}

// An entry moved from one bucket to another, and was not read. Both segments have the same zero of
// bounds.
void DictSegment::copy_bound(size_t bucket, DictSegment& to, size_t to_bucket) {
  if (expiring == 0) return;
  uint16_t& bound = to.bounds()[to_bucket / kBucketsPerBound];
  bound = std::min(bound, bounds()[bucket / kBucketsPerBound]);
}

// All that is known of the deadlines of entries that move to another segment, except their buckets.
void DictSegment::copy_expiry_to(DictSegment& to) {
  if (expiring == 0) return;
  if (to.expiring == 0) {
    to.bounds_from = bounds_from;
  } else {
    count_bounds_from(to.bounds_from);
  }
  to.expiring = static_cast<uint16_t>(to.expiring + expiring);
  to.earliest_expiry_ms = std::min(to.earliest_expiry_ms, earliest_expiry_ms);
}

bool DictSegment::find_expired(uint64_t cursor, int64_t now_ms, size_t& budget,
                               std::vector<Entry*>& due, uint64_t* next) {
  count_bounds_from(now_ms >> kUnitShift);
  const std::span<uint16_t> all = bounds();
  const size_t first =
      cursor <= prefix ? 0 : home(position(cursor, depth), bucket_count()) / kBucketsPerBound;
  int64_t earliest = kNever;
  bool looked = false;  // each call gets on, whatever its budget
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i] == kNoneExpires) continue;
    int64_t here = (bounds_from + all[i]) * (int64_t{1} << kUnitShift);
    if (i < first && all[i] == 0) {
      here = earliest_expiry_ms;
    } else if (all[i] == 0) {
      if (budget == 0 && looked) {
        *next = hash_at(i * kBucketsPerBound);
        return false;
      }
      here = look_at_bound(i, now_ms, budget, due);
      looked = true;
    }
    earliest = std::min(earliest, here);
  }
  // The caller erases the entries that are due; the last that expires may be among them.
  earliest_expiry_ms = earliest == kNever ? now_ms : earliest;
  return true;
}

// Appends the entries of four buckets that are due, and makes the bound of the buckets exact.
// Returns when the first of the others expires.
int64_t DictSegment::look_at_bound(size_t bound, int64_t now_ms, size_t& budget,
                                   std::vector<Entry*>& due) {
  const size_t first = bound * kBucketsPerBound;
  const size_t end = std::min(first + kBucketsPerBound, bucket_count());
  const std::span<DictBucket> looked_at(buckets() + first, end - first);
  for (const DictBucket& bucket : looked_at) {
    for (const Entry* entry : bucket.entries) __builtin_prefetch(entry);
  }
  int64_t earliest = kNever;
  size_t cost = 0;
  for (const DictBucket& bucket : looked_at) {
    for (Entry* entry : bucket.entries) {
      if (entry == nullptr) continue;
      ++cost;
      if (!entry->has_expiry()) continue;
      if (entry->expiry_ms() < now_ms) {
        due.push_back(entry);
        cost += kDueCost;
      } else {
        earliest = std::min({earliest, entry->expiry_ms(), kNever - 1});
      }
    }
  }
  budget -= std::min(budget, cost);
  bounds()[bound] = kNoneExpires;
  if (earliest != kNever) {
    bounds()[bound] = static_cast<uint16_t>(
        std::clamp<int64_t>((earliest >> kUnitShift) - bounds_from, 0, kFarBound));
  }
  return earliest;
}

}  // namespace redoubt
