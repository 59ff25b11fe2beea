// ASSERT: a condition that only a bug of ours can break. Always on; it stops the process.
// What a client or the world can cause is an error value instead, never an assertion.
#pragma once

namespace redoubt {

// Writes one line to standard error and aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace redoubt

#define ASSERT(condition)                            \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::redoubt::assertion_failed(#condition, __FILE__, __LINE__))

// A place that only a bug of ours can reach.
#define UNREACHABLE() ::redoubt::assertion_failed("unreachable", __FILE__, __LINE__)
