// Deadlines of parts of a value: what the commands on fields of a hash (HEXPIRE) and those on
// members of a set (SEXPIRE) share. They differ in words.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/command/command.h"
#include "engine/commands/part_writer.h"
#include "engine/store/deadlines.h"

namespace redoubt {

// Of one kind of parts.
struct PartWords {
  std::string_view list;  // the word in front of their number
  std::string_view no_list;
  std::string_view no_number;  // of the commands that set a deadline
  std::string_view not_positive;
  std::string_view other_number;
  char event_class;
  // What is told of a change, and the command that is its effect.
  std::string_view expires;
  std::string_view persists;
  std::string_view removed;
  std::string_view expire_command;
  std::string_view persist_command;
  std::string_view remove_command;
};

// The deadline that a number of a client means: seconds or milliseconds, from `base_ms` on. Nothing
// when it is further away than Redis allows, which is the year 4199.
std::optional<int64_t> part_deadline_ms(int64_t given, int64_t base_ms, bool seconds);

// How a command names a time.
struct TimeForm {
  bool absolute;  // Unix time
  bool seconds;   // not milliseconds

  int64_t base_ms(const Context& c) const { return absolute ? 0 : c.now_ms(); }
};

// "FIELDS numfields field ..." from argument `at` to the end: the index of the first name. Nothing
// after an error, which is `count_error` for a number that is not positive.
std::optional<size_t> part_names_from(Context& c, const PartWords& words, size_t at,
                                      std::string_view count_error);

enum class PartChange : uint8_t { expires, persists, removed };

// Announces what happened to these parts of a key, with its effect; nothing when there are none.
void announce_part_change(Context& c, const PartWords& words, std::string_view key,
                          std::span<const std::string_view> names, PartChange change,
                          int64_t deadline_ms);

// One change that a command makes to some parts of a value. They are told together, by finish().
template <typename Kind>
class PartChanger {
 public:
  PartChanger(Context& c, std::string_view key, Entry* entry, PartChange change,
              int64_t deadline_ms = kNeverExpires)
      : context_(c), key_(key), value_(c, key, entry), change_(change), deadline_ms_(deadline_ms) {}

  // As PartWriter::find().
  std::optional<typename Kind::Part> find(std::string_view name) { return value_.find(name); }
  // The part is there. `name` lives until finish().
  void apply(std::string_view name) {
    if (change_ == PartChange::removed) {
      value_.editor().remove(name);
    } else {
      value_.editor().set_deadline(name, deadline_ms_);
    }
    changed_.push_back(name);
  }
  void finish() {
    value_.finish();
    announce_part_change(context_, Kind::kWords, key_, changed_, change_, deadline_ms_);
    value_.remove_if_empty();
  }

 private:
  Context& context_;
  std::string_view key_;
  PartWriter<Kind> value_;
  PartChange change_;
  int64_t deadline_ms_;
  std::vector<std::string_view> changed_;
};

// --- the commands

// What a command says of each part.
enum PartAnswer : int64_t {
  kNoPart = -2,
  kNoDeadline = -1,
  kNotMet = 0,
  kDeadlineSet = 1,
  kPartDeleted = 2
};

// The same answer for each part of a key that is not there.
void reply_no_parts(Context& c, size_t first);

// When a deadline is to be set. No deadline counts as one that never comes.
enum class WhenToExpire : uint8_t { always, nx, xx, gt, lt };
bool may_set_deadline(WhenToExpire when, int64_t old_ms, int64_t new_ms);

// "time [NX | XX | GT | LT] FIELDS numfields field ..." from argument 2 on.
struct ExpireArguments {
  int64_t deadline_ms;
  WhenToExpire when;
  size_t first;  // argument of the first name
};
// Nothing after an error.
std::optional<ExpireArguments> read_expire_arguments(Context& c, const PartWords& words,
                                                     TimeForm form);

// HEXPIRE and its kin. `Kind` is that of PartWriter, and has kWords and
//   Entry* to_write(c, key, failed)        the value of a key; null when there is none, with
//                                          `failed` after an error
//   const Entry* to_read(c, key, failed)   the same for looking at it
//   find_live(c, entry, name)              a part that has not expired, if it is there
template <typename Kind>
void expire_parts(Context& c, TimeForm form) {
  const std::string_view key = c.args[1];
  bool failed = false;
  Entry* entry = Kind::to_write(c, key, failed);
  if (failed) return;
  const std::optional<ExpireArguments> given = read_expire_arguments(c, Kind::kWords, form);
  if (!given) return;
  if (entry == nullptr) return reply_no_parts(c, given->first);
  const bool over = given->deadline_ms <= c.past_ms();
  PartChanger<Kind> change(c, key, entry, over ? PartChange::removed : PartChange::expires,
                           given->deadline_ms);
  c.reply.array(c.args.size() - given->first);
  for (const std::string_view name : c.args.subspan(given->first)) {
    const auto part = change.find(name);
    if (!part || !may_set_deadline(given->when, part->deadline_ms, given->deadline_ms)) {
      c.reply.integer(part ? kNotMet : kNoPart);
      continue;
    }
    change.apply(name);
    c.reply.integer(over ? kPartDeleted : kDeadlineSet);
  }
  change.finish();
}

// HTTL and its kin.
template <typename Kind>
void reply_deadlines(Context& c, TimeForm form) {
  bool failed = false;
  const Entry* entry = Kind::to_read(c, c.args[1], failed);
  if (failed) return;
  const std::optional<size_t> first =
      part_names_from(c, Kind::kWords, 2, Kind::kWords.not_positive);
  if (!first) return;
  if (entry == nullptr) return reply_no_parts(c, *first);
  const int64_t base_ms = form.base_ms(c);
  c.reply.array(c.args.size() - *first);
  for (const std::string_view name : c.args.subspan(*first)) {
    const auto part = Kind::find_live(c, entry, name);
    if (!part || part->deadline_ms == kNeverExpires) {
      c.reply.integer(part ? kNoDeadline : kNoPart);
      continue;
    }
    const int64_t ms = part->deadline_ms - base_ms;
    c.reply.integer(form.seconds ? (ms + 999) / 1000 : ms);
  }
  c.env().count_work(c.args.size() - *first);
}

// HPERSIST.
template <typename Kind>
void persist_parts(Context& c) {
  const std::string_view key = c.args[1];
  bool failed = false;
  Entry* entry = Kind::to_write(c, key, failed);
  if (failed) return;
  const std::optional<size_t> first =
      part_names_from(c, Kind::kWords, 2, Kind::kWords.not_positive);
  if (!first) return;
  if (entry == nullptr) return reply_no_parts(c, *first);
  PartChanger<Kind> change(c, key, entry, PartChange::persists);
  c.reply.array(c.args.size() - *first);
  for (const std::string_view name : c.args.subspan(*first)) {
    const auto part = change.find(name);
    if (!part || part->deadline_ms == kNeverExpires) {
      c.reply.integer(part ? kNoDeadline : kNoPart);
      continue;
    }
    change.apply(name);
    c.reply.integer(kDeadlineSet);
  }
  change.finish();
}

// What the handlers of one kind are called as.
template <typename Kind, bool absolute, bool seconds>
void expire_parts_command(Context& c) {
  expire_parts<Kind>(c, {absolute, seconds});
}
template <typename Kind, bool absolute, bool seconds>
void reply_deadlines_command(Context& c) {
  reply_deadlines<Kind>(c, {absolute, seconds});
}

// What the rows of these commands have in common. A row has its name, summary and handler, and the
// words of its family.
constexpr Command expire_row(Command row) {
  row.arity = -6;
  row.flags = kWrite | kDenyOom | kFast;
  row.keys = {keys_at(kKeyRW | kKeyUpdate, 1)};
  return row;
}
constexpr Command deadlines_row(Command row) {
  row.arity = -5;
  row.flags = kReadOnly | kFast;
  row.keys = {keys_at(kKeyRO | kKeyAccess, 1)};
  return row;
}
constexpr Command persist_row(Command row) {
  row.arity = -5;
  row.flags = kWrite | kFast;
  row.keys = {keys_at(kKeyRW | kKeyUpdate, 1)};
  return row;
}

}  // namespace redoubt
