// Regions: the memory that slabs are cut from.
//
// A look-up touches two lines at random places in gigabytes; with pages of 4 KB each of them also
// misses the TLB. So once a database is larger than a few hundred KB its slabs come from regions of
// 2 MB, and huge pages are asked for all but the first two. A store that forks cannot afford that
// (copy on write would copy 2 MB for a byte); this one never forks.
//
// The first touch of a huge page has the system clear all of it: 0.2 ms, or many times that where
// the machine is itself a guest whose host has to find memory. So a database that grows quickly
// gets a spare region in time, made and touched by another thread. One that grows slowly meets a
// fresh region seldom, and a small one has no huge pages: neither gets a spare.
//
// Regions with huge pages are cut from arenas (arena.h), each as large as all before together, so
// that the number of memory mappings grows with the logarithm of the size, and from 1 GB on by two
// for a gigabyte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/store/arena.h"

namespace redoubt {

class Regions {
 public:
  static constexpr size_t kUnitBytes = 32 * 1024;

  struct Region;
  // Memory and where it comes from; null for memory of its own.
  struct Unit {
    void* memory;
    Region* origin;
  };

  Regions() = default;
  Regions(const Regions&) = delete;
  Regions& operator=(const Regions&) = delete;
  ~Regions();  // everything has been given back by then

  // Memory of 1 or 4 units, aligned to its size.
  Unit get(size_t units);
  void give_back(Unit unit, size_t units);

  // Gives regions that have not been needed since the last call back to the system, at most so
  // many: a value that is written anew again and again takes and gives back the same memory, and a
  // fresh region is expensive, as the system has to clear it. True: there are more.
  bool trim(size_t regions_max);

  // From now on `*wish` becomes true when a spare region will soon be of use; null: nothing does.
  void set_wish(bool* wish) { wish_ = wish; }
  bool has_spare() const { return static_cast<bool>(spare_); }
  bool wants_spare() const { return growing_ && !spare_ && !spare_is_out_; }
  // The region that is to be the next one, not yet touched; for give_spare(). Only when
  // wants_spare().
  SpareRegion take_spare();
  // Takes it back, touched. False: it is not from here.
  bool give_spare(SpareRegion& spare);

  // Bytes handed out.
  size_t bytes() const { return units_ * kUnitBytes; }
  // Regions that nothing is in.
  size_t empty_regions() const { return empty_count_; }

 private:
  static constexpr size_t kRegionBytes = Arena::kRegionBytes;
  // Up to here memory comes from malloc, unit by unit: most databases of most nodes are small.
  static constexpr size_t kSmallUnits = 24;
  // A database that takes so many between two calls of trim() grows quickly.
  static constexpr size_t kQuickUnits = 4;

  void note_growth();
  Region* region_for(size_t units);
  Region* make_region();
  void free_region(Region* region);
  const std::shared_ptr<Arena>& arena_with_room();
  std::shared_ptr<Arena>* arena_of(const void* memory);
  void give_back_to_arena(char* memory);
  void link(Region* region);
  void unlink(Region* region);

  // Regions that are neither full nor empty, the one that was given something back last in front. A
  // region hands out pieces of one size, so that small ones cannot get into the way of large ones.
  std::array<Region*, 2> with_room_{};
  Region* empty_ = nullptr;  // linked by `next`
  size_t empty_count_ = 0;
  size_t least_empty_ = 0;  // since the last trim()
  size_t units_ = 0;
  size_t region_count_ = 0;
  std::vector<std::shared_ptr<Arena>> arenas_;
  SpareRegion spare_;          // memory of a region that is not there yet
  bool spare_is_out_ = false;  // between take_spare() and give_spare()
  size_t got_units_ = 0;       // since the last trim()
  bool growing_ = false;       // quickly, since then, and more than half of the memory is in use
  bool* wish_ = nullptr;
};

}  // namespace redoubt
