// Small helpers that several families of commands share.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "engine/dispatch/context.h"

namespace redoubt {

// How much of a client's own text an error reply repeats.
inline constexpr size_t kShownArgument = 128;

// Elements that one command draws at random, each of which may come again (SRANDMEMBER key -count):
// more would fill the memory with one reply.
inline constexpr int64_t kDrawsMax = int64_t{1} << 24;

// An argument as an integer of 32 bits; replies with an error when it is none (`message`, or
// Redis's own words).
inline std::optional<int> int_argument(Context& c, size_t index, std::string_view message = {}) {
  const std::optional<int64_t> value = c.integer(index, message);
  if (!value) return std::nullopt;
  if (*value >= std::numeric_limits<int>::min() && *value <= std::numeric_limits<int>::max()) {
    return static_cast<int>(*value);
  }
  c.error(message.empty()
              ? "ERR value is out of range, value must between -2147483648 and 2147483647"
              : message);
  return std::nullopt;
}

// The count of LPOP, ZPOPMIN and their kin, at argument 2 if there is one. False, after an error.
inline bool read_pop_count(Context& c, std::optional<int64_t>& count) {
  if (c.args.size() < 3) return true;
  count = c.integer_between(2, 0, std::numeric_limits<int64_t>::max(),
                            "ERR value is out of range, must be positive");
  return count.has_value();
}

// The entry of a key for a command that changes it, and for which a missing one is an empty one.
// Null after a reply: 0 when there is none, an error when it is of another type.
inline Entry* entry_or_reply_zero(Context& c, std::string_view key, Type type) {
  Entry* entry = c.write(key);
  if (c.wrong_type(entry, type)) return nullptr;
  if (entry == nullptr) c.reply.integer(0);
  return entry;
}

}  // namespace redoubt
