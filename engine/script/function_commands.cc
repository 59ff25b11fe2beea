// FCALL, FCALL_RO and FUNCTION.
#include <fmt/format.h>

#include <array>
#include <optional>
#include <vector>

#include "engine/dispatch/dispatcher.h"
#include "engine/dispatch/help.h"
#include "engine/keyspace/keyspace.h"
#include "engine/persist/rdb/payload.h"
#include "engine/script/script_handlers.h"
#include "engine/script/script_header.h"
#include "engine/script/scripting.h"
#include "engine/store/number.h"
#include "net/text.h"

namespace redoubt {

namespace {

void fcall(Context& c, bool read_only) {
  auto& scripting = c.part<Scripting>();
  const ScriptVm::Registered* function = scripting.functions().find(c.args[1]);
  if (function == nullptr) return c.error("ERR Function not found");
  const std::optional<int64_t> count = parse_integer(c.args[2]);
  const std::span<const std::string_view> rest = c.args.subspan(3);
  if (!count) return c.error("ERR Bad number of keys provided");
  if (*count > static_cast<int64_t>(rest.size())) {
    return c.error("ERR Number of keys can't be greater than number of args");
  }
  if (*count < 0) return c.error("ERR Number of keys can't be negative");
  const auto keys = static_cast<size_t>(*count);
  scripting.run(c, {.is_function = true,
                    .function = function->function,
                    .name = function->name,
                    .flags = function->flags,
                    .read_only = read_only,
                    .keys = rest.first(keys),
                    .args = rest.subspan(keys)});
}

}  // namespace

void fcall_command(Context& c) {
  fcall(c, false);
}

void fcall_ro_command(Context& c) {
  fcall(c, true);
}

namespace {

// --- FUNCTION

// The libraries have changed: the command is its effect.
void libraries_changed(Context& c) {
  std::vector<std::string_view> effect(c.args.begin(), c.args.end());
  effect[0] = "FUNCTION";
  c.effect(effect);
  c.keys().count_changes(1);
}

}  // namespace

void function_load_command(Context& c) {
  bool replace = false;
  for (size_t i = 2; i + 1 < c.args.size(); ++i) {
    if (!c.is(i, "replace")) return c.error(fmt::format("ERR Unknown option given: {}", c.args[i]));
    replace = true;
  }
  std::string name;
  const std::string error = c.part<Scripting>().load_library(c.args.back(), replace, &name);
  if (!error.empty()) return c.error(error);
  libraries_changed(c);
  c.reply.bulk(name);
}

void function_delete_command(Context& c) {
  if (!c.part<Scripting>().remove_library(c.args[2])) return c.error("ERR Library not found");
  libraries_changed(c);
  c.reply.ok();
}

void function_flush_command(Context& c) {
  if (c.args.size() > 3 || (c.args.size() == 3 && !c.is(2, "sync") && !c.is(2, "async"))) {
    return c.error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  }
  c.part<Scripting>().flush_functions();
  libraries_changed(c);
  c.reply.ok();
}

void function_dump_command(Context& c) {
  c.reply.bulk(dump_functions(c.part<Scripting>().functions().sources(), true));
}

void function_restore_command(Context& c) {
  using Policy = Scripting::RestorePolicy;
  Policy policy = Policy::append;
  if (c.args.size() > 4) {
    return c.error(
        "ERR Unknown subcommand or wrong number of arguments for 'restore'. Try "
        "FUNCTION HELP.");
  }
  if (c.args.size() == 4) {
    if (c.is(3, "replace")) {
      policy = Policy::replace;
    } else if (c.is(3, "flush")) {
      policy = Policy::flush;
    } else if (!c.is(3, "append")) {
      return c.error(
          "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
    }
  }
  const std::optional<std::vector<std::string>> sources = restore_functions(c.args[2]);
  if (!sources) return c.error("ERR DUMP payload version or checksum are wrong");
  const std::string error = c.part<Scripting>().restore_libraries(*sources, policy);
  if (!error.empty()) return c.error(error);
  libraries_changed(c);
  c.reply.ok();
}

namespace {

void reply_function(Context& c, const ScriptVm::Registered& function) {
  c.reply.map(3);
  c.reply.bulk("name");
  c.reply.bulk(function.name);
  c.reply.bulk("description");
  if (function.has_description) {
    c.reply.bulk(function.description);
  } else {
    c.reply.null();
  }
  c.reply.bulk("flags");
  size_t count = 0;
  for_each_script_flag(function.flags, [&](std::string_view) { ++count; });
  c.reply.set(count);
  for_each_script_flag(function.flags, [&](std::string_view name) { c.reply.simple(name); });
}

}  // namespace

void function_list_command(Context& c) {
  std::optional<std::string_view> pattern;
  bool with_code = false;
  for (size_t i = 2; i < c.args.size(); ++i) {
    if (!with_code && c.is(i, "withcode")) {
      with_code = true;
    } else if (!pattern && c.is(i, "libraryname")) {
      if (++i == c.args.size()) return c.error("ERR library name argument was not given");
      pattern = c.args[i];
    } else {
      return c.error(fmt::format("ERR Unknown argument {}", c.args[i]));
    }
  }
  std::vector<const FunctionLibrary*> shown;
  for (const auto& [name, library] : c.part<Scripting>().functions().libraries()) {
    if (!pattern || glob_matches(*pattern, name, true)) shown.push_back(&library);
  }
  c.reply.array(shown.size());
  for (const FunctionLibrary* library : shown) {
    c.reply.map(with_code ? 4 : 3);
    c.reply.bulk("library_name");
    c.reply.bulk(library->name);
    c.reply.bulk("engine");
    c.reply.bulk("LUA");
    c.reply.bulk("functions");
    c.reply.array(library->functions.size());
    for (const ScriptVm::Registered& function : library->functions) reply_function(c, function);
    if (!with_code) continue;
    c.reply.bulk("library_code");
    c.reply.bulk(library->source);
  }
}

void function_kill_command(Context& c) {
  const std::string error = c.part<Scripting>().kill(true);
  if (!error.empty()) return c.error(error);
  c.reply.ok();
}

void function_stats_command(Context& c) {
  const auto& scripting = c.part<Scripting>();
  const Scripting::Suspended* running = scripting.suspended();
  c.reply.map(2);
  c.reply.bulk("running_script");
  if (running == nullptr) {
    c.reply.null();
  } else {
    c.reply.map(3);
    c.reply.bulk("name");
    c.reply.bulk(running->name);
    c.reply.bulk("command");
    c.reply.array(running->command.size());
    for (const std::string& word : running->command) c.reply.bulk(word);
    c.reply.bulk("duration_ms");
    c.reply.integer((c.env().now() - running->began).ns / 1'000'000);
  }
  c.reply.bulk("engines");
  c.reply.map(1);
  c.reply.bulk("LUA");
  c.reply.map(2);
  c.reply.bulk("libraries_count");
  c.reply.integer(static_cast<int64_t>(scripting.functions().libraries().size()));
  c.reply.bulk("functions_count");
  c.reply.integer(static_cast<int64_t>(scripting.functions().function_count()));
}

void function_help_command(Context& c) {
  constexpr std::string_view kLines[] = {
      "LOAD [REPLACE] <FUNCTION CODE>",
      "    Make a library of functions from its code.",
      "DELETE <LIBRARY NAME>",
      "    Remove a library.",
      "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
      "    Return the libraries and their functions.",
      "STATS",
      "    Return the function that runs, and how many there are.",
      "KILL",
      "    End the function that runs, and undo its changes.",
      "FLUSH [ASYNC|SYNC]",
      "    Remove all libraries.",
      "DUMP",
      "    Return all libraries as one payload.",
      "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
      "    Load the libraries of a payload.",
  };
  reply_help(c, kLines);
}

}  // namespace redoubt
