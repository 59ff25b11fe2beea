#include "engine/store/digest.h"

#include <fmt/format.h>

#include "engine/store/hash.h"

namespace redoubt {

void Digest::add(std::string_view part) {
  const XXH128_hash_t h = XXH3_128bits_withSeed(part.data(), part.size(), element_low_);
  element_low_ = h.low64;
  element_high_ = h.high64 + element_high_ * 0x9e3779b97f4a7c15 + part.size();
}

void Digest::add(int64_t number) {
  char bytes[8];
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>(static_cast<uint64_t>(number) >> (8 * i));
  add(std::string_view(bytes, sizeof bytes));
}

void Digest::end_element() {
  sum_low_ += element_low_;
  sum_high_ += element_high_;
  ++count_;
  element_low_ = element_high_ = 0;
}

std::string Digest::hex() const {
  return fmt::format("{:016x}{:016x}{:08x}", sum_high_, sum_low_, count_);
}

}  // namespace redoubt
