// SLOWLOG and COMMANDLOG: the commands that stood out.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "engine/commands/families.h"
#include "engine/commands/row_texts.h"
#include "engine/dispatch/context.h"
#include "engine/dispatch/help.h"
#include "engine/node/node.h"

namespace redoubt {

namespace {

using Kind = CommandLog::Kind;

// -1 means all; an error reply otherwise.
std::optional<size_t> entry_count(Context& c, size_t index) {
  const std::optional<int64_t> count =
      c.integer_between(index, -1, std::numeric_limits<int64_t>::max(),
                        "ERR count should be greater than or equal to -1");
  if (!count) return std::nullopt;
  return *count == -1 ? std::numeric_limits<size_t>::max() : static_cast<size_t>(*count);
}

void reply_entries(Context& c, Kind kind, size_t count) {
  const auto& entries = c.services().instrumentation.log().entries(kind);
  count = std::min(count, entries.size());
  c.reply.array(count);
  for (size_t i = 0; i < count; ++i) {
    const CommandLog::Entry& entry = entries[i];
    c.reply.array(6);
    c.reply.integer(static_cast<int64_t>(entry.id));
    c.reply.integer(entry.unix_s);
    c.reply.integer(entry.value);
    c.reply.array(entry.args.size());
    for (const std::string& arg : entry.args) c.reply.bulk(arg);
    c.reply.bulk(entry.address);
    c.reply.bulk(entry.client_name);
  }
  c.env().count_work(count);
}

void reply_length(Context& c, Kind kind) {
  c.reply.integer(static_cast<int64_t>(c.services().instrumentation.log().entries(kind).size()));
}

void reset_log(Context& c, Kind kind) {
  c.services().instrumentation.log().reset(kind);
  c.reply.ok();
}

void slowlog_get_command(Context& c) {
  size_t count = 10;
  if (c.args.size() > 3) {
    c.error(
        fmt::format("ERR unknown subcommand or wrong number of arguments for '{}'. Try {} HELP.",
                    c.args[1], "SLOWLOG"));
    return;
  }
  if (c.args.size() == 3) {
    const std::optional<size_t> asked = entry_count(c, 2);
    if (!asked) return;
    count = *asked;
  }
  reply_entries(c, Kind::slow, count);
}

void slowlog_len_command(Context& c) {
  reply_length(c, Kind::slow);
}

void slowlog_reset_command(Context& c) {
  reset_log(c, Kind::slow);
}

void slowlog_help_command(Context& c) {
  constexpr std::string_view lines[] = {
      "GET [<count>]",
      "    Return the newest <count> entries (default: 10, -1: all). An entry is: its number, when",
      "    it was made (Unix time), how long the command took in microseconds, its arguments, the",
      "    client's address and name.",
      "LEN",
      "    Return how many entries there are.",
      "RESET",
      "    Forget the entries.",
  };
  reply_help(c, lines);
}

// --- COMMANDLOG

// The log that an argument names; an error reply when there is none.
std::optional<Kind> log_kind(Context& c, size_t index) {
  if (c.is(index, "slow")) return Kind::slow;
  if (c.is(index, "large-request")) return Kind::large_request;
  if (c.is(index, "large-reply")) return Kind::large_reply;
  c.error("ERR type should be one of the following: slow, large-request, large-reply");
  return std::nullopt;
}

void commandlog_get_command(Context& c) {
  const std::optional<size_t> count = entry_count(c, 2);
  if (!count) return;
  if (const std::optional<Kind> kind = log_kind(c, 3)) reply_entries(c, *kind, *count);
}

void commandlog_len_command(Context& c) {
  if (const std::optional<Kind> kind = log_kind(c, 2)) reply_length(c, *kind);
}

void commandlog_reset_command(Context& c) {
  if (const std::optional<Kind> kind = log_kind(c, 2)) reset_log(c, *kind);
}

void commandlog_help_command(Context& c) {
  constexpr std::string_view lines[] = {
      "GET <count> <type>",
      "    Return the newest <count> entries (-1: all) of the log: slow, large-request or",
      "    large-reply. An entry is: its number, when it was made (Unix time), microseconds or",
      "    bytes, the command's arguments, the client's address and name.",
      "LEN <type>",
      "    Return how many entries the log has.",
      "RESET <type>",
      "    Forget the entries of the log.",
  };
  reply_help(c, lines);
}

constexpr uint32_t kLogFlags = kAdmin | kLoading | kStale;

// What the subcommands of SLOWLOG have in common, but HELP.
constexpr Command slowlog_row(Command row) {
  row.flags = kLogFlags;
  row.since = "2.2.12";
  row.group = "server";
  return row;
}

constexpr Command slowlog_subcommands[] = {
    slowlog_row({.name = "get",
                 .arity = -2,
                 .complexity = "O(N) where N is the number of entries returned",
                 .summary = "Get the slow log's entries",
                 .tips = "request_policy:all_nodes nondeterministic_output",
                 .arguments = "[count:integer]",
                 .history = "4.0.0: Added client IP address, port and name to the reply.",
                 .handler = slowlog_get_command}),
    help_row({.since = "6.2.0", .group = "server", .handler = slowlog_help_command}),
    slowlog_row({.name = "len",
                 .arity = 2,
                 .complexity = "O(1)",
                 .summary = "Get the slow log's length",
                 .tips = "request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
                 .handler = slowlog_len_command}),
    slowlog_row({.name = "reset",
                 .arity = 2,
                 .complexity = "O(N) where N is the number of entries in the slowlog",
                 .summary = "Clear all entries from the slow log",
                 .tips = kAllNodesSucceed,
                 .handler = slowlog_reset_command}),
};

constexpr std::string_view kLogArgument =
    "type:<slow(SLOW)|large-request(LARGE-REQUEST)|large-reply(LARGE-REPLY)>";

// What the subcommands of COMMANDLOG have in common, but HELP.
constexpr Command commandlog_row(Command row) {
  row.flags = kLogFlags;
  row.since = "8.1.0";
  row.group = "server";
  return row;
}

constexpr Command commandlog_subcommands[] = {
    commandlog_row({.name = "get",
                    .arity = 4,
                    .complexity = "O(N) where N is the number of entries returned",
                    .summary = "Returns the entries of a log of commands.",
                    .tips = "request_policy:all_nodes nondeterministic_output",
                    .arguments =
                        "count:integer "
                        "type:<slow(SLOW)|large-request(LARGE-REQUEST)|large-reply(LARGE-REPLY)>",
                    .handler = commandlog_get_command}),
    help_row({.since = "8.1.0", .group = "server", .handler = commandlog_help_command}),
    commandlog_row(
        {.name = "len",
         .arity = 3,
         .complexity = "O(1)",
         .summary = "Returns the number of entries in a log of commands.",
         .tips = "request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
         .arguments = kLogArgument,
         .handler = commandlog_len_command}),
    commandlog_row({.name = "reset",
                    .arity = 3,
                    .complexity = "O(N) where N is the number of entries in the log",
                    .summary = "Clears all entries from a log of commands.",
                    .tips = kAllNodesSucceed,
                    .arguments = kLogArgument,
                    .handler = commandlog_reset_command}),
};

constexpr Command slowlog_rows[] = {
    {.name = "commandlog",
     .arity = -2,
     .since = "8.1.0",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .summary = "A container for command log commands",
     .subcommands = commandlog_subcommands},
    {.name = "slowlog",
     .arity = -2,
     .since = "2.2.12",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .summary = "A container for slow log commands",
     .subcommands = slowlog_subcommands},
};

}  // namespace

std::span<const Command> slowlog_commands() {
  return slowlog_rows;
}

}  // namespace redoubt
