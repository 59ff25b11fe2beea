#include "engine/store/block_pool.h"

#include <cstring>

namespace redoubt {

BlockPool::BlockPool(Allocator& allocator, size_t block_bytes)
    : allocator_(&allocator), block_bytes_(block_bytes), per_chunk_(kChunkBytes / block_bytes) {
  ASSERT(block_bytes % 64 == 0 && block_bytes <= 8192);
}

BlockPool::~BlockPool() {
  ASSERT(count_ == 0 && chunks_.empty());
}

void* BlockPool::add() {
  if (count_ == chunks_.size() * per_chunk_) {
    chunks_.push_back(allocator_->regions().get(kUnits));
  }
  allocator_->count(counted_size(block_bytes_));
  return at(count_++);
}

void* BlockPool::remove(size_t index) {
  ASSERT(index < count_);
  const size_t last = --count_;
  allocator_->discount(counted_size(block_bytes_));
  void* filled = nullptr;
  if (index != last) {
    filled = at(index);
    std::memcpy(filled, at(last), block_bytes_);
  }
  if (last % per_chunk_ == 0) {
    allocator_->regions().give_back(chunks_.back(), kUnits);
    chunks_.pop_back();
  }
  return filled;
}

}  // namespace redoubt
