#include "engine/store/dict.h"

#include "net/places.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace redoubt {

namespace {

constexpr uint64_t kLowBits = 0x007f7f7f7f7f7f7f;
constexpr uint64_t kOnes = 0x0001010101010101;

// Below this depth the cursor's 48 bits could not tell positions apart. It would take 10^12 keys.
constexpr int kMaxDepth = 34;

size_t slots_of(size_t bucket_count) {
  return bucket_count * 7;
}

}  // namespace

// A byte of 0x80 for each slot whose tag is equal.
uint64_t Dict::matches(const Bucket& bucket, uint8_t tag) {
  uint64_t tags;
  std::memcpy(&tags, bucket.tags.data(), sizeof tags);
  const uint64_t x = (tags & kAllTags) ^ (kOnes * tag);
  return ~(((x & kLowBits) + kLowBits) | x | kLowBits) & kAllTags;
}

int Dict::free_slot(const Bucket& bucket) {
  for (int slot = 0; slot < static_cast<int>(kSlots); ++slot) {
    if (bucket.entries[static_cast<size_t>(slot)] == nullptr) return slot;
  }
  return -1;
}

uint64_t Dict::hash_at(const Segment& segment, size_t bucket) {
  const size_t count = bucket_count(segment);
  const uint64_t first = ((uint64_t{bucket} << kPositionBits) + count - 1) / count;
  return segment.prefix + (first << (64 - kPositionBits - segment.depth));
}

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
  const size_t bytes = segment_bytes(size_index);
  ++segment_count_;
  if (segment_count_ > kAloneMax && pools_.empty()) {
    for (size_t size = 0; size < kSizes.size(); ++size) {
      pools_.emplace_back(allocator_, segment_bytes(size));
    }
  }
  const bool alone = pools_.empty();
  void* memory = alone ? allocator_.allocate(bytes) : pools_[size_index].add();
  std::memset(memory, 0, bytes);
  Segment* segment = new (memory)
      Segment{.prefix = prefix,
              .depth = static_cast<uint8_t>(depth),
              .size_index = static_cast<uint8_t>(size_index),
              .count = 0,
              .expiring = 0,
              .shrink_at = UINT16_MAX,
              .index = alone ? kAlone : static_cast<uint32_t>(pools_[size_index].count() - 1),
              .earliest_expiry_ms = kNever,
              .bounds_from = 0,
              .few_bounds = {}};
  std::ranges::fill(bounds(*segment), kNoneExpires);
  table_bytes_ += counted_size(bytes);
  slot_count_ += slots_of(kSizes[size_index]);
  ++segments_at_depth_[static_cast<size_t>(depth)];
  return segment;
}

// Frees the memory of a segment to which the directory no longer points. Another segment of its
// size may move into its place.
void Dict::free_segment(Segment* segment) {
  const size_t bytes = segment_bytes(segment->size_index);
  table_bytes_ -= counted_size(bytes);
  slot_count_ -= slots_of(bucket_count(*segment));
  --segments_at_depth_[segment->depth];
  --segment_count_;
  if (segment->index == kAlone) {
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
  const Reference ref{bits | uint64_t{segment.depth} << 48 | uint64_t{bucket_count(segment)} << 56};
  const size_t first = depth_ == 0 ? 0 : segment.prefix >> (64 - depth_);
  const size_t count = size_t{1} << (depth_ - segment.depth);
  std::fill_n(directory_.begin() + static_cast<ptrdiff_t>(first), count, ref);
}

void Dict::prefetch_bucket(uint64_t hash) const {
  const Reference ref = reference(hash);
  const Bucket* bucket = ref.buckets() + home(position(hash, ref.depth()), ref.bucket_count());
  __builtin_prefetch(bucket);
  // The first of those that take what finds no place in it; behind the last one it does no harm.
  __builtin_prefetch(bucket + 1);
}

void Dict::prefetch_entry(uint64_t hash) const {
  const Reference ref = reference(hash);
  const uint64_t pos = position(hash, ref.depth());
  const size_t count = ref.bucket_count();
  const size_t first = home(pos, count);
  const Bucket* bucket = &ref.buckets()[first];
  uint64_t found = matches(*bucket, static_cast<uint8_t>(pos));
  if (found == 0) {
    if ((bucket->marks & kOverflowed) == 0) return;
    bucket = &ref.buckets()[behind(first, 1, count)];
    found = matches(*bucket, static_cast<uint8_t>(pos));
    if (found == 0) return;
  }
  const Entry* entry = bucket->entries[static_cast<size_t>(std::countr_zero(found)) / 8];
  __builtin_prefetch(entry);
  // An empty slot's tag matches too: no arithmetic on its null pointer.
  __builtin_prefetch(reinterpret_cast<const char*>(reinterpret_cast<uintptr_t>(entry) + 64));
}

Dict::Place Dict::find(std::string_view key, uint64_t hash) const {
  const Reference ref = reference(hash);
  const uint64_t pos = position(hash, ref.depth());
  const uint8_t tag = static_cast<uint8_t>(pos);
  const size_t count = ref.bucket_count();
  Bucket* all = ref.buckets();
  const size_t first = home(pos, count);
  for (uint64_t found = matches(all[first], tag); found != 0; found &= found - 1) {
    Entry*& entry = all[first].entries[static_cast<size_t>(std::countr_zero(found)) / 8];
    if (entry != nullptr && entry->key() == key) return {&entry, ref.segment()};
  }
  if ((all[first].marks & kOverflowed) == 0) return {};
  for (size_t distance = 1; distance <= kMaxDisplacement && distance < count; ++distance) {
    Bucket& bucket = all[behind(first, distance, count)];
    for (uint64_t found = matches(bucket, tag); found != 0; found &= found - 1) {
      const size_t slot = static_cast<size_t>(std::countr_zero(found)) / 8;
      Entry*& entry = bucket.entries[slot];
      if (entry == nullptr || (bucket.marks >> slot & 1) == 0) continue;
      if (entry->key() == key) return {&entry, ref.segment()};
    }
  }
  return {};
}

// Fills a free slot.
void Dict::fill(Bucket& bucket, int slot, uint8_t tag, Entry* entry, bool displaced) {
  const size_t at = static_cast<size_t>(slot);
  bucket.tags[at] = tag;
  bucket.entries[at] = entry;
  const int mark = 1 << slot;
  bucket.marks = static_cast<uint8_t>(displaced ? bucket.marks | mark : bucket.marks & ~mark);
}

// Puts the entry into its bucket or one of the next three, and returns which. -1 when they are
// full, and none of them can lend a slot by moving an entry of its own further on.
int Dict::place(Segment& segment, uint64_t pos, Entry* entry) {
  const size_t count = bucket_count(segment);
  Bucket* all = buckets(segment);
  const size_t first = home(pos, count);
  const size_t reach = std::min(kMaxDisplacement, count - 1);
  for (size_t distance = 0; distance <= reach; ++distance) {
    const size_t at = behind(first, distance, count);
    const int slot = free_slot(all[at]);
    if (slot < 0) continue;
    fill(all[at], slot, static_cast<uint8_t>(pos), entry, distance > 0);
    if (distance > 0) all[first].marks |= kOverflowed;
    return static_cast<int>(at);
  }
  for (size_t distance = 0; distance <= reach; ++distance) {
    const size_t lender = behind(first, distance, count);
    const int slot = lend_slot(segment, lender);
    if (slot < 0) continue;
    fill(all[lender], slot, static_cast<uint8_t>(pos), entry, distance > 0);
    if (distance > 0) all[first].marks |= kOverflowed;
    return static_cast<int>(lender);
  }
  return -1;
}

// Moves an entry that belongs to this full bucket to one of the next three, and returns the slot
// that is free then; -1 when that cannot be done.
int Dict::lend_slot(Segment& segment, size_t lender) {
  const size_t count = bucket_count(segment);
  Bucket* all = buckets(segment);
  const int own = std::countr_one(static_cast<unsigned>(all[lender].marks & ~kOverflowed));
  if (own >= static_cast<int>(kSlots)) return -1;
  const size_t from = static_cast<size_t>(own);
  for (size_t distance = 1; distance <= kMaxDisplacement && distance < count; ++distance) {
    const size_t to = behind(lender, distance, count);
    const int slot = free_slot(all[to]);
    if (slot < 0) continue;
    fill(all[to], slot, all[lender].tags[from], all[lender].entries[from], true);
    copy_bound(segment, lender, segment, to);
    all[lender].marks |= kOverflowed;
    all[lender].entries[from] = nullptr;
    return own;
  }
  return -1;
}

void Dict::insert(Entry* entry, uint64_t hash) {
  Reference ref = reference(hash);
  int bucket;
  while ((bucket = place(*ref.segment(), position(hash, ref.depth()), entry)) < 0) {
    grow(*ref.segment());
    ref = reference(hash);
  }
  Segment& segment = *ref.segment();
  ++segment.count;
  ++size_;
  if (entry->has_expiry()) add_expiring(segment, static_cast<size_t>(bucket), *entry);
}

void Dict::replace(Place at, Entry* entry) {
  // The old entry may be freed already; whether it had an expiry is known from the counters only if
  // the caller replaces before it frees. So it does.
  const bool had = at.entry()->has_expiry();
  const bool has = entry->has_expiry();
  *at.slot = entry;
  if (has && had) {
    note_expiry(at);
  } else if (has) {
    add_expiring(*at.segment, bucket_of(*at.segment, at.slot), *entry);
  } else if (had) {
    remove_expiring(*at.segment);
  }
}

Entry* Dict::erase(Place at, uint64_t hash) {
  Entry* entry = at.entry();
  Segment& segment = *at.segment;
  ASSERT(segment.count > 0 && reference(hash).segment() == &segment);
  const size_t bucket = bucket_of(segment, at.slot);
  Bucket& from = buckets(segment)[bucket];
  const size_t slot = static_cast<size_t>(at.slot - from.entries.data());
  const bool displaced = (from.marks >> slot & 1) != 0;
  *at.slot = nullptr;
  --segment.count;
  --size_;
  if (entry->has_expiry()) remove_expiring(segment);
  if (displaced) {
    update_overflow_mark(segment, home(position(hash, segment.depth), bucket_count(segment)));
  }
  settle(segment, bucket, slot);
  const size_t smaller = segment.size_index == 0 ? 0 : slots_of(kSizes[segment.size_index - 1u]);
  if (segment.count * 5u < smaller * 3 && segment.count <= segment.shrink_at) shrink(segment);
  return entry;
}

// False when the tag says that an entry cannot belong to the bucket.
bool Dict::may_belong(uint8_t tag, size_t bucket, size_t bucket_count) {
  const uint64_t low = ((uint64_t{bucket} << kPositionBits) + bucket_count - 1) / bucket_count;
  const uint64_t end = ((uint64_t{bucket + 1} << kPositionBits) + bucket_count - 1) / bucket_count;
  return low + ((tag - low) & 255) < end;
}

// The slot of an entry that belongs to the bucket and is in one of the next three. Null when there
// is none.
Entry** Dict::find_displaced(Segment& segment, size_t home_bucket) const {
  const size_t count = bucket_count(segment);
  Bucket* all = buckets(segment);
  for (size_t distance = 1; distance <= kMaxDisplacement && distance < count; ++distance) {
    Bucket& bucket = all[behind(home_bucket, distance, count)];
    for (size_t slot = 0; slot < kSlots; ++slot) {
      Entry* entry = bucket.entries[slot];
      if (entry == nullptr || (bucket.marks >> slot & 1) == 0) continue;
      if (!may_belong(bucket.tags[slot], home_bucket, count)) continue;
      const uint64_t hash = hash_key_(entry->key());
      if (home(position(hash, segment.depth), count) == home_bucket) return &bucket.entries[slot];
    }
  }
  return nullptr;
}

void Dict::update_overflow_mark(Segment& segment, size_t bucket) const {
  if (find_displaced(segment, bucket) != nullptr) return;
  buckets(segment)[bucket].marks &= static_cast<uint8_t>(~kOverflowed);
}

// A slot of the bucket has become free: an entry that belongs to the bucket comes home, and so on
// for the slot that it leaves.
void Dict::settle(Segment& segment, size_t bucket, size_t slot) {
  Bucket* all = buckets(segment);
  while ((all[bucket].marks & kOverflowed) != 0) {
    Entry** found = find_displaced(segment, bucket);
    ASSERT(found != nullptr);
    const size_t from = bucket_of(segment, found);
    const size_t from_slot = static_cast<size_t>(found - all[from].entries.data());
    fill(all[bucket], static_cast<int>(slot), all[from].tags[from_slot], *found, false);
    *found = nullptr;
    copy_bound(segment, from, segment, bucket);
    update_overflow_mark(segment, bucket);
    bucket = from;
    slot = from_slot;
  }
}

// The position of an entry from where it is, when that says enough.
bool Dict::recover_position(const Segment& segment, size_t bucket, size_t slot,
                            uint64_t* out) const {
  const Bucket& b = buckets(const_cast<Segment&>(segment))[bucket];
  if ((b.marks >> slot & 1) != 0) return false;
  const size_t count = bucket_count(segment);
  const uint64_t low = ((uint64_t{bucket} << kPositionBits) + count - 1) / count;
  const uint64_t end = ((uint64_t{bucket + 1} << kPositionBits) + count - 1) / count;
  const uint64_t candidate = low + ((b.tags[slot] - low) & 255);
  if (candidate + 256 < end) return false;
  ASSERT(candidate < end);
  *out = candidate;
  return true;
}

// Copies the slots of `from` into `to`, which covers the same hashes or more. False when one does
// not fit.
bool Dict::move_entries(Segment& from, Segment& to) const {
  const bool same_depth = from.depth == to.depth;
  moved_ += from.count;
  take_expiry(from, to);
  for (size_t bucket = 0; bucket < bucket_count(from); ++bucket) {
    for (size_t slot = 0; slot < kSlots; ++slot) {
      Entry* entry = buckets(from)[bucket].entries[slot];
      if (entry == nullptr) continue;
      uint64_t pos;
      if (!same_depth || !recover_position(from, bucket, slot, &pos)) {
        pos = position(hash_key_(entry->key()), to.depth);
      }
      const int placed = place(to, pos, entry);
      if (placed < 0) return false;
      copy_bound(from, bucket, to, static_cast<size_t>(placed));
    }
  }
  to.count = static_cast<uint16_t>(to.count + from.count);
  return true;
}

void Dict::grow(Segment& segment) {
  for (size_t size = segment.size_index + 1u; size < kSizes.size(); ++size) {
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

bool Dict::split_entries(Segment& from, Segment& low, Segment& high) const {
  Bucket* all = buckets(from);
  const size_t count = bucket_count(from);
  for (size_t bucket = 0; bucket < count; ++bucket) {
    // The keys are read: fetch those of the bucket after the next.
    if (bucket + 2 < count) {
      for (const Entry* entry : all[bucket + 2].entries) __builtin_prefetch(entry);
    }
    for (Entry* entry : all[bucket].entries) {
      if (entry == nullptr) continue;
      const uint64_t hash = hash_key_(entry->key());
      Segment& to = (hash << from.depth) >> 63 == 0 ? low : high;
      const int placed = place(to, position(hash, to.depth), entry);
      if (placed < 0) return false;
      ++to.count;
      if (entry->has_expiry()) {
        ++to.expiring;
        lower_bounds(to, static_cast<size_t>(placed), entry->expiry_ms());
      }
    }
  }
  return true;
}

void Dict::split(Segment& segment) {
  const int depth = segment.depth + 1;
  ASSERT(depth <= kMaxDepth);
  const uint64_t half = uint64_t{1} << (64 - depth);
  for (size_t size = kSplitSize; size < kSizes.size(); ++size) {
    Segment* low = make_segment(segment.prefix, depth, size);
    Segment* high = make_segment(segment.prefix + half, depth, size);
    low->bounds_from = high->bounds_from = segment.bounds_from;
    if (split_entries(segment, *low, *high)) {
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
  while (size < kSizes.size() && slots_of(kSizes[size]) * 7 < count * 10) ++size;
  if (size + 1 >= kSizes.size()) return false;
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
    count += static_cast<size_t>(std::ranges::count_if(
        all, [](const Bucket& bucket) { return (bucket.marks & kOverflowed) != 0; }));
    i += size_t{1} << (depth_ - ref.depth());
  }
  return count;
}

void Dict::check_overflow_marks(Segment& segment) const {
  for (size_t bucket = 0; bucket < bucket_count(segment); ++bucket) {
    const Bucket& marked = buckets(segment)[bucket];
    const bool overflowed = (marked.marks & kOverflowed) != 0;
    ASSERT(overflowed == (find_displaced(segment, bucket) != nullptr));
    ASSERT(!overflowed || free_slot(marked) < 0);
  }
}

void Dict::check_invariants() const {
  size_t size = 0;
  size_t expiring = 0;
  for (size_t i = 0; i < directory_.size();) {
    const Reference ref = directory_[i];
    Segment& segment = *ref.segment();
    ASSERT(ref.depth() == segment.depth && ref.bucket_count() == bucket_count(segment));
    ASSERT(depth_ == 0 || segment.prefix >> (64 - depth_) == i);
    size_t in_segment = 0;
    size_t expiring_here = 0;
    visit_segment(segment, [&](Entry& entry) {
      ++in_segment;
      const uint64_t h = hash_key_(entry.key());
      const Place at = find(entry.key(), h);
      ASSERT(at && at.entry() == &entry && at.segment == &segment);
      if (!entry.has_expiry()) return;
      ++expiring_here;
      ASSERT(entry.expiry_ms() >= segment.earliest_expiry_ms);
      const uint16_t bound = bounds(segment)[bucket_of(segment, at.slot) / kBucketsPerBound];
      ASSERT(bound != kNoneExpires);
      ASSERT(bound == 0 || segment.bounds_from + bound <= entry.expiry_ms() >> kUnitShift);
    });
    ASSERT(in_segment == segment.count && expiring_here == segment.expiring);
    ASSERT((expiring_here == 0) == (segment.earliest_expiry_ms == kNever));
    const size_t last = i + (size_t{1} << (depth_ - ref.depth())) - 1;
    for (size_t group = ExpiryBounds::group_of(i); group <= ExpiryBounds::group_of(last); ++group) {
      ASSERT(expiry_bounds_.of_group(group) <= segment.earliest_expiry_ms);
      ASSERT(expiry_bounds_.next_group(group, kNever) == group || expiring_here == 0);
    }
    check_overflow_marks(segment);
    size += in_segment;
    expiring += expiring_here;
    i += size_t{1} << (depth_ - ref.depth());
  }
  ASSERT(size == size_ && expiring == expiring_);
}

}  // namespace redoubt
