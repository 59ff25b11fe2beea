#include "sim/replication/newer_command.h"

#include <array>

#include "engine/dispatch/context.h"

namespace redoubt::sim {

namespace {

void newer_command(Context& c) {
  c.effect({kNewerCommand, c.args[1]});
  c.reply.ok();
}

constexpr std::array<Command, 1> kNewerRows = {Command{.name = kNewerCommand,
                                                       .arity = 2,
                                                       .flags = kWrite,
                                                       .since = "99.0.0",
                                                       .group = "generic",
                                                       .complexity = "O(1)",
                                                       .summary = "Leaves all data as it is.",
                                                       .arguments = "text:string",
                                                       .handler = newer_command}};

}  // namespace

std::span<const Command> newer_commands() {
  return kNewerRows;
}

}  // namespace redoubt::sim
