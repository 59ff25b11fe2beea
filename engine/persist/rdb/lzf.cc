#include "engine/persist/rdb/lzf.h"

#include <algorithm>
#include <cstring>

namespace redoubt {

namespace {

constexpr size_t kLiteralsMax = 32;
constexpr size_t kDistanceMax = 8192;
constexpr size_t kLengthMax = 264;
constexpr size_t kTextMax = size_t{1} << 31;

uint8_t byte_of(char c) {
  return static_cast<uint8_t>(c);
}

}  // namespace

bool lzf_decompress(std::string_view compressed, char* to, size_t size) {
  const char* in = compressed.data();
  const char* const in_end = in + compressed.size();
  char* out = to;
  char* const out_end = to + size;
  while (in < in_end) {
    const uint8_t control = byte_of(*in++);
    if (control < kLiteralsMax) {
      const size_t count = size_t{control} + 1;
      if (static_cast<size_t>(in_end - in) < count || static_cast<size_t>(out_end - out) < count) {
        return false;
      }
      std::memcpy(out, in, count);
      in += count;
      out += count;
      continue;
    }
    size_t length = control >> 5;
    if (length == 7) {
      if (in == in_end) return false;
      length += byte_of(*in++);
    }
    length += 2;
    if (in == in_end) return false;
    const size_t distance = (size_t{control & 31u} << 8 | byte_of(*in++)) + 1;
    if (static_cast<size_t>(out - to) < distance || static_cast<size_t>(out_end - out) < length) {
      return false;
    }
    const char* from = out - distance;
    if (distance >= length) {
      std::memcpy(out, from, length);
      out += length;
    } else if (distance == 1) {
      std::memset(out, *from, length);
      out += length;
    } else {
      for (; length > 0; --length) *out++ = *from++;
    }
  }
  return out == out_end;
}

size_t LzfCompressor::compress(std::string_view text, char* to, size_t room) {
  if (text.size() < 4 || text.size() > kTextMax) return 0;
  if (UINT32_MAX - begin_ < text.size()) {
    seen_.fill(0);
    begin_ = 1;
  }
  const uint32_t begin = begin_;
  begin_ += static_cast<uint32_t>(text.size());
  const char* const in = text.data();
  const size_t size = text.size();
  size_t out = 0;
  size_t literals = 0;  // the last bytes of `in` that are not written yet

  const auto flush = [&](size_t end) {
    const char* from = in + end - literals;
    while (literals > 0) {
      const size_t count = std::min(literals, kLiteralsMax);
      if (room - out < count + 1) return false;
      to[out++] = static_cast<char>(count - 1);
      std::memcpy(to + out, from, count);
      out += count;
      from += count;
      literals -= count;
    }
    return true;
  };

  size_t at = 0;
  while (at + 2 < size) {
    const uint32_t three = static_cast<uint32_t>(byte_of(in[at]) << 16 | byte_of(in[at + 1]) << 8 |
                                                 byte_of(in[at + 2]));
    uint32_t& seen = seen_[three * 2654435761u >> (32 - kHashBits)];
    const uint32_t before = seen;
    seen = begin + static_cast<uint32_t>(at);
    const size_t distance = begin + at - before;
    if (before < begin || distance > kDistanceMax ||
        std::memcmp(in + at - distance, in + at, 3) != 0) {
      ++at;
      ++literals;
      // What has not become shorter so far is given up before it is as long as it was.
      if (literals > room - out) return 0;
      continue;
    }
    const size_t most = std::min(kLengthMax, size - at);
    size_t length = 3;
    while (length < most && in[at + length - distance] == in[at + length]) ++length;
    if (!flush(at)) return 0;
    const size_t code = length - 2;
    const size_t offset = distance - 1;
    if (room - out < 3) return 0;
    to[out++] = static_cast<char>(std::min<size_t>(code, 7) << 5 | offset >> 8);
    if (code >= 7) to[out++] = static_cast<char>(code - 7);
    to[out++] = static_cast<char>(offset);
    // The last place in it may begin a repetition, too.
    at += length;
    if (at + 2 < size && length > 3) {
      const size_t last = at - 1;
      const uint32_t more = static_cast<uint32_t>(
          byte_of(in[last]) << 16 | byte_of(in[last + 1]) << 8 | byte_of(in[last + 2]));
      seen_[more * 2654435761u >> (32 - kHashBits)] = begin + static_cast<uint32_t>(last);
    }
  }
  literals += size - at;
  return flush(size) ? out : 0;
}

}  // namespace redoubt
