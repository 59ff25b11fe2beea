// Hashes, looked at: HGET, HGETALL, HRANDFIELD, HSCAN and their kin.
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "engine/commands/arguments.h"
#include "engine/commands/element_scan.h"
#include "engine/commands/families.h"
#include "engine/commands/hashes/hash_value.h"

namespace redoubt {

namespace {

// --- by name

void hget_command(Context& c) {
  bool failed = false;
  const Entry* entry = hash_to_read(c, c.args[1], failed);
  if (failed) return;
  const std::optional<HashField> field = find_live(c, entry, c.args[2]);
  field ? reply_element(c.reply, field->value) : c.reply.null();
}

void hmget_command(Context& c) {
  bool failed = false;
  const Entry* entry = hash_to_read(c, c.args[1], failed);
  if (failed) return;
  c.reply.array(c.args.size() - 2);
  for (size_t i = 2; i < c.args.size(); ++i) {
    const std::optional<HashField> field = find_live(c, entry, c.args[i]);
    field ? reply_element(c.reply, field->value) : c.reply.null();
  }
  c.env().count_work(c.args.size() - 2);
}

void hexists_command(Context& c) {
  bool failed = false;
  const Entry* entry = hash_to_read(c, c.args[1], failed);
  if (failed) return;
  c.reply.integer(find_live(c, entry, c.args[2]) ? 1 : 0);
}

void hstrlen_command(Context& c) {
  bool failed = false;
  const Entry* entry = hash_to_read(c, c.args[1], failed);
  if (failed) return;
  const std::optional<HashField> field = find_live(c, entry, c.args[2]);
  const size_t size = field ? ElementText(field->value).view().size() : 0;
  c.reply.integer(static_cast<int64_t>(size));
}

// Counts fields that have expired and were not removed yet, as Redis 7.4 does.
void hlen_command(Context& c) {
  bool failed = false;
  const Entry* entry = hash_to_read(c, c.args[1], failed);
  if (failed) return;
  c.reply.integer(entry == nullptr ? 0 : static_cast<int64_t>(HashView(*entry).size()));
}

// --- all of them

enum Parts : uint8_t { kNames = 1, kValues = 2 };

void reply_all(Context& c, int parts) {
  bool failed = false;
  const Entry* entry = hash_to_read(c, c.args[1], failed);
  if (failed) return;
  const bool pairs = parts == (kNames | kValues);
  if (entry == nullptr) {
    pairs ? c.reply.map(0) : c.reply.array(0);
    return;
  }
  const HashView hash(*entry);
  const size_t size = live_fields(c, hash);
  pairs ? c.reply.map(size) : c.reply.array(size);
  for_each_live(c, hash, [&](const HashField& field) {
    if ((parts & kNames) != 0) reply_element(c.reply, field.name);
    if ((parts & kValues) != 0) reply_element(c.reply, field.value);
  });
}

void hgetall_command(Context& c) {
  reply_all(c, kNames | kValues);
}
void hkeys_command(Context& c) {
  reply_all(c, kNames);
}
void hvals_command(Context& c) {
  reply_all(c, kValues);
}

void hscan_command(Context& c) {
  ElementScan scan;
  if (!read_scan_cursor(c, scan)) return;
  bool failed = false;
  const Entry* entry = hash_to_read(c, c.args[1], failed);
  if (failed) return;
  if (entry == nullptr) {
    reply_empty_scan(c);
    return;
  }
  if (!read_scan_options(c, scan, true)) return;
  const HashView hash(*entry);
  const int64_t now_ms = c.past_ms();
  std::vector<HashField> found;
  uint64_t seen = 0;
  walk_elements(scan, seen, [&](uint64_t cursor) {
    return hash.scan(cursor, [&](const HashField& field) {
      ++seen;
      if (is_live(field, now_ms) &&
          (scan.pattern == "*" || scan_matches(scan.pattern, ElementText(field.name).view()))) {
        found.push_back(field);
      }
    });
  });
  c.env().count_work(seen);
  c.reply.array(2);
  c.reply.bulk(std::to_string(scan.cursor));
  c.reply.array(scan.no_values ? found.size() : found.size() * 2);
  for (const HashField& field : found) {
    reply_element(c.reply, field.name);
    if (!scan.no_values) reply_element(c.reply, field.value);
  }
}

// --- at random

struct Choice {
  std::optional<int64_t> count;
  bool with_values = false;
};

std::optional<Choice> read_choice(Context& c) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  Choice choice;
  if (c.args.size() == 2) return choice;
  choice.count = c.integer(2);
  if (!choice.count) return std::nullopt;
  if (*choice.count == std::numeric_limits<int64_t>::min()) {
    c.error(
        "ERR value is out of range, value must between "
        "-9223372036854775807 and 9223372036854775807");
    return std::nullopt;
  }
  choice.with_values = c.args.size() > 3;
  if (c.args.size() > 4 || (choice.with_values && !c.is(3, "WITHVALUES"))) {
    c.syntax_error();
    return std::nullopt;
  }
  const bool too_many =
      choice.with_values && (*choice.count < -kMost / 2 || *choice.count > kMost / 2);
  if (too_many) {
    c.error("ERR value is out of range");
    return std::nullopt;
  }
  return choice;
}

void reply_choice(Context& c, const Choice& choice, const HashField& field) {
  if (choice.with_values && c.reply.resp3()) c.reply.array(2);
  reply_element(c.reply, field.name);
  if (choice.with_values) reply_element(c.reply, field.value);
}

void begin_choices(Context& c, const Choice& choice, size_t count) {
  c.reply.array(choice.with_values && !c.reply.resp3() ? count * 2 : count);
  c.env().count_work(count);
}

// From fields that are in memory one by one: those of a hash in which some have expired, or of
// which many are wanted.
void reply_from(Context& c, const Choice& choice, const std::vector<HashField>& fields) {
  Random& random = c.random();
  if (*choice.count < 0) {
    const size_t draws = fields.empty() ? 0 : static_cast<size_t>(-*choice.count);
    begin_choices(c, choice, draws);
    for (size_t i = 0; i < draws; ++i) {
      reply_choice(c, choice, fields[random.below(fields.size())]);
    }
    return;
  }
  // As many as are wanted, each choice being as likely as any other.
  size_t wanted = std::min(static_cast<size_t>(*choice.count), fields.size());
  begin_choices(c, choice, wanted);
  size_t left = fields.size();
  for (const HashField& field : fields) {
    if (random.below(left--) < wanted) {
      reply_choice(c, choice, field);
      --wanted;
    }
  }
}

// Few of many, none of which has expired.
void reply_drawn(Context& c, const Choice& choice, const HashView& hash) {
  Random& random = c.random();
  const bool again = *choice.count < 0;
  const size_t count = static_cast<size_t>(again ? -*choice.count : *choice.count);
  begin_choices(c, choice, count);
  std::set<std::string, std::less<>> drawn;
  for (size_t i = 0; i < count;) {
    const HashField field = hash.random(random);
    if (!again && !drawn.emplace(ElementText(field.name).view()).second) continue;
    reply_choice(c, choice, field);
    ++i;
  }
}

void hrandfield_command(Context& c) {
  const std::optional<Choice> choice = read_choice(c);
  if (!choice) return;
  bool failed = false;
  const Entry* entry = hash_to_read(c, c.args[1], failed);
  if (failed) return;
  if (entry == nullptr) {
    choice->count ? c.reply.array(0) : c.reply.null();
    return;
  }
  const HashView hash(*entry);
  const bool all_live = hash.earliest_ms() >= c.past_ms();
  const bool few = choice->count &&
                   (*choice->count < 0 || static_cast<size_t>(*choice->count) < hash.size() / 8);
  const bool too_many = choice->count && *choice->count < -kDrawsMax;
  if (all_live && !choice->count) {
    reply_element(c.reply, hash.random(c.random()).name);
    return;
  }
  if (all_live && few && !too_many && hash.encoding() == Encoding::hashtable) {
    reply_drawn(c, *choice, hash);
    return;
  }
  std::vector<HashField> fields;
  for_each_live(c, hash, [&](const HashField& field) { fields.push_back(field); });
  if (too_many && !fields.empty()) {
    c.error("ERR value is out of range");
    return;
  }
  if (choice->count) {
    reply_from(c, *choice, fields);
  } else if (fields.empty()) {
    c.reply.null();
  } else {
    reply_element(c.reply, fields[c.random().below(fields.size())].name);
  }
}

// What the commands that reply the whole hash have in common.
constexpr Command whole_hash_row(Command row) {
  row.arity = 2;
  row.flags = kReadOnly;
  row.categories = kCatHash;
  row.keys = {keys_at(kKeyRO | kKeyAccess, 1)};
  row.since = "2.0.0";
  row.group = "hash";
  row.complexity = "O(N) where N is the size of the hash.";
  row.tips = "nondeterministic_output_order";
  row.arguments = "key:key";
  return row;
}

constexpr Command hash_read_rows[] = {
    {.name = "hexists",
     .arity = 3,
     .flags = kReadOnly | kFast,
     .categories = kCatHash,
     .keys = {keys_at(kKeyRO, 1)},
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(1)",
     .summary = "Determine if a hash field exists",
     .arguments = "key:key field:string",
     .handler = hexists_command},
    {.name = "hget",
     .arity = 3,
     .flags = kReadOnly | kFast,
     .categories = kCatHash,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(1)",
     .summary = "Get the value of a hash field",
     .arguments = "key:key field:string",
     .handler = hget_command},
    whole_hash_row({.name = "hgetall",
                    .summary = "Get all the fields and values in a hash",
                    .handler = hgetall_command}),
    whole_hash_row(
        {.name = "hkeys", .summary = "Get all the fields in a hash", .handler = hkeys_command}),
    {.name = "hlen",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .categories = kCatHash,
     .keys = {keys_at(kKeyRO, 1)},
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(1)",
     .summary = "Get the number of fields in a hash",
     .arguments = "key:key",
     .handler = hlen_command},
    {.name = "hmget",
     .arity = -3,
     .flags = kReadOnly | kFast,
     .categories = kCatHash,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(N) where N is the number of fields being requested.",
     .summary = "Get the values of all the given hash fields",
     .arguments = "key:key field:string...",
     .handler = hmget_command},
    {.name = "hrandfield",
     .arity = -2,
     .flags = kReadOnly,
     .categories = kCatHash,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "6.2.0",
     .group = "hash",
     .complexity = "O(N) where N is the number of fields returned",
     .summary = "Get one or multiple random fields from a hash",
     .tips = "nondeterministic_output",
     .arguments = "key:key [options:{count:integer [withvalues(WITHVALUES)]}]",
     .handler = hrandfield_command},
    element_scan_row({.name = "hscan",
                      .categories = kCatHash,
                      .group = "hash",
                      .summary = "Incrementally iterate hash fields and associated values",
                      .handler = hscan_command}),
    {.name = "hstrlen",
     .arity = 3,
     .flags = kReadOnly | kFast,
     .categories = kCatHash,
     .keys = {keys_at(kKeyRO, 1)},
     .since = "3.2.0",
     .group = "hash",
     .complexity = "O(1)",
     .summary = "Get the length of the value of a hash field",
     .arguments = "key:key field:string",
     .handler = hstrlen_command},
    whole_hash_row(
        {.name = "hvals", .summary = "Get all the values in a hash", .handler = hvals_command}),
};

}  // namespace

std::span<const Command> hash_read_commands() {
  return hash_read_rows;
}

}  // namespace redoubt
