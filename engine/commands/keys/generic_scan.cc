// Walks over the keyspace: KEYS and SCAN.
#include "engine/commands/element_scan.h"
#include "engine/commands/families.h"
#include "engine/dispatch/context.h"
#include "net/text.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace redoubt {

namespace {

void keys_command(Context& c) {
  std::vector<const Entry*> found;
  const std::string_view pattern = c.args[1];
  c.db().dict().for_each([&](const Entry& entry) {
    if (scan_matches(pattern, entry.key()) && !c.keys().expired(entry)) found.push_back(&entry);
  });
  c.env().count_work(c.db().size());
  c.reply.array(found.size());
  for (const Entry* entry : found) c.reply.bulk(entry->key());
}

struct ScanOptions {
  uint64_t cursor = 0;
  uint64_t count = 10;
  std::string_view pattern = "*";
  std::optional<std::string_view> type;
};

std::optional<ScanOptions> scan_options(Context& c) {
  ScanOptions options;
  const std::optional<uint64_t> cursor = parse_cursor(c.args[1]);
  if (!cursor) {
    c.error("ERR invalid cursor");
    return std::nullopt;
  }
  options.cursor = *cursor;
  for (size_t i = 2; i < c.args.size(); i += 2) {
    const bool has_value = i + 1 < c.args.size();
    if (has_value && c.is(i, "count")) {
      const std::optional<int64_t> count = c.integer(i + 1);
      if (!count) return std::nullopt;
      if (*count < 1) {
        c.syntax_error();
        return std::nullopt;
      }
      options.count = static_cast<uint64_t>(*count);
    } else if (has_value && c.is(i, "match")) {
      options.pattern = c.args[i + 1];
    } else if (has_value && c.is(i, "type")) {
      options.type = c.args[i + 1];
    } else {
      c.syntax_error();
      return std::nullopt;
    }
  }
  return options;
}

void scan_command(Context& c) {
  const std::optional<ScanOptions> options = scan_options(c);
  if (!options) return;
  // A table with many empty buckets is walked for so many steps at most.
  constexpr uint64_t kStepsEach = 10;
  const uint64_t count = options->count;
  uint64_t steps =
      count > std::numeric_limits<uint64_t>::max() / kStepsEach ? count : count * kStepsEach;
  uint64_t seen = 0;
  uint64_t cursor = options->cursor;
  std::vector<const Entry*> found;
  std::vector<std::string> expired;
  do {
    cursor = c.db().dict().scan(cursor, [&](const Entry& entry) {
      ++seen;
      if (c.keys().expired(entry)) {
        expired.emplace_back(entry.key());
      } else if (scan_matches(options->pattern, entry.key()) &&
                 (!options->type || equal_ignoring_case(*options->type, ops_of(entry).name))) {
        found.push_back(&entry);
      }
    });
  } while (cursor != Dict::kCursorEnd && --steps > 0 && seen < count);
  c.env().count_work(seen);

  c.reply.array(2);
  c.reply.bulk(std::to_string(cursor));
  c.reply.array(found.size());
  for (const Entry* entry : found) c.reply.bulk(entry->key());
  for (const std::string& key : expired)
    c.keys().removal().expire_key(c.db_index(), key, c.hash(key));
}

constexpr Command scan_rows[] = {
    {.name = "keys",
     .arity = 2,
     .flags = kReadOnly,
     .categories = kCatKeyspace | kCatDangerous,
     .since = "1.0.0",
     .group = "generic",
     .complexity =
         "O(N) with N being the number of keys in the database, under the assumption that the key "
         "names in the database and the given pattern have limited length.",
     .summary = "Find all keys matching the given pattern",
     .tips = "request_policy:all_shards nondeterministic_output_order",
     .arguments = "pattern:pattern",
     .handler = keys_command},
    {.name = "scan",
     .arity = -2,
     .flags = kReadOnly,
     .categories = kCatKeyspace,
     .since = "2.8.0",
     .group = "generic",
     .complexity =
         "O(1) for every call. O(N) for a complete iteration, including enough command calls for "
         "the cursor to return back to 0. N is the number of elements inside the collection.",
     .summary = "Incrementally iterate the keys space",
     .tips = "nondeterministic_output request_policy:special",
     .arguments =
         "cursor:integer [pattern:pattern(MATCH)] [count:integer(COUNT)] [type:string(TYPE)@6.0.0]",
     .history = "6.0.0: Added the `TYPE` subcommand.",
     .handler = scan_command},
};

}  // namespace

std::span<const Command> scan_commands() {
  return scan_rows;
}

}  // namespace redoubt
