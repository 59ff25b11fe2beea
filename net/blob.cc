#include "net/blob.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "net/large_memory.h"

namespace redoubt {

size_t counted_size(size_t size) {
  if (size <= 128) return (size + 7) & ~size_t{7};
  const size_t step = std::bit_floor(size - 1) / 8;
  return (size + step - 1) & ~(step - 1);
}

size_t Blob::footprint(size_t capacity) {
  return counted_size(capacity + sizeof(Block));
}

void Blob::reserve(size_t capacity) {
  if (block_ != nullptr && capacity <= block_->capacity) return;
  const size_t bytes = counted_size(capacity + sizeof(Block));
  const size_t old_size = size();
  block_ = static_cast<Block*>(grown(bytes));
  block_->size = old_size;
  block_->capacity = bytes - sizeof(Block);
}

// Memory of so many bytes with what the block holds, which is gone.
void* Blob::grown(size_t bytes) {
  const size_t old_bytes = footprint();
  if (old_bytes >= kLargeMemory) return grow_large(block_, old_bytes, bytes);
  if (bytes < kLargeMemory) {
    void* const memory = std::realloc(block_, bytes);
    ASSERT(memory != nullptr);
    return memory;
  }
  void* const memory = map_large(bytes);
  if (block_ != nullptr) std::memcpy(memory, block_, old_bytes);
  std::free(block_);
  return memory;
}

void Blob::reset() {
  const size_t bytes = footprint();
  if (bytes >= kLargeMemory) {
    unmap_large(block_, bytes);
  } else {
    std::free(block_);
  }
  block_ = nullptr;
}

}  // namespace redoubt
