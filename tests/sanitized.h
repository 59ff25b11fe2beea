// What the sanitizers cost: everything takes five to ten times as long, so that long tests try
// fewer cases there, and freed memory is kept for a while.
#pragma once

#include <cstddef>

namespace redoubt {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
inline constexpr bool kSanitized = false;
#endif

// How many of `cases` are tried: with sanitizers, one of `divisor`.
constexpr size_t affordable(size_t cases, size_t divisor) {
  return kSanitized ? (cases + divisor - 1) / divisor : cases;
}

}  // namespace redoubt
