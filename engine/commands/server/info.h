// What INFO and MEMORY know of a node.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/node/node.h"

namespace redoubt {

// The text of INFO with these sections, in Redis's order; none means the default ones.
std::string info_text(Node& node, std::span<const std::string_view> sections);

// Who takes how much memory, as counted.
struct MemoryUse {
  uint64_t used = 0;
  uint64_t peak = 0;
  uint64_t clients = 0;   // connections and what they hold
  uint64_t tables = 0;    // buckets of the dicts
  uint64_t overhead = 0;  // what is not data: clients and tables
  uint64_t keys = 0;
};
MemoryUse memory_use(Node& node);

// Calls visit(entry) for all commands and subcommands.
template <typename Visit>
void for_each_command(const CommandTable& table, Visit&& visit) {
  for (const CommandEntry* entry : table.all()) {
    visit(*entry);
    for (const CommandEntry* sub : entry->subcommands) visit(*sub);
  }
}

}  // namespace redoubt
