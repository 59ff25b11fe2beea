#include "engine/script/sha1.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace redoubt {

namespace {

constexpr size_t kBlockBytes = 64;
using Sha1State = std::array<uint32_t, 5>;

uint32_t load_big_endian(const unsigned char* from) {
  return static_cast<uint32_t>(from[0]) << 24 | static_cast<uint32_t>(from[1]) << 16 |
         static_cast<uint32_t>(from[2]) << 8 | static_cast<uint32_t>(from[3]);
}

// RFC 3174, section 6.1.
void add_block(Sha1State& state, const unsigned char* block) {
  std::array<uint32_t, 80> words;
  for (size_t t = 0; t < 16; ++t) words[t] = load_big_endian(block + 4 * t);
  for (size_t t = 16; t < 80; ++t) {
    words[t] = std::rotl(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1);
  }
  auto [a, b, c, d, e] = state;
  for (size_t t = 0; t < 80; ++t) {
    uint32_t mixed = b ^ c ^ d;
    uint32_t constant = t < 40 ? 0x6ed9eba1 : 0xca62c1d6;
    if (t < 20) {
      mixed = (b & c) | (~b & d);
      constant = 0x5a827999;
    } else if (t >= 40 && t < 60) {
      mixed = (b & c) | (b & d) | (c & d);
      constant = 0x8f1bbcdc;
    }
    const uint32_t next = std::rotl(a, 5) + mixed + e + words[t] + constant;
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e};
}

}  // namespace

std::array<char, 40> sha1_hex(std::string_view text) {
  Sha1State state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t at = 0;
  for (; at + kBlockBytes <= text.size(); at += kBlockBytes) add_block(state, bytes + at);
  // The rest, a one bit, zeros, and the length in bits: one or two blocks.
  std::array<unsigned char, 2 * kBlockBytes> tail{};
  const size_t rest = text.size() - at;
  if (rest > 0) std::memcpy(tail.data(), bytes + at, rest);
  tail[rest] = 0x80;
  const size_t tail_bytes = rest + 9 <= kBlockBytes ? kBlockBytes : 2 * kBlockBytes;
  const uint64_t bits = static_cast<uint64_t>(text.size()) * 8;
  for (size_t i = 0; i < 8; ++i) {
    tail[tail_bytes - 1 - i] = static_cast<unsigned char>(bits >> (8 * i));
  }
  add_block(state, tail.data());
  if (tail_bytes > kBlockBytes) add_block(state, tail.data() + kBlockBytes);

  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<char, 40> hex;
  for (size_t i = 0; i < hex.size(); ++i) {
    hex[i] = kDigits[state[i / 8] >> (28 - 4 * (i % 8)) & 15];
  }
  return hex;
}

}  // namespace redoubt
