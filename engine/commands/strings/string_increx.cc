// INCREX: a counter with bounds and an expiry of its own. Valkey 9.2 and Redis 8.8;
// docs/newer-commands.md says what exactly it does, in what order.
#include <fmt/format.h>

#include <cfloat>
#include <cmath>
#include <limits>

#include "engine/commands/families.h"
#include "engine/commands/strings/string_options.h"
#include "engine/store/number.h"
#include "engine/store/string_type.h"

namespace redoubt {

namespace {

struct IncrexOptions {
  // The arguments with these values; 0 when they were not given.
  size_t by_int = 0;
  size_t by_float = 0;
  size_t lower = 0;
  size_t upper = 0;
  bool only_new = false;       // NX
  bool only_existing = false;  // XX
  bool saturate = false;
  bool expire_once = false;  // ENX
  ExpiryOption expiry;
};

// What differs between the integer and the float form.
struct IntegerForm {
  using Number = int64_t;
  static constexpr Number kLowest = std::numeric_limits<int64_t>::min();
  static constexpr Number kHighest = std::numeric_limits<int64_t>::max();
  static constexpr std::string_view kInvalid = "is not an integer or out of range";
  static constexpr std::string_view kAppliedTooLarge = "ERR applied increment would overflow";
  static constexpr std::string_view kEvent = "incrby";

  static std::optional<Number> parse(std::string_view text) { return parse_integer(text); }
  static bool infinite(Number) { return false; }
  static bool add(Number a, Number b, Number& sum) { return !__builtin_add_overflow(a, b, &sum); }
  static bool subtract(Number a, Number b, Number& difference) {
    return !__builtin_sub_overflow(a, b, &difference);
  }
  static void reply(Context& c, Number value) { c.reply.integer(value); }
};

struct FloatForm {
  using Number = long double;
  static constexpr Number kLowest = -LDBL_MAX;
  static constexpr Number kHighest = LDBL_MAX;
  static constexpr std::string_view kInvalid = "is not a valid float";
  static constexpr std::string_view kAppliedTooLarge = "ERR applied increment would be Infinity";
  static constexpr std::string_view kEvent = "incrbyfloat";

  static std::optional<Number> parse(std::string_view text) { return parse_long_double(text); }
  static bool infinite(Number value) { return std::isinf(value); }
  static bool add(Number a, Number b, Number& sum) {
    sum = a + b;
    return std::isfinite(sum);
  }
  static bool subtract(Number a, Number b, Number& difference) {
    difference = a - b;
    return std::isfinite(difference);
  }
  // The text of INCRBYFLOAT, which RESP3's own writer of doubles would shorten.
  static void reply(Context& c, Number value) {
    const LongDoubleText text(value);
    if (!c.reply.resp3()) {
      c.reply.bulk(text.view());
      return;
    }
    c.reply.output().append(",");
    c.reply.output().append(text.view());
    c.reply.output().append("\r\n");
  }
};

bool set_once(bool& option) {
  return !std::exchange(option, true);
}

// Options without a value; `valid` is false when it was there before.
bool read_flag(const Context& c, size_t index, IncrexOptions& options, bool& valid) {
  if (c.is(index, "NX")) {
    valid = set_once(options.only_new);
  } else if (c.is(index, "XX")) {
    valid = set_once(options.only_existing);
  } else if (c.is(index, "SATURATE")) {
    valid = set_once(options.saturate);
  } else if (c.is(index, "ENX")) {
    valid = set_once(options.expire_once);
  } else {
    return false;
  }
  return true;
}

size_t* value_slot(const Context& c, size_t index, IncrexOptions& options) {
  if (c.is(index, "BYINT")) return &options.by_int;
  if (c.is(index, "BYFLOAT")) return &options.by_float;
  if (c.is(index, "LBOUND")) return &options.lower;
  if (c.is(index, "UBOUND")) return &options.upper;
  return nullptr;
}

// False: a syntax error.
bool read_options(const Context& c, IncrexOptions& options) {
  for (size_t i = 2; i < c.args.size(); ++i) {
    bool valid = true;
    if (read_flag(c, i, options, valid)) {
      if (!valid) return false;
    } else if (size_t* slot = value_slot(c, i, options)) {
      if (*slot != 0 || ++i >= c.args.size()) return false;
      *slot = i;
    } else {
      const bool given_before = options.expiry.kind != ExpiryKind::none;
      if (given_before || read_expiry(c, i, options.expiry) != OptionWord::taken) return false;
      if (options.expiry.kind == ExpiryKind::keep) return false;
    }
  }
  return !(options.by_int != 0 && options.by_float != 0) &&
         !(options.only_new && options.only_existing) &&
         !(options.expire_once && options.expiry.kind == ExpiryKind::persist);
}

// The number at argument `index`, or `otherwise` without one; empty after an error reply.
template <typename Form>
std::optional<typename Form::Number> number_at(Context& c, size_t index, std::string_view what,
                                               typename Form::Number otherwise) {
  if (index == 0) return otherwise;
  const std::optional<typename Form::Number> number = Form::parse(c.args[index]);
  if (!number) c.error(fmt::format("ERR {} {}", what, Form::kInvalid));
  return number;
}

// The value of the key, 0 for a missing one; empty after an error reply.
template <typename Form>
std::optional<typename Form::Number> old_value(Context& c, const Entry* entry) {
  if (entry == nullptr) return typename Form::Number{0};
  if (c.wrong_type(entry, Type::string)) return std::nullopt;
  StringScratch scratch;
  const std::optional<typename Form::Number> value = Form::parse(string_value(*entry, scratch));
  if (!value) {
    c.error(fmt::format("ERR value {}", Form::kInvalid));
  } else if (Form::infinite(*value)) {
    c.error("ERR value cannot be Infinity");
    return std::nullopt;
  }
  return value;
}

template <typename Form>
void reply_pair(Context& c, typename Form::Number value, typename Form::Number applied) {
  c.reply.array(2);
  Form::reply(c, value);
  Form::reply(c, applied);
}

void put_number(Context& c, std::string_view key, int64_t value, NewExpiry expiry) {
  c.db().set_integer(key, c.hash(key), value, expiry);
}

void put_number(Context& c, std::string_view key, long double value, NewExpiry expiry) {
  c.db().set_text(key, c.hash(key), LongDoubleText(value).view(), expiry);
}

void emit_set(Context& c, std::string_view key, std::string_view text, NewExpiry expiry) {
  switch (expiry.kind) {
    case NewExpiry::Kind::none: c.effect({"SET", key, text}); break;
    case NewExpiry::Kind::keep: c.effect({"SET", key, text, "KEEPTTL"}); break;
    case NewExpiry::Kind::at:
      c.effect({"SET", key, text, "PXAT", IntegerText(expiry.at_ms).view()});
      break;
  }
}

// Writes the new value with its expiry: event and effect.
template <typename Form>
void write_value(Context& c, const Entry* entry, typename Form::Number value,
                 const IncrexOptions& options, std::optional<int64_t> deadline) {
  const std::string_view key = c.args[1];
  const bool had_expiry = entry != nullptr && entry->has_expiry();
  const bool sets_deadline = deadline && !(options.expire_once && had_expiry);
  if (sets_deadline && *deadline <= c.past_ms()) {
    remove_key(c, key, c.settings().lazyfree_lazy_expire);
    return;
  }
  NewExpiry expiry = NewExpiry::keep();
  if (sets_deadline) expiry = NewExpiry::at(*deadline);
  if (options.expiry.kind == ExpiryKind::persist) expiry = NewExpiry::none();
  put_number(c, key, value, expiry);
  c.modified(key, '$', Form::kEvent);
  if (sets_deadline) c.announce(key, 'g', "expire");
  if (had_expiry && expiry.kind == NewExpiry::Kind::none) c.announce(key, 'g', "persist");
  if constexpr (std::is_same_v<Form, IntegerForm>) {
    emit_set(c, key, IntegerText(value).view(), expiry);
  } else {
    emit_set(c, key, LongDoubleText(value).view(), expiry);
  }
}

template <typename Form>
void increx(Context& c, const IncrexOptions& options) {
  using Number = typename Form::Number;
  const auto increment =
      number_at<Form>(c, options.by_int + options.by_float, "Increment", Number{1});
  if (!increment) return;
  if (Form::infinite(*increment)) {
    c.error("ERR BYFLOAT increment cannot be Infinity");
    return;
  }
  const auto lower = number_at<Form>(c, options.lower, "LBOUND", Form::kLowest);
  if (!lower) return;
  const auto upper = number_at<Form>(c, options.upper, "UBOUND", Form::kHighest);
  if (!upper) return;
  if (*lower > *upper) {
    c.error("ERR LBOUND can't be greater than UBOUND");
    return;
  }
  std::optional<int64_t> deadline;
  if (options.expiry.has_time()) {
    deadline = deadline_ms(c, options.expiry);
    if (!deadline) return;
  }
  const Entry* entry = c.touch(c.args[1]);
  const std::optional<Number> old = old_value<Form>(c, entry);
  if (!old) return;
  if (entry == nullptr ? options.only_existing : options.only_new) {
    reply_pair<Form>(c, *old, 0);
    return;
  }
  Number value;
  const bool representable = Form::add(*old, *increment, value);
  const bool too_low = representable ? value < *lower : *increment < 0;
  if (!representable || too_low || value > *upper) {
    if (!options.saturate) {
      reply_pair<Form>(c, *old, 0);
      return;
    }
    value = too_low ? *lower : *upper;
  }
  Number applied;
  if (!Form::subtract(value, *old, applied)) {
    c.error(Form::kAppliedTooLarge);
    return;
  }
  write_value<Form>(c, entry, value, options, deadline);
  reply_pair<Form>(c, value, applied);
}

void increx_command(Context& c) {
  IncrexOptions options;
  if (!read_options(c, options)) {
    c.syntax_error();
  } else if (options.expire_once && !options.expiry.has_time()) {
    c.error("ERR ENX flag requires an expiration");
  } else if (options.by_float != 0) {
    increx<FloatForm>(c, options);
  } else {
    increx<IntegerForm>(c, options);
  }
}

constexpr Command string_increx_rows[] = {
    {.name = "increx",
     .arity = -2,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatString,
     .keys = {keys_at(kKeyRW | kKeyAccess | kKeyUpdate, 1)},
     .since = "8.8.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Increment the number stored at a key within bounds, and optionally set its "
                "expiration",
     .arguments = "key:key [condition:<nx(NX)|xx(XX)>] "
                  "[increment:<integer:integer(BYINT)|float:double(BYFLOAT)>] "
                  "[lowerbound:double(LBOUND)] [upperbound:double(UBOUND)] [saturate(SATURATE)] "
                  "[expiration:<seconds:integer(EX)|milliseconds:integer(PX)|"
                  "unix-time-seconds:unix-time(EXAT)|unix-time-milliseconds:unix-time(PXAT)|"
                  "persist(PERSIST)>] [enx(ENX)]",
     .handler = increx_command},
};

}  // namespace

std::span<const Command> string_increx_commands() {
  return string_increx_rows;
}

}  // namespace redoubt
