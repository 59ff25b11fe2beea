#include "engine/commands/families.h"

#include <array>

namespace redoubt {

std::span<const std::span<const Command>> all_families() {
  static const std::array<std::span<const Command>, 12> families = {
      string_commands(), generic_commands(), expiry_commands(),     scan_commands(),
      bitmap_commands(), server_commands(),  connection_commands(), config_commands(),
      info_commands(),   command_commands(), debug_commands(),      memory_commands()};
  return families;
}

}  // namespace redoubt
