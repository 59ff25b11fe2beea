// Blob: a growable byte string with one owner, which can change hands without being copied. A large
// argument is received into a Blob, and the Blob then becomes the value.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "net/assert.h"

namespace redoubt {

class Blob {
 public:
  Blob() = default;
  Blob(Blob&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Blob& operator=(Blob&& other) noexcept {
    if (this != &other) {
      reset();
      block_ = std::exchange(other.block_, nullptr);
    }
    return *this;
  }
  ~Blob() { reset(); }

  explicit operator bool() const { return block_ != nullptr; }
  size_t size() const { return block_ == nullptr ? 0 : block_->size; }
  size_t capacity() const { return block_ == nullptr ? 0 : block_->capacity; }
  char* data() { return block_ == nullptr ? nullptr : reinterpret_cast<char*>(block_ + 1); }
  const char* data() const {
    return block_ == nullptr ? nullptr : reinterpret_cast<const char*>(block_ + 1);
  }
  std::string_view view() const { return {data(), size()}; }

  // Makes room for at least `capacity` bytes in all. The contents stay; the address may change.
  // What is large is not copied.
  void reserve(size_t capacity);
  // Changes the size within the capacity. New bytes are not initialised.
  void set_size(size_t size) {
    ASSERT(block_ != nullptr && size <= block_->capacity);
    block_->size = size;
  }
  void reset();

  // The bytes that a Blob of this capacity takes, as we count memory.
  static size_t footprint(size_t capacity);
  size_t footprint() const { return block_ == nullptr ? 0 : footprint(block_->capacity); }

  // For an owner that keeps a bare pointer: an entry of the store.
  void* release() { return std::exchange(block_, nullptr); }
  static Blob adopt(void* block) {
    Blob blob;
    blob.block_ = static_cast<Block*>(block);
    return blob;
  }
  static size_t footprint_of(const void* block) {
    return footprint(static_cast<const Block*>(block)->capacity);
  }
  static std::string_view view_of(const void* block) {
    const Block* b = static_cast<const Block*>(block);
    return {reinterpret_cast<const char*>(b + 1), b->size};
  }

 private:
  struct Block {
    size_t size;
    size_t capacity;
  };

  void* grown(size_t bytes);

  Block* block_ = nullptr;
};

// The size that an allocation of `size` bytes is counted as: fixed classes (multiples of 8 up to
// 128, then eight steps a doubling), the same in both worlds and with any allocator.
size_t counted_size(size_t size);

}  // namespace redoubt
