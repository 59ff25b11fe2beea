// CONFIG.
//
// CONFIG REWRITE replaces the file whole (net/files.h): a crash leaves the old file or the new one,
// and a failure leaves the old one.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "engine/clients/session.h"
#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/help.h"
#include "engine/commands/row_texts.h"
#include "engine/commands/server/local_client.h"
#include "engine/node/context.h"
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

class ConfigRewrite : public NodeJob {
 public:
  ConfigRewrite(Node& node, DeferredReply reply)
      : node_(node), reply_(reply), path_(node.config().file()) {}

  void start() override {
    task_ = rewrite_config(node_, path_);
    task_.start([](void* owner) { static_cast<ConfigRewrite*>(owner)->end(); }, this);
  }

 private:
  void end();

  Node& node_;
  const DeferredReply reply_;
  const std::string path_;
  Task<Error> task_;
};

// The last call destroys the job, and with it the task, which is done.
void ConfigRewrite::end() {
  Node& node = node_;
  std::string text;
  const Error error = task_.result();
  if (error != Error::none) {
    node.log(LogLevel::warning,
             fmt::format("CONFIG REWRITE of {} failed: {}", path_, describe(error)));
    // As the C library words errors, which is what Redis repeats here.
    std::string reason(describe(error));
    reason[0] = to_upper(reason.substr(0, 1))[0];
    text = fmt::format("ERR Rewriting config file: {}", reason);
  }
  node.finish_deferred(reply_, text);
  node.end_job(*this);
}

void config_get_command(Context& c) {
  const auto found = c.node.config().get(c.args.subspan(2));
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
  if (!c.node.config().set(c.args.subspan(2), &error, is_local(c.session))) {
    c.error(error);
    return;
  }
  c.node.settings_changed();
  c.reply.ok();
}

void config_resetstat_command(Context& c) {
  const uint64_t peak = c.node.stats().peak_memory;
  c.node.stats() = Stats{};
  c.node.stats().peak_memory = peak;
  c.node.stats().loop_turns_before = c.env().turns();
  c.node.stats().loop_busy_before_ns = static_cast<uint64_t>(c.env().busy_time().ns);
  c.node.commands().reset_statistics();
  c.reply.ok();
}

void config_rewrite_command(Context& c) {
  if (c.node.config().file().empty()) {
    c.error("ERR The server is running without a config file");
    return;
  }
  c.node.add_job(std::make_unique<ConfigRewrite>(c.node, c.defer()));
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
