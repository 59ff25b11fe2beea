// What INFO shows of commands: how often they were called, and how long that took.
#pragma once

#include "engine/command/command_table.h"
#include "engine/config/settings.h"

namespace redoubt {

class InfoRegistry;

// Where it comes from. Both outlive it.
struct CommandStats {
  const CommandTable& commands;
  const Settings& settings;
};

// Registers commandstats, latencystats and the rows about all commands; `stats` outlives the
// registry.
void register_command_stats(InfoRegistry& registry, CommandStats& stats);

}  // namespace redoubt
