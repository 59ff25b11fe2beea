// Replies as the bytes that tests expect.
#pragma once

#include <string>
#include <string_view>

namespace redoubt {

inline constexpr std::string_view kOk = "+OK\r\n";
inline constexpr std::string_view kYes = ":1\r\n";
inline constexpr std::string_view kNo = ":0\r\n";

inline std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

}  // namespace redoubt
