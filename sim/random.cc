#include "sim/random.h"

#include <bit>
#include <cstring>

#include "net/assert.h"

namespace redoubt::sim {

namespace {

__extension__ using Wide = unsigned __int128;

uint64_t hash_name(uint64_t seed, std::string_view name, uint64_t index) {
  uint64_t hash = mix64(seed);
  for (const char c : name) hash = mix64(hash ^ static_cast<unsigned char>(c));
  return mix64(hash ^ index);
}

}  // namespace

uint64_t mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) {
    seed = mix64(seed);
    word = seed;
  }
}

Random::Random(uint64_t seed, std::string_view name, uint64_t index)
    : Random(hash_name(seed, name, index)) {}

uint64_t Random::below(uint64_t bound) {
  ASSERT(bound > 0);
  // Lemire's method: the high half of a product, rejecting the few that would be favoured.
  Wide product = static_cast<Wide>(next()) * bound;
  if (static_cast<uint64_t>(product) < bound) {
    const uint64_t threshold = (0 - bound) % bound;
    while (static_cast<uint64_t>(product) < threshold) {
      product = static_cast<Wide>(next()) * bound;
    }
  }
  return static_cast<uint64_t>(product >> 64);
}

int64_t Random::between(int64_t low, int64_t high) {
  ASSERT(low <= high);
  const uint64_t count = static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1;
  const uint64_t offset = count == 0 ? next() : below(count);
  return static_cast<int64_t>(static_cast<uint64_t>(low) + offset);
}

int64_t Random::between_log(int64_t low, int64_t high) {
  ASSERT(1 <= low && low <= high);
  // A power of two between the two first, then a place between it and its double.
  const auto low_bits = static_cast<int64_t>(std::bit_width(static_cast<uint64_t>(low)));
  const auto high_bits = static_cast<int64_t>(std::bit_width(static_cast<uint64_t>(high)));
  const int64_t bits = between(low_bits, high_bits);
  const int64_t from = int64_t{1} << (bits - 1);
  const int64_t value = between(from, from - 1 + from);
  return value < low ? low : value > high ? high : value;
}

int64_t Random::exponential(int64_t mean) {
  ASSERT(mean >= 0);
  constexpr int kFractionBits = 20;
  const uint64_t x = next() | 1;
  const int zeros = std::countl_zero(x);
  // -log2 of x as a fraction of 2^64: the leading zeros, and between them linear.
  const uint64_t mantissa = zeros == 63 ? 0 : (x << (zeros + 1)) >> (64 - kFractionBits);
  const uint64_t bits =
      (static_cast<uint64_t>(zeros) << kFractionBits) + (uint64_t{1} << kFractionBits) - mantissa;
  const Wide scaled = (static_cast<Wide>(mean) * bits) >> kFractionBits;
  return static_cast<int64_t>(static_cast<uint64_t>(scaled * 710 / 1024));  // ln 2
}

void Random::fill(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const uint64_t word = next();
    const size_t size = bytes.size() < sizeof word ? bytes.size() : sizeof word;
    std::memcpy(bytes.data(), &word, size);
    bytes = bytes.subspan(size);
  }
}

}  // namespace redoubt::sim
