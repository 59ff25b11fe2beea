#include "engine/commands/families.h"

namespace redoubt {

std::vector<std::span<const Command>> all_families() {
  return {string_commands(),        string_range_commands(), string_counter_commands(),
          string_increx_commands(), string_newer_commands(), bitmap_commands(),
          bitfield_commands(),      generic_commands(),      expiry_commands(),
          scan_commands(),          server_commands(),       connection_commands(),
          config_commands(),        info_commands(),         command_commands(),
          debug_commands(),         memory_commands(),       pubsub_commands(),
          set_commands(),           set_random_commands(),   hash_commands(),
          hash_read_commands(),     set_algebra_commands(),  hash_expiry_commands(),
          hash_newer_commands(),    list_commands(),         list_range_commands(),
          list_move_commands()};
}

}  // namespace redoubt
