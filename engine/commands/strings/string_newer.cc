// String commands newer than Redis 7.2: DIGEST, DELEX, DELIFEQ and MSETEX. docs/newer-commands.md
// says what exactly they do, in what order.
#include <vector>

#include "engine/commands/families.h"
#include "engine/commands/strings/string_options.h"
#include "engine/store/number.h"
#include "engine/store/string_type.h"

namespace redoubt {

namespace {

void digest_command(Context& c) {
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::string)) return;
  if (entry == nullptr) {
    c.reply.null();
    return;
  }
  StringScratch scratch;
  const std::array<char, 16> digest = digest_text(string_value(*entry, scratch));
  c.reply.bulk({digest.data(), digest.size()});
}

void remove_and_count(Context& c, bool removes) {
  if (removes) remove_key(c, c.args[1], c.settings().lazyfree_lazy_user_del);
  c.reply.integer(removes ? 1 : 0);
}

void delifeq_command(Context& c) {
  const Entry* entry = c.touch(c.args[1]);
  if (c.wrong_type(entry, Type::string)) return;
  const Condition equal{.kind = ConditionKind::ifeq, .operand = c.args[2]};
  remove_and_count(c, condition_met(equal, entry));
}

void delex_command(Context& c) {
  if (c.args.size() != 2 && c.args.size() != 4) {
    c.error("ERR wrong number of arguments for 'delex' command");
    return;
  }
  const Entry* entry = c.touch(c.args[1]);
  if (entry == nullptr || c.args.size() == 2) {
    remove_and_count(c, entry != nullptr);
    return;
  }
  if (entry->type() != Type::string) {
    c.error("ERR Key should be of string type if conditions are specified");
    return;
  }
  const Condition condition{.kind = condition_of(c.args[2]), .operand = c.args[3]};
  if (!condition.compares()) {
    c.error("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
    return;
  }
  if (!digest_operand_ok(c, condition)) return;
  remove_and_count(c, condition_met(condition, entry));
}

// --- MSETEX

struct MsetexOptions {
  size_t pairs_end = 0;  // the argument behind the last pair
  ConditionKind condition = ConditionKind::none;
  ExpiryOption expiry;
};

bool read_msetex_options(Context& c, MsetexOptions& options) {
  constexpr int64_t kKeysMax = INT32_MAX;
  const std::optional<int64_t> keys =
      c.integer_between(1, 1, kKeysMax, "ERR invalid numkeys value");
  if (!keys) return false;
  options.pairs_end = 2 + 2 * static_cast<size_t>(*keys);
  if (options.pairs_end > c.args.size()) {
    c.error("ERR wrong number of key-value pairs");
    return false;
  }
  for (size_t i = options.pairs_end; i < c.args.size(); ++i) {
    const OptionWord word = read_expiry(c, i, options.expiry);
    if (word == OptionWord::taken && options.expiry.kind != ExpiryKind::persist) continue;
    const ConditionKind kind = condition_of(c.args[i]);
    const bool fits = word == OptionWord::other &&
                      (kind == ConditionKind::nx || kind == ConditionKind::xx) &&
                      (options.condition == ConditionKind::none || options.condition == kind);
    if (!fits) {
      c.syntax_error();
      return false;
    }
    options.condition = kind;
  }
  return true;
}

bool keys_meet(Context& c, const MsetexOptions& options) {
  if (options.condition == ConditionKind::none) return true;
  const bool wanted = options.condition == ConditionKind::xx;
  bool met = true;
  for_each_key(c, 2, options.pairs_end, 2, [&](size_t i, uint64_t hash) {
    if (!met) return;
    const Entry* entry = c.peek(c.args[i], hash);
    met = (entry != nullptr) == wanted;
  });
  return met;
}

// A deadline that has passed leaves none of the keys.
void remove_all(Context& c, size_t end) {
  const bool lazy = c.settings().lazyfree_lazy_expire;
  std::vector<std::string_view> effect = {"DEL"};
  for_each_key(c, 2, end, 2, [&](size_t i, uint64_t hash) {
    const std::string_view key = c.args[i];
    if (c.peek(key, hash) == nullptr) return;
    c.keys().erase(c.db_index(), key, hash, lazy);
    c.modified(key, 'g', "del");
    effect.push_back(key);
  });
  if (effect.size() > 1) c.effect(effect);
}

void put_all(Context& c, size_t end, NewExpiry expiry) {
  put_pairs(c, 2, end, expiry);
  std::vector<std::string_view> effect(c.args.begin(),
                                       c.args.begin() + static_cast<ptrdiff_t>(end));
  effect[0] = "MSETEX";
  std::optional<IntegerText> deadline;
  if (expiry.kind == NewExpiry::Kind::at) {
    for (size_t i = 2; i < end; i += 2) c.announce(c.args[i], 'g', "expire");
    deadline.emplace(expiry.at_ms);
    effect.push_back("PXAT");
    effect.push_back(deadline->view());
  } else if (expiry.kind == NewExpiry::Kind::keep) {
    effect.push_back("KEEPTTL");
  }
  c.effect(effect);
}

void msetex_command(Context& c) {
  MsetexOptions options;
  if (!read_msetex_options(c, options)) return;
  NewExpiry expiry = NewExpiry::none();
  if (options.expiry.kind == ExpiryKind::keep) expiry = NewExpiry::keep();
  if (options.expiry.has_time()) {
    const std::optional<int64_t> deadline = deadline_ms(c, options.expiry);
    if (!deadline) return;
    expiry = NewExpiry::at(*deadline);
  }
  const bool met = keys_meet(c, options);
  if (met && expiry.kind == NewExpiry::Kind::at && expiry.at_ms < c.past_ms()) {
    remove_all(c, options.pairs_end);
  } else if (met) {
    put_all(c, options.pairs_end, expiry);
  }
  c.reply.integer(met ? 1 : 0);
}

// A count of pairs at argument 1, pairs from the next one on.
constexpr KeySpec counted_pairs(uint32_t flags) {
  KeySpec spec = counted_keys(flags, 1);
  spec.step = 2;
  return spec;
}

constexpr Command string_newer_rows[] = {
    {.name = "delex",
     .arity = -2,
     .flags = kWrite | kFast,
     .categories = kCatString,
     .keys = {keys_at(kKeyRM | kKeyDelete, 1)},
     .since = "8.4.0",
     .group = "string",
     .complexity = "O(1) for IFEQ/IFNE, O(N) for IFDEQ/IFDNE where N is the length of the string "
                   "value.",
     .summary = "Delete a key, optionally depending on its value or on the digest of its value",
     .arguments = "key:key [condition:<ifeq-value:string(IFEQ)|ifne-value:string(IFNE)|"
                  "ifdeq-digest:string(IFDEQ)|ifdne-digest:string(IFDNE)>]",
     .handler = delex_command},
    {.name = "delifeq",
     .arity = 3,
     .flags = kWrite | kFast,
     .categories = kCatString,
     .keys = {keys_at(kKeyRM | kKeyDelete, 1)},
     .since = "9.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Delete a key if its value equals the given one",
     .arguments = "key:key value:string",
     .handler = delifeq_command},
    {.name = "digest",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .categories = kCatString,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "8.4.0",
     .group = "string",
     .complexity = "O(N) where N is the length of the string value.",
     .summary = "Get the XXH3 digest of the value of a key",
     .arguments = "key:key",
     .handler = digest_command},
    {.name = "msetex",
     .arity = -4,
     .flags = kWrite | kDenyOom | kMovableKeys,
     .categories = kCatString,
     .keys = {counted_pairs(kKeyOW | kKeyUpdate)},
     .since = "8.4.0",
     .group = "string",
     .complexity = "O(N) where N is the number of keys to set.",
     .summary = "Set multiple keys to multiple values, with a condition and an expiration",
     .arguments = "numkeys:integer data:{key:key value:string}... [condition:<nx(NX)|xx(XX)>] "
                  "[expiration:<seconds:integer(EX)|milliseconds:integer(PX)|"
                  "unix-time-seconds:unix-time(EXAT)|unix-time-milliseconds:unix-time(PXAT)|"
                  "keepttl(KEEPTTL)>]",
     .handler = msetex_command},
};

}  // namespace

std::span<const Command> string_newer_commands() {
  return string_newer_rows;
}

}  // namespace redoubt
