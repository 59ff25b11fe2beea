// Numbers as text, in the forms that clients send and read. No locale, no exceptions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/double_text.h"

namespace redoubt {

// An integer in its one canonical form: "0", "-12"; no spaces, plus sign or leading zeros.
std::optional<int64_t> parse_integer(std::string_view text);
std::optional<uint64_t> parse_unsigned(std::string_view text);

// A decimal or exponent number, "inf", "+inf", "-inf", "infinity" in any case, hexadecimal too; the
// whole text. Not a number ("nan"), empty text and spaces are refused.
std::optional<double> parse_double(std::string_view text);
// The same as strtod() of C accepts it, for the bounds of ranges: white space in front, text that
// ends at a zero byte, no text at all (0), numbers beyond the range (infinite, or 0).
std::optional<double> parse_double_leniently(std::string_view text);
// The same as parse_double with the precision of long double, for INCRBYFLOAT.
std::optional<long double> parse_long_double(std::string_view text);

// The digits of an integer in a buffer of its own.
class IntegerText {
 public:
  explicit IntegerText(int64_t value);
  std::string_view view() const { return {text_.data() + start_, text_.size() - start_}; }

 private:
  std::array<char, 20> text_;
  size_t start_;
};

// A long double with up to 17 digits behind the point, trailing zeros removed ("human friendly"),
// as INCRBYFLOAT stores it.
class LongDoubleText {
 public:
  explicit LongDoubleText(long double value);
  std::string_view view() const { return {text_.data(), size_}; }

 private:
  // 4933 digits in front of the point at most, 17 behind it.
  std::array<char, 5120> text_;
  size_t size_;
};

// A finite number with exactly so many digits behind the point, at most 17: "0.50".
class FixedText {
 public:
  FixedText(double value, int decimals);
  std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, 352> text_;
  size_t size_;
};

}  // namespace redoubt
