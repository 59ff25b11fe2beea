// What any server tells of itself as a whole: ROLE, WAIT and MODULE. This one is a master without
// replicas or modules.
#include <limits>

#include "engine/commands/families.h"
#include "engine/commands/help.h"
#include "engine/dispatch/context.h"

namespace redoubt {

namespace {

void role_command(Context& c) {
  c.reply.array(3);
  c.reply.bulk("master");
  c.reply.integer(static_cast<int64_t>(c.effects().end_offset()));
  c.reply.array(0);
}

// --- WAIT: who asks for replicas waits in vain

void wait_command(Context& c) {
  const std::optional<int64_t> replicas = c.integer(1);
  if (!replicas) return;
  const std::optional<Instant> deadline = c.timeout_ms(2);
  if (!deadline) return;
  if (*replicas <= 0) {
    c.reply.integer(0);
    return;
  }
  c.wait_until(*deadline, BlockReply::zero);
}

// --- MODULE

void module_list_command(Context& c) {
  c.reply.array(0);
}

void module_refused_command(Context& c) {
  c.error(
      "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", "
      "you can run it from a local connection, otherwise you need to set this option in the "
      "configuration file, and then restart the server.");
}

void module_help_command(Context& c) {
  constexpr std::string_view kLines[] = {
      "LIST",
      "    Return the modules that are loaded: none.",
      "LOAD <path> [<arg> ...]",
      "    Refused, as there are no modules.",
      "LOADEX <path> [CONFIG <name> <value> ...] [ARGS <arg> ...]",
      "    The same.",
      "UNLOAD <name>",
      "    The same.",
  };
  reply_help(c, kLines);
}

// What LOAD, LOADEX and UNLOAD have in common.
constexpr Command module_row(Command row) {
  row.flags = kAdmin | kNoScript | kNoAsyncLoading;
  row.group = "server";
  row.complexity = "O(1)";
  row.handler = module_refused_command;
  return row;
}

constexpr Command module_subcommands[] = {
    help_row({.since = "5.0.0", .group = "server", .handler = module_help_command}),
    {.name = "list",
     .arity = 2,
     .flags = kAdmin | kNoScript,
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(N) where N is the number of loaded modules.",
     .summary = "List all modules loaded by the server",
     .tips = "nondeterministic_output_order",
     .handler = module_list_command},
    module_row({.name = "load",
                .arity = -3,
                .since = "4.0.0",
                .summary = "Load a module",
                .arguments = "path:string [arg:string...]"}),
    module_row({.name = "loadex",
                .arity = -3,
                .since = "7.0.0",
                .summary = "Load a module with extended parameters",
                .arguments = "path:string [configs:{name:string value:string}(CONFIG)*...] "
                             "[args:{arg:string}(ARGS)...]"}),
    module_row({.name = "unload",
                .arity = 3,
                .since = "4.0.0",
                .summary = "Unload a module",
                .arguments = "name:string"}),
};

constexpr Command instance_rows[] = {
    {.name = "module",
     .arity = -2,
     .since = "4.0.0",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .summary = "A container for module commands",
     .subcommands = module_subcommands},
    {.name = "role",
     .arity = 1,
     .flags = kNoScript | kLoading | kStale | kFast,
     .categories = kCatAdmin | kCatDangerous,
     .since = "2.8.12",
     .group = "server",
     .complexity = "O(1)",
     .summary = "Return the role of the instance in the context of replication",
     .handler = role_command},
    {.name = "wait",
     .arity = 3,
     .flags = kNoScript,
     .categories = kCatConnection,
     .since = "3.0.0",
     .group = "generic",
     .complexity = "O(1)",
     .summary = "Wait for the synchronous replication of all the write commands sent in the "
                "context of the current connection",
     .tips = "request_policy:all_shards response_policy:agg_min",
     .arguments = "numreplicas:integer timeout:integer",
     .handler = wait_command},
};

}  // namespace

std::span<const Command> instance_commands() {
  return instance_rows;
}

}  // namespace redoubt
