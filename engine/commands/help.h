// The reply of "<CONTAINER> HELP".
#pragma once

#include <span>
#include <string_view>

#include "engine/node/context.h"

namespace redoubt {

// An array of status lines: a headline with the container's name, these lines ("ENCODING <key>",
// then what it does, indented by four blanks), and those about HELP itself.
void reply_help(Context& c, std::span<const std::string_view> lines);

}  // namespace redoubt
