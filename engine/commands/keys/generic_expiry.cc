// EXPIRE and its relatives, TTL and its relatives, PERSIST.
//
// A key lives through the millisecond of its deadline; but a deadline that is not in the future
// when it is set removes the key at once, and the effect is then a removal. What goes into the
// stream of effects is always the absolute time in ms.
#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/dispatch/context.h"
#include "engine/store/number.h"

#include <fmt/format.h>

#include <limits>

namespace redoubt {

namespace {

struct Condition {
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;

  // Whether the new deadline may replace what there is. No deadline counts as infinite.
  bool allows(const Entry& entry, int64_t when) const {
    if (nx && entry.has_expiry()) return false;
    if (xx && !entry.has_expiry()) return false;
    if (gt && (!entry.has_expiry() || when <= entry.expiry_ms())) return false;
    return !lt || !entry.has_expiry() || when < entry.expiry_ms();
  }
};

std::optional<Condition> condition_arguments(Context& c) {
  Condition condition;
  for (size_t i = 3; i < c.args.size(); ++i) {
    if (c.is(i, "nx")) {
      condition.nx = true;
    } else if (c.is(i, "xx")) {
      condition.xx = true;
    } else if (c.is(i, "gt")) {
      condition.gt = true;
    } else if (c.is(i, "lt")) {
      condition.lt = true;
    } else {
      c.error(fmt::format("ERR Unsupported option {}", c.args[i].substr(0, kShownArgument)));
      return std::nullopt;
    }
  }
  if (condition.nx && (condition.xx || condition.gt || condition.lt)) {
    c.error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return std::nullopt;
  }
  if (condition.gt && condition.lt) {
    c.error("ERR GT and LT options at the same time are not compatible");
    return std::nullopt;
  }
  return condition;
}

enum class Unit { seconds, milliseconds };

// The deadline that the second argument asks for, as Unix time in ms; an error reply otherwise.
std::optional<int64_t> deadline_argument(Context& c, int64_t base_ms, Unit unit) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  std::optional<int64_t> when = c.integer(2);
  if (!when) return std::nullopt;
  const bool fits = unit == Unit::milliseconds || (*when <= kMax / 1000 && *when >= kMin / 1000);
  if (fits && unit == Unit::seconds) *when *= 1000;
  if (!fits || *when > kMax - base_ms) {
    c.error(fmt::format("ERR invalid expire time in '{}' command", c.command.name));
    return std::nullopt;
  }
  return *when + base_ms;
}

void expire_at(Context& c, int64_t base_ms, Unit unit) {
  const std::optional<Condition> condition = condition_arguments(c);
  if (!condition) return;
  const std::optional<int64_t> when = deadline_argument(c, base_ms, unit);
  if (!when) return;
  const std::string_view key = c.args[1];
  const Entry* entry = c.touch(key);
  if (entry == nullptr || !condition->allows(*entry, *when)) {
    c.reply.integer(0);
    return;
  }
  if (*when <= c.past_ms()) {
    const bool lazy = c.settings().lazyfree_lazy_expire;
    c.keys().erase(c.db_index(), key, c.hash(key), lazy);
    c.modified(key, 'g', "del");
    c.effect({lazy ? "UNLINK" : "DEL", key});
  } else {
    c.db().set_expiry(key, c.hash(key), *when);
    c.modified(key, 'g', "expire");
    c.effect({"PEXPIREAT", key, IntegerText(*when).view()});
  }
  c.reply.integer(1);
}

void expire_command(Context& c) {
  expire_at(c, c.now_ms(), Unit::seconds);
}

void pexpire_command(Context& c) {
  expire_at(c, c.now_ms(), Unit::milliseconds);
}

void expireat_command(Context& c) {
  expire_at(c, 0, Unit::seconds);
}

void pexpireat_command(Context& c) {
  expire_at(c, 0, Unit::milliseconds);
}

void persist_command(Context& c) {
  const std::string_view key = c.args[1];
  const Entry* entry = c.touch(key);
  if (entry == nullptr || !entry->has_expiry()) {
    c.reply.integer(0);
    return;
  }
  c.db().set_expiry(key, c.hash(key), std::nullopt);
  c.modified(key, 'g', "persist");
  c.reply.integer(1);
}

// Replies with the deadline, less `base_ms`: -2 without a key, -1 without a deadline.
void reply_deadline(Context& c, int64_t base_ms, Unit unit) {
  const Entry* entry = c.read_untouched(c.args[1]);
  if (entry == nullptr || !entry->has_expiry()) {
    c.reply.integer(entry == nullptr ? -2 : -1);
    return;
  }
  const int64_t ms = entry->expiry_ms() > base_ms ? entry->expiry_ms() - base_ms : 0;
  // Rounded to the nearest second, written so that it cannot overflow.
  c.reply.integer(unit == Unit::milliseconds ? ms : ms / 1000 + (ms % 1000 >= 500 ? 1 : 0));
}

void ttl_command(Context& c) {
  reply_deadline(c, c.now_ms(), Unit::seconds);
}

void pttl_command(Context& c) {
  reply_deadline(c, c.now_ms(), Unit::milliseconds);
}

void expiretime_command(Context& c) {
  reply_deadline(c, 0, Unit::seconds);
}

void pexpiretime_command(Context& c) {
  reply_deadline(c, 0, Unit::milliseconds);
}

// What the commands have in common that set a deadline, and those that tell it.
constexpr Command setter(Command row) {
  row.arity = -3;
  row.flags = kWrite | kFast;
  row.categories = kCatKeyspace;
  row.keys = {keys_at(kKeyRW | kKeyUpdate, 1)};
  row.group = "generic";
  row.complexity = "O(1)";
  row.history = "7.0.0: Added options: `NX`, `XX`, `GT` and `LT`.";
  return row;
}

constexpr Command teller(Command row) {
  row.arity = 2;
  row.flags = kReadOnly | kFast;
  row.categories = kCatKeyspace;
  row.keys = {keys_at(kKeyRO | kKeyAccess, 1)};
  row.group = "generic";
  row.complexity = "O(1)";
  row.arguments = "key:key";
  return row;
}

constexpr Command expiry_rows[] = {
    setter({.name = "expire",
            .since = "1.0.0",
            .summary = "Set a key's time to live in seconds",
            .arguments = "key:key seconds:integer "
                         "[condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>@7.0.0]",
            .handler = expire_command}),
    setter({.name = "expireat",
            .since = "1.2.0",
            .summary = "Set the expiration for a key as a UNIX timestamp",
            .arguments = "key:key unix-time-seconds:unix-time "
                         "[condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>@7.0.0]",
            .handler = expireat_command}),
    teller({.name = "expiretime",
            .since = "7.0.0",
            .summary = "Get the expiration Unix timestamp for a key",
            .handler = expiretime_command}),
    setter({.name = "pexpire",
            .since = "2.6.0",
            .summary = "Set a key's time to live in milliseconds",
            .arguments = "key:key milliseconds:integer "
                         "[condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>@7.0.0]",
            .handler = pexpire_command}),
    setter({.name = "pexpireat",
            .since = "2.6.0",
            .summary = "Set the expiration for a key as a UNIX timestamp specified in milliseconds",
            .arguments = "key:key unix-time-milliseconds:unix-time "
                         "[condition:<nx(NX)|xx(XX)|gt(GT)|lt(LT)>@7.0.0]",
            .handler = pexpireat_command}),
    teller({.name = "pexpiretime",
            .since = "7.0.0",
            .summary = "Get the expiration Unix timestamp for a key in milliseconds",
            .handler = pexpiretime_command}),
    {.name = "persist",
     .arity = 2,
     .flags = kWrite | kFast,
     .categories = kCatKeyspace,
     .keys = {keys_at(kKeyRW | kKeyUpdate, 1)},
     .since = "2.2.0",
     .group = "generic",
     .complexity = "O(1)",
     .summary = "Remove the expiration from a key",
     .arguments = "key:key",
     .handler = persist_command},
    teller({.name = "pttl",
            .since = "2.6.0",
            .summary = "Get the time to live for a key in milliseconds",
            .tips = "nondeterministic_output",
            .history = "2.8.0: Added the -2 reply.",
            .handler = pttl_command}),
    teller({.name = "ttl",
            .since = "1.0.0",
            .summary = "Get the time to live for a key in seconds",
            .tips = "nondeterministic_output",
            .history = "2.8.0: Added the -2 reply.",
            .handler = ttl_command}),
};

}  // namespace

std::span<const Command> expiry_commands() {
  return expiry_rows;
}

}  // namespace redoubt
