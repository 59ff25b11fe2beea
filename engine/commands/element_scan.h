// What the commands of the SCAN family share: the cursor, and the options of those that walk over
// one value (SSCAN, HSCAN, ZSCAN).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "engine/command/command.h"
#include "engine/dispatch/context.h"

namespace redoubt {

// A cursor is a number of 64 bits; what strtoul() takes for one is one, a sign and an empty text
// included, because Redis reads it that way.
std::optional<uint64_t> parse_cursor(std::string_view text);

// Whether a key or an element is what MATCH asks for. An empty one is matched only by the pattern
// "*" and by the empty one, as Redis has it.
bool scan_matches(std::string_view pattern, std::string_view text);

struct ElementScan {
  uint64_t cursor = 0;
  uint64_t count = 10;
  std::string_view pattern = "*";
  bool no_values = false;
};

// The cursor at argument 2; an error is replied when it is none. It is looked at before the key,
// the options after it.
bool read_scan_cursor(Context& c, ElementScan& scan);
// MATCH and COUNT from argument 3 on, and NOVALUES where `values` says that there are some.
bool read_scan_options(Context& c, ElementScan& scan, bool values);

// Calls walk(cursor) until it has seen enough elements: it visits some, adds them to its count and
// returns the next cursor, 0 at the end.
template <typename Walk>
void walk_elements(ElementScan& scan, const uint64_t& seen, Walk&& walk) {
  // A table with many empty blocks is walked for so many steps at most.
  constexpr uint64_t kStepsEach = 10;
  uint64_t steps = scan.count > std::numeric_limits<uint64_t>::max() / kStepsEach
                       ? scan.count
                       : scan.count * kStepsEach;
  do {
    scan.cursor = walk(scan.cursor);
  } while (scan.cursor != 0 && --steps > 0 && seen < scan.count);
}

// What the rows of SSCAN, HSCAN and ZSCAN have in common.
constexpr Command element_scan_row(Command row) {
  row.arity = -3;
  row.flags = kReadOnly;
  row.keys = {keys_at(kKeyRO | kKeyAccess, 1)};
  row.since = "2.8.0";
  row.complexity =
      "O(1) for every call. O(N) for a complete iteration, including enough command calls for the "
      "cursor to return back to 0. N is the number of elements inside the collection..";
  row.tips = "nondeterministic_output";
  row.arguments = "key:key cursor:integer [pattern:pattern(MATCH)] [count:integer(COUNT)]";
  return row;
}

// The reply for a key that is not there.
inline void reply_empty_scan(Context& c) {
  c.reply.array(2);
  c.reply.bulk("0");
  c.reply.array(0);
}

}  // namespace redoubt
