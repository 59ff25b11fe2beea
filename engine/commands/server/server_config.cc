// CONFIG.
//
// CONFIG REWRITE replaces the file whole (net/files.h): a crash leaves the old file or the new one,
// and a failure leaves the old one.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/clients/session.h"
#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/row_texts.h"
#include "engine/commands/server/local_client.h"
#include "engine/dispatch/context.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/dispatch/help.h"
#include "engine/node/node.h"
#include "net/files.h"
#include "net/text.h"

namespace redoubt {

namespace {

constexpr uint64_t kConfigBytesMax = 16 << 20;

// The file's new contents depend on what is in it. A file that is not there yet is an empty one.
Task<Error> rewrite_config(Node& node, std::string path) {
  const Expected<std::string> old = co_await read_whole(node.env(), path, kConfigBytesMax);
  if (!old && old.error() != Error::not_found) co_return old.error();
  const std::string text = node.config().rewritten(old ? old.value() : std::string());
  co_return co_await replace_file(node.env(), path, text);
}

// As the C library words errors, which is what Redis repeats here.
std::string reply_for(Error error) {
  if (error == Error::none) return {};
  std::string reason(describe(error));
  reason[0] = to_upper(reason.substr(0, 1))[0];
  return fmt::format("ERR Rewriting config file: {}", reason);
}

void config_get_command(Context& c) {
  const auto found = c.services().config.get(c.args.subspan(2));
  c.reply.map(found.size());
  for (const auto& [name, value] : found) {
    c.reply.bulk(name);
    c.reply.bulk(value);
  }
}

void config_set_command(Context& c) {
  if (c.args.size() % 2 != 0) {
    c.syntax_error();
    return;
  }
  std::string error;
  if (!c.services().config.set(c.args.subspan(2), &error, is_local(c.session))) {
    c.error(error);
    return;
  }
  c.node().settings_changed();
  c.reply.ok();
}

void config_resetstat_command(Context& c) {
  const uint64_t peak = c.stats().peak_memory;
  c.stats() = Stats{};
  c.stats().peak_memory = peak;
  c.stats().loop_turns_before = c.env().turns();
  c.stats().loop_busy_before_ns = static_cast<uint64_t>(c.env().busy_time().ns);
  c.commands().reset_statistics();
  c.reply.ok();
}

void config_rewrite_command(Context& c) {
  if (c.services().config.file().empty()) {
    c.error("ERR The server is running without a config file");
    return;
  }
  Node& node = c.node();
  const std::string path = node.config().file();
  node.jobs().add(
      "configuration file", [&node, path] { return rewrite_config(node, path); },
      [&node, path, reply = c.defer()](Error error) {
        if (error != Error::none) {
          node.log(LogLevel::warning,
                   fmt::format("CONFIG REWRITE of {} failed: {}", path, describe(error)));
        }
        node.dispatcher().finish_deferred(reply, reply_for(error));
      });
}

void config_help_command(Context& c) {
  constexpr std::string_view lines[] = {
      "GET <pattern> [<pattern> ...]",
      "    Return the directives whose names match a glob-like <pattern>, with their values.",
      "SET <directive> <value> [<directive> <value> ...]",
      "    Set the directives to these values: all of them or none.",
      "RESETSTAT",
      "    Set the counters that INFO shows to zero.",
      "REWRITE",
      "    Write the values in use into the configuration file.",
  };
  reply_help(c, lines);
}

// What the subcommands have in common, but HELP.
constexpr Command config_row(Command row) {
  row.flags = kAdmin | kNoScript | kLoading | kStale;
  row.group = "server";
  return row;
}

constexpr Command config_subcommands[] = {
    config_row(
        {.name = "get",
         .arity = -3,
         .since = "2.0.0",
         .complexity = "O(N) when N is the number of configuration parameters provided",
         .summary = "Get the values of configuration parameters",
         .arguments = "parameter:{parameter:string}...",
         .history = "7.0.0: Added the ability to pass multiple pattern parameters in one call",
         .handler = config_get_command}),
    help_row({.since = "5.0.0", .group = "server", .handler = config_help_command}),
    config_row({.name = "resetstat",
                .arity = 2,
                .since = "2.0.0",
                .complexity = "O(1)",
                .summary = "Reset the stats returned by INFO",
                .handler = config_resetstat_command}),
    config_row({.name = "rewrite",
                .arity = 2,
                .since = "2.8.0",
                .complexity = "O(1)",
                .summary = "Rewrite the configuration file with the in memory configuration",
                .handler = config_rewrite_command}),
    config_row({.name = "set",
                .arity = -4,
                .since = "2.0.0",
                .complexity = "O(N) when N is the number of configuration parameters provided",
                .summary = "Set configuration parameters to the given values",
                .tips = kAllNodesSucceed,
                .arguments = "parameter_value:{parameter:string value:string}...",
                .history = "7.0.0: Added the ability to set multiple parameters in one call.",
                .handler = config_set_command}),
};

constexpr Command config_rows[] = {
    {.name = "config",
     .arity = -2,
     .since = "2.0.0",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .summary = "A container for server configuration commands",
     .subcommands = config_subcommands},
};

}  // namespace

std::span<const Command> config_commands() {
  return config_rows;
}

}  // namespace redoubt
