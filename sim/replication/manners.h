// What a node may answer its clients, by its role and what it has heard of other nodes:
//
//   replica-serve-stale-data no   a replica without its primary serves no data
//   min-replicas-to-write         a primary that has not heard of so many takes no writes
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "engine/node/node.h"

namespace redoubt::sim {

// A client was given this reply. What was expected instead, and what was seen; or nothing.
std::optional<std::pair<std::string, std::string>> ill_mannered(
    Node& node, std::span<const std::string_view> args, std::string_view reply);

}  // namespace redoubt::sim
