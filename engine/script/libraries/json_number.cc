#include "engine/script/libraries/json_number.h"

#include <fast_float/fast_float.h>

#include <charconv>
#include <cmath>
#include <limits>

namespace redoubt {

namespace {

bool is_decimal(char c) {
  return c >= '0' && c <= '9';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

bool is_hexadecimal(char c) {
  return is_decimal(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

bool begins_with_word(std::string_view text, std::string_view word) {
  if (text.size() < word.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if (lower(text[i]) != word[i]) return false;
  }
  return true;
}

bool begins_with_digit(std::string_view text, bool (*is_digit)(char)) {
  if (text.starts_with('.')) text.remove_prefix(1);
  return !text.empty() && is_digit(text[0]);
}

// After "nan", letters and digits in parentheses belong to it.
size_t nan_size(std::string_view text) {
  constexpr size_t kWord = 3;
  if (text.size() == kWord || text[kWord] != '(') return kWord;
  for (size_t i = kWord + 1; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ')') return i + 1;
    if (!is_decimal(c) && c != '_' && !(lower(c) >= 'a' && lower(c) <= 'z')) break;
  }
  return kWord;
}

// Digits after "0x", with an exponent of two. from_chars tells that a number is too large or too
// small, but not which.
size_t read_hexadecimal(std::string_view text, double& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::hex);
  const auto size = static_cast<size_t>(stop - text.data());
  if (error == std::errc::result_out_of_range) {
    const bool small = text.substr(0, size).find('-') != std::string_view::npos;
    value = small ? 0 : std::numeric_limits<double>::infinity();
  }
  return size;
}

size_t read_magnitude(std::string_view text, double& value) {
  if (begins_with_word(text, "infinity") || begins_with_word(text, "inf")) {
    value = std::numeric_limits<double>::infinity();
    return begins_with_word(text, "infinity") ? 8 : 3;
  }
  if (begins_with_word(text, "nan")) {
    value = std::numeric_limits<double>::quiet_NaN();
    return nan_size(text);
  }
  if (begins_with_word(text, "0x") && begins_with_digit(text.substr(2), is_hexadecimal)) {
    return 2 + read_hexadecimal(text.substr(2), value);
  }
  if (!begins_with_digit(text, is_decimal)) return 0;
  const auto result = fast_float::from_chars(text.data(), text.data() + text.size(), value);
  return static_cast<size_t>(result.ptr - text.data());
}

}  // namespace

bool is_beyond_json(std::string_view text) {
  if (text.starts_with('+')) return true;
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.starts_with('0'))
    return text.size() > 1 && (lower(text[1]) == 'x' || is_decimal(text[1]));
  return begins_with_word(text, "inf") || begins_with_word(text, "nan");
}

size_t read_json_number(std::string_view text, double& value) {
  const bool sign = text.starts_with('-') || text.starts_with('+');
  const size_t size = read_magnitude(text.substr(sign ? 1 : 0), value);
  if (size == 0) return 0;
  if (text[0] == '-') value = -value;
  return size + (sign ? 1 : 0);
}

}  // namespace redoubt
