// MODULE: this server has none.
#include "engine/commands/families.h"
#include "engine/dispatch/context.h"
#include "engine/dispatch/help.h"

namespace redoubt {

namespace {

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
};

}  // namespace

std::span<const Command> instance_commands() {
  return instance_rows;
}

}  // namespace redoubt
