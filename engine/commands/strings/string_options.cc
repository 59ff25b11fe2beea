#include "engine/commands/strings/string_options.h"

#include <fmt/format.h>

#include <limits>

#include "engine/store/hash.h"
#include "engine/store/string_type.h"
#include "net/text.h"

namespace redoubt {

namespace {

// Below this size copying costs less than finding the Blob.
constexpr size_t kWorthTaking = 16 * 1024;

ExpiryKind expiry_kind_of(std::string_view word) {
  switch (word.size()) {
    case 2:
      if (equal_ignoring_case(word, "EX")) return ExpiryKind::seconds;
      if (equal_ignoring_case(word, "PX")) return ExpiryKind::milliseconds;
      break;
    case 4:
      if (equal_ignoring_case(word, "EXAT")) return ExpiryKind::unix_seconds;
      if (equal_ignoring_case(word, "PXAT")) return ExpiryKind::unix_milliseconds;
      break;
    case 7:
      if (equal_ignoring_case(word, "KEEPTTL")) return ExpiryKind::keep;
      if (equal_ignoring_case(word, "PERSIST")) return ExpiryKind::persist;
      break;
    default: break;
  }
  return ExpiryKind::none;
}

}  // namespace

OptionWord read_expiry(const Context& c, size_t& index, ExpiryOption& option) {
  const ExpiryKind kind = expiry_kind_of(c.args[index]);
  if (kind == ExpiryKind::none) return OptionWord::other;
  if (option.kind != ExpiryKind::none && option.kind != kind) return OptionWord::wrong;
  option.kind = kind;
  if (!option.has_time()) return OptionWord::taken;
  if (index + 1 >= c.args.size()) return OptionWord::wrong;
  option.value_index = ++index;
  return OptionWord::taken;
}

std::optional<int64_t> deadline_ms(Context& c, ExpiryKind kind, size_t index) {
  constexpr int64_t kMsPerSecond = 1000;
  const std::optional<int64_t> given = c.integer(index);
  if (!given) return std::nullopt;
  const bool in_seconds = kind == ExpiryKind::seconds || kind == ExpiryKind::unix_seconds;
  const bool relative = kind == ExpiryKind::seconds || kind == ExpiryKind::milliseconds;
  int64_t at = *given;
  bool valid = at > 0;
  if (valid && in_seconds) valid = !__builtin_mul_overflow(at, kMsPerSecond, &at);
  if (valid && relative) valid = !__builtin_add_overflow(at, c.now_ms(), &at);
  if (valid) return at;
  c.error(fmt::format("ERR invalid expire time in '{}' command", c.command.row->name));
  return std::nullopt;
}

ConditionKind condition_of(std::string_view word) {
  if (equal_ignoring_case(word, "NX")) return ConditionKind::nx;
  if (equal_ignoring_case(word, "XX")) return ConditionKind::xx;
  if (equal_ignoring_case(word, "IFEQ")) return ConditionKind::ifeq;
  if (equal_ignoring_case(word, "IFNE")) return ConditionKind::ifne;
  if (equal_ignoring_case(word, "IFDEQ")) return ConditionKind::ifdeq;
  if (equal_ignoring_case(word, "IFDNE")) return ConditionKind::ifdne;
  return ConditionKind::none;
}

bool digest_operand_ok(Context& c, const Condition& condition) {
  if (!condition.compares_digest() || condition.operand.size() == 16) return true;
  c.error("ERR must be exactly 16 hexadecimal characters");
  return false;
}

bool condition_met(const Condition& condition, const Entry* entry) {
  if (entry == nullptr) {
    return condition.kind == ConditionKind::none || condition.kind == ConditionKind::nx ||
           condition.kind == ConditionKind::ifne || condition.kind == ConditionKind::ifdne;
  }
  if (!condition.compares()) return condition.kind != ConditionKind::nx;
  StringScratch scratch;
  const std::string_view value = string_value(*entry, scratch);
  bool equal;
  if (condition.compares_digest()) {
    const std::array<char, 16> digest = digest_text(value);
    equal = equal_ignoring_case({digest.data(), digest.size()}, condition.operand);
  } else {
    equal = value == condition.operand;
  }
  const bool wants_equal =
      condition.kind == ConditionKind::ifeq || condition.kind == ConditionKind::ifdeq;
  return equal == wants_equal;
}

std::array<char, 16> digest_text(std::string_view bytes) {
  std::array<char, 16> text;
  uint64_t hash = XXH3_64bits(bytes.data(), bytes.size());
  for (size_t i = text.size(); i-- > 0; hash >>= 4) text[i] = "0123456789abcdef"[hash & 15];
  return text;
}

Blob large_blob(Context& c, size_t index) {
  return c.args[index].size() < kWorthTaking ? Blob() : c.take_blob(index);
}

void put_string(Context& c, std::string_view key, size_t value_index, NewExpiry expiry) {
  // A key that has expired goes as one, before it is set anew.
  c.touch(key);
  c.db().set_string(key, c.hash(key), c.args[value_index], expiry, large_blob(c, value_index));
  c.modified(key, '$', "set");
}

Blob pair_blob(Context& c, size_t value_index, size_t end) {
  constexpr size_t kPairsMax = 64;
  if (c.args[value_index].size() < kWorthTaking || end - value_index > 2 * kPairsMax) return {};
  for (size_t i = value_index + 1; i < end; i += 2) {
    if (c.args[i] == c.args[value_index - 1]) return {};
  }
  return c.take_blob(value_index);
}

void put_pairs(Context& c, size_t first, size_t end, NewExpiry expiry) {
  for_each_key(c, first, end, 2, [&](size_t i, uint64_t hash) {
    const std::string_view key = c.args[i];
    c.touch(key, hash);
    c.db().set_string(key, hash, c.args[i + 1], expiry, pair_blob(c, i + 1, end));
    c.modified(key, '$', "set");
  });
}

bool any_exists(Context& c, size_t first, size_t end, size_t step) {
  bool found = false;
  for_each_key(c, first, end, step, [&](size_t i, uint64_t hash) {
    found = found || c.peek(c.args[i], hash) != nullptr;
  });
  return found;
}

void reply_string(Context& c, const Entry* entry) {
  if (entry == nullptr) {
    c.reply.null();
  } else if (entry->layout() == Layout::integer) {
    c.reply.bulk_integer(entry->integer());
  } else {
    StringScratch scratch;
    c.reply.bulk(string_value(*entry, scratch));
  }
}

void remove_key(Context& c, std::string_view key, bool lazy) {
  if (!c.keys().erase(c.db_index(), key, c.hash(key), lazy)) return;
  c.modified(key, 'g', "del");
  c.effect({"DEL", key});
}

}  // namespace redoubt
