// What a Redoubt node is made of: its commands and its parts. The server, the simulator and replay
// make their nodes here, so that they are the same.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/config/config.h"
#include "engine/node/node.h"

namespace redoubt {

// Parts that nodes have, in the order in which they start.
std::span<const PartKind* const> all_parts();

// The commands that a node has: of all families and of all parts.
std::vector<std::span<const Command>> all_commands();

// A configuration with the directives of the node and of all parts, at their initial values.
std::unique_ptr<Config> make_config();

// A node with all commands and parts; or with other commands than those of no part, as a simulation
// that plants a bug has them. `config` comes from make_config().
std::unique_ptr<Node> make_node(Env& env, std::unique_ptr<Config> config);
std::unique_ptr<Node> make_node(Env& env, std::unique_ptr<Config> config,
                                std::span<const std::span<const Command>> families);

}  // namespace redoubt
