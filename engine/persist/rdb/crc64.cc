#include "engine/persist/rdb/crc64.h"

#include <wmmintrin.h>

#include <array>
#include <bit>
#include <cstring>

namespace redoubt {

namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kPolynomial = 0x95AC9329AC4BC9B5;  // 0xAD93D23594C935A9 with its bits reversed
constexpr size_t kSlices = 16;

// tables[k][b] is the checksum of byte b with k zero bytes behind it.
constexpr auto kTables = [] {
  std::array<std::array<uint64_t, 256>, kSlices> tables{};
  for (uint64_t byte = 0; byte < 256; ++byte) {
    uint64_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < kSlices; ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint64_t crc = tables[k - 1][byte];
      tables[k][byte] = tables[0][crc & 255] ^ (crc >> 8);
    }
  }
  return tables;
}();

uint64_t load(const char* from) {
  uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// The product of two polynomials, modulo ours. The top bit is the coefficient of x^0.
uint64_t multiplied(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  for (uint64_t bit = uint64_t{1} << 63; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = (b >> 1) ^ ((b & 1) != 0 ? kPolynomial : 0);
  }
  return product;
}

// The checksum of bytes one after the other, by tables.
uint64_t by_tables(uint64_t crc, std::string_view bytes) {
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= kSlices; left -= kSlices, at += kSlices) {
    const uint64_t low = load(at) ^ crc;
    const uint64_t high = load(at + 8);
    uint64_t next = 0;
    for (size_t i = 0; i < 8; ++i) {
      next ^= kTables[kSlices - 1 - i][low >> (8 * i) & 255];
      next ^= kTables[kSlices - 9 - i][high >> (8 * i) & 255];
    }
    crc = next;
  }
  for (; left > 0; --left, ++at) {
    crc = kTables[0][(crc ^ static_cast<uint8_t>(*at)) & 255] ^ (crc >> 8);
  }
  return crc;
}

// --- by multiplication without carry
//
// 16 bytes are a polynomial L(x) x^64 + H(x). With d more bits behind them, they count as
// L x^(64+d) + H x^d, which is as good as L (x^(64+d) mod P) + H (x^d mod P): two products of 128
// bits, which are added to the 16 bytes that stand d bits behind. What is left in the end, 16 bytes
// with the same checksum, goes by tables. The product of two reflected words is reflected too, but
// one bit too low, hence the 1 that is taken off the powers.

constexpr uint64_t power_of_x(int exponent) {
  uint64_t power = uint64_t{1} << 63;
  for (; exponent > 0; --exponent) power = (power >> 1) ^ ((power & 1) != 0 ? kPolynomial : 0);
  return power;
}

constexpr size_t kLane = 16;
constexpr size_t kLanes = 4;  // as many products are under way at once
constexpr size_t kFoldedMin = 2 * kLane * kLanes;

template <size_t kDistance>
__attribute__((target("pclmul"))) __m128i folded(__m128i bytes, __m128i behind) {
  constexpr int kBits = 8 * static_cast<int>(kDistance);
  const __m128i powers = _mm_set_epi64x(static_cast<int64_t>(power_of_x(kBits - 1)),
                                        static_cast<int64_t>(power_of_x(kBits + 64 - 1)));
  const __m128i low = _mm_clmulepi64_si128(bytes, powers, 0x00);
  const __m128i high = _mm_clmulepi64_si128(bytes, powers, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), behind);
}

__m128i lane(const char* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

// At least kFoldedMin bytes.
__attribute__((target("pclmul"))) uint64_t by_folding(uint64_t crc, std::string_view bytes) {
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  __m128i lanes[kLanes];
  for (__m128i& each : lanes) {
    each = lane(at);
    at += kLane;
  }
  lanes[0] = _mm_xor_si128(lanes[0], _mm_set_epi64x(0, static_cast<int64_t>(crc)));
  for (; static_cast<size_t>(end - at) >= kLane * kLanes; at += kLane * kLanes) {
    for (size_t i = 0; i < kLanes; ++i) {
      lanes[i] = folded<kLane * kLanes>(lanes[i], lane(at + i * kLane));
    }
  }
  __m128i one = lanes[0];
  for (size_t i = 1; i < kLanes; ++i) one = folded<kLane>(one, lanes[i]);
  for (; static_cast<size_t>(end - at) >= kLane; at += kLane) one = folded<kLane>(one, lane(at));
  char rest[kLane];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), one);
  crc = by_tables(0, {rest, sizeof rest});
  return by_tables(crc, {at, static_cast<size_t>(end - at)});
}

}  // namespace

uint64_t crc64(uint64_t crc, std::string_view bytes) {
  const bool folds = __builtin_cpu_supports("pclmul") != 0;
  return folds && bytes.size() >= kFoldedMin ? by_folding(crc, bytes) : by_tables(crc, bytes);
}

uint64_t crc64_combine(uint64_t first, uint64_t second, uint64_t second_bytes) {
  uint64_t power = uint64_t{1} << 55;  // x^8: a zero byte
  for (; second_bytes != 0; second_bytes >>= 1) {
    if ((second_bytes & 1) != 0) first = multiplied(power, first);
    power = multiplied(power, power);
  }
  return first ^ second;
}

}  // namespace redoubt
