#include "engine/commands/families.h"

namespace redoubt {

std::vector<std::span<const Command>> all_families() {
  return {
      // clang-format off: a line each
      bitfield_commands(),
      bitmap_commands(),
      command_commands(),
      config_commands(),
      connection_commands(),
      debug_commands(),
      expiry_commands(),
      generic_commands(),
      geo_commands(),
      geo_search_commands(),
      hash_commands(),
      hash_expiry_commands(),
      hash_import_commands(),
      hash_newer_commands(),
      hash_read_commands(),
      hyperloglog_commands(),
      info_commands(),
      latency_commands(),
      list_commands(),
      list_move_commands(),
      list_move_many_commands(),
      list_range_commands(),
      memory_commands(),
      pubsub_commands(),
      scan_commands(),
      server_commands(),
      set_algebra_commands(),
      set_commands(),
      set_expiry_commands(),
      set_random_commands(),
      slowlog_commands(),
      sort_commands(),
      stream_commands(),
      stream_group_commands(),
      stream_idempotent_commands(),
      stream_info_commands(),
      stream_newer_commands(),
      stream_pending_commands(),
      stream_read_commands(),
      string_commands(),
      string_counter_commands(),
      string_increx_commands(),
      string_newer_commands(),
      string_range_commands(),
      transaction_commands(),
      watching_commands(),
      zset_combine_commands(),
      zset_commands(),
      zset_pop_commands(),
      zset_random_commands(),
      zset_range_commands(),
      // clang-format on
  };
}

}  // namespace redoubt
