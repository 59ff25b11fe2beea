// Strings as numbers: INCR and its kin.
#include <cmath>
#include <limits>

#include "engine/commands/families.h"
#include "engine/commands/strings/string_options.h"
#include "engine/store/number.h"
#include "engine/store/string_type.h"

namespace redoubt {

namespace {

void add_to_key(Context& c, int64_t increment) {
  const std::string_view key = c.args[1];
  const Entry* entry = c.touch(key);
  if (c.wrong_type(entry, Type::string)) return;
  int64_t value = 0;
  if (entry != nullptr) {
    const std::optional<int64_t> old_value = string_integer(*entry);
    if (!old_value) {
      c.error("ERR value is not an integer or out of range");
      return;
    }
    value = *old_value;
  }
  if (__builtin_add_overflow(value, increment, &value)) {
    c.error("ERR increment or decrement would overflow");
    return;
  }
  c.db().set_integer(key, c.hash(key), value, NewExpiry::keep());
  c.modified(key, '$', "incrby");
  c.reply.integer(value);
}

void incr_command(Context& c) {
  add_to_key(c, 1);
}

void decr_command(Context& c) {
  add_to_key(c, -1);
}

void incrby_command(Context& c) {
  if (const std::optional<int64_t> increment = c.integer(2)) add_to_key(c, *increment);
}

void decrby_command(Context& c) {
  const std::optional<int64_t> decrement = c.integer(2);
  if (!decrement) return;
  if (*decrement == std::numeric_limits<int64_t>::min()) {
    c.error("ERR decrement would overflow");
    return;
  }
  add_to_key(c, -*decrement);
}

void incrbyfloat_command(Context& c) {
  const std::string_view key = c.args[1];
  const Entry* entry = c.touch(key);
  if (c.wrong_type(entry, Type::string)) return;
  StringScratch scratch;
  const std::string_view text = entry == nullptr ? "0" : string_value(*entry, scratch);
  const std::optional<long double> value = parse_long_double(text);
  const std::optional<long double> increment = parse_long_double(c.args[2]);
  if (!value || !increment) {
    c.error("ERR value is not a valid float");
    return;
  }
  const long double sum = *value + *increment;
  if (!std::isfinite(sum)) {
    c.error("ERR increment would produce NaN or Infinity");
    return;
  }
  const LongDoubleText result(sum);
  c.db().set_text(key, c.hash(key), result.view(), NewExpiry::keep());
  c.modified(key, '$', "incrbyfloat");
  // Another machine might round differently.
  c.effect({"SET", key, result.view(), "KEEPTTL"});
  c.reply.bulk(result.view());
}

// What these commands have in common.
constexpr Command counter(Command row) {
  row.flags = kWrite | kDenyOom | kFast;
  row.categories = kCatString;
  row.keys = {keys_at(kKeyRW | kKeyAccess | kKeyUpdate, 1)};
  row.group = "string";
  row.complexity = "O(1)";
  return row;
}

constexpr Command string_counter_rows[] = {
    counter({.name = "decr",
             .arity = 2,
             .since = "1.0.0",
             .summary = "Decrement the integer value of a key by one",
             .arguments = "key:key",
             .handler = decr_command}),
    counter({.name = "decrby",
             .arity = 3,
             .since = "1.0.0",
             .summary = "Decrement the integer value of a key by the given number",
             .arguments = "key:key decrement:integer",
             .handler = decrby_command}),
    counter({.name = "incr",
             .arity = 2,
             .since = "1.0.0",
             .summary = "Increment the integer value of a key by one",
             .arguments = "key:key",
             .handler = incr_command}),
    counter({.name = "incrby",
             .arity = 3,
             .since = "1.0.0",
             .summary = "Increment the integer value of a key by the given amount",
             .arguments = "key:key increment:integer",
             .handler = incrby_command}),
    counter({.name = "incrbyfloat",
             .arity = 3,
             .since = "2.6.0",
             .summary = "Increment the float value of a key by the given amount",
             .arguments = "key:key increment:double",
             .handler = incrbyfloat_command}),
};

}  // namespace

std::span<const Command> string_counter_commands() {
  return string_counter_rows;
}

}  // namespace redoubt
