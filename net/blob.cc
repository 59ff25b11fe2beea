#include "net/blob.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

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
  // realloc moves the pages of a large block instead of copying them.
  void* grown = std::realloc(block_, bytes);
  ASSERT(grown != nullptr);
  block_ = static_cast<Block*>(grown);
  block_->size = old_size;
  block_->capacity = bytes - sizeof(Block);
}

void Blob::reset() {
  std::free(block_);
  block_ = nullptr;
}

}  // namespace redoubt
