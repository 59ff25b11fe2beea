// Command: the row that says everything about a command. It stands beside the handler in
// engine/commands; COMMAND and its kin, ACL categories, key extraction, routing and the fuzzers'
// vocabulary derive from it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace redoubt {

class Context;

// Flags as COMMAND INFO names them. Bits of Command::flags.
enum CommandFlag : uint32_t {
  kWrite = 1u << 0,
  kReadOnly = 1u << 1,
  kDenyOom = 1u << 2,
  kAdmin = 1u << 3,
  kPubSub = 1u << 4,
  kNoScript = 1u << 5,
  kBlocking = 1u << 6,
  kLoading = 1u << 7,
  kStale = 1u << 8,
  kSkipMonitor = 1u << 9,
  kSkipSlowlog = 1u << 10,
  kAsking = 1u << 11,
  kFast = 1u << 12,
  kNoAuth = 1u << 13,
  kMayReplicate = 1u << 14,
  kNoAsyncLoading = 1u << 15,
  kNoMulti = 1u << 16,
  kNoMandatoryKeys = 1u << 17,
  kAllowBusy = 1u << 18,
  kMovableKeys = 1u << 19,     // the key specifications alone do not find all keys
  kSystemCommand = 1u << 20,   // for the servers themselves: COMMAND DOCS says "syscmd"
  kSubscribedMode = 1u << 21,  // a RESP2 connection with subscriptions may call it
  // What only dispatch looks at.
  kNotQueued = 1u << 22,       // executed at once after MULTI too
  kRunsQueued = 1u << 23,      // EXEC: does what the queued commands do
  kEndsMulti = 1u << 24,       // after MULTI: always possible
  kOtherDatabases = 1u << 25,  // may write its keys in other databases too
};

// ACL categories that a row adds to those that follow from its flags (write -> @write, readonly ->
// @read, admin -> @admin @dangerous, pubsub -> @pubsub, fast -> @fast, else @slow, blocking ->
// @blocking). Bits of Command::categories.
enum CommandCategory : uint32_t {
  kCatKeyspace = 1u << 0,
  kCatRead = 1u << 1,
  kCatWrite = 1u << 2,
  kCatSet = 1u << 3,
  kCatSortedSet = 1u << 4,
  kCatList = 1u << 5,
  kCatHash = 1u << 6,
  kCatString = 1u << 7,
  kCatBitmap = 1u << 8,
  kCatHyperLogLog = 1u << 9,
  kCatGeo = 1u << 10,
  kCatStream = 1u << 11,
  kCatPubSub = 1u << 12,
  kCatAdmin = 1u << 13,
  kCatFast = 1u << 14,
  kCatSlow = 1u << 15,
  kCatBlocking = 1u << 16,
  kCatDangerous = 1u << 17,
  kCatConnection = 1u << 18,
  kCatTransaction = 1u << 19,
  kCatScripting = 1u << 20,
};

// Flags of a key specification, as COMMAND INFO names them.
enum KeyFlag : uint32_t {
  kKeyRW = 1u << 0,
  kKeyRO = 1u << 1,
  kKeyOW = 1u << 2,
  kKeyRM = 1u << 3,
  kKeyAccess = 1u << 4,
  kKeyUpdate = 1u << 5,
  kKeyInsert = 1u << 6,
  kKeyDelete = 1u << 7,
  kKeyNotKey = 1u << 8,
  kKeyIncomplete = 1u << 9,
  kKeyVariableFlags = 1u << 10,
};

// Where keys stand among the arguments.
struct KeySpec {
  // unknown: the arguments alone do not tell.
  enum class Begin : uint8_t { none, index, keyword, unknown };
  enum class Find : uint8_t { range, keynum };

  uint32_t flags = 0;
  Begin begin = Begin::none;
  int index = 0;  // Begin::index: argument of the first key; keyword: where the search starts
  std::string_view keyword{};  // Begin::keyword
  Find find = Find::range;
  int last_or_keynum = 0;  // range: last key, relative to the first, negative from the end; keynum:
                           // argument with the count, relative to the beginning
  int step = 1;
  int limit_or_first = 0;  // range: limit; keynum: first key, relative to the beginning
  std::string_view notes{};
};

// The usual specification: keys from argument `first` to `last` (relative to first, or negative
// from the end), each `step` arguments.
constexpr KeySpec keys_at(uint32_t flags, int first, int last = 0, int step = 1) {
  return {.flags = flags,
          .begin = KeySpec::Begin::index,
          .index = first,
          .keyword = {},
          .find = KeySpec::Find::range,
          .last_or_keynum = last,
          .step = step,
          .limit_or_first = 0,
          .notes = {}};
}

// A count of keys at argument `count_at`, keys from the next one on.
constexpr KeySpec counted_keys(uint32_t flags, int count_at) {
  return {.flags = flags,
          .begin = KeySpec::Begin::index,
          .index = count_at,
          .keyword = {},
          .find = KeySpec::Find::keynum,
          .last_or_keynum = 0,
          .step = 1,
          .limit_or_first = 1,
          .notes = {}};
}

// A specification with notes for the reader.
constexpr KeySpec noted(KeySpec spec, std::string_view notes) {
  spec.notes = notes;
  return spec;
}

struct Command {
  std::string_view name{};  // lower case; a subcommand's own name, without its container's
  int arity = 0;            // with the name; negative: at least
  uint32_t flags = 0;
  uint32_t categories = 0;
  std::array<KeySpec, 3> keys{};
  std::string_view since{};
  std::string_view group{};       // as COMMAND DOCS names it: "string", "generic", ...
  std::string_view complexity{};  // empty for containers
  std::string_view summary{};
  // Tips for clients, separated by blanks: "nondeterministic_output request_policy:all_shards".
  std::string_view tips{};
  // The arguments as COMMAND DOCS shows them, in a notation that engine/commands/docs.h explains.
  std::string_view arguments{};
  // Changes since the first version: "6.0.0: Added the `KEEPTTL` option." separated by line ends.
  std::string_view history{};
  // For a deprecated command: "4.0.0: `SET` with the `EX` argument".
  std::string_view deprecated{};
  std::span<const Command> subcommands{};
  // Null for a container whose subcommands do the work.
  void (*handler)(Context&) = nullptr;
  // For kMovableKeys: appends the indexes of the key arguments. False: the arguments make no sense.
  bool (*find_keys)(std::span<const std::string_view> args, std::vector<int>& indexes) = nullptr;
  // For a specification with kKeyVariableFlags: the flags (bits of KeyFlag) with these arguments.
  uint32_t (*key_flags)(std::span<const std::string_view> args) = nullptr;

  bool accepts(size_t argument_count) const {
    const int count = static_cast<int>(argument_count);
    return arity >= 0 ? count == arity : count >= -arity;
  }
};

}  // namespace redoubt
