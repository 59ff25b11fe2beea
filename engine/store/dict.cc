#include "engine/store/dict.h"

#include "net/places.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace redoubt {

namespace {

// Below this depth the cursor's 48 bits could not tell positions apart. It would take 10^12 keys.
constexpr int kMaxDepth = 34;

size_t slots_of(size_t bucket_count) {
  return bucket_count * 7;
}

}  // namespace

Dict::Dict(Allocator& allocator, const HashKey& hash_key)
    : allocator_(allocator), hash_key_(hash_key) {
  directory_.resize(1);
  Segment* first = make_segment(0, 0, 0);
  point_to(*first);
}

Dict::~Dict() {
  // Segments move when others are freed, and are found through the directory: from the end, so that
  // the rest of it stays right.
  while (!directory_.empty()) {
    const Reference ref = directory_.back();
    directory_.resize(directory_.size() - (size_t{1} << (depth_ - ref.depth())));
    free_segment(ref.segment());
  }
}

Dict::Segment* Dict::make_segment(uint64_t prefix, int depth, size_t size_index) {
  const size_t bytes = Segment::bytes(size_index);
  ++segment_count_;
  if (segment_count_ > kAloneMax && pools_.empty()) {
    for (size_t size = 0; size < Segment::kSizes.size(); ++size) {
      pools_.emplace_back(allocator_, Segment::bytes(size));
    }
  }
  const bool alone = pools_.empty();
  void* memory = alone ? allocator_.allocate(bytes) : pools_[size_index].add();
  std::memset(memory, 0, bytes);
  Segment* segment = new (memory) Segment{
      .prefix = prefix,
      .depth = static_cast<uint8_t>(depth),
      .size_index = static_cast<uint8_t>(size_index),
      .count = 0,
      .expiring = 0,
      .shrink_at = UINT16_MAX,
      .index = alone ? Segment::kAlone : static_cast<uint32_t>(pools_[size_index].count() - 1),
      .earliest_expiry_ms = kNever,
      .bounds_from = 0,
      .few_bounds = {}};
  std::ranges::fill(segment->bounds(), Segment::kNoneExpires);
  table_bytes_ += counted_size(bytes);
  slot_count_ += slots_of(Segment::kSizes[size_index]);
  ++segments_at_depth_[static_cast<size_t>(depth)];
  return segment;
}

// Frees the memory of a segment to which the directory no longer points. Another segment of its
// size may move into its place.
void Dict::free_segment(Segment* segment) {
  const size_t bytes = Segment::bytes(segment->size_index);
  table_bytes_ -= counted_size(bytes);
  slot_count_ -= slots_of(segment->bucket_count());
  --segments_at_depth_[segment->depth];
  --segment_count_;
  if (segment->index == Segment::kAlone) {
    allocator_.release(segment, bytes);
    return;
  }
  const uint32_t index = segment->index;
  void* moved = pools_[segment->size_index].remove(index);
  if (moved == nullptr) return;
  Segment* other = static_cast<Segment*>(moved);
  other->index = index;
  point_to(*other);
}

// Frees two segments. The one that is behind goes first: freeing the other must not move it.
void Dict::free_segments(Segment* a, Segment* b) {
  const bool a_behind = a->index > b->index;
  free_segment(a_behind ? a : b);
  free_segment(a_behind ? b : a);
}

void Dict::point_to(Segment& segment) {
  const uint64_t bits = reinterpret_cast<uint64_t>(&segment);
  ASSERT(bits >> 48 == 0);
  const Reference ref{bits | uint64_t{segment.depth} << 48 |
                      uint64_t{segment.bucket_count()} << 56};
  const size_t first = depth_ == 0 ? 0 : segment.prefix >> (64 - depth_);
  const size_t count = size_t{1} << (depth_ - segment.depth);
  std::fill_n(directory_.begin() + static_cast<ptrdiff_t>(first), count, ref);
}

void Dict::prefetch_bucket(uint64_t hash) const {
  const Reference ref = reference(hash);
  const Bucket* bucket =
      ref.buckets() + Segment::home(Segment::position(hash, ref.depth()), ref.bucket_count());
  __builtin_prefetch(bucket);
  // The first of those that take what finds no place in it; behind the last one it does no harm.
  __builtin_prefetch(bucket + 1);
}

void Dict::prefetch_entry(uint64_t hash) const {
  const Reference ref = reference(hash);
  const uint64_t pos = Segment::position(hash, ref.depth());
  const size_t count = ref.bucket_count();
  const size_t first = Segment::home(pos, count);
  const Bucket* bucket = &ref.buckets()[first];
  uint64_t found = bucket->matches(static_cast<uint8_t>(pos));
  if (found == 0) {
    if (!bucket->overflowed()) return;
    bucket = &ref.buckets()[Segment::behind(first, 1, count)];
    found = bucket->matches(static_cast<uint8_t>(pos));
    if (found == 0) return;
  }
  const Entry* entry = bucket->entries[static_cast<size_t>(std::countr_zero(found)) / 8];
  __builtin_prefetch(entry);
  // An empty slot's tag matches too: no arithmetic on its null pointer.
  __builtin_prefetch(reinterpret_cast<const char*>(reinterpret_cast<uintptr_t>(entry) + 64));
}

void Dict::prefetch_scan(uint64_t cursor) const {
  // Two buckets are about ten entries: about as long as memory takes to answer.
  constexpr size_t kAhead = 2;
  const uint64_t at = cursor << 16;
  const Segment& segment = *reference(at).segment();
  const size_t count = segment.bucket_count();
  const size_t here = Segment::home(Segment::position(at, segment.depth), count);
  // Buckets lie in a row, which the processor notices by itself; entries do not.
  const size_t from = here == 0 ? 0 : here + kAhead;
  for (size_t i = from; i <= here + kAhead && i < count; ++i) {
    for (const Entry* entry : segment.buckets()[i].entries) {
      __builtin_prefetch(entry);
      __builtin_prefetch(reinterpret_cast<const char*>(reinterpret_cast<uintptr_t>(entry) + 63));
    }
  }
}

Dict::Place Dict::find(std::string_view key, uint64_t hash) const {
  const Reference ref = reference(hash);
  const uint64_t pos = Segment::position(hash, ref.depth());
  const uint8_t tag = static_cast<uint8_t>(pos);
  const size_t count = ref.bucket_count();
  Bucket* all = ref.buckets();
  const size_t first = Segment::home(pos, count);
  for (uint64_t found = all[first].matches(tag); found != 0; found &= found - 1) {
    Entry*& entry = all[first].entries[static_cast<size_t>(std::countr_zero(found)) / 8];
    if (entry != nullptr && entry->key() == key) return {&entry, ref.segment()};
  }
  if (!all[first].overflowed()) return {};
  for (size_t distance = 1; distance <= Segment::kMaxDisplacement && distance < count; ++distance) {
    Bucket& bucket = all[Segment::behind(first, distance, count)];
    for (uint64_t found = bucket.matches(tag); found != 0; found &= found - 1) {
      const size_t slot = static_cast<size_t>(std::countr_zero(found)) / 8;
      Entry*& entry = bucket.entries[slot];
      if (entry == nullptr || !bucket.displaced(slot)) continue;
      if (entry->key() == key) return {&entry, ref.segment()};
    }
  }
  return {};
}

void Dict::insert(Entry* entry, uint64_t hash) {
  Reference ref = reference(hash);
  int bucket;
  while ((bucket = ref.segment()->place(Segment::position(hash, ref.depth()), entry)) < 0) {
    grow(*ref.segment());
    ref = reference(hash);
  }
  Segment& segment = *ref.segment();
  ++segment.count;
  ++size_;
  if (entry->has_expiry()) add_expiring(segment, static_cast<size_t>(bucket), *entry);
}

void Dict::replace(Place at, Entry* entry) {
  // The caller frees the old entry only after this.
  const bool had = at.entry()->has_expiry();
  const bool has = entry->has_expiry();
  *at.slot = entry;
  if (has && had) {
    note_expiry(at);
  } else if (has) {
    add_expiring(*at.segment, at.segment->bucket_of(at.slot), *entry);
  } else if (had) {
    remove_expiring(*at.segment);
  }
}

Entry* Dict::erase(Place at, uint64_t hash) {
  Entry* entry = at.entry();
  Segment& segment = *at.segment;
  ASSERT(segment.count > 0 && reference(hash).segment() == &segment);
  --segment.count;
  --size_;
  if (entry->has_expiry()) remove_expiring(segment);
  segment.clear(at.slot, hash, hash_key_);
  const size_t smaller =
      segment.size_index == 0 ? 0 : slots_of(Segment::kSizes[segment.size_index - 1u]);
  if (segment.count * 5u < smaller * 3 && segment.count <= segment.shrink_at) shrink(segment);
  return entry;
}

bool Dict::move_entries(Segment& from, Segment& to) {
  moved_ += from.count;
  return from.move_to(to, hash_key_);
}

void Dict::grow(Segment& segment) {
  for (size_t size = segment.size_index + 1u; size < Segment::kSizes.size(); ++size) {
    Segment* larger = make_segment(segment.prefix, segment.depth, size);
    if (move_entries(segment, *larger)) {
      point_to(*larger);
      free_segment(&segment);
      return;
    }
    free_segment(larger);
  }
  split(segment);
}

void Dict::split(Segment& segment) {
  const int depth = segment.depth + 1;
  ASSERT(depth <= kMaxDepth);
  const uint64_t half = uint64_t{1} << (64 - depth);
  for (size_t size = kSplitSize; size < Segment::kSizes.size(); ++size) {
    Segment* low = make_segment(segment.prefix, depth, size);
    Segment* high = make_segment(segment.prefix + half, depth, size);
    low->bounds_from = high->bounds_from = segment.bounds_from;
    if (segment.split_to(*low, *high, hash_key_)) {
      if (depth > depth_) double_directory();
      REDOUBT_REACHED(dict_segment_split);
      point_to(*low);
      point_to(*high);
      free_segment(&segment);
      return;
    }
    free_segments(low, high);
  }
  // Both halves failed at the largest size: 28 of 800 keys in four of 126 buckets, by a keyed hash.
  ASSERT(false);
}

void Dict::shrink(Segment& segment) {
  if (segment.depth > 0 && merge_with_buddy(segment)) return;
  Segment* smaller = make_segment(segment.prefix, segment.depth, segment.size_index - 1u);
  if (!move_entries(segment, *smaller)) {
    REDOUBT_REACHED(dict_segment_clustered);
    // Clustered, as after erasing in the order of the table: an eighth later there is less to move.
    free_segment(smaller);
    segment.shrink_at = static_cast<uint16_t>(segment.count - segment.count / 8 - 1);
    return;
  }
  point_to(*smaller);
  free_segment(&segment);
}

// Two halves that fit into one segment at about 70% become one.
bool Dict::merge_with_buddy(Segment& segment) {
  const uint64_t half = uint64_t{1} << (64 - segment.depth);
  Segment& buddy = *reference(segment.prefix ^ half).segment();
  if (buddy.depth != segment.depth) return false;
  const size_t count = size_t{segment.count} + buddy.count;
  size_t size = 0;
  while (size < Segment::kSizes.size() && slots_of(Segment::kSizes[size]) * 7 < count * 10) ++size;
  if (size + 1 >= Segment::kSizes.size()) return false;
  Segment* merged = make_segment(segment.prefix & ~half, segment.depth - 1, size);
  if (!move_entries(segment, *merged) || !move_entries(buddy, *merged)) {
    free_segment(merged);
    return false;
  }
  REDOUBT_REACHED(dict_segments_merged);
  ASSERT(merged->count == count);
  point_to(*merged);
  lower_directory_bounds(*merged);
  free_segments(&segment, &buddy);
  while (depth_ > 0 && segments_at_depth_[static_cast<size_t>(depth_)] == 0) halve_directory();
  return true;
}

void Dict::double_directory() {
  std::vector<Reference> doubled(directory_.size() * 2);
  for (size_t i = 0; i < directory_.size(); ++i) {
    doubled[2 * i] = directory_[i];
    doubled[2 * i + 1] = directory_[i];
  }
  directory_.swap(doubled);
  ++depth_;
  const size_t before = expiry_bounds_.bytes();
  expiry_bounds_.double_directory(directory_.size());
  const size_t more = directory_.size() / 2 * sizeof(Reference) + (expiry_bounds_.bytes() - before);
  allocator_.count(more);
  table_bytes_ += more;
}

void Dict::halve_directory() {
  std::vector<Reference> halved(directory_.size() / 2);
  for (size_t i = 0; i < halved.size(); ++i) halved[i] = directory_[2 * i];
  directory_.swap(halved);
  --depth_;
  const size_t before = expiry_bounds_.bytes();
  expiry_bounds_.halve_directory(directory_.size());
  const size_t less = directory_.size() * sizeof(Reference) + (before - expiry_bounds_.bytes());
  allocator_.discount(less);
  table_bytes_ -= less;
}

Entry* Dict::random_entry(Random& random) const {
  ASSERT(size_ > 0);
  for (;;) {
    const Reference ref = reference(random.next());
    const uint64_t place = random.below(ref.bucket_count() * kSlots);
    Entry* entry = ref.buckets()[place / kSlots].entries[place % kSlots];
    if (entry != nullptr) return entry;
  }
}

size_t Dict::overflowed_buckets() const {
  size_t count = 0;
  for (size_t i = 0; i < directory_.size();) {
    const Reference ref = directory_[i];
    const std::span<const Bucket> all(ref.buckets(), ref.bucket_count());
    count += static_cast<size_t>(
        std::ranges::count_if(all, [](const Bucket& bucket) { return bucket.overflowed(); }));
    i += size_t{1} << (depth_ - ref.depth());
  }
  return count;
}

void Dict::check_invariants() const {
  size_t size = 0;
  size_t expiring = 0;
  for (size_t i = 0; i < directory_.size();) {
    const Reference ref = directory_[i];
    Segment& segment = *ref.segment();
    ASSERT(ref.depth() == segment.depth && ref.bucket_count() == segment.bucket_count());
    ASSERT(depth_ == 0 || segment.prefix >> (64 - depth_) == i);
    size_t in_segment = 0;
    size_t expiring_here = 0;
    segment.for_each([&](Entry& entry) {
      ++in_segment;
      const uint64_t h = hash_key_(entry.key());
      const Place at = find(entry.key(), h);
      ASSERT(at && at.entry() == &entry && at.segment == &segment);
      if (!entry.has_expiry()) return;
      ++expiring_here;
      ASSERT(entry.expiry_ms() >= segment.earliest_expiry_ms);
      const uint16_t bound =
          segment.bounds()[segment.bucket_of(at.slot) / Segment::kBucketsPerBound];
      ASSERT(bound != Segment::kNoneExpires);
      ASSERT(bound == 0 || segment.bounds_from + bound <= entry.expiry_ms() >> Segment::kUnitShift);
    });
    ASSERT(in_segment == segment.count && expiring_here == segment.expiring);
    ASSERT((expiring_here == 0) == (segment.earliest_expiry_ms == kNever));
    const size_t last = i + (size_t{1} << (depth_ - ref.depth())) - 1;
    for (size_t group = ExpiryBounds::group_of(i); group <= ExpiryBounds::group_of(last); ++group) {
      ASSERT(expiry_bounds_.of_group(group) <= segment.earliest_expiry_ms);
      ASSERT(expiry_bounds_.next_group(group, kNever) == group || expiring_here == 0);
    }
    segment.check_overflow_marks(hash_key_);
    size += in_segment;
    expiring += expiring_here;
    i += size_t{1} << (depth_ - ref.depth());
  }
  ASSERT(size == size_ && expiring == expiring_);
}

}  // namespace redoubt
