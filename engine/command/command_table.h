// The command table of a node: the rows of all families under the names that this node gives them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/command/command.h"
#include "engine/command/latency_histogram.h"

namespace redoubt {

struct RenamedCommand;

// What may stand between a request and its handler: bits of CommandEntry::concerns. A reason to
// look closer (a pause, memory that is used up, data that is being loaded) concerns some commands
// and leaves the others alone.
enum Concern : uint32_t {
  kConcernAll = 1u << 0,         // every command
  kConcernWrites = 1u << 1,      // writes, or may replicate
  kConcernMemory = 1u << 2,      // may need memory (denyoom)
  kConcernKeys = 1u << 3,        // names keys
  kConcernNotLoading = 1u << 4,  // has to wait until the data is there
  kConcernNoHandler = 1u << 5,   // a container of subcommands that does nothing by itself
  kConcernNotStale = 1u << 6,    // is about data, which may be old
  kConcernNotBusy = 1u << 7,     // does not run while a script is suspended
};

// A row in use: what is counted for it, and what was derived from it.
struct CommandEntry {
  const Command* row = nullptr;
  const CommandEntry* container = nullptr;  // of a subcommand
  std::string name;                         // "get", "config|get"; as renamed
  uint32_t concerns = 0;                    // bits of Concern
  uint32_t categories = 0;                  // with those that follow from flags
  int first_key = 0;                        // argument index, 0 when there is none at a fixed place
  std::vector<CommandEntry*> subcommands;

  // INFO commandstats.
  uint64_t calls = 0;
  uint64_t nsec = 0;  // of all calls
  uint64_t rejected_calls = 0;
  uint64_t failed_calls = 0;
  std::unique_ptr<LatencyHistogram> latency;  // null: no call was timed since the last reset
};

class CommandTable {
 public:
  // All rows of the families, under their own names.
  explicit CommandTable(std::span<const std::span<const Command>> families);
  CommandTable(const CommandTable&) = delete;
  CommandTable& operator=(const CommandTable&) = delete;
  ~CommandTable();

  // The command of this name in any case; null when there is none.
  CommandEntry* find(std::string_view name) const;
  // The command that these arguments call: a container's subcommand when there is one. `container`
  // is set when the first word is a container and the second is unknown.
  CommandEntry* resolve(std::span<const std::string_view> args, CommandEntry** container) const;

  // Carries out rename-command lines. False: a command does not exist, or its new name is taken;
  // *error is one line "file:line: what was expected".
  bool rename(std::span<const RenamedCommand> lines, std::string* error);

  // Commands, without subcommands, in alphabetical order of their names.
  const std::vector<CommandEntry*>& all() const { return all_; }
  void reset_statistics();

 private:
  CommandEntry* add(const Command& row, CommandEntry* container);
  void rebuild();

  std::vector<CommandEntry*> owned_;
  std::vector<CommandEntry*> all_;
  // Open addressing; a power of two of slots, at most half full.
  struct Slot {
    uint64_t start = 0;  // lower_start() of its name
    CommandEntry* entry = nullptr;
  };
  std::vector<Slot> slots_;
};

// Calls visit(entry) for all commands and subcommands.
template <typename Visit>
void for_each_command(const CommandTable& table, Visit&& visit) {
  for (const CommandEntry* entry : table.all()) {
    visit(*entry);
    for (const CommandEntry* sub : entry->subcommands) visit(*sub);
  }
}

// Appends the indexes of the arguments that a specification finds. False: they make no sense.
bool keys_of_spec(const KeySpec& spec, std::span<const std::string_view> args,
                  std::vector<int>& out);
// The keys among the arguments, as indexes. False: the arguments make no sense for this command.
bool find_keys(const Command& row, std::span<const std::string_view> args, std::vector<int>& out);

}  // namespace redoubt
