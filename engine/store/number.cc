#include "engine/store/number.h"

#include <fast_float/fast_float.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "net/assert.h"

namespace redoubt {

namespace {

// A long double written out has up to 4,950 characters.
constexpr size_t kLongestNumber = 5000;

bool canonical(std::string_view digits) {
  return !digits.empty() && (digits[0] != '0' || digits.size() == 1) && digits[0] >= '0' &&
         digits[0] <= '9';
}

bool equal_ignoring_case(std::string_view a, std::string_view lower) {
  if (a.size() != lower.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] + 32) : a[i];
    if (c != lower[i]) return false;
  }
  return true;
}

// The part for both precisions: sign, infinity, hexadecimal. Returns the magnitude's text.
template <typename Float>
std::optional<Float> parse_float(std::string_view text) {
  if (text.empty() || text.size() > kLongestNumber) return std::nullopt;
  const bool negative = text[0] == '-';
  std::string_view rest = text;
  if (text[0] == '-' || text[0] == '+') rest.remove_prefix(1);
  if (rest.empty() || rest[0] == '-' || rest[0] == '+') return std::nullopt;
  Float value;
  if (equal_ignoring_case(rest, "inf") || equal_ignoring_case(rest, "infinity")) {
    value = std::numeric_limits<Float>::infinity();
  } else {
    const bool hexadecimal =
        rest.size() > 2 && rest[0] == '0' && (rest[1] == 'x' || rest[1] == 'X');
    if (hexadecimal) rest.remove_prefix(2);
    // libstdc++ 12 looks for the end of the digits behind the end of its argument, so it gets text
    // that ends by itself.
    std::array<char, kLongestNumber + 1> copy;
    *std::copy(rest.begin(), rest.end(), copy.begin()) = '\0';
    const char* end = copy.data() + rest.size();
    const auto format = hexadecimal ? std::chars_format::hex : std::chars_format::general;
    const auto [stop, error] = std::from_chars(copy.data(), end, value, format);
    if (error != std::errc() || stop != end || std::isnan(value)) return std::nullopt;
  }
  return negative ? -value : value;
}

// A decimal number whose digits are all 0.
bool is_zero(std::string_view text) {
  for (const char c : text) {
    if (c == 'e' || c == 'E') break;
    if (c >= '1' && c <= '9') return false;
  }
  return true;
}

size_t copy_text(char* to, std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) to[i] = text[i];
  return text.size();
}

}  // namespace

std::optional<int64_t> parse_integer(std::string_view text) {
  std::string_view digits = text;
  if (!digits.empty() && digits[0] == '-') digits.remove_prefix(1);
  if (!canonical(digits) || (digits == "0" && digits.size() != text.size())) return std::nullopt;
  int64_t value;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<uint64_t> parse_unsigned(std::string_view text) {
  if (!canonical(text)) return std::nullopt;
  uint64_t value;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<double> parse_double(std::string_view text) {
  // The common case is plain decimal, which fast_float reads several times quicker.
  double value;
  const char* end = text.data() + text.size();
  const auto [stop, error] = fast_float::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end && std::isfinite(value)) {
    if (value == 0 && !is_zero(text)) return std::nullopt;  // too small
    return value;
  }
  return parse_float<double>(text);
}

std::optional<double> parse_double_leniently(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  if (text.empty()) return 0.0;
  while (!text.empty() && (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r'))) {
    text.remove_prefix(1);
  }
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  if (digits.empty() || digits[0] == '+' || (digits[0] == '-' && digits.size() != text.size())) {
    return std::nullopt;
  }
  double value;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = fast_float::from_chars(digits.data(), end, value);
  if (stop == end && !std::isnan(value)) return value;
  return parse_float<double>(text);
}

std::optional<long double> parse_long_double(std::string_view text) {
  return parse_float<long double>(text);
}

IntegerText::IntegerText(int64_t value) : start_(sizeof text_) {
  uint64_t rest = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  do {
    text_[--start_] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (value < 0) text_[--start_] = '-';
}

LongDoubleText::LongDoubleText(long double value) {
  const auto result =
      std::to_chars(text_.data(), text_.data() + text_.size(), value, std::chars_format::fixed, 17);
  std::string_view text(text_.data(), static_cast<size_t>(result.ptr - text_.data()));
  if (text.find('.') != std::string_view::npos) {
    while (text.back() == '0') text.remove_suffix(1);
    if (text.back() == '.') text.remove_suffix(1);
  }
  size_ = text == "-0" ? copy_text(text_.data(), "0") : text.size();
}

FixedText::FixedText(double value, int decimals) {
  const auto result =
      std::to_chars(text_.data(), text_.data() + text_.size(), static_cast<long double>(value),
                    std::chars_format::fixed, decimals);
  ASSERT(result.ec == std::errc());
  size_ = static_cast<size_t>(result.ptr - text_.data());
}

}  // namespace redoubt
