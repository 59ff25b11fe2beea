#include "sim/history/arena.h"

#include "net/assert.h"

namespace redoubt::sim {

char* Arena::add(size_t size, Position* position) {
  const size_t rounded = (size + kWord - 1) / kWord * kWord;
  if (rounded > kBlockBytes - used_) add_blocks((rounded + kBlockBytes - 1) / kBlockBytes);
  // After add_blocks(), `used_` is 0 and the last block is the first new one, or there are several.
  const size_t blocks_taken = rounded > kBlockBytes ? (rounded - 1) / kBlockBytes : 0;
  const size_t block = blocks_.size() - 1 - blocks_taken;
  *position = static_cast<Position>(block * kBlockWords + used_ / kWord);
  char* const place = blocks_[block] + used_;
  used_ = blocks_taken > 0 ? rounded - blocks_taken * kBlockBytes : used_ + rounded;
  return place;
}

void Arena::add_blocks(size_t count) {
  ASSERT(count > 0 && blocks_.size() + count <= UINT32_MAX / kBlockWords);
  owned_.push_back(std::make_unique_for_overwrite<char[]>(count * kBlockBytes));
  for (size_t i = 0; i < count; ++i) blocks_.push_back(owned_.back().get() + i * kBlockBytes);
  memory_bytes_ += count * kBlockBytes;
  used_ = 0;
}

}  // namespace redoubt::sim
