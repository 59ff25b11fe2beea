// The version, as INFO and --version show it. Which Redis they name beside it is a setting,
// `reported-redis-version`.
#pragma once

#include <string_view>

namespace redoubt {

inline constexpr std::string_view kRedoubtVersion = "0.1.0";

}  // namespace redoubt
