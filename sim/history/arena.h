// Bytes that are kept until the end, in blocks that never move, named by 32-bit positions.
//
// A position counts words of four bytes over all blocks together. Pieces begin at words, so that
// 16 GB can be named. A piece that is longer than a block gets several block numbers, which all
// lie in one allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace redoubt::sim {

class Arena {
 public:
  using Position = uint32_t;

  // Room for `size` bytes, aligned to four. The address holds as long as this object.
  char* add(size_t size, Position* position);

  const char* at(Position position) const {
    return blocks_[position / kBlockWords] + size_t{position % kBlockWords} * kWord;
  }

  // What was taken from the system.
  size_t memory_bytes() const { return memory_bytes_; }

 private:
  static constexpr size_t kWord = 4;
  static constexpr uint32_t kBlockWords = 65'536;
  static constexpr size_t kBlockBytes = kWord * kBlockWords;

  void add_blocks(size_t count);

  std::vector<char*> blocks_;
  std::vector<std::unique_ptr<char[]>> owned_;
  size_t used_ = kBlockBytes;  // bytes of the last block
  size_t memory_bytes_ = 0;
};

}  // namespace redoubt::sim
