// A string of bytes with its length in front, as the items of sets and hashes hold it: seven bits a
// byte, lowest first; the top bit means that another byte follows. One byte for up to 127.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace redoubt {

inline size_t short_length_bytes(size_t length) {
  size_t bytes = 1;
  for (; length > 127; length >>= 7) ++bytes;
  return bytes;
}

// Bytes that short_bytes_put() writes.
inline size_t short_bytes_size(size_t length) {
  return short_length_bytes(length) + length;
}

// Writes length and bytes; returns the end.
inline char* short_bytes_put(char* to, std::string_view bytes) {
  size_t length = bytes.size();
  for (; length > 127; length >>= 7) *to++ = static_cast<char>((length & 127) | 128);
  *to++ = static_cast<char>(length);
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

inline std::string_view short_bytes_get(const char* from) {
  size_t length = static_cast<uint8_t>(*from++);
  if (length > 127) {
    length &= 127;
    for (int shift = 7;; shift += 7) {
      const size_t byte = static_cast<uint8_t>(*from++);
      length |= (byte & 127) << shift;
      if (byte < 128) break;
    }
  }
  return {from, length};
}

}  // namespace redoubt
