// Arena: address space that regions are cut from.
//
// The kernel allows a process about 65,530 mappings. A mapping of its own for each region of 2 MB,
// or advice about huge pages given region by region, would use them up at 64 GB. So a large piece
// of address space is reserved in one mapping, the advice is given for all of it, and regions
// become usable from its beginning on: two mappings an arena. A region that is given back loses its
// pages, not its place.
//
// Reserved space that was never cut is not accessible, so it counts neither as memory nor against
// the kernel's limit of commitments.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace redoubt {

class Arena {
 public:
  static constexpr size_t kRegionBytes = 2 * 1024 * 1024;

  // Reserves space for `regions` regions, or fewer when the system has no room for so many. Pages
  // of 2 MB are asked for.
  explicit Arena(size_t regions);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();  // the space is given back, whatever is in it

  bool full() const { return free_.empty() && cut_ == capacity_; }
  // Regions that were taken and not given back.
  size_t used() const { return cut_ - free_.size(); }
  size_t capacity() const { return capacity_; }
  bool contains(const void* memory) const {
    const char* at = static_cast<const char*>(memory);
    return at >= memory_ && at < memory_ + capacity_ * kRegionBytes;
  }

  // A region, aligned to its size, of zero bytes. Not when full().
  char* take();
  // Gives a region's pages back to the system; the region can be taken again.
  void give_back(char* region);

 private:
  char* memory_ = nullptr;
  size_t capacity_ = 0;
  size_t cut_ = 0;           // regions from the beginning that are accessible
  std::vector<char*> free_;  // of them, those that are not in use
};

// A region that another thread touches before a database needs it. It keeps its arena alive, so
// that the database that asked for it may end meanwhile.
class SpareRegion {
 public:
  SpareRegion() = default;
  SpareRegion(std::shared_ptr<Arena> arena, char* memory)
      : arena_(std::move(arena)), memory_(memory) {}

  explicit operator bool() const { return memory_ != nullptr; }
  char* memory() const { return memory_; }
  const Arena* arena() const { return arena_.get(); }
  // Has the system provide the pages. In any thread.
  void touch();
  void reset() { *this = SpareRegion(); }

 private:
  std::shared_ptr<Arena> arena_;
  char* memory_ = nullptr;
};

}  // namespace redoubt
