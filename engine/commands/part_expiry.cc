#include "engine/commands/part_expiry.h"

#include <fmt/format.h>

#include <limits>
#include <string>

#include "engine/store/number.h"

namespace redoubt {

std::optional<int64_t> part_deadline_ms(int64_t given, int64_t base_ms, bool seconds) {
  constexpr int64_t kLatest = (int64_t{1} << 46) - 1;
  constexpr int64_t kMsPerSecond = 1000;
  int64_t at = given;
  if (seconds && __builtin_mul_overflow(at, kMsPerSecond, &at)) return std::nullopt;
  if (__builtin_add_overflow(at, base_ms, &at) || at > kLatest) return std::nullopt;
  return at;
}

std::optional<size_t> part_names_from(Context& c, const PartWords& words, size_t at,
                                      std::string_view count_error) {
  if (!c.is(at, words.list)) {
    c.error(words.no_list);
    return std::nullopt;
  }
  const size_t first = at + 2;
  if (first > c.args.size()) {
    c.syntax_error();
    return std::nullopt;
  }
  const std::optional<int64_t> count =
      c.integer_between(at + 1, 1, std::numeric_limits<int64_t>::max(), count_error);
  if (!count) return std::nullopt;
  if (static_cast<uint64_t>(*count) != c.args.size() - first) {
    c.error(words.other_number);
    return std::nullopt;
  }
  return first;
}

namespace {

// The event, and, of a hash, which fields it is about.
void announce_parts(Context& c, const PartWords& words, std::string_view key,
                    std::string_view event, std::span<const std::string_view> names) {
  c.modified(key, words.event_class, event);
  if (words.event_class == 'h') c.announce_fields(key, event, names);
}

}  // namespace

void announce_part_change(Context& c, const PartWords& words, std::string_view key,
                          std::span<const std::string_view> names, PartChange change,
                          int64_t deadline_ms) {
  if (names.empty()) return;
  c.env().count_work(names.size());
  const std::string count = std::to_string(names.size());
  const IntegerText deadline(deadline_ms);
  std::vector<std::string_view> effect;
  switch (change) {
    case PartChange::expires:
      effect = {words.expire_command, key, deadline.view(), words.list, count};
      announce_parts(c, words, key, words.expires, names);
      break;
    case PartChange::persists:
      effect = {words.persist_command, key, words.list, count};
      announce_parts(c, words, key, words.persists, names);
      break;
    case PartChange::removed:
      effect = {words.remove_command, key};
      announce_parts(c, words, key, words.removed, names);
      break;
  }
  effect.insert(effect.end(), names.begin(), names.end());
  c.effect(effect);
}

void reply_no_parts(Context& c, size_t first) {
  c.reply.array(c.args.size() - first);
  for (size_t i = first; i < c.args.size(); ++i) c.reply.integer(kNoPart);
}

bool may_set_deadline(WhenToExpire when, int64_t old_ms, int64_t new_ms) {
  switch (when) {
    case WhenToExpire::always: return true;
    case WhenToExpire::nx: return old_ms == kNeverExpires;
    case WhenToExpire::xx: return old_ms != kNeverExpires;
    case WhenToExpire::gt: return old_ms != kNeverExpires && new_ms > old_ms;
    case WhenToExpire::lt: break;
  }
  return new_ms < old_ms;
}

namespace {

WhenToExpire when_at(const Context& c, size_t index) {
  if (c.is(index, "NX")) return WhenToExpire::nx;
  if (c.is(index, "XX")) return WhenToExpire::xx;
  if (c.is(index, "GT")) return WhenToExpire::gt;
  return c.is(index, "LT") ? WhenToExpire::lt : WhenToExpire::always;
}

std::optional<int64_t> read_deadline(Context& c, TimeForm form) {
  const std::optional<int64_t> given = c.integer(2);
  if (!given) return std::nullopt;
  if (*given < 0) {
    c.error("ERR invalid expire time, must be >= 0");
    return std::nullopt;
  }
  const std::optional<int64_t> deadline = part_deadline_ms(*given, form.base_ms(c), form.seconds);
  if (!deadline) {
    c.error(fmt::format("ERR invalid expire time in '{}' command", c.command.row->name));
  }
  return deadline;
}

}  // namespace

std::optional<ExpireArguments> read_expire_arguments(Context& c, const PartWords& words,
                                                     TimeForm form) {
  const std::optional<int64_t> deadline = read_deadline(c, form);
  if (!deadline) return std::nullopt;
  const WhenToExpire when = when_at(c, 3);
  const std::optional<size_t> first =
      part_names_from(c, words, when == WhenToExpire::always ? 3 : 4, words.no_number);
  if (!first) return std::nullopt;
  return ExpireArguments{*deadline, when, *first};
}

}  // namespace redoubt
