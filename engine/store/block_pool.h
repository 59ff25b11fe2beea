// BlockPool: movable blocks of one size, without holes.
//
// The segments of a dict change their size often, and all in the same phase of growth: from slabs,
// one size would drain at random places and leave most of its memory nearly empty. But only the
// directory points to a segment, so it can be moved: a block that is freed is filled with the last
// one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/store/allocator.h"

namespace redoubt {

class BlockPool {
 public:
  // Blocks of `block_bytes`, a multiple of 64 up to 8192, aligned to 64. The allocator provides
  // memory and counts it; it outlives the pool.
  BlockPool(Allocator& allocator, size_t block_bytes);
  BlockPool(BlockPool&& other) noexcept = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  size_t count() const { return count_; }
  // Adds a block behind the last; its index is count() - 1 then. Not initialised.
  void* add();
  // Removes a block. The last one moves to its place and gets its index; returns where it is now,
  // null when the removed block was the last.
  void* remove(size_t index);

 private:
  static constexpr size_t kUnits = 4;
  static constexpr size_t kChunkBytes = kUnits * Regions::kUnitBytes;

  void* at(size_t index) const {
    return static_cast<char*>(chunks_[index / per_chunk_].memory) +
           index % per_chunk_ * block_bytes_;
  }

  Allocator* allocator_;
  size_t block_bytes_;
  size_t per_chunk_;
  size_t count_ = 0;
  std::vector<Regions::Unit> chunks_;
};

}  // namespace redoubt
