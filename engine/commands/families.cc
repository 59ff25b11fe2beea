#include "engine/commands/families.h"

namespace redoubt {

std::vector<std::span<const Command>> all_families() {
  return {string_commands(),        string_range_commands(), string_counter_commands(),
          string_increx_commands(), string_newer_commands(), bitmap_commands(),
          bitfield_commands(),      generic_commands(),      expiry_commands(),
          scan_commands(),          server_commands(),       connection_commands(),
          config_commands(),        info_commands(),         command_commands(),
          debug_commands(),         memory_commands(),       pubsub_commands(),
          transaction_commands()};
}

}  // namespace redoubt
