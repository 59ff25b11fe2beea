#include "engine/store/regions.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "net/assert.h"

namespace redoubt {

struct Regions::Region {
  Region* next;
  Region* previous;
  char* memory;
  size_t units;   // of each piece
  uint64_t used;  // a bit for each piece

  bool full() const { return used == all(); }
  uint64_t all() const { return units == 1 ? ~uint64_t{0} : 0xffff; }
};

namespace {

size_t list_of(size_t units) {
  return units == 1 ? 0 : 1;
}

}  // namespace

Regions::~Regions() {
  ASSERT(units_ == 0);
  while (empty_ != nullptr) free_region(empty_);
  ASSERT(region_count_ == 0);
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
  void* memory = std::aligned_alloc(kRegionBytes, kRegionBytes);
  ASSERT(memory != nullptr);
  // Only advice: without huge pages everything works, slower.
  static_cast<void>(madvise(memory, kRegionBytes, MADV_HUGEPAGE));
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
  return idle > count;
}

// The first of those that are empty.
void Regions::free_region(Region* region) {
  empty_ = region->next;
  --empty_count_;
  // malloc may keep the memory, as there are small pieces between regions: its pages go back to the
  // system at least, and not while malloc's lock is held.
  static_cast<void>(madvise(region->memory, kRegionBytes, MADV_DONTNEED));
  std::free(region->memory);
  delete region;
  --region_count_;
}

}  // namespace redoubt
