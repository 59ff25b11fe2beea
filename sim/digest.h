// The rolling digest of a run: 128 bits over every event, in order. Two runs that are the same have
// the same digest; it is no defence against an adversary.
//
// Two lanes of multiply and rotate, each fed with every other word, so that 16 bytes cost two
// independent multiplications.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "net/op.h"

namespace redoubt::sim {

class Digest {
 public:
  void add(uint64_t x, uint64_t y) {
    a_ = rotate(a_ ^ x, 29) * 0x9fb21c651e98df25;
    b_ = rotate(b_ ^ y, 31) * 0xc2b2ae3d27d4eb4f;
    a_ += b_ >> 32;
  }

  void add_bytes(Slice bytes) {
    const std::byte* at = bytes.data();
    size_t left = bytes.size();
    for (; left >= 16; left -= 16, at += 16) {
      uint64_t words[2];
      std::memcpy(words, at, 16);
      add(words[0], words[1]);
    }
    uint64_t tail[2] = {0, 0};
    if (left > 0) std::memcpy(tail, at, left);
    add(tail[0] ^ bytes.size(), tail[1]);
  }

  // 32 hexadecimal digits.
  std::string text() const {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const uint64_t word : {a_, b_}) {
      for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[(word >> shift) & 15];
    }
    return text;
  }

  bool operator==(const Digest&) const = default;

 private:
  static uint64_t rotate(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

  uint64_t a_ = 0x243f6a8885a308d3;
  uint64_t b_ = 0x13198a2e03707344;
};

}  // namespace redoubt::sim
