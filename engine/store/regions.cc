#include "engine/store/regions.h"

#include <sys/mman.h>

#include <cstdlib>

#include "net/assert.h"

namespace redoubt {

struct Regions::Region {
  Region* next;
  Region* previous;
  char* memory;
  uint64_t used;  // a bit for each of 64 units

  // The first place for that many units, aligned; 64 when there is none.
  size_t place_for(size_t units) const {
    const uint64_t mask = units == 1 ? 1 : 15;
    for (size_t at = 0; at < 64; at += units) {
      if ((used >> at & mask) == 0) return at;
    }
    return 64;
  }
  bool full() const { return ~used == 0; }
};

Regions::~Regions() {
  ASSERT(units_ == 0 && first_ == nullptr);
}

Regions::Region* Regions::add_region() {
  void* memory = std::aligned_alloc(kRegionBytes, kRegionBytes);
  ASSERT(memory != nullptr);
  // Only advice: without huge pages everything works, slower.
  static_cast<void>(madvise(memory, kRegionBytes, MADV_HUGEPAGE));
  Region* region = new Region{first_, nullptr, static_cast<char*>(memory), 0};
  if (first_ != nullptr) first_->previous = region;
  first_ = region;
  ++region_count_;
  return region;
}

void Regions::remove_region(Region* region) {
  (region->previous == nullptr ? first_ : region->previous->next) = region->next;
  if (region->next != nullptr) region->next->previous = region->previous;
  std::free(region->memory);
  delete region;
  --region_count_;
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
  // Only the region in front is filled as a rule. Looking at a few more reuses room that was given
  // back without walking thousands of full ones.
  constexpr int kLookedAt = 4;
  Region* region = first_;
  size_t place = 64;
  for (int i = 0; i < kLookedAt && region != nullptr; ++i, region = region->next) {
    place = region->place_for(units);
    if (place < 64) break;
  }
  if (place == 64 || region == nullptr) {
    region = add_region();
    place = 0;
  }
  region->used |= (units == 1 ? uint64_t{1} : uint64_t{15}) << place;
  return {region->memory + place * kUnitBytes, region};
}

void Regions::give_back(Unit unit, size_t units) {
  ASSERT(units <= units_);
  units_ -= units;
  if (unit.origin == nullptr) {
    std::free(unit.memory);
    return;
  }
  Region* region = unit.origin;
  const size_t place =
      static_cast<size_t>(static_cast<char*>(unit.memory) - region->memory) / kUnitBytes;
  region->used &= ~((units == 1 ? uint64_t{1} : uint64_t{15}) << place);
  if (region->used == 0) {
    remove_region(region);
    return;
  }
  // To the front: it has room.
  if (region == first_) return;
  region->previous->next = region->next;
  if (region->next != nullptr) region->next->previous = region->previous;
  region->previous = nullptr;
  region->next = first_;
  first_->previous = region;
  first_ = region;
}

}  // namespace redoubt
