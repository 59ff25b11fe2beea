// What COMMAND INFO and its kin say of one command.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/command/command_table.h"
#include "net/resp/reply_writer.h"

namespace redoubt {

// The command "get", or the subcommand "config|get", in any case; null when there is none.
const CommandEntry* find_by_full_name(const CommandTable& table, std::string_view name);

// The bit of an ACL category, 0 for an unknown name.
uint32_t category_named(std::string_view name);

// First key, last key and step as clients before key specifications had them: the range that covers
// the specifications that are plain ranges. All 0 without keys at fixed places. `incomplete` is set
// when there are other specifications beside.
struct KeyRange {
  int first = 0;
  int last = 0;
  int step = 0;
  bool incomplete = false;
};
KeyRange legacy_key_range(const Command& row);

// An element of COMMAND INFO's reply.
void reply_command_info(ReplyWriter& reply, const CommandEntry& entry);
// The flags of a key specification (bits of KeyFlag), as a set of status lines.
void reply_key_flags(ReplyWriter& reply, uint32_t flags);

struct FoundKey {
  int index = 0;       // of the argument
  uint32_t flags = 0;  // bits of KeyFlag
};
// The keys among the arguments of a command. False: the arguments make no sense.
bool find_keys_and_flags(const Command& row, std::span<const std::string_view> args,
                         std::vector<FoundKey>& out);

}  // namespace redoubt
