// The bytes of a listpack (listpack.h):
//
//   total bytes   4, little-endian, with this header and the end
//   count         2, little-endian; 65535: not known, walk to find out
//   elements
//   0xFF          the end
//
// An element is an encoding with its data, then the length of both as a number that is read
// backwards: seven bits a byte, the last byte holds the lowest, and the top bit says that another
// byte stands in front.
//
//   0xxxxxxx            an integer from 0 to 127
//   10nnnnnn            a string of up to 63 bytes
//   110xxxxx +1         an integer of 13 bits, two's complement, high byte first
//   1110nnnn +1         a string of up to 4095 bytes, high byte first
//   0xF0 +4             a string of any length, which is little-endian like all that follows
//   0xF1 0xF2 0xF3 0xF4 an integer of 16, 24, 32, 64 bits
//
// A string that is an integer in canonical form is stored as an integer. A block of another program
// may hold such a string as text, or a small integer in a large encoding; readers compare values,
// not encodings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "net/assert.h"

namespace redoubt::listpack_format {

inline constexpr size_t kHeaderBytes = 6;
inline constexpr uint8_t kEnd = 0xFF;
inline constexpr uint16_t kUnknownCount = UINT16_MAX;
enum : uint8_t { kText32 = 0xF0, kInt16 = 0xF1, kInt24 = 0xF2, kInt32 = 0xF3, kInt64 = 0xF4 };

template <typename T>
T load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <typename T>
void store(uint8_t* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

// Bytes of an element without the length behind it.
inline size_t head_and_data(const uint8_t* at) {
  const uint8_t head = *at;
  if (head < 0x80) return 1;
  if (head < 0xC0) return 1 + size_t{head & 0x3Fu};
  if (head < 0xE0) return 2;
  if (head < 0xF0) return 2 + (size_t{head & 0x0Fu} << 8 | at[1]);
  switch (head) {
    case kText32: return 5 + size_t{load<uint32_t>(at + 1)};
    case kInt16: return 3;
    case kInt24: return 4;
    case kInt32: return 5;
    default: break;
  }
  ASSERT(head == kInt64);
  return 9;
}

// Bytes that the length itself takes. The limits are one lower than they could be from the second
// on: that is the format.
inline size_t length_bytes(size_t length) {
  if (length <= 127) return 1;
  if (length < 16383) return 2;
  if (length < 2097151) return 3;
  return length < 268435455 ? 4 : 5;
}

// Bytes of an element with the length behind it.
inline size_t whole(const uint8_t* at) {
  const size_t size = head_and_data(at);
  return size + length_bytes(size);
}

}  // namespace redoubt::listpack_format
