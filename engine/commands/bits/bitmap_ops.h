// Work on long runs of bits, a word or more at a time. Bits are numbered as Redis numbers them: bit
// 0 is the most significant one of the first byte.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace redoubt {

// The set bits of all bytes.
uint64_t count_bits(std::string_view bytes);
// The set bits from bit `first` to bit `last`, both included, both within the bytes.
uint64_t count_bits_between(std::string_view bytes, uint64_t first, uint64_t last);

// The first bit from `first` to `last`, both included, that has this value.
std::optional<uint64_t> find_bit(std::string_view bytes, uint64_t first, uint64_t last, bool value);

enum class BitOperation : uint8_t {
  and_all,
  or_all,
  xor_all,
  invert,  // NOT: of one source
  diff,    // in the first source and in none of the others
  diff1,   // not in the first source, and in one of the others at least
  and_or,  // in the first source and in one of the others at least
  one,     // in exactly one source
};

// Combines the sources into `to`, which is as long as the longest of them; shorter ones are
// followed by zero bits. At least one source; invert takes one.
void combine_bits(BitOperation operation, std::span<const std::string_view> sources,
                  std::span<char> to);

}  // namespace redoubt
