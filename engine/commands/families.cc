#include "engine/commands/families.h"

#include <array>

namespace redoubt {

std::span<const std::span<const Command>> all_families() {
  static const std::array<std::span<const Command>, 5> families = {
      string_commands(), generic_commands(), bitmap_commands(), connection_commands(),
      server_commands()};
  return families;
}

}  // namespace redoubt
