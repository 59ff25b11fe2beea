// Hash fields with a deadline of their own: HEXPIRE, HTTL, HPERSIST and their kin.
#include <fmt/format.h>

#include <limits>
#include <string>
#include <vector>

#include "engine/commands/families.h"
#include "engine/commands/hash_fields.h"
#include "engine/commands/hash_value.h"
#include "engine/store/number.h"

namespace redoubt {

namespace {

// What a command says of each field.
enum Answer : int64_t { kNoField = -2, kNoDeadline = -1, kNotMet = 0, kSet = 1, kDeleted = 2 };

// "FIELDS numfields field ..." from argument `at` to the end: the index of the first field. Nothing
// after an error.
std::optional<size_t> fields_from(Context& c, size_t at, std::string_view count_error) {
  if (!c.is(at, "FIELDS")) {
    c.error("ERR Mandatory argument FIELDS is missing or not at the right position");
    return std::nullopt;
  }
  const size_t first = at + 2;
  const std::optional<int64_t> count =
      first > c.args.size()
          ? std::nullopt
          : c.integer_between(at + 1, 1, std::numeric_limits<int64_t>::max(), count_error);
  if (first > c.args.size()) c.syntax_error();
  if (!count) return std::nullopt;
  if (static_cast<uint64_t>(*count) != c.args.size() - first) {
    c.error("ERR The `numfields` parameter must match the number of arguments");
    return std::nullopt;
  }
  return first;
}

// The same answer for each field of a key that is not there.
void reply_no_fields(Context& c, size_t first) {
  c.reply.array(c.args.size() - first);
  for (size_t i = first; i < c.args.size(); ++i) c.reply.integer(kNoField);
}

// --- HEXPIRE and its kin

enum class When : uint8_t { always, nx, xx, gt, lt };

When when_of(const Context& c, size_t index) {
  if (c.is(index, "NX")) return When::nx;
  if (c.is(index, "XX")) return When::xx;
  if (c.is(index, "GT")) return When::gt;
  return c.is(index, "LT") ? When::lt : When::always;
}

// No deadline counts as one that never comes.
bool allowed(When when, int64_t old_ms, int64_t new_ms) {
  switch (when) {
    case When::always: return true;
    case When::nx: return old_ms == kNeverExpires;
    case When::xx: return old_ms != kNeverExpires;
    case When::gt: return old_ms != kNeverExpires && new_ms > old_ms;
    case When::lt: break;
  }
  return new_ms < old_ms;
}

std::optional<int64_t> read_deadline(Context& c, int64_t base_ms, bool seconds) {
  std::optional<int64_t> given = c.integer(2);
  if (!given) return std::nullopt;
  if (*given < 0) {
    c.error("ERR invalid expire time, must be >= 0");
    return std::nullopt;
  }
  const std::optional<int64_t> deadline = field_deadline_ms(*given, base_ms, seconds);
  if (!deadline) {
    c.error(fmt::format("ERR invalid expire time in '{}' command", c.command.row->name));
  }
  return deadline;
}

void expire_fields(Context& c, int64_t base_ms, bool seconds) {
  const std::string_view key = c.args[1];
  bool failed = false;
  Entry* entry = hash_to_write(c, key, failed);
  if (failed) return;
  const std::optional<int64_t> deadline = read_deadline(c, base_ms, seconds);
  if (!deadline) return;
  const When when = when_of(c, 3);
  const std::optional<size_t> first = fields_from(
      c, when == When::always ? 3 : 4, "ERR Parameter `numFields` should be greater than 0");
  if (!first) return;
  if (entry == nullptr) {
    reply_no_fields(c, *first);
    return;
  }
  const bool over = *deadline <= c.now_ms();
  HashWriter hash(c, key, entry);
  std::vector<std::string_view> changed;
  c.reply.array(c.args.size() - *first);
  for (size_t i = *first; i < c.args.size(); ++i) {
    const std::optional<HashField> field = hash.find(c.args[i]);
    if (!field || !allowed(when, field->deadline_ms, *deadline)) {
      c.reply.integer(field ? kNotMet : kNoField);
      continue;
    }
    changed.push_back(c.args[i]);
    c.reply.integer(over ? kDeleted : kSet);
    if (over) {
      hash.editor().remove(c.args[i]);
    } else {
      hash.editor().set_deadline(c.args[i], *deadline);
    }
  }
  hash.finish();
  announce_deadline(c, key, changed, over ? FieldChange::removed : FieldChange::expires, *deadline);
  hash.remove_if_empty();
}

void hexpire_command(Context& c) {
  expire_fields(c, c.now_ms(), true);
}
void hpexpire_command(Context& c) {
  expire_fields(c, c.now_ms(), false);
}
void hexpireat_command(Context& c) {
  expire_fields(c, 0, true);
}
void hpexpireat_command(Context& c) {
  expire_fields(c, 0, false);
}

// --- HTTL and its kin

void reply_deadlines(Context& c, int64_t base_ms, bool seconds) {
  bool failed = false;
  const Entry* entry = hash_to_read(c, c.args[1], failed);
  if (failed) return;
  const std::optional<size_t> first =
      fields_from(c, 2, "ERR Number of fields must be a positive integer");
  if (!first) return;
  if (entry == nullptr) {
    reply_no_fields(c, *first);
    return;
  }
  c.reply.array(c.args.size() - *first);
  for (size_t i = *first; i < c.args.size(); ++i) {
    const std::optional<HashField> field = find_live(c, entry, c.args[i]);
    if (!field || field->deadline_ms == kNeverExpires) {
      c.reply.integer(field ? kNoDeadline : kNoField);
      continue;
    }
    const int64_t ms = field->deadline_ms - base_ms;
    c.reply.integer(seconds ? (ms + 999) / 1000 : ms);
  }
  c.node.env().count_work(c.args.size() - *first);
}

void httl_command(Context& c) {
  reply_deadlines(c, c.now_ms(), true);
}
void hpttl_command(Context& c) {
  reply_deadlines(c, c.now_ms(), false);
}
void hexpiretime_command(Context& c) {
  reply_deadlines(c, 0, true);
}
void hpexpiretime_command(Context& c) {
  reply_deadlines(c, 0, false);
}

void hpersist_command(Context& c) {
  const std::string_view key = c.args[1];
  bool failed = false;
  Entry* entry = hash_to_write(c, key, failed);
  if (failed) return;
  const std::optional<size_t> first =
      fields_from(c, 2, "ERR Number of fields must be a positive integer");
  if (!first) return;
  if (entry == nullptr) {
    reply_no_fields(c, *first);
    return;
  }
  HashWriter hash(c, key, entry);
  std::vector<std::string_view> changed;
  c.reply.array(c.args.size() - *first);
  for (size_t i = *first; i < c.args.size(); ++i) {
    const std::optional<HashField> field = hash.find(c.args[i]);
    if (!field || field->deadline_ms == kNeverExpires) {
      c.reply.integer(field ? kNoDeadline : kNoField);
      continue;
    }
    hash.editor().set_deadline(c.args[i], kNeverExpires);
    changed.push_back(c.args[i]);
    c.reply.integer(kSet);
  }
  hash.finish();
  announce_deadline(c, key, changed, FieldChange::persists, 0);
  hash.remove_if_empty();
}

constexpr KeySpec kChanged = keys_at(kKeyRW | kKeyUpdate, 1);
constexpr KeySpec kRead = keys_at(kKeyRO | kKeyAccess, 1);
constexpr std::string_view kComplexity = "O(N) where N is the number of specified fields";
constexpr Command changing(std::string_view name, std::string_view summary,
                           std::string_view arguments, void (*handler)(Context&)) {
  return {.name = name,
          .arity = -6,
          .flags = kWrite | kDenyOom | kFast,
          .categories = kCatHash,
          .keys = {kChanged},
          .since = "7.4.0",
          .group = "hash",
          .complexity = kComplexity,
          .summary = summary,
          .arguments = arguments,
          .handler = handler};
}

constexpr Command reading(std::string_view name, std::string_view summary, bool relative,
                          void (*handler)(Context&)) {
  return {.name = name,
          .arity = -5,
          .flags = kReadOnly | kFast,
          .categories = kCatHash,
          .keys = {kRead},
          .since = "7.4.0",
          .group = "hash",
          .complexity = kComplexity,
          .summary = summary,
          .tips = relative ? "nondeterministic_output" : "",
          .arguments = "key:key fields:{numfields:integer field:string...}(FIELDS)",
          .handler = handler};
}

constexpr Command rows[] = {
    changing("hexpire", "Set expiry for hash field using relative time to expire (seconds)",
             "key:key seconds:integer [condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>] "
             "fields:{numfields:integer field:string...}(FIELDS)",
             hexpire_command),
    changing("hexpireat", "Set expiry for hash field using an absolute Unix timestamp (seconds)",
             "key:key unix-time-seconds:unix-time [condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>] "
             "fields:{numfields:integer field:string...}(FIELDS)",
             hexpireat_command),
    reading("hexpiretime",
            "Returns the expiration time of a hash field as a Unix timestamp, in seconds.", false,
            hexpiretime_command),
    {.name = "hpersist",
     .arity = -5,
     .flags = kWrite | kFast,
     .categories = kCatHash,
     .keys = {kChanged},
     .since = "7.4.0",
     .group = "hash",
     .complexity = kComplexity,
     .summary = "Removes the expiration time for each specified field",
     .arguments = "key:key fields:{numfields:integer field:string...}(FIELDS)",
     .handler = hpersist_command},
    changing("hpexpire", "Set expiry for hash field using relative time to expire (milliseconds)",
             "key:key milliseconds:integer [condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>] "
             "fields:{numfields:integer field:string...}(FIELDS)",
             hpexpire_command),
    changing("hpexpireat",
             "Set expiry for hash field using an absolute Unix timestamp (milliseconds)",
             "key:key unix-time-milliseconds:unix-time "
             "[condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>] "
             "fields:{numfields:integer field:string...}(FIELDS)",
             hpexpireat_command),
    reading("hpexpiretime",
            "Returns the expiration time of a hash field as a Unix timestamp, in msec.", false,
            hpexpiretime_command),
    reading("hpttl", "Returns the TTL in milliseconds of a hash field.", true, hpttl_command),
    reading("httl", "Returns the TTL in seconds of a hash field.", true, httl_command),
};

}  // namespace

std::span<const Command> hash_expiry_commands() {
  return rows;
}

}  // namespace redoubt
