#include "engine/store/regions.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

#include "net/assert.h"

namespace redoubt {

struct Regions::Region {
  Region* next;
  Region* previous;
  char* memory;
  size_t units;   // of each piece
  uint64_t used;  // a bit for each piece

  bool full() const { return used == all(); }
  bool more_than_half() const { return 2 * std::popcount(used) > std::popcount(all()); }
  uint64_t all() const { return units == 1 ? ~uint64_t{0} : 0xffff; }
};

namespace {

size_t list_of(size_t units) {
  return units == 1 ? 0 : 1;
}

// So many regions have pages of any size: they fit the TLB, and are touched page by page.
constexpr size_t kPlainRegions = 2;

// Memory that is not touched.
void* reserve_memory(size_t bytes, bool huge_pages) {
  void* memory = std::aligned_alloc(bytes, bytes);
  ASSERT(memory != nullptr);
  // Only advice: without huge pages everything works, slower.
  if (huge_pages) static_cast<void>(madvise(memory, bytes, MADV_HUGEPAGE));
  return memory;
}

}  // namespace

Regions::~Regions() {
  ASSERT(units_ == 0);
  while (empty_ != nullptr) free_region(empty_);
  ASSERT(region_count_ == 0);
  if (spare_ != nullptr) discard_memory(spare_);
}

void* Regions::make_memory() {
  void* memory = reserve_memory(kRegionBytes, true);
  volatile char* bytes = static_cast<char*>(memory);
  for (size_t at = 0; at < kRegionBytes; at += kPageBytes) bytes[at] = 0;
  return memory;
}

void Regions::discard_memory(void* memory) {
  // malloc may keep the memory, as there are small pieces between regions: its pages go back to the
  // system at least, and not while malloc's lock is held.
  static_cast<void>(madvise(memory, kRegionBytes, MADV_DONTNEED));
  std::free(memory);
}

void Regions::give_spare(void* memory) {
  ASSERT(wants_spare());
  spare_ = memory;
}

void Regions::note_growth() {
  if (got_units_ < kQuickUnits) return;
  growing_ = true;
  if (wish_ != nullptr && spare_ == nullptr) *wish_ = true;
}

// One with room for a piece of so many units, which was empty or is new.
Regions::Region* Regions::region_for(size_t units) {
  Region* region = empty_;
  if (region == nullptr) {
    region = make_region();
  } else {
    empty_ = region->next;
    --empty_count_;
    least_empty_ = std::min(least_empty_, empty_count_);
  }
  region->units = units;
  link(region);
  return region;
}

Regions::Region* Regions::make_region() {
  void* memory = std::exchange(spare_, nullptr);
  if (memory == nullptr) memory = reserve_memory(kRegionBytes, region_count_ >= kPlainRegions);
  ++region_count_;
  return new Region{nullptr, nullptr, static_cast<char*>(memory), 0, 0};
}

void Regions::link(Region* region) {
  Region*& first = with_room_[list_of(region->units)];
  region->previous = nullptr;
  region->next = first;
  if (first != nullptr) first->previous = region;
  first = region;
}

void Regions::unlink(Region* region) {
  Region*& first = with_room_[list_of(region->units)];
  (region->previous == nullptr ? first : region->previous->next) = region->next;
  if (region->next != nullptr) region->next->previous = region->previous;
}

Regions::Unit Regions::get(size_t units) {
  ASSERT(units == 1 || units == 4);
  units_ += units;
  got_units_ += units;
  if (region_count_ == 0 && units_ <= kSmallUnits) {
    const size_t bytes = units * kUnitBytes;
    void* memory = std::aligned_alloc(bytes, bytes);
    ASSERT(memory != nullptr);
    return {memory, nullptr};
  }
  Region* region = with_room_[list_of(units)];
  if (region == nullptr) region = region_for(units);
  const int place = std::countr_one(region->used);
  region->used |= uint64_t{1} << place;
  if (region->full()) unlink(region);
  const bool last = region_count_ >= kPlainRegions && empty_count_ == 0;
  if (last && region->more_than_half()) note_growth();
  return {region->memory + static_cast<size_t>(place) * units * kUnitBytes, region};
}

void Regions::give_back(Unit unit, size_t units) {
  ASSERT(units <= units_);
  units_ -= units;
  if (unit.origin == nullptr) {
    std::free(unit.memory);
  } else {
    Region* region = unit.origin;
    ASSERT(region->units == units);
    const size_t offset = static_cast<size_t>(static_cast<char*>(unit.memory) - region->memory);
    if (region->full()) link(region);
    region->used &= ~(uint64_t{1} << offset / (units * kUnitBytes));
    if (region->used == 0) {
      unlink(region);
      region->next = empty_;
      empty_ = region;
      ++empty_count_;
    }
  }
}

bool Regions::trim(size_t regions_max) {
  const size_t idle = std::min(least_empty_, empty_count_);
  const size_t count = std::min(idle, regions_max);
  for (size_t i = 0; i < count; ++i) free_region(empty_);
  least_empty_ = empty_count_;
  if (got_units_ < kQuickUnits && spare_ != nullptr) {
    discard_memory(std::exchange(spare_, nullptr));
  }
  growing_ = false;
  got_units_ = 0;
  return idle > count;
}

// The first of those that are empty.
void Regions::free_region(Region* region) {
  empty_ = region->next;
  --empty_count_;
  discard_memory(region->memory);
  delete region;
  --region_count_;
}

}  // namespace redoubt
