// The part of the dict for deadlines: counts of entries that have one, bounds, and samples of such
// entries.
#include <algorithm>
#include <bit>

#include "engine/store/dict.h"

namespace redoubt {

namespace {

// Groups whose bound promised more than there is that one sample looks through.
constexpr size_t kStaleGroups = 64;

}  // namespace

void Dict::note_expiry(Segment& segment, size_t bucket, const Entry& entry) {
  if (segment.lower_bounds(bucket, entry.expiry_ms())) lower_directory_bounds(segment);
}

void Dict::add_expiring(Segment& segment, size_t bucket, const Entry& entry) {
  // Whatever time it is now, deadlines within an hour of the first can be told apart.
  constexpr int64_t kMiddle = Segment::kFarBound / 2;
  if (segment.expiring == 0) {
    segment.forget_bounds();
    segment.bounds_from = (entry.expiry_ms() >> Segment::kUnitShift) - kMiddle;
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
                       segment.find_expired(cursor, now_ms, budget, due, &next);
    cursor = next;
    const bool left =
        whole && (next == 0 || ExpiryBounds::group_of(directory_index(next)) != group);
    if (left) compute_group(group);
    if (whole && next == 0) return false;
  }
  return true;
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
    const std::span<const uint16_t> all_bounds = segment.bounds();
    // From any slot on: slots fill from the first, and all entries are to be seen as often.
    const size_t places = ref.bucket_count() * kSlots;
    size_t place = random.below(places);
    for (size_t i = 0; i < places && found < count; ++i, place = (place + 1) % places) {
      if (only_expiring &&
          all_bounds[place / kSlots / Segment::kBucketsPerBound] == Segment::kNoneExpires)
        continue;
      Entry* entry = ref.buckets()[place / kSlots].entries[place % kSlots];
      if (entry == nullptr || (only_expiring && !entry->has_expiry())) continue;
      out[found++] = entry;
    }
  }
  return found;
}

}  // namespace redoubt
