// The rows of the commands of scripts and functions.
#include <array>
#include <string_view>

#include "engine/command/command.h"
#include "engine/script/script_handlers.h"
#include "engine/script/scripting.h"

namespace redoubt {

namespace {

constexpr std::string_view kNotes =
    "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE";
constexpr std::string_view kReadNotes =
    "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS";

constexpr Command eval_row(std::string_view name, bool by_hash, bool read_only,
                           std::string_view since, void (*handler)(Context&)) {
  const KeySpec keys =
      counted_keys(read_only ? kKeyRO | kKeyAccess : kKeyRW | kKeyAccess | kKeyUpdate, 2);
  return {.name = name,
          .arity = -3,
          .flags = (read_only ? kReadOnly : kMayReplicate) | kNoScript | kStale | kSkipMonitor |
                   kNoMandatoryKeys | kMovableKeys,
          .categories = kCatScripting,
          .keys = {by_hash ? keys : noted(keys, read_only ? kReadNotes : kNotes)},
          .since = since,
          .group = "scripting",
          .complexity = "Depends on the script that is executed.",
          .summary = read_only ? "Execute a read-only Lua script server side"
                               : "Execute a Lua script server side",
          .arguments = by_hash ? "sha1:string numkeys:integer [key:key...] [arg:string...]"
                               : "script:string numkeys:integer [key:key...] [arg:string...]",
          .handler = handler};
}

constexpr Command script_row(std::string_view name, int arity, uint32_t flags,
                             std::string_view since, std::string_view complexity,
                             std::string_view summary, void (*handler)(Context&)) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .categories = kCatScripting,
          .since = since,
          .group = "scripting",
          .complexity = complexity,
          .summary = summary,
          .handler = handler};
}

constexpr Command script_debug_row() {
  Command row = script_row("debug", 3, kNoScript, "3.2.0", "O(1)",
                           "Set the debug mode for executed scripts.", script_debug_command);
  row.arguments = "mode:<yes(YES)|sync(SYNC)|no(NO)>";
  return row;
}

constexpr Command script_exists_row() {
  Command row =
      script_row("exists", -3, kNoScript, "2.6.0",
                 "O(N) with N being the number of scripts to check (so checking a "
                 "single script is an O(1) operation).",
                 "Check existence of scripts in the script cache.", script_exists_command);
  row.tips = "request_policy:all_shards response_policy:agg_logical_and";
  row.arguments = "sha1:string...";
  return row;
}

constexpr Command script_flush_row() {
  Command row = script_row("flush", -2, kNoScript, "2.6.0",
                           "O(N) with N being the number of scripts in cache",
                           "Remove all the scripts from the script cache.", script_flush_command);
  row.tips = "request_policy:all_nodes response_policy:all_succeeded";
  row.arguments = "[async:<async(ASYNC)|sync(SYNC)>@6.2.0]";
  row.history = "6.2.0: Added the `ASYNC` and `SYNC` flushing mode modifiers.";
  return row;
}

constexpr Command script_kill_row() {
  Command row = script_row("kill", 2, kNoScript | kAllowBusy, "2.6.0", "O(1)",
                           "Kill the script currently in execution.", script_kill_command);
  row.tips = "request_policy:all_shards response_policy:one_succeeded";
  return row;
}

constexpr Command script_load_row() {
  Command row =
      script_row("load", 3, kNoScript | kStale, "2.6.0",
                 "O(N) with N being the length in bytes of the script body.",
                 "Load the specified Lua script into the script cache.", script_load_command);
  row.tips = "request_policy:all_nodes response_policy:all_succeeded";
  row.arguments = "script:string";
  return row;
}

constexpr Command script_show_row() {
  Command row = script_row("show", 3, kNoScript, "8.0.0", "O(1)",
                           "Show description of script in the script cache.", script_show_command);
  row.arguments = "sha1:string";
  return row;
}

constinit const Command kScriptSubcommands[] = {
    script_debug_row(),
    script_exists_row(),
    script_flush_row(),
    script_row("help", 2, kLoading | kStale, "5.0.0", "O(1)",
               "Show helpful text about the different subcommands", script_help_command),
    script_kill_row(),
    script_load_row(),
    script_show_row(),
};

constexpr Command fcall_row(std::string_view name, bool read_only, void (*handler)(Context&)) {
  return {.name = name,
          .arity = -3,
          .flags = (read_only ? kReadOnly : kMayReplicate) | kNoScript | kStale | kSkipMonitor |
                   kNoMandatoryKeys | kMovableKeys,
          .categories = kCatScripting,
          .keys = {read_only ? noted(counted_keys(kKeyRO | kKeyAccess, 2), kReadNotes)
                             : noted(counted_keys(kKeyRW | kKeyAccess | kKeyUpdate, 2), kNotes)},
          .since = "7.0.0",
          .group = "scripting",
          .complexity = "Depends on the function that is executed.",
          .summary = read_only ? "Invoke a read-only function" : "Invoke a function",
          .arguments = "function:string numkeys:integer [key:key...] [arg:string...]",
          .handler = handler};
}

constexpr Command function_row(std::string_view name, int arity, uint32_t flags,
                               std::string_view complexity, std::string_view summary,
                               std::string_view tips, std::string_view arguments,
                               void (*handler)(Context&)) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .categories = kCatScripting,
          .since = "7.0.0",
          .group = "scripting",
          .complexity = complexity,
          .summary = summary,
          .tips = tips,
          .arguments = arguments,
          .handler = handler};
}

constexpr std::string_view kAllShards = "request_policy:all_shards response_policy:all_succeeded";

constinit const Command kFunctionSubcommands[] = {
    function_row("delete", 3, kWrite | kNoScript, "O(1)", "Delete a function by name", kAllShards,
                 "library-name:string", function_delete_command),
    function_row("dump", 2, kNoScript, "O(N) where N is the number of functions",
                 "Dump all functions into a serialized binary payload", {}, {},
                 function_dump_command),
    function_row("flush", -2, kWrite | kNoScript, "O(N) where N is the number of functions deleted",
                 "Deleting all functions", kAllShards, "[async:<async(ASYNC)|sync(SYNC)>]",
                 function_flush_command),
    function_row("help", 2, kLoading | kStale, "O(1)",
                 "Show helpful text about the different subcommands", {}, {},
                 function_help_command),
    function_row(
        "kill", 2, kNoScript | kAllowBusy, "O(1)", "Kill the function currently in execution.",
        "request_policy:all_shards response_policy:one_succeeded", {}, function_kill_command),
    function_row("list", -2, kNoScript, "O(N) where N is the number of functions",
                 "List information about all the functions", "nondeterministic_output_order",
                 "[library-name-pattern:string(LIBRARYNAME)] [withcode(WITHCODE)]",
                 function_list_command),
    function_row("load", -3, kWrite | kDenyOom | kNoScript,
                 "O(1) (considering compilation time is redundant)",
                 "Create a function with the given arguments (name, code, description)", kAllShards,
                 "[replace(REPLACE)] function-code:string", function_load_command),
    function_row("restore", -3, kWrite | kDenyOom | kNoScript,
                 "O(N) where N is the number of functions on the payload",
                 "Restore all the functions on the given payload", kAllShards,
                 "serialized-value:string [policy:<flush(FLUSH)|append(APPEND)|replace(REPLACE)>]",
                 function_restore_command),
    function_row("stats", 2, kNoScript | kAllowBusy, "O(1)",
                 "Return information about the function currently running (name, description, "
                 "duration)",
                 "nondeterministic_output request_policy:all_shards response_policy:special", {},
                 function_stats_command),
};

}  // namespace

constinit const std::array<Command, kScriptCommandCount> kScriptCommands = {
    eval_row("eval", false, false, "2.6.0", eval_command),
    eval_row("evalsha", true, false, "2.6.0", evalsha_command),
    eval_row("eval_ro", false, true, "7.0.0", eval_ro_command),
    eval_row("evalsha_ro", true, true, "7.0.0", evalsha_ro_command),
    Command{.name = "script",
            .arity = -2,
            .since = "2.6.0",
            .group = "scripting",
            .complexity = "Depends on subcommand.",
            .summary = "A container for Lua scripts management commands",
            .subcommands = kScriptSubcommands},
    fcall_row("fcall", false, fcall_command),
    fcall_row("fcall_ro", true, fcall_ro_command),
    Command{.name = "function",
            .arity = -2,
            .since = "7.0.0",
            .group = "scripting",
            .complexity = "Depends on subcommand.",
            .summary = "A container for function commands",
            .subcommands = kFunctionSubcommands},
};

}  // namespace redoubt
