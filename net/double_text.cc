#include "net/double_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace redoubt {

namespace {

char* put(char* to, std::string_view text) {
  return std::copy(text.begin(), text.end(), to);
}

// A number as digits * 10^exponent.
struct Decimal {
  std::array<char, 24> digits;
  int count = 0;
  int exponent = 0;

  std::string_view view() const { return {digits.data(), static_cast<size_t>(count)}; }
};

Decimal shortest(double magnitude) {
  std::array<char, 40> text;
  const char* end = std::to_chars(text.data(), text.data() + text.size(), magnitude,
                                  std::chars_format::scientific)
                        .ptr;
  Decimal decimal;
  const char* at = text.data();
  for (; *at != 'e'; ++at) {
    if (*at != '.') decimal.digits[static_cast<size_t>(decimal.count++)] = *at;
  }
  const bool negative = at[1] == '-';
  int exponent = 0;
  std::from_chars(at + 2, end, exponent);
  decimal.exponent = (negative ? -exponent : exponent) - (decimal.count - 1);
  return decimal;
}

char* put_scientific(char* to, const Decimal& decimal) {
  *to++ = decimal.digits[0];
  if (decimal.count > 1) {
    *to++ = '.';
    to = put(to, decimal.view().substr(1));
  }
  const int exponent = decimal.exponent + decimal.count - 1;
  *to++ = 'e';
  *to++ = exponent < 0 ? '-' : '+';
  return std::to_chars(to, to + 4, std::abs(exponent)).ptr;
}

char* put_decimal(char* to, const Decimal& decimal) {
  const std::string_view digits = decimal.view();
  const int exponent = decimal.exponent;
  const int magnitude = std::abs(exponent + decimal.count - 1);
  if (exponent >= 0 && magnitude < decimal.count + 7) {
    to = put(to, digits);
    return std::fill_n(to, exponent, '0');
  }
  if (exponent >= 0 || (exponent <= -7 && magnitude >= 4)) return put_scientific(to, decimal);
  const int whole = decimal.count + exponent;  // digits in front of the point
  if (whole <= 0) {
    to = put(to, "0.");
    to = std::fill_n(to, -whole, '0');
    return put(to, digits);
  }
  to = put(to, digits.substr(0, static_cast<size_t>(whole)));
  *to++ = '.';
  return put(to, digits.substr(static_cast<size_t>(whole)));
}

}  // namespace

DoubleText::DoubleText(double value) {
  constexpr double kIntegersBelow = 4503599627370496.0;  // 2^52
  char* to = text_.data();
  if (std::isnan(value)) {
    to = put(to, "nan");
  } else if (std::isinf(value)) {
    to = put(to, value > 0 ? "inf" : "-inf");
  } else if (value == 0) {
    to = put(to, std::signbit(value) ? "-0" : "0");
  } else if (std::fabs(value) < kIntegersBelow && value == std::trunc(value)) {
    to = std::to_chars(to, to + 24, static_cast<int64_t>(value)).ptr;
  } else {
    if (value < 0) *to++ = '-';
    to = put_decimal(to, shortest(std::fabs(value)));
  }
  size_ = static_cast<size_t>(to - text_.data());
}

}  // namespace redoubt
