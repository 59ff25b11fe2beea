// Hash commands of Redis 8.0: HGETDEL, HGETEX and HSETEX.
#include <fmt/format.h>

#include <limits>
#include <string>
#include <vector>

#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/hashes/hash_value.h"
#include "engine/commands/strings/string_options.h"
#include "engine/store/number.h"

namespace redoubt {

namespace {

// --- options of HGETEX and HSETEX

struct FieldOptions {
  ExpiryOption expiry;
  bool fnx = false;
  bool fxx = false;
  bool nx = false;
  bool xx = false;
  size_t first = 0;  // argument of the first field; 0: no FIELDS yet
  size_t end = 0;
};

// "FIELDS n ..." at argument `at`, which moves behind it. False after an error.
bool take_fields(Context& c, size_t& at, size_t width, FieldOptions& options) {
  if (options.first != 0) {
    c.error("ERR multiple FIELDS argument");
    return false;
  }
  if (at + 1 >= c.args.size()) {
    c.error("ERR missing FIELDS argument");
    return false;
  }
  const std::optional<int64_t> count = c.integer_between(
      at + 1, 1, std::numeric_limits<int32_t>::max(), "ERR invalid number of fields");
  if (!count) return false;
  options.first = at + 2;
  const size_t arguments = static_cast<size_t>(*count) * width;
  if (arguments > c.args.size() - options.first) {
    c.error("ERR wrong number of arguments");
    return false;
  }
  options.end = at = options.first + arguments;
  return true;
}

// A word about when to write. False: it is none.
bool take_condition(const Context& c, size_t at, FieldOptions& options) {
  options.fnx = options.fnx || c.is(at, "FNX");
  options.fxx = options.fxx || c.is(at, "FXX");
  options.nx = options.nx || c.is(at, "NX");
  options.xx = options.xx || c.is(at, "XX");
  return c.is(at, "FNX") || c.is(at, "FXX") || c.is(at, "NX") || c.is(at, "XX");
}

bool conditions_agree(Context& c, const FieldOptions& options) {
  if (options.fnx && options.fxx) {
    c.error("ERR Only one of FXX or FNX arguments can be specified");
    return false;
  }
  if (options.nx && options.xx) {
    c.error("ERR Only one of NX or XX arguments can be specified");
    return false;
  }
  return true;
}

// Arguments from 2 on; with pairs (HSETEX) or single fields (HGETEX). False after an error.
bool read_field_options(Context& c, bool pairs, FieldOptions& options) {
  for (size_t i = 2; i < c.args.size();) {
    if (c.is(i, "FIELDS")) {
      if (!take_fields(c, i, pairs ? 2 : 1, options)) return false;
      continue;
    }
    if (pairs && take_condition(c, i, options)) {
      if (!conditions_agree(c, options)) return false;
      ++i;
      continue;
    }
    const ExpiryKind before = options.expiry.kind;
    const std::string_view word = c.args[i];
    const bool refused = c.is(i, pairs ? "PERSIST" : "KEEPTTL");
    const OptionWord found = refused ? OptionWord::other : read_expiry(c, i, options.expiry);
    if (found == OptionWord::other) {
      c.error(fmt::format("ERR unknown argument: {}", word.substr(0, kShownArgument)));
      return false;
    }
    if (found == OptionWord::wrong || before != ExpiryKind::none) {
      c.error(found == OptionWord::wrong && before == ExpiryKind::none ? "ERR missing expire time"
              : pairs ? "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
                      : "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified");
      return false;
    }
    ++i;
  }
  if (options.first == 0) c.error("ERR missing FIELDS argument");
  return options.first != 0;
}

// The deadline that the options ask for; kNeverExpires for none. Nothing after an error.
std::optional<int64_t> deadline_of(Context& c, const FieldOptions& options) {
  if (!options.expiry.has_time()) return kNeverExpires;
  const ExpiryKind kind = options.expiry.kind;
  const std::optional<int64_t> given = c.integer(options.expiry.value_index);
  if (!given) return std::nullopt;
  const bool seconds = kind == ExpiryKind::seconds || kind == ExpiryKind::unix_seconds;
  const bool relative = kind == ExpiryKind::seconds || kind == ExpiryKind::milliseconds;
  std::optional<int64_t> deadline;
  if (*given > 0) deadline = part_deadline_ms(*given, relative ? c.now_ms() : 0, seconds);
  if (!deadline) {
    c.error(fmt::format("ERR invalid expire time in '{}' command", c.command.row->name));
  }
  return deadline;
}

// --- HGETDEL and HGETEX

// Replies with the values of these fields of a key; to those that `changes(field)` is true of, the
// change happens.
template <typename Changes>
void reply_and_change(Context& c, Entry* entry, std::span<const std::string_view> names,
                      PartChange change, int64_t deadline_ms, Changes&& changes) {
  c.reply.array(names.size());
  if (entry == nullptr) {
    for (size_t i = 0; i < names.size(); ++i) c.reply.null();
    return;
  }
  PartChanger<HashFields> changer(c, c.args[1], entry, change, deadline_ms);
  for (const std::string_view name : names) {
    const std::optional<HashField> field = changer.find(name);
    field ? reply_element(c.reply, field->value) : c.reply.null();
    if (field && changes(*field)) changer.apply(name);
  }
  changer.finish();
}

void hgetdel_command(Context& c) {
  const std::optional<size_t> first =
      part_names_from(c, HashFields::kWords, 2, HashFields::kWords.not_positive);
  if (!first) return;
  bool failed = false;
  Entry* entry = hash_to_write(c, c.args[1], failed);
  if (failed) return;
  reply_and_change(c, entry, c.args.subspan(*first), PartChange::removed, kNeverExpires,
                   [](const HashField&) { return true; });
}

void hgetex_command(Context& c) {
  FieldOptions options;
  if (!read_field_options(c, false, options)) return;
  const std::optional<int64_t> deadline = deadline_of(c, options);
  if (!deadline) return;
  bool failed = false;
  Entry* entry = hash_to_write(c, c.args[1], failed);
  if (failed) return;
  const bool sets = options.expiry.has_time();
  const bool persists = options.expiry.kind == ExpiryKind::persist;
  const bool over = sets && *deadline <= c.past_ms();
  reply_and_change(c, entry, c.args.subspan(options.first, options.end - options.first),
                   over       ? PartChange::removed
                   : persists ? PartChange::persists
                              : PartChange::expires,
                   *deadline, [&](const HashField& field) {
                     return sets || (persists && field.deadline_ms != kNeverExpires);
                   });
}

// --- HSETEX

// Whether the key and all of the fields are as the options ask for.
bool conditions_met(HashWriter& hash, const Context& c, const FieldOptions& options, bool exists) {
  if ((options.nx && exists) || (options.xx && !exists)) return false;
  if (!options.fnx && !options.fxx) return true;
  for (size_t i = options.first; i < options.end; i += 2) {
    if (hash.find(c.args[i]).has_value() != options.fxx) return false;
  }
  return true;
}

void announce_set(Context& c, const FieldOptions& options, int64_t deadline_ms) {
  const std::string count = std::to_string((options.end - options.first) / 2);
  const IntegerText deadline(deadline_ms);
  const auto pairs = c.args.subspan(options.first, options.end - options.first);
  c.announce_fields(c.args[1], "hset", pairs, 2);
  std::vector<std::string_view> effect = {"HSETEX", c.args[1]};
  if (options.expiry.has_time()) {
    effect.insert(effect.end(), {"PXAT", deadline.view()});
    c.announce(c.args[1], 'h', "hexpire");
    c.announce_fields(c.args[1], "hexpire", pairs, 2);
  } else if (options.expiry.kind == ExpiryKind::keep) {
    effect.push_back("KEEPTTL");
  }
  effect.insert(effect.end(), {"FIELDS", count});
  effect.insert(effect.end(), pairs.begin(), pairs.end());
  c.effect(effect);
}

// Sets the fields only to delete them: the deadline is over.
void remove_pairs(Context& c, HashWriter& hash, const FieldOptions& options, bool existed) {
  std::vector<std::string_view> removed;
  for (size_t i = options.first; i < options.end; i += 2) {
    if (hash.editor().remove(c.args[i])) removed.push_back(c.args[i]);
  }
  hash.finish();
  if (!existed) return;
  announce_part_change(c, HashFields::kWords, c.args[1], removed, PartChange::removed, 0);
  hash.remove_if_empty();
}

void hsetex_command(Context& c) {
  FieldOptions options;
  if (!read_field_options(c, true, options)) return;
  const std::optional<int64_t> deadline = deadline_of(c, options);
  if (!deadline) return;
  const std::string_view key = c.args[1];
  bool failed = false;
  Entry* entry = hash_to_write(c, key, failed);
  if (failed) return;
  HashWriter hash(c, key, entry);
  if (!conditions_met(hash, c, options, entry != nullptr)) {
    hash.finish();
    hash.remove_if_empty();
    c.reply.integer(0);
    return;
  }
  c.env().count_work(options.end - options.first);
  c.reply.integer(1);
  if (options.expiry.has_time() && *deadline <= c.past_ms()) {
    remove_pairs(c, hash, options, entry != nullptr);
    return;
  }
  const bool keep = options.expiry.kind == ExpiryKind::keep;
  for (size_t i = options.first; i < options.end; i += 2) {
    const std::optional<HashField> field = hash.find(c.args[i]);
    const int64_t at = keep && field ? field->deadline_ms : *deadline;
    hash.editor().set(c.args[i], c.args[i + 1], at, pair_blob(c, i + 1, options.end));
  }
  hash.finish();
  c.modified(key, 'h', "hset");
  announce_set(c, options, *deadline);
}

constexpr Command hash_newer_rows[] = {
    {.name = "hgetdel",
     .arity = -5,
     .flags = kWrite | kFast,
     .categories = kCatHash,
     .keys = {keys_at(kKeyRW | kKeyAccess | kKeyDelete, 1)},
     .since = "8.0.0",
     .group = "hash",
     .complexity = "O(N) where N is the number of specified fields",
     .summary = "Returns the value of a field and deletes it from the hash.",
     .arguments = "key:key fields:{numfields:integer field:string...}(FIELDS)",
     .handler = hgetdel_command},
    {.name = "hgetex",
     .arity = -5,
     .flags = kWrite | kFast,
     .categories = kCatHash,
     .keys = {noted(keys_at(kKeyRW | kKeyAccess | kKeyUpdate, 1),
                    "RW and UPDATE because it changes the TTL")},
     .since = "8.0.0",
     .group = "hash",
     .complexity = "O(N) where N is the number of specified fields",
     .summary = "Get the value of one or more fields of a given hash key, and optionally set "
                "their expiration.",
     .arguments = "key:key [expiration:<seconds:integer(EX)|milliseconds:integer(PX)|"
                  "unix-time-seconds:unix-time(EXAT)|unix-time-milliseconds:unix-time(PXAT)|"
                  "persist(PERSIST)>] fields:{numfields:integer field:string...}(FIELDS)",
     .handler = hgetex_command},
    {.name = "hsetex",
     .arity = -6,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatHash,
     .keys = {keys_at(kKeyRW | kKeyUpdate, 1)},
     .since = "8.0.0",
     .group = "hash",
     .complexity = "O(N) where N is the number of fields being set.",
     .summary = "Set the value of one or more fields of a given hash key, and optionally set "
                "their expiration.",
     .arguments = "key:key [key-condition:<nx(NX)|xx(XX)>] [condition:<fnx(FNX)|fxx(FXX)>] "
                  "[expiration:<seconds:integer(EX)|milliseconds:integer(PX)|"
                  "unix-time-seconds:unix-time(EXAT)|unix-time-milliseconds:unix-time(PXAT)|"
                  "keepttl(KEEPTTL)>] "
                  "fields:{numfields:integer data:{field:string value:string}...}(FIELDS)",
     .handler = hsetex_command},
};

}  // namespace

std::span<const Command> hash_newer_commands() {
  return hash_newer_rows;
}

}  // namespace redoubt
