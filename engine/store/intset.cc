#include "engine/store/intset.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace redoubt {

static_assert(std::endian::native == std::endian::little);

size_t Intset::width_for(int64_t value) {
  if (value >= std::numeric_limits<int16_t>::min() && value <= std::numeric_limits<int16_t>::max())
    return 2;
  if (value >= std::numeric_limits<int32_t>::min() && value <= std::numeric_limits<int32_t>::max())
    return 4;
  return 8;
}

void Intset::set_header(uint8_t* block, size_t width, size_t count) {
  const uint32_t header[2] = {static_cast<uint32_t>(width), static_cast<uint32_t>(count)};
  std::memcpy(block, header, sizeof header);
}

uint8_t* Intset::make(Allocator& allocator) {
  uint8_t* block = static_cast<uint8_t*>(allocator.allocate(kHeaderBytes));
  set_header(block, 2, 0);
  return block;
}

uint8_t* Intset::make(Allocator& allocator, std::span<const uint8_t> valid) {
  uint8_t* block = static_cast<uint8_t*>(allocator.allocate(valid.size()));
  std::memcpy(block, valid.data(), valid.size());
  return block;
}

bool Intset::validate(std::span<const uint8_t> bytes) {
  if (bytes.size() < kHeaderBytes) return false;
  const size_t integer = width(bytes.data());
  const size_t length = count(bytes.data());
  if (integer != 2 && integer != 4 && integer != 8) return false;
  if (length == 0 || bytes.size() != kHeaderBytes + length * integer) return false;
  for (size_t i = 1; i < length; ++i) {
    if (at(bytes.data(), i - 1) >= at(bytes.data(), i)) return false;
  }
  return true;
}

size_t Intset::lower_bound(const uint8_t* block, int64_t value) {
  const size_t integer = width(block);
  const uint8_t* integers = block + kHeaderBytes;
  size_t first = 0;
  for (size_t length = count(block); length > 0;) {
    const size_t half = length / 2;
    if (value_at(integers, integer, first + half) < value) {
      first += half + 1;
      length -= half + 1;
    } else {
      length = half;
    }
  }
  return first;
}

// The block in memory for so many integers; those that fit are kept.
uint8_t* Intset::moved(Allocator& allocator, uint8_t* block, size_t width, size_t count) {
  const size_t before = bytes(block);
  const size_t after = kHeaderBytes + width * count;
  uint8_t* to = block;
  if (counted_size(before) != counted_size(after)) {
    to = static_cast<uint8_t*>(allocator.allocate(after));
    std::memcpy(to, block, std::min(before, after));
    allocator.release(block, before);
  }
  set_header(to, width, count);
  return to;
}

void Intset::widen(Allocator& allocator, uint8_t*& block, size_t width) {
  const size_t length = count(block);
  uint8_t* to = static_cast<uint8_t*>(allocator.allocate(kHeaderBytes + width * length));
  set_header(to, width, length);
  for (size_t i = 0; i < length; ++i) set_value(to + kHeaderBytes, width, i, at(block, i));
  free(allocator, block);
  block = to;
}

bool Intset::insert(Allocator& allocator, uint8_t*& block, int64_t value) {
  const size_t needed = width_for(value);
  if (needed > width(block)) widen(allocator, block, needed);
  const size_t index = lower_bound(block, value);
  const size_t length = count(block);
  if (index < length && at(block, index) == value) return false;
  const size_t integer = width(block);
  block = moved(allocator, block, integer, length + 1);
  uint8_t* integers = block + kHeaderBytes;
  std::memmove(integers + (index + 1) * integer, integers + index * integer,
               (length - index) * integer);
  set_value(integers, integer, index, value);
  return true;
}

bool Intset::erase(Allocator& allocator, uint8_t*& block, int64_t value) {
  const size_t index = lower_bound(block, value);
  const size_t length = count(block);
  if (index == length || at(block, index) != value) return false;
  const size_t integer = width(block);
  uint8_t* integers = block + kHeaderBytes;
  std::memmove(integers + index * integer, integers + (index + 1) * integer,
               (length - index - 1) * integer);
  block = moved(allocator, block, integer, length - 1);
  return true;
}

}  // namespace redoubt
