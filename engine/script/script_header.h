// The first line of a script or a library: "#!lua name=mylib flags=no-writes,allow-oom".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace redoubt {

// What a script says of itself.
enum ScriptFlag : uint32_t {
  kScriptNoWrites = 1u << 0,
  kScriptAllowOom = 1u << 1,
  kScriptAllowStale = 1u << 2,
  kScriptNoCluster = 1u << 3,
  kScriptAllowCrossSlot = 1u << 4,
  // Ours: when it fails, nothing of it has happened.
  kScriptAllOrNothing = 1u << 5,
  // It has no header, and so follows the rules that were before there were flags.
  kScriptWithoutHeader = 1u << 6,
};

// The flag of a name such as "no-writes"; 0: there is none.
uint32_t script_flag(std::string_view name);
// Calls visit(name) for each flag that is set, in a fixed order.
template <typename Visit>
void for_each_script_flag(uint32_t flags, Visit&& visit);

struct ScriptHeader {
  uint32_t flags = kScriptWithoutHeader;
  std::string_view code;  // for EVAL: the header's line is empty in it, so lines keep their number
  std::string_view library;  // its name
};

// Of libraries and functions: letters, digits and underscores, at least one.
bool is_library_name(std::string_view name);

// Of a text for EVAL; without a header all of it is code. Returns an empty text, or the error that
// the client gets.
std::string parse_script_header(std::string_view text, ScriptHeader* header);
// Of a library, which must have one.
std::string parse_library_header(std::string_view text, ScriptHeader* header);

// --- details

struct ScriptFlagName {
  std::string_view name;
  uint32_t flag;
};
inline constexpr ScriptFlagName kScriptFlagNames[] = {
    {"no-writes", kScriptNoWrites},
    {"allow-oom", kScriptAllowOom},
    {"allow-stale", kScriptAllowStale},
    {"no-cluster", kScriptNoCluster},
    {"allow-cross-slot-keys", kScriptAllowCrossSlot},
    {"all-or-nothing", kScriptAllOrNothing},
};

template <typename Visit>
void for_each_script_flag(uint32_t flags, Visit&& visit) {
  for (const ScriptFlagName& row : kScriptFlagNames) {
    if ((flags & row.flag) != 0) visit(row.name);
  }
}

}  // namespace redoubt
