#include "engine/commands/families.h"

namespace redoubt {

std::vector<std::span<const Command>> all_families() {
  return {string_commands(),
          string_range_commands(),
          string_counter_commands(),
          string_increx_commands(),
          string_newer_commands(),
          bitmap_commands(),
          bitfield_commands(),
          generic_commands(),
          expiry_commands(),
          scan_commands(),
          server_commands(),
          connection_commands(),
          config_commands(),
          info_commands(),
          command_commands(),
          debug_commands(),
          memory_commands(),
          list_commands(),
          list_range_commands(),
          list_move_commands(),
          sort_commands(),
          pubsub_commands(),
          set_commands(),
          set_random_commands(),
          hash_commands(),
          hash_read_commands(),
          set_algebra_commands(),
          hash_expiry_commands(),
          hash_newer_commands(),
          zset_commands(),
          zset_combine_commands(),
          zset_pop_commands(),
          zset_range_commands(),
          hyperloglog_commands(),
          stream_commands(),
          stream_read_commands(),
          stream_group_commands(),
          stream_pending_commands(),
          stream_info_commands(),
          stream_newer_commands()};
}

}  // namespace redoubt
