#include "engine/persist/rdb/crc64.h"

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

}  // namespace

uint64_t crc64(uint64_t crc, std::string_view bytes) {
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

uint64_t crc64_combine(uint64_t first, uint64_t second, uint64_t second_bytes) {
  uint64_t power = uint64_t{1} << 55;  // x^8: a zero byte
  for (; second_bytes != 0; second_bytes >>= 1) {
    if ((second_bytes & 1) != 0) first = multiplied(power, first);
    power = multiplied(power, power);
  }
  return first ^ second;
}

}  // namespace redoubt
