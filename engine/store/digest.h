// A digest of data that does not depend on the order in which a dict holds it: each entry is hashed
// on its own (XXH3, 128 bits), and the hashes are added up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace redoubt {

class Digest {
 public:
  // Extends the current element. Parts are length-prefixed, so that they cannot run into each
  // other.
  void add(std::string_view part);
  void add(int64_t number);
  // Ends the current element and adds its hash to the sum.
  void end_element();

  // 40 hexadecimal digits; all zero when there was no element.
  std::string hex() const;
  bool operator==(const Digest&) const = default;

 private:
  uint64_t element_low_ = 0;
  uint64_t element_high_ = 0;
  uint64_t sum_low_ = 0;
  uint64_t sum_high_ = 0;
  uint32_t count_ = 0;
};

}  // namespace redoubt
