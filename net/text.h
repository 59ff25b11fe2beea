// Text as commands and configuration compare it.
#pragma once

#include <string>
#include <string_view>

namespace redoubt {

inline char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

inline std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = to_lower(c);
  return lower;
}

inline std::string to_upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - ('a' - 'A'));
  }
  return upper;
}

inline bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

// Glob patterns as KEYS and CONFIG GET use them: * ? [a-z] [^a] and \ to take the next character as
// it is. The work is bounded by the product of the lengths: a star is tried again only from the
// last one.
bool glob_matches(std::string_view pattern, std::string_view text, bool ignore_case = false);

}  // namespace redoubt
