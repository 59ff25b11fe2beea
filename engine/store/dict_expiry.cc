// The dict's part for deadlines: which entries have them, where something falls due, and samples of
// such entries.
#include <algorithm>
#include <bit>

#include "engine/store/dict.h"

namespace redoubt {

namespace {

// Groups whose bound promised more than there is that one sample looks through.
constexpr size_t kStaleGroups = 64;

}  // namespace

// Nothing in it expires, whatever the bounds say.
void Dict::forget_bounds(Segment& segment) {
  segment.earliest_expiry_ms = kNever;
  std::ranges::fill(bounds(segment), kNoneExpires);
}

// Counts bounds from another time. They get no later.
void Dict::count_bounds_from(Segment& segment, int64_t unit) {
  const int64_t moved = unit - segment.bounds_from;
  if (moved == 0) return;
  segment.bounds_from = unit;
  for (uint16_t& bound : bounds(segment)) {
    if (bound == kNoneExpires || bound == 0) continue;
    bound = static_cast<uint16_t>(std::clamp<int64_t>(bound - moved, 0, kFarBound));
  }
}

// True when the segment's own bound became lower.
bool Dict::lower_bounds(Segment& segment, size_t bucket, int64_t expiry_ms) {
  const int64_t units = (expiry_ms >> kUnitShift) - segment.bounds_from;
  const uint16_t units_bound = static_cast<uint16_t>(std::clamp<int64_t>(units, 0, kFarBound));
  uint16_t& bound = bounds(segment)[bucket / kBucketsPerBound];
  bound = std::min(bound, units_bound);
  expiry_ms = std::min(expiry_ms, kNever - 1);  // the largest deadline is one, too
  if (expiry_ms >= segment.earliest_expiry_ms) return false;
  segment.earliest_expiry_ms = expiry_ms;
  return true;
}

// An entry moved from one bucket to another, and was not read. Both segments count bounds from the
// same time.
void Dict::copy_bound(Segment& from, size_t bucket, Segment& to, size_t to_bucket) {
  if (from.expiring == 0) return;
  uint16_t& bound = bounds(to)[to_bucket / kBucketsPerBound];
  bound = std::min(bound, bounds(from)[bucket / kBucketsPerBound]);
}

// What is known of the entries of `from`, which move to `to`, but for where they are.
void Dict::take_expiry(Segment& from, Segment& to) {
  if (from.expiring == 0) return;
  if (to.expiring == 0) {
    to.bounds_from = from.bounds_from;
  } else {
    count_bounds_from(from, to.bounds_from);
  }
  to.expiring = static_cast<uint16_t>(to.expiring + from.expiring);
  to.earliest_expiry_ms = std::min(to.earliest_expiry_ms, from.earliest_expiry_ms);
}

void Dict::note_expiry(Segment& segment, size_t bucket, const Entry& entry) {
  if (lower_bounds(segment, bucket, entry.expiry_ms())) lower_directory_bounds(segment);
}

void Dict::add_expiring(Segment& segment, size_t bucket, const Entry& entry) {
  // Whatever time it is now, deadlines within an hour of the first can be told apart.
  constexpr int64_t kMiddle = kFarBound / 2;
  if (segment.expiring == 0) {
    forget_bounds(segment);
    segment.bounds_from = (entry.expiry_ms() >> kUnitShift) - kMiddle;
  }
  ++segment.expiring;
  ++expiring_;
  note_expiry(segment, bucket, entry);
}

void Dict::remove_expiring(Segment& segment) {
  ASSERT(segment.expiring > 0 && expiring_ > 0);
  --segment.expiring;
  --expiring_;
  if (segment.expiring > 0) return;
  segment.earliest_expiry_ms = kNever;
  const size_t first = directory_index(segment.prefix);
  const size_t last = first + (size_t{1} << (depth_ - segment.depth)) - 1;
  for (size_t group = ExpiryBounds::group_of(first); group <= ExpiryBounds::group_of(last);
       ++group) {
    compute_group(group);
  }
}

void Dict::lower_directory_bounds(const Segment& segment) {
  if (segment.earliest_expiry_ms == kNever) return;
  expiry_bounds_.lower(directory_index(segment.prefix), size_t{1} << (depth_ - segment.depth),
                       segment.earliest_expiry_ms);
}

// Sets a group's bound by its segments.
void Dict::compute_group(size_t group) const {
  int64_t bound = kNever;
  const size_t end = std::min((group + 1) * ExpiryBounds::kGroup, directory_.size());
  for (size_t i = group * ExpiryBounds::kGroup; i < end;) {
    const Reference ref = directory_[i];
    bound = std::min(bound, ref.segment()->earliest_expiry_ms);
    const size_t span = size_t{1} << (depth_ - ref.depth());
    i = (i & ~(span - 1)) + span;
  }
  expiry_bounds_.set_group(group, bound);
}

bool Dict::find_expired(uint64_t& cursor, int64_t now_ms, size_t& budget,
                        std::vector<Entry*>& due) {
  const size_t found_before = due.size();
  while (budget > 0 && due.size() == found_before) {
    const size_t from = directory_index(cursor);
    const size_t group = expiry_bounds_.next_group(ExpiryBounds::group_of(from), now_ms);
    if (group == expiry_bounds_.groups()) {
      cursor = 0;
      return false;
    }
    const size_t index = std::max(from, group * ExpiryBounds::kGroup);
    Segment& segment = *directory_[index].segment();
    if (index != from) cursor = std::max(cursor, segment.prefix);
    --budget;
    uint64_t next = segment.depth == 0 ? 0 : segment.prefix + (uint64_t{1} << (64 - segment.depth));
    const bool whole = segment.earliest_expiry_ms >= now_ms ||
                       find_in_segment(segment, cursor, now_ms, budget, due, &next);
    cursor = next;
    const bool left =
        whole && (next == 0 || ExpiryBounds::group_of(directory_index(next)) != group);
    if (left) compute_group(group);
    if (whole && next == 0) return false;
  }
  return true;
}

// From the cursor to the end of the segment. False: the budget ended before, and `next` is where to
// go on.
bool Dict::find_in_segment(Segment& segment, uint64_t cursor, int64_t now_ms, size_t& budget,
                           std::vector<Entry*>& due, uint64_t* next) {
  count_bounds_from(segment, now_ms >> kUnitShift);
  const std::span<uint16_t> all = bounds(segment);
  const size_t first =
      cursor <= segment.prefix
          ? 0
          : home(position(cursor, segment.depth), bucket_count(segment)) / kBucketsPerBound;
  int64_t earliest = kNever;
  bool looked = false;  // each call gets on, whatever its budget
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i] == kNoneExpires) continue;
    int64_t here = (segment.bounds_from + all[i]) * (int64_t{1} << kUnitShift);
    if (i < first && all[i] == 0) {
      here = segment.earliest_expiry_ms;
    } else if (all[i] == 0) {
      if (budget == 0 && looked) {
        *next = hash_at(segment, i * kBucketsPerBound);
        return false;
      }
      here = look_at_bound(segment, i, now_ms, budget, due);
      looked = true;
    }
    earliest = std::min(earliest, here);
  }
  // The entries that are due are erased by the caller, one of whom may be the last that expires.
  segment.earliest_expiry_ms = earliest == kNever ? now_ms : earliest;
  return true;
}

// Appends what is due in four buckets, and makes their bound exact: returns when the rest of it
// expires.
int64_t Dict::look_at_bound(Segment& segment, size_t bound, int64_t now_ms, size_t& budget,
                            std::vector<Entry*>& due) {
  const size_t first = bound * kBucketsPerBound;
  const size_t end = std::min(first + kBucketsPerBound, bucket_count(segment));
  const std::span<Bucket> looked_at(buckets(segment) + first, end - first);
  for (const Bucket& bucket : looked_at) {
    for (const Entry* entry : bucket.entries) __builtin_prefetch(entry);
  }
  int64_t earliest = kNever;
  size_t cost = 0;
  for (const Bucket& bucket : looked_at) {
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
  bounds(segment)[bound] = kNoneExpires;
  if (earliest != kNever) {
    bounds(segment)[bound] = static_cast<uint16_t>(
        std::clamp<int64_t>((earliest >> kUnitShift) - segment.bounds_from, 0, kFarBound));
  }
  return earliest;
}

// The first place in the directory from `index` on, and from its end to its beginning, with a
// segment where something expires. The directory's size when there is none, or it takes long to
// find.
size_t Dict::next_expiring(size_t index) const {
  for (size_t stale = 0; stale < kStaleGroups; ++stale) {
    size_t group = expiry_bounds_.next_group(ExpiryBounds::group_of(index), kNever);
    if (group == expiry_bounds_.groups()) {
      group = expiry_bounds_.next_group(0, kNever);
      if (group == expiry_bounds_.groups()) break;
      index = 0;
    }
    index = std::max(index, group * ExpiryBounds::kGroup);
    const size_t end = std::min((group + 1) * ExpiryBounds::kGroup, directory_.size());
    for (; index < end; ++index) {
      if (directory_[index].segment()->expiring > 0) return index;
    }
    compute_group(group);
    if (index == directory_.size()) index = 0;
  }
  return directory_.size();
}

size_t Dict::sample(Random& random, bool only_expiring, Entry** out, size_t count) const {
  size_t found = 0;
  for (int tries = 0; tries < 16 && found < count; ++tries) {
    size_t index = directory_index(random.next());
    if (only_expiring) index = next_expiring(index);
    if (index == directory_.size()) break;
    const Reference ref = directory_[index];
    Segment& segment = *ref.segment();
    if (segment.count == 0) continue;
    const std::span<const uint16_t> all_bounds = bounds(segment);
    // From any slot on: slots fill from the first, and all entries are to be seen as often.
    const size_t places = ref.bucket_count() * kSlots;
    size_t place = random.below(places);
    for (size_t i = 0; i < places && found < count; ++i, place = (place + 1) % places) {
      if (only_expiring && all_bounds[place / kSlots / kBucketsPerBound] == kNoneExpires) continue;
      Entry* entry = ref.buckets()[place / kSlots].entries[place % kSlots];
      if (entry == nullptr || (only_expiring && !entry->has_expiry())) continue;
      out[found++] = entry;
    }
  }
  return found;
}

}  // namespace redoubt
