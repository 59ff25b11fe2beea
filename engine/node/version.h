// Versions, as INFO, HELLO and --version show them.
#pragma once

#include <string_view>

namespace redoubt {

inline constexpr std::string_view kRedoubtVersion = "0.1.0";
// What tools that look for a version are told: the Redis whose behaviour this is.
inline constexpr std::string_view kRedisVersion = "7.2.4";

}  // namespace redoubt
