// EVAL, EVALSHA, their read-only forms, and SCRIPT.
#include <fmt/format.h>

#include <array>
#include <optional>
#include <vector>

#include "engine/dispatch/dispatcher.h"
#include "engine/dispatch/help.h"
#include "engine/script/script_handlers.h"
#include "engine/script/script_header.h"
#include "engine/script/scripting.h"

namespace redoubt {

namespace {

struct ScriptArguments {
  std::span<const std::string_view> keys;
  std::span<const std::string_view> args;
};

// The keys and arguments behind their count at argument 2; nothing, after an error reply.
std::optional<ScriptArguments> script_arguments(Context& c) {
  const std::optional<int64_t> count = c.integer(2);
  if (!count) return std::nullopt;
  const std::span<const std::string_view> rest = c.args.subspan(3);
  if (*count > static_cast<int64_t>(rest.size())) {
    c.error("ERR Number of keys can't be greater than number of args");
    return std::nullopt;
  }
  if (*count < 0) {
    c.error("ERR Number of keys can't be negative");
    return std::nullopt;
  }
  const auto keys = static_cast<size_t>(*count);
  return ScriptArguments{rest.first(keys), rest.subspan(keys)};
}

void run_script(Context& c, const CachedScript& script, const ScriptArguments& arguments,
                bool read_only) {
  c.part<Scripting>().run(c, {.is_function = false,
                              .function = script.function,
                              .name = script.sha,
                              .flags = script.flags,
                              .read_only = read_only,
                              .keys = arguments.keys,
                              .args = arguments.args});
}

void eval(Context& c, bool read_only) {
  const std::optional<ScriptArguments> arguments = script_arguments(c);
  if (!arguments) return;
  std::string error;
  const CachedScript* script = c.part<Scripting>().cache().get(c.args[1], false, &error);
  if (script == nullptr) return c.error(error);
  run_script(c, *script, *arguments, read_only);
}

void evalsha(Context& c, bool read_only) {
  const std::optional<ScriptArguments> arguments = script_arguments(c);
  if (!arguments) return;
  const CachedScript* script = c.part<Scripting>().cache().find(c.args[1]);
  if (script == nullptr) return c.error("NOSCRIPT No matching script. Please use EVAL.");
  run_script(c, *script, *arguments, read_only);
}

}  // namespace

void eval_command(Context& c) {
  eval(c, false);
}

void eval_ro_command(Context& c) {
  eval(c, true);
}

void evalsha_command(Context& c) {
  evalsha(c, false);
}

void evalsha_ro_command(Context& c) {
  evalsha(c, true);
}

// --- SCRIPT

void script_load_command(Context& c) {
  std::string error;
  const CachedScript* script = c.part<Scripting>().cache().get(c.args[2], true, &error);
  if (script == nullptr) return c.error(error);
  c.reply.bulk(script->sha);
}

void script_exists_command(Context& c) {
  const ScriptCache& cache = c.part<Scripting>().cache();
  c.reply.array(c.args.size() - 2);
  for (const std::string_view sha : c.args.subspan(2)) {
    c.reply.integer(cache.contains(sha) ? 1 : 0);
  }
}

void script_show_command(Context& c) {
  const CachedScript* script = c.part<Scripting>().cache().find(c.args[2]);
  if (script == nullptr) return c.error("NOSCRIPT No matching script.");
  c.reply.bulk(script->text);
}

void script_flush_command(Context& c) {
  if (c.args.size() > 3 || (c.args.size() == 3 && !c.is(2, "sync") && !c.is(2, "async"))) {
    return c.error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  }
  c.part<Scripting>().flush_scripts();
  c.reply.ok();
}

void script_kill_command(Context& c) {
  const std::string error = c.part<Scripting>().kill(false);
  if (!error.empty()) return c.error(error);
  c.reply.ok();
}

void script_debug_command(Context& c) {
  if (c.is(2, "no")) return c.reply.ok();
  if (c.is(2, "yes") || c.is(2, "sync")) {
    return c.error("ERR There is no debugger of scripts in this server");
  }
  c.error("ERR Use SCRIPT DEBUG YES/SYNC/NO");
}

void script_help_command(Context& c) {
  constexpr std::string_view kLines[] = {
      "DEBUG (YES|SYNC|NO)",
      "    There is no debugger: only NO is accepted.",
      "EXISTS <sha1> [<sha1> ...]",
      "    Say which of these scripts are known.",
      "FLUSH [ASYNC|SYNC]",
      "    Forget all scripts.",
      "KILL",
      "    End the script that runs, and undo its changes.",
      "LOAD <script>",
      "    Compile a script, and keep it for EVALSHA.",
      "SHOW <sha1>",
      "    Return the text of a script.",
  };
  reply_help(c, kLines);
}

}  // namespace redoubt
