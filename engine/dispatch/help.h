// The reply of "<CONTAINER> HELP".
#pragma once

#include <span>
#include <string_view>

#include "engine/command/command.h"
#include "engine/dispatch/context.h"

namespace redoubt {

// An array of status lines: a headline with the container's name, these lines ("ENCODING <key>",
// then what it does, indented by four blanks), and those about HELP itself.
void reply_help(Context& c, std::span<const std::string_view> lines);

// The row of "<CONTAINER> HELP": what differs is since when, the group, categories and the handler.
constexpr Command help_row(Command row) {
  row.name = "help";
  row.arity = 2;
  row.flags = kLoading | kStale;
  row.complexity = "O(1)";
  row.summary = "Show helpful text about the different subcommands";
  return row;
}

}  // namespace redoubt
