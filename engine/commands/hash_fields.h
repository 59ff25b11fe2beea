// Deadlines of hash fields, for the commands that set them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/node/context.h"

namespace redoubt {

// The deadline that a number of a client means: seconds or milliseconds, from `base_ms` on. Nothing
// when it is further away than Redis allows, which is the year 4199.
std::optional<int64_t> field_deadline_ms(int64_t given, int64_t base_ms, bool seconds);

enum class FieldChange : uint8_t { expires, persists, removed };

// Announces what happened to these fields of a key, with its effect; nothing when there are none.
void announce_deadline(Context& c, std::string_view key, std::span<const std::string_view> fields,
                       FieldChange change, int64_t deadline_ms);

}  // namespace redoubt
