// INFO: what the parts of a node have registered (engine/insight/info_registry.h).
#include "engine/commands/families.h"
#include "engine/commands/row_texts.h"
#include "engine/dispatch/context.h"
#include "engine/node/node.h"
#include "engine/node/node_info.h"

namespace redoubt {

namespace {

void info_command(Context& c) {
  c.reply.verbatim("txt", c.node().info().registry().text(c.args.subspan(1)));
}

constexpr Command info_rows[] = {
    {.name = "info",
     .arity = -1,
     .flags = kLoading | kStale,
     .categories = kCatDangerous,
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)",
     .summary = "Get information and statistics about the server",
     .tips = kOfAllShards,
     .arguments = "[section:string...]",
     .history = "7.0.0: Added support for taking multiple section arguments.",
     .handler = info_command},
};

}  // namespace

std::span<const Command> info_commands() {
  return info_rows;
}

}  // namespace redoubt
