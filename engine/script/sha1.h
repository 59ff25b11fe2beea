// SHA-1 (RFC 3174), by which scripts are known. It protects nothing here.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace redoubt {

// 40 lower-case hexadecimal digits.
std::array<char, 40> sha1_hex(std::string_view text);

inline std::string_view view_of(const std::array<char, 40>& digits) {
  return {digits.data(), digits.size()};
}

}  // namespace redoubt
