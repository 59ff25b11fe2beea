// Text as commands and configuration compare it.
#pragma once

#include <cstdint>
#include <cstring>
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

// The first eight bytes of a text in lower case, or all of a shorter one with zeros behind it: for
// comparing short words at once. The method of eight characters in a word is that of Henry Warren's
// "Hacker's Delight", chapter 6.
inline uint64_t lower_start(std::string_view text) {
  const auto load = [](const char* at, auto value) {
    std::memcpy(&value, at, sizeof value);
    return static_cast<uint64_t>(value);
  };
  const auto byte = [text](size_t at) {
    return static_cast<uint64_t>(static_cast<unsigned char>(text[at])) << (8 * at);
  };
  uint64_t word = 0;
  if (text.size() >= 8) {
    word = load(text.data(), uint64_t{});
  } else if (text.size() >= 4) {
    const size_t second = text.size() - 4;
    word = load(text.data(), uint32_t{}) | load(text.data() + second, uint32_t{}) << (8 * second);
  } else if (!text.empty()) {
    word = byte(0) | byte(text.size() / 2) | byte(text.size() - 1);
  }
  constexpr uint64_t kEach = 0x0101010101010101;
  const uint64_t low_bits = word & (kEach * 0x7f);
  const uint64_t from_a = low_bits + kEach * (0x80 - 'A');  // the high bit: 'A' or above
  const uint64_t above_z = low_bits + kEach * (0x7f - 'Z');
  const uint64_t capitals = (from_a ^ above_z) & ~word & (kEach * 0x80);
  return word | capitals >> 2;
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
