// The families of commands. A family is a file: its rows and their handlers.
#pragma once

#include <span>
#include <vector>

#include "engine/command/command.h"

namespace redoubt {

std::span<const Command> bitfield_commands();
std::span<const Command> bitmap_commands();
std::span<const Command> cluster_commands();
std::span<const Command> command_commands();
std::span<const Command> config_commands();
std::span<const Command> connection_commands();
std::span<const Command> debug_commands();
std::span<const Command> expiry_commands();
std::span<const Command> generic_commands();
std::span<const Command> geo_commands();
std::span<const Command> geo_search_commands();
std::span<const Command> hash_commands();
std::span<const Command> hash_expiry_commands();
std::span<const Command> hash_import_commands();
std::span<const Command> hash_newer_commands();
std::span<const Command> hash_read_commands();
std::span<const Command> hyperloglog_commands();
std::span<const Command> info_commands();
std::span<const Command> instance_commands();
std::span<const Command> latency_commands();
std::span<const Command> list_commands();
std::span<const Command> list_move_commands();
std::span<const Command> list_move_many_commands();
std::span<const Command> list_range_commands();
std::span<const Command> memory_commands();
std::span<const Command> pubsub_commands();
std::span<const Command> scan_commands();
std::span<const Command> server_commands();
std::span<const Command> set_algebra_commands();
std::span<const Command> set_commands();
std::span<const Command> set_expiry_commands();
std::span<const Command> set_random_commands();
std::span<const Command> slowlog_commands();
std::span<const Command> sort_commands();
std::span<const Command> stream_commands();
std::span<const Command> stream_group_commands();
std::span<const Command> stream_idempotent_commands();
std::span<const Command> stream_info_commands();
std::span<const Command> stream_newer_commands();
std::span<const Command> stream_pending_commands();
std::span<const Command> stream_read_commands();
std::span<const Command> string_commands();
std::span<const Command> string_counter_commands();
std::span<const Command> string_increx_commands();
std::span<const Command> string_newer_commands();
std::span<const Command> string_range_commands();
std::span<const Command> transaction_commands();
std::span<const Command> watching_commands();
std::span<const Command> zset_combine_commands();
std::span<const Command> zset_commands();
std::span<const Command> zset_pop_commands();
std::span<const Command> zset_random_commands();
std::span<const Command> zset_range_commands();

// All of them, for making a Node.
std::vector<std::span<const Command>> all_families();

}  // namespace redoubt
