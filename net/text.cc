#include "net/text.h"

#include <cstddef>

namespace redoubt {

namespace {

char fold(char c, bool ignore_case) {
  return ignore_case ? to_lower(c) : c;
}

// A class behind its "[": moves `at` behind the "]". A class that is not closed ends with the
// pattern.
bool class_matches(std::string_view pattern, size_t& at, char c, bool ignore_case) {
  const bool negated = at < pattern.size() && pattern[at] == '^';
  if (negated) ++at;
  bool found = false;
  for (;; ++at) {
    if (at == pattern.size()) break;
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      ++at;
      if (fold(pattern[at], ignore_case) == c) found = true;
    } else if (pattern[at] == ']') {
      ++at;
      break;
    } else if (at + 2 < pattern.size() && pattern[at + 1] == '-') {
      char low = fold(pattern[at], ignore_case);
      char high = fold(pattern[at + 2], ignore_case);
      if (static_cast<unsigned char>(low) > static_cast<unsigned char>(high)) {
        const char swap = low;
        low = high;
        high = swap;
      }
      const unsigned char u = static_cast<unsigned char>(c);
      if (u >= static_cast<unsigned char>(low) && u <= static_cast<unsigned char>(high))
        found = true;
      at += 2;
    } else if (fold(pattern[at], ignore_case) == c) {
      found = true;
    }
  }
  return found != negated;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text, bool ignore_case) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;  // behind the last star
  size_t star_text = 0;                  // where its match is tried to end
  while (t < text.size()) {
    bool matched = false;
    if (p < pattern.size()) {
      const char c = fold(text[t], ignore_case);
      if (pattern[p] == '*') {
        star = ++p;
        star_text = t;
        if (p == pattern.size()) return true;
        continue;
      }
      if (pattern[p] == '?') {
        ++p;
        matched = true;
      } else if (pattern[p] == '[') {
        size_t behind = p + 1;
        matched = class_matches(pattern, behind, c, ignore_case);
        p = behind;
      } else {
        if (pattern[p] == '\\' && p + 1 < pattern.size()) ++p;
        matched = fold(pattern[p], ignore_case) == c;
        ++p;
      }
    }
    if (matched) {
      ++t;
    } else if (star != std::string_view::npos) {
      p = star;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace redoubt
