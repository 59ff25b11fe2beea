// The three kinds of time. They do not convert into one another by accident.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace redoubt {

// A length of time.
struct Duration {
  int64_t ns = 0;

  static constexpr Duration nanoseconds(int64_t n) { return {n}; }
  static constexpr Duration microseconds(int64_t n) { return {n * 1'000}; }
  static constexpr Duration milliseconds(int64_t n) { return {n * 1'000'000}; }
  static constexpr Duration seconds(int64_t n) { return {n * 1'000'000'000}; }

  constexpr int64_t us() const { return ns / 1'000; }
  constexpr int64_t ms() const { return ns / 1'000'000; }
  constexpr int64_t s() const { return ns / 1'000'000'000; }

  constexpr auto operator<=>(const Duration&) const = default;
};

// A point on a clock that never goes back. Only differences mean something.
struct Instant {
  int64_t ns = 0;

  static constexpr Instant never() { return {std::numeric_limits<int64_t>::max()}; }

  constexpr auto operator<=>(const Instant&) const = default;
};

// The time of day, in microseconds since 1970 (UTC). It may jump either way, so it is for what
// users call a time: expiry, log lines, TIME. Never for waiting.
struct WallTime {
  int64_t unix_us = 0;

  constexpr int64_t unix_ms() const { return unix_us / 1'000; }
  constexpr int64_t unix_s() const { return unix_us / 1'000'000; }

  constexpr auto operator<=>(const WallTime&) const = default;
};

constexpr Duration operator+(Duration a, Duration b) {
  return {a.ns + b.ns};
}
constexpr Duration operator-(Duration a, Duration b) {
  return {a.ns - b.ns};
}
constexpr Duration operator*(Duration a, int64_t n) {
  return {a.ns * n};
}
constexpr Instant operator+(Instant a, Duration b) {
  return {a.ns + b.ns};
}
constexpr Instant operator-(Instant a, Duration b) {
  return {a.ns - b.ns};
}
constexpr Duration operator-(Instant a, Instant b) {
  return {a.ns - b.ns};
}

}  // namespace redoubt
