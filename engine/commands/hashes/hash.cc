// Hashes, changed field by field: HSET, HDEL, HINCRBY and their kin.
#include <cmath>
#include <string>

#include "engine/commands/families.h"
#include "engine/commands/hashes/hash_value.h"
#include "engine/commands/strings/string_options.h"
#include "engine/store/number.h"

namespace redoubt {

namespace {

// Sets the pairs at arguments 2, 3 ...; how many fields are new. Nothing after an error.
std::optional<size_t> set_pairs(Context& c) {
  if (c.args.size() % 2 != 0) {
    c.error(c.command.row->name == "hset" ? "ERR wrong number of arguments for 'hset' command"
                                          : "ERR wrong number of arguments for 'hmset' command");
    return std::nullopt;
  }
  const std::string_view key = c.args[1];
  bool failed = false;
  Entry* entry = hash_to_write(c, key, failed);
  if (failed) return std::nullopt;
  HashWriter hash(c, key, entry);
  hash.editor().expect_fields(c.args.size() / 2 - 1);
  for (size_t i = 2; i < c.args.size(); ++i) hash.editor().expect(c.args[i]);
  size_t created = 0;
  for (size_t i = 2; i < c.args.size(); i += 2) {
    // An expired field that is still there would not count as new.
    if (hash.has_expired()) hash.find(c.args[i]);
    const bool is_new = hash.editor().set(c.args[i], c.args[i + 1], kNeverExpires,
                                          pair_blob(c, i + 1, c.args.size()));
    created += is_new ? 1 : 0;
  }
  hash.finish();
  c.modified(key, 'h', "hset");
  c.announce_fields(key, "hset", c.args.subspan(2), 2);
  c.env().count_work(c.args.size() / 2 - 1);
  return created;
}

void hset_command(Context& c) {
  if (const std::optional<size_t> created = set_pairs(c)) {
    c.reply.integer(static_cast<int64_t>(*created));
  }
}

void hmset_command(Context& c) {
  if (set_pairs(c)) c.reply.ok();
}

void hsetnx_command(Context& c) {
  const std::string_view key = c.args[1];
  bool failed = false;
  Entry* entry = hash_to_write(c, key, failed);
  if (failed) return;
  HashWriter hash(c, key, entry);
  const bool there = hash.find(c.args[2]).has_value();
  if (!there) hash.editor().set(c.args[2], c.args[3], kNeverExpires, large_blob(c, 3));
  hash.finish();
  if (!there) {
    c.modified(key, 'h', "hset");
    c.announce_fields(key, "hset", c.args.subspan(2, 1));
  }
  c.reply.integer(there ? 0 : 1);
}

void hdel_command(Context& c) {
  const std::string_view key = c.args[1];
  bool failed = false;
  Entry* entry = hash_to_write(c, key, failed);
  if (failed) return;
  std::vector<std::string_view> removed;
  if (entry != nullptr) {
    HashWriter hash(c, key, entry);
    for (size_t i = 2; i < c.args.size() && hash.editor().size() > 0; ++i) {
      if (!hash.find(c.args[i])) continue;
      hash.editor().remove(c.args[i]);
      removed.push_back(c.args[i]);
    }
    hash.finish();
    if (!removed.empty()) {
      c.modified(key, 'h', "hdel");
      c.announce_fields(key, "hdel", removed);
    }
    hash.remove_if_empty();
    c.env().count_work(c.args.size() - 2);
  }
  c.reply.integer(static_cast<int64_t>(removed.size()));
}

void hincrby_command(Context& c) {
  const std::optional<int64_t> increment = c.integer(3);
  if (!increment) return;
  const std::string_view key = c.args[1];
  const std::string_view name = c.args[2];
  bool failed = false;
  Entry* entry = hash_to_write(c, key, failed);
  if (failed) return;
  HashWriter hash(c, key, entry);
  const std::optional<HashField> field = hash.find(name);
  int64_t deadline_ms = kNeverExpires;
  std::optional<int64_t> value = 0;
  if (field) {
    deadline_ms = field->deadline_ms;
    value = field->value.is_number ? field->value.number : parse_integer(field->value.text);
  }
  int64_t sum = 0;
  const bool overflow = value && __builtin_add_overflow(*value, *increment, &sum);
  if (value && !overflow) hash.editor().set(name, IntegerText(sum).view(), deadline_ms);
  hash.finish();
  if (!value) {
    c.error("ERR hash value is not an integer");
  } else if (overflow) {
    c.error("ERR increment or decrement would overflow");
  } else {
    c.modified(key, 'h', "hincrby");
    c.announce_fields(key, "hincrby", c.args.subspan(2, 1));
    c.reply.integer(sum);
  }
}

void hincrbyfloat_command(Context& c) {
  const std::optional<long double> increment = parse_long_double(c.args[3]);
  if (!increment) {
    c.error("ERR value is not a valid float");
    return;
  }
  if (!std::isfinite(*increment)) {
    c.error("ERR value is NaN or Infinity");
    return;
  }
  const std::string_view key = c.args[1];
  const std::string_view name = c.args[2];
  bool failed = false;
  Entry* entry = hash_to_write(c, key, failed);
  if (failed) return;
  HashWriter hash(c, key, entry);
  const std::optional<HashField> field = hash.find(name);
  const int64_t deadline_ms = field ? field->deadline_ms : kNeverExpires;
  std::optional<long double> value = 0;
  if (field) value = parse_long_double(ElementText(field->value).view());
  const bool fits = value && std::isfinite(*value + *increment);
  const LongDoubleText result(fits ? *value + *increment : 0);
  if (fits) hash.editor().set(name, result.view(), deadline_ms);
  hash.finish();
  if (!value) {
    c.error("ERR hash value is not a float");
    return;
  }
  if (!fits) {
    c.error("ERR increment would produce NaN or Infinity");
    return;
  }
  c.modified(key, 'h', "hincrbyfloat");
  c.announce_fields(key, "hincrbyfloat", c.args.subspan(2, 1));
  // Another machine might round differently; HSET would drop the deadline.
  if (deadline_ms == kNeverExpires) {
    c.effect({"HSET", key, name, result.view()});
  } else {
    c.effect({"HSETEX", key, "KEEPTTL", "FIELDS", "1", name, result.view()});
  }
  c.reply.bulk(result.view());
}

// What HSET and HMSET have in common.
constexpr Command hset_row(Command row) {
  row.arity = -4;
  row.flags = kWrite | kDenyOom | kFast;
  row.categories = kCatHash;
  row.keys = {keys_at(kKeyRW | kKeyUpdate, 1)};
  row.since = "2.0.0";
  row.group = "hash";
  row.arguments = "key:key field_value:{field:string value:string}...";
  return row;
}

constexpr Command hash_rows[] = {
    {.name = "hdel",
     .arity = -3,
     .flags = kWrite | kFast,
     .categories = kCatHash,
     .keys = {keys_at(kKeyRW | kKeyDelete, 1)},
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(N) where N is the number of fields to be removed.",
     .summary = "Delete one or more hash fields",
     .arguments = "key:key field:string...",
     .history = "2.4.0: Accepts multiple `field` arguments.",
     .handler = hdel_command},
    {.name = "hincrby",
     .arity = 4,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatHash,
     .keys = {keys_at(kKeyRW | kKeyAccess | kKeyUpdate, 1)},
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(1)",
     .summary = "Increment the integer value of a hash field by the given number",
     .arguments = "key:key field:string increment:integer",
     .handler = hincrby_command},
    {.name = "hincrbyfloat",
     .arity = 4,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatHash,
     .keys = {keys_at(kKeyRW | kKeyAccess | kKeyUpdate, 1)},
     .since = "2.6.0",
     .group = "hash",
     .complexity = "O(1)",
     .summary = "Increment the float value of a hash field by the given amount",
     .arguments = "key:key field:string increment:double",
     .handler = hincrbyfloat_command},
    hset_row({.name = "hmset",
              .complexity = "O(N) where N is the number of fields being set.",
              .summary = "Set multiple hash fields to multiple values",
              .deprecated = "4.0.0: `HSET` with multiple field-value pairs",
              .handler = hmset_command}),
    hset_row({.name = "hset",
              .complexity =
                  "O(1) for each field/value pair added, so O(N) to add N field/value pairs when "
                  "the command is called with multiple field/value pairs.",
              .summary = "Set the string value of a hash field",
              .history = "4.0.0: Accepts multiple `field` and `value` arguments.",
              .handler = hset_command}),
    {.name = "hsetnx",
     .arity = 4,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatHash,
     .keys = {keys_at(kKeyRW | kKeyInsert, 1)},
     .since = "2.0.0",
     .group = "hash",
     .complexity = "O(1)",
     .summary = "Set the value of a hash field, only if the field does not exist",
     .arguments = "key:key field:string value:string",
     .handler = hsetnx_command},
};

}  // namespace

std::span<const Command> hash_commands() {
  return hash_rows;
}

}  // namespace redoubt
