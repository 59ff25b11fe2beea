#include "engine/store/regions.h"

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

constexpr size_t kFirstArena = 16;  // regions
constexpr size_t kLargestArena = 512;

}  // namespace

Regions::~Regions() {
  ASSERT(units_ == 0);
  spare_.reset();
  while (empty_ != nullptr) free_region(empty_);
  ASSERT(region_count_ == 0);
}

// One that is not full.
const std::shared_ptr<Arena>& Regions::arena_with_room() {
  size_t regions = 0;
  for (const std::shared_ptr<Arena>& arena : arenas_) {
    if (!arena->full()) return arena;
    regions += arena->capacity();
  }
  return arenas_.emplace_back(new Arena(std::clamp(regions, kFirstArena, kLargestArena)));
}

std::shared_ptr<Arena>* Regions::arena_of(const void* memory) {
  for (std::shared_ptr<Arena>& arena : arenas_) {
    if (arena->contains(memory)) return &arena;
  }
  return nullptr;
}

void Regions::give_back_to_arena(char* memory) {
  std::shared_ptr<Arena>* arena = arena_of(memory);
  ASSERT(arena != nullptr);
  (*arena)->give_back(memory);
  if ((*arena)->used() > 0) return;
  std::swap(*arena, arenas_.back());
  arenas_.pop_back();
}

SpareRegion Regions::take_spare() {
  ASSERT(wants_spare());
  spare_is_out_ = true;
  const std::shared_ptr<Arena>& arena = arena_with_room();
  char* memory = arena->take();
  return {arena, memory};
}

bool Regions::give_spare(SpareRegion& spare) {
  ASSERT(spare);
  if (!spare_is_out_ || arena_of(spare.memory()) == nullptr) return false;
  spare_ = std::exchange(spare, {});
  spare_is_out_ = false;
  return true;
}

void Regions::note_growth() {
  if (got_units_ < kQuickUnits) return;
  growing_ = true;
  if (wish_ != nullptr && wants_spare()) *wish_ = true;
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
  char* memory;
  if (spare_) {
    memory = spare_.memory();
    spare_.reset();
  } else if (region_count_ < kPlainRegions) {
    memory = static_cast<char*>(std::aligned_alloc(kRegionBytes, kRegionBytes));
    ASSERT(memory != nullptr);
  } else {
    memory = arena_with_room()->take();
  }
  ++region_count_;
  return new Region{nullptr, nullptr, memory, 0, 0};
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
  if (got_units_ < kQuickUnits && spare_) {
    char* memory = spare_.memory();
    spare_.reset();
    give_back_to_arena(memory);
  }
  growing_ = false;
  got_units_ = 0;
  return idle > count;
}

// The first of those that are empty.
void Regions::free_region(Region* region) {
  empty_ = region->next;
  --empty_count_;
  if (arena_of(region->memory) != nullptr) {
    give_back_to_arena(region->memory);
  } else {
    std::free(region->memory);
  }
  delete region;
  --region_count_;
}

}  // namespace redoubt
