// Texts that stand in the rows of more than one family.
#pragma once

#include <string_view>

namespace redoubt {

// Tips for clients of a cluster.
inline constexpr std::string_view kAllShardsSucceed =
    "request_policy:all_shards response_policy:all_succeeded";
inline constexpr std::string_view kAllNodesSucceed =
    "request_policy:all_nodes response_policy:all_succeeded";
inline constexpr std::string_view kOfAllShards =
    "nondeterministic_output request_policy:all_shards response_policy:special";

// Complexities.
inline constexpr std::string_view kOnceForEachAdded =
    "O(1) for each element added, so O(N) to add N elements when the command is called with "
    "multiple arguments.";
inline constexpr std::string_view kLogarithmicInSortedSet =
    "O(log(N)) with N being the number of elements in the sorted set.";
inline constexpr std::string_view kOnceForEachAddedToSortedSet =
    "O(log(N)) for each item added, where N is the number of elements in the sorted set.";

// Histories.
inline constexpr std::string_view kTimeoutIsDouble =
    "6.0.0: `timeout` is interpreted as a double instead of an integer.";

}  // namespace redoubt
