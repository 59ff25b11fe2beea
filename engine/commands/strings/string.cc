// Strings as a whole: SET and its kin, GET and its kin, and several at once.
#include <algorithm>

#include "engine/commands/families.h"
#include "engine/commands/strings/string_options.h"
#include "engine/store/number.h"
#include "net/text.h"

namespace redoubt {

namespace {

// --- SET

struct SetOptions {
  ExpiryOption expiry;
  Condition condition;
  bool get = false;
};

// False: a syntax error.
bool read_condition(const Context& c, size_t& index, Condition& condition) {
  const ConditionKind kind = condition_of(c.args[index]);
  if (kind == ConditionKind::none) return false;
  if (condition.kind != ConditionKind::none && condition.kind != kind) return false;
  condition.kind = kind;
  if (!condition.compares()) return true;
  if (++index >= c.args.size()) return false;
  condition.operand = c.args[index];
  return true;
}

bool read_set_options(const Context& c, SetOptions& options) {
  for (size_t i = 3; i < c.args.size(); ++i) {
    if (c.is(i, "GET")) {
      options.get = true;
      continue;
    }
    const OptionWord word = read_expiry(c, i, options.expiry);
    if (word == OptionWord::taken && options.expiry.kind != ExpiryKind::persist) continue;
    if (word != OptionWord::other || !read_condition(c, i, options.condition)) return false;
  }
  return true;
}

// Sets the key of argument 1 with a deadline. One that has passed leaves no key.
void put_until(Context& c, size_t value_index, int64_t deadline) {
  const std::string_view key = c.args[1];
  if (deadline < c.past_ms()) {
    c.touch(key);
    remove_key(c, key, c.settings().lazyfree_lazy_expire);
    return;
  }
  put_string(c, key, value_index, NewExpiry::at(deadline));
  c.announce(key, 'g', "expire");
  c.effect({"SET", key, c.args[value_index], "PXAT", IntegerText(deadline).view()});
}

void put_with_options(Context& c, const SetOptions& options, std::optional<int64_t> deadline) {
  const std::string_view key = c.args[1];
  if (deadline) {
    put_until(c, 2, *deadline);
  } else if (options.expiry.kind == ExpiryKind::keep) {
    put_string(c, key, 2, NewExpiry::keep());
    c.effect({"SET", key, c.args[2], "KEEPTTL"});
  } else {
    put_string(c, key, 2, NewExpiry::none());
    c.effect({"SET", key, c.args[2]});
  }
}

void set_with_options(Context& c) {
  SetOptions options;
  if (!read_set_options(c, options)) {
    c.syntax_error();
    return;
  }
  std::optional<int64_t> deadline;
  if (options.expiry.has_time()) {
    deadline = deadline_ms(c, options.expiry);
    if (!deadline) return;
  }
  const std::string_view key = c.args[1];
  const Entry* entry = options.get ? c.read(key) : c.touch(key);
  const bool needs_string = options.get || options.condition.compares();
  if (needs_string && c.wrong_type(entry, Type::string)) return;
  if (entry != nullptr && !digest_operand_ok(c, options.condition)) return;
  const bool met = condition_met(options.condition, entry);
  if (options.get) reply_string(c, entry);
  if (met) put_with_options(c, options, deadline);
  if (options.get) return;
  met ? c.reply.ok() : c.reply.null();
}

// SET reads the old value only for GET and the IF conditions.
uint32_t set_key_flags(std::span<const std::string_view> args) {
  constexpr std::string_view readers[] = {"get", "ifeq", "ifne", "ifdeq", "ifdne"};
  for (size_t i = 3; i < args.size(); ++i) {
    for (const std::string_view reader : readers) {
      if (equal_ignoring_case(args[i], reader)) return kKeyRW | kKeyAccess | kKeyUpdate;
    }
  }
  return kKeyOW | kKeyUpdate;
}

void set_command(Context& c) {
  if (c.args.size() > 3) {
    set_with_options(c);
    return;
  }
  put_string(c, c.args[1], 2, NewExpiry::none());
  c.reply.ok();
}

// --- the older forms of SET

void set_for(Context& c, ExpiryKind kind) {
  const std::optional<int64_t> deadline = deadline_ms(c, kind, 2);
  if (!deadline) return;
  put_until(c, 3, *deadline);
  c.reply.ok();
}

void setex_command(Context& c) {
  set_for(c, ExpiryKind::seconds);
}

void psetex_command(Context& c) {
  set_for(c, ExpiryKind::milliseconds);
}

void setnx_command(Context& c) {
  const std::string_view key = c.args[1];
  const bool free = c.touch(key) == nullptr;
  if (free) put_string(c, key, 2, NewExpiry::none());
  c.reply.integer(free ? 1 : 0);
}

void getset_command(Context& c) {
  const std::string_view key = c.args[1];
  const Entry* entry = c.read(key);
  if (c.wrong_type(entry, Type::string)) return;
  reply_string(c, entry);
  put_string(c, key, 2, NewExpiry::none());
  c.effect({"SET", key, c.args[2]});
}

// --- GET

void get_command(Context& c) {
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::string)) return;
  reply_string(c, entry);
}

void getdel_command(Context& c) {
  const std::string_view key = c.args[1];
  const Entry* entry = c.read(key);
  if (c.wrong_type(entry, Type::string)) return;
  reply_string(c, entry);
  if (entry != nullptr) remove_key(c, key, c.settings().lazyfree_lazy_user_del);
}

void expire_now(Context& c, std::string_view key, int64_t deadline) {
  if (deadline <= c.past_ms()) {
    remove_key(c, key, c.settings().lazyfree_lazy_expire);
    return;
  }
  c.db().set_expiry(key, c.hash(key), deadline);
  c.modified(key, 'g', "expire");
  c.effect({"PEXPIREAT", key, IntegerText(deadline).view()});
}

void getex_command(Context& c) {
  ExpiryOption option;
  for (size_t i = 2; i < c.args.size(); ++i) {
    if (read_expiry(c, i, option) != OptionWord::taken || option.kind == ExpiryKind::keep) {
      c.syntax_error();
      return;
    }
  }
  const std::string_view key = c.args[1];
  const Entry* entry = c.read(key);
  if (c.wrong_type(entry, Type::string)) return;
  if (entry == nullptr) {
    c.reply.null();
    return;
  }
  std::optional<int64_t> deadline;
  if (option.has_time()) {
    deadline = deadline_ms(c, option);
    if (!deadline) return;
  }
  reply_string(c, entry);
  if (deadline) {
    expire_now(c, key, *deadline);
  } else if (option.kind == ExpiryKind::persist && entry->has_expiry()) {
    c.db().set_expiry(key, c.hash(key), std::nullopt);
    c.modified(key, 'g', "persist");
    c.effect({"PERSIST", key});
  }
}

// --- several keys

void mget_command(Context& c) {
  c.reply.array(c.args.size() - 1);
  for_each_key(c, 1, c.args.size(), 1, [&](size_t i, uint64_t hash) {
    const Entry* entry = c.read(c.args[i], hash);
    const bool is_string = entry != nullptr && entry->type() == Type::string;
    reply_string(c, is_string ? entry : nullptr);
  });
}

// False, after an error: a key without a value.
bool pairs_complete(Context& c) {
  if (c.args.size() % 2 == 1) return true;
  c.error(c.command.row->name == "mset" ? "ERR wrong number of arguments for 'mset' command"
                                        : "ERR wrong number of arguments for 'msetnx' command");
  return false;
}

void mset_command(Context& c) {
  if (!pairs_complete(c)) return;
  put_pairs(c, 1, c.args.size(), NewExpiry::none());
  c.reply.ok();
}

void msetnx_command(Context& c) {
  if (!pairs_complete(c)) return;
  if (any_exists(c, 1, c.args.size(), 2)) {
    c.reply.integer(0);
    return;
  }
  put_pairs(c, 1, c.args.size(), NewExpiry::none());
  c.reply.integer(1);
}

// What MSET and MSETNX have in common.
constexpr Command mset_row(Command row) {
  row.arity = -3;
  row.flags = kWrite | kDenyOom;
  row.categories = kCatString;
  row.since = "1.0.1";
  row.group = "string";
  row.complexity = "O(N) where N is the number of keys to set.";
  row.arguments = "key_value:{key:key value:string}...";
  return row;
}

constexpr Command string_rows[] = {
    {.name = "get",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .categories = kCatString,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Get the value of a key",
     .arguments = "key:key",
     .handler = get_command},
    {.name = "getdel",
     .arity = 2,
     .flags = kWrite | kFast,
     .categories = kCatString,
     .keys = {keys_at(kKeyRW | kKeyAccess | kKeyDelete, 1)},
     .since = "6.2.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Get the value of a key and delete the key",
     .arguments = "key:key",
     .handler = getdel_command},
    {.name = "getex",
     .arity = -2,
     .flags = kWrite | kFast,
     .categories = kCatString,
     .keys = {noted(keys_at(kKeyRW | kKeyAccess | kKeyUpdate, 1),
                    "RW and UPDATE because it changes the TTL")},
     .since = "6.2.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Get the value of a key and optionally set its expiration",
     .arguments = "key:key [expiration:<seconds:integer(EX)|milliseconds:integer(PX)|"
                  "unix-time-seconds:unix-time(EXAT)|unix-time-milliseconds:unix-time(PXAT)|"
                  "persist(PERSIST)>]",
     .handler = getex_command},
    {.name = "getset",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatString,
     .keys = {keys_at(kKeyRW | kKeyAccess | kKeyUpdate, 1)},
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Set the string value of a key and return its old value",
     .arguments = "key:key value:string",
     .deprecated = "6.2.0: `SET` with the `!GET` argument",
     .handler = getset_command},
    {.name = "mget",
     .arity = -2,
     .flags = kReadOnly | kFast,
     .categories = kCatString,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1, -1)},
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(N) where N is the number of keys to retrieve.",
     .summary = "Get the values of all the given keys",
     .tips = "request_policy:multi_shard",
     .arguments = "key:key...",
     .handler = mget_command},
    mset_row({.name = "mset",
              .keys = {keys_at(kKeyOW | kKeyUpdate, 1, -1, 2)},
              .summary = "Set multiple keys to multiple values",
              .tips = "request_policy:multi_shard response_policy:all_succeeded",
              .handler = mset_command}),
    mset_row({.name = "msetnx",
              .keys = {keys_at(kKeyOW | kKeyInsert, 1, -1, 2)},
              .summary = "Set multiple keys to multiple values, only if none of the keys exist",
              .tips = "request_policy:multi_shard response_policy:agg_min",
              .handler = msetnx_command}),
    {.name = "psetex",
     .arity = 4,
     .flags = kWrite | kDenyOom,
     .categories = kCatString,
     .keys = {keys_at(kKeyOW | kKeyUpdate, 1)},
     .since = "2.6.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Set the value and expiration in milliseconds of a key",
     .arguments = "key:key milliseconds:integer value:string",
     .handler = psetex_command},
    {.name = "set",
     .arity = -3,
     .flags = kWrite | kDenyOom,
     .categories = kCatString,
     .keys = {noted(keys_at(kKeyRW | kKeyAccess | kKeyUpdate | kKeyVariableFlags, 1),
                    "RW and ACCESS due to the optional `GET` argument")},
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Set the string value of a key",
     .arguments = "key:key value:string [condition:<nx(NX)|xx(XX)>@2.6.12] [get(GET)@6.2.0] "
                  "[expiration:<seconds:integer(EX)@2.6.12|milliseconds:integer(PX)@2.6.12|"
                  "unix-time-seconds:unix-time(EXAT)@6.2.0|"
                  "unix-time-milliseconds:unix-time(PXAT)@6.2.0|keepttl(KEEPTTL)@6.0.0>]",
     .history = "2.6.12: Added the `EX`, `PX`, `NX` and `XX` options.\n"
                "6.0.0: Added the `KEEPTTL` option.\n"
                "6.2.0: Added the `GET`, `EXAT` and `PXAT` option.\n"
                "7.0.0: Allowed the `NX` and `GET` options to be used together.",
     .handler = set_command,
     .key_flags = set_key_flags},
    {.name = "setex",
     .arity = 4,
     .flags = kWrite | kDenyOom,
     .categories = kCatString,
     .keys = {keys_at(kKeyOW | kKeyUpdate, 1)},
     .since = "2.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Set the value and expiration of a key",
     .arguments = "key:key seconds:integer value:string",
     .handler = setex_command},
    {.name = "setnx",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatString,
     .keys = {keys_at(kKeyOW | kKeyInsert, 1)},
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Set the value of a key, only if the key does not exist",
     .arguments = "key:key value:string",
     .handler = setnx_command},
};

}  // namespace

std::span<const Command> string_commands() {
  return string_rows;
}

}  // namespace redoubt
