#include "engine/dispatch/call_arguments.h"

#include <cmath>
#include <limits>
#include <utility>

#include "engine/dispatch/batch.h"
#include "engine/store/number.h"
#include "net/text.h"

namespace redoubt {

void CallArguments::error(std::string_view text) {
  failed_ = true;
  services_.stats.count_error(text);
  reply.error(text);
}

Blob CallArguments::take_blob(size_t index) {
  if (batch_ == nullptr) return {};
  for (RequestBatch::Owned& owned : batch_->owned) {
    if (owned.arg == first_arg_ + index) return std::move(owned.blob);
  }
  return {};
}

bool CallArguments::is(size_t index, std::string_view option) const {
  return equal_ignoring_case(args[index], option);
}

std::optional<int64_t> CallArguments::integer(size_t index, std::string_view message) {
  const std::optional<int64_t> value = parse_integer(args[index]);
  if (!value) error(message.empty() ? "ERR value is not an integer or out of range" : message);
  return value;
}

std::optional<int64_t> CallArguments::integer_between(size_t index, int64_t low, int64_t high,
                                                      std::string_view message) {
  const std::optional<int64_t> value = integer(index, message);
  if (!value || (*value >= low && *value <= high)) return value;
  error(message.empty() ? "ERR value is out of range" : message);
  return std::nullopt;
}

std::optional<Instant> CallArguments::timeout(size_t index) {
  const std::optional<long double> seconds = parse_long_double(args[index]);
  if (!seconds) {
    error("ERR timeout is not a float or out of range");
    return std::nullopt;
  }
  const long double ms = std::ceil(*seconds * 1000);
  if (ms < 0) {
    error("ERR timeout is negative");
    return std::nullopt;
  }
  if (ms >= 0x1p63L) {
    error("ERR timeout is out of range");
    return std::nullopt;
  }
  return deadline_in(static_cast<int64_t>(ms));
}

std::optional<Instant> CallArguments::timeout_ms(size_t index) {
  const std::optional<int64_t> ms = integer(index, "ERR timeout is not an integer or out of range");
  if (!ms) return std::nullopt;
  if (*ms < 0) {
    error("ERR timeout is negative");
    return std::nullopt;
  }
  return deadline_in(*ms);
}

// The end of the wait is to be a Unix time in milliseconds, as Redis has it.
std::optional<Instant> CallArguments::deadline_in(int64_t ms) {
  if (ms > std::numeric_limits<int64_t>::max() - services_.env.wall().unix_ms()) {
    error("ERR timeout is out of range");
    return std::nullopt;
  }
  constexpr int64_t kLongestMs = int64_t{100} * 366 * 24 * 3600 * 1000;
  if (ms == 0 || ms > kLongestMs) return Instant::never();
  return services_.env.now() + Duration::milliseconds(ms);
}

}  // namespace redoubt
