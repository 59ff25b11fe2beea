// A command that only newer nodes know: an effect without an effect. In the stream of a node that
// knows it, it stands between commands that all know.
#pragma once

#include <span>
#include <string_view>

#include "engine/command/command.h"

namespace redoubt::sim {

inline constexpr std::string_view kNewerCommand = "simulated.newer";

// A row for NodeStart::families.
std::span<const Command> newer_commands();

}  // namespace redoubt::sim
