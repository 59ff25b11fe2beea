#include "engine/commands/strings/string_lcs.h"

#include <emmintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace redoubt {

namespace {

// Bit k is set where text[k] == byte, for 64 bytes.
uint64_t matches_of_64(const char* text, __m128i byte) {
  uint64_t bits = 0;
  for (int part = 0; part < 4; ++part) {
    const __m128i loaded = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + 16 * part));
    const uint32_t mask = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(loaded, byte)));
    bits |= uint64_t{mask} << (16 * part);
  }
  return bits;
}

uint64_t matches_of_tail(std::string_view text, char byte) {
  uint64_t bits = 0;
  for (size_t k = 0; k < text.size(); ++k) bits |= uint64_t{text[k] == byte} << k;
  return bits;
}

}  // namespace

CommonSubsequence::CommonSubsequence(std::string_view a, std::string_view b, bool only_length)
    : a_(a), b_(b), words_((b.size() + 63) / 64) {
  rows_.resize(only_length ? words_ : words_ * a.size());
  const std::vector<uint64_t> first(words_, ~uint64_t{0});
  const uint64_t* above = first.data();
  uint64_t* row = rows_.data();
  for (const char byte : a) {
    next_row(byte, above, row);
    above = row;
    if (!only_length) row += words_;
  }
  work_ = a.size() * words_;
  // The steps of the last row, without the unused bits behind the end.
  for (size_t w = 0; w < words_; ++w) {
    const size_t used = std::min<size_t>(64, b.size() - w * 64);
    const uint64_t unused = used == 64 ? 0 : ~uint64_t{0} << used;
    length_ += static_cast<size_t>(std::popcount(~(above[w] | unused)));
  }
}

// V' = (V + (V & M)) | (V & ~M), with V and M as numbers of words_ * 64 bits: the addition carries
// each step to where it comes earlier. `above` and `row` may be the same.
void CommonSubsequence::next_row(char byte, const uint64_t* above, uint64_t* row) const {
  const __m128i bytes = _mm_set1_epi8(byte);
  bool carry = false;
  for (size_t w = 0; w < words_; ++w) {
    const size_t at = w * 64;
    const uint64_t matches = b_.size() - at >= 64 ? matches_of_64(b_.data() + at, bytes)
                                                  : matches_of_tail(b_.substr(at), byte);
    const uint64_t before = above[w];
    const uint64_t taken = before & matches;
    uint64_t sum;
    const bool first_carry = __builtin_add_overflow(before, taken, &sum);
    const bool second_carry = __builtin_add_overflow(sum, uint64_t{carry}, &sum);
    carry = first_carry || second_carry;
    row[w] = sum | (before & ~matches);
  }
}

}  // namespace redoubt
