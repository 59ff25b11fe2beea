// A double as the shortest text that reads back as the same number, laid out as Redis 7.2 does:
//
//   integers below 2^52 in full; others in full while that takes fewer than 7 zeros at the end;
//   fractions with up to 6 digits behind the point, or not below 0.001, without an exponent;
//   the rest as 1.5e+21, 1e-7; inf, -inf, nan, -0
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace redoubt {

class DoubleText {
 public:
  explicit DoubleText(double value);
  std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, 40> text_;
  size_t size_;
};

}  // namespace redoubt
