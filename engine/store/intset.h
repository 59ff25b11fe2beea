// Intset: a sorted array of integers without repetition, in the form in which RDB holds it.
//
//   encoding  4, little-endian: bytes of an integer, 2, 4 or 8: the least in which all of them fit
//   length    4, little-endian
//   integers  ascending, little-endian
//
// A set that is asked to hold a larger number is written anew with a wider encoding; it never goes
// back. A block comes from an Allocator with its bytes as its size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "engine/store/allocator.h"

namespace redoubt {

// Functions on blocks; a block is a pointer to its first byte and belongs to whoever made it.
class Intset {
 public:
  static constexpr size_t kHeaderBytes = 8;

  static uint8_t* make(Allocator& allocator);
  // A block with the bytes of one for which validate() said yes.
  static uint8_t* make(Allocator& allocator, std::span<const uint8_t> valid);
  static void free(Allocator& allocator, uint8_t* block) { allocator.release(block, bytes(block)); }
  // Checks a block of unknown origin: sizes agree, integers ascend, and there is one.
  static bool validate(std::span<const uint8_t> bytes);

  static size_t width(const uint8_t* block) { return load<uint32_t>(block); }
  static size_t count(const uint8_t* block) { return load<uint32_t>(block + 4); }
  static size_t bytes(const uint8_t* block) { return kHeaderBytes + width(block) * count(block); }
  static size_t counted_bytes(const uint8_t* block) { return counted_size(bytes(block)); }
  static std::span<const uint8_t> span(const uint8_t* block) { return {block, bytes(block)}; }

  static int64_t at(const uint8_t* block, size_t index) {
    return value_at(block + kHeaderBytes, width(block), index);
  }
  // The index of the first integer that is not less than `value`.
  static size_t lower_bound(const uint8_t* block, int64_t value);
  static bool contains(const uint8_t* block, int64_t value) {
    const size_t index = lower_bound(block, value);
    return index < count(block) && at(block, index) == value;
  }

  // The block may move. False: it was there, or was not.
  static bool insert(Allocator& allocator, uint8_t*& block, int64_t value);
  static bool erase(Allocator& allocator, uint8_t*& block, int64_t value);

 private:
  template <typename T>
  static T load(const uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  static size_t width_for(int64_t value);
  static int64_t value_at(const uint8_t* integers, size_t width, size_t index) {
    const uint8_t* from = integers + index * width;
    if (width == 2) return load<int16_t>(from);
    return width == 4 ? load<int32_t>(from) : load<int64_t>(from);
  }
  static void set_value(uint8_t* integers, size_t width, size_t index, int64_t value) {
    std::memcpy(integers + index * width, &value, width);
  }
  static void set_header(uint8_t* block, size_t width, size_t count);
  static uint8_t* moved(Allocator& allocator, uint8_t* block, size_t width, size_t count);
  static void widen(Allocator& allocator, uint8_t*& block, size_t width);
};

}  // namespace redoubt
