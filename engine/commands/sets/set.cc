// Sets, member by member: SADD, SREM, SISMEMBER and their kin.
#include "engine/commands/element_scan.h"
#include "engine/commands/families.h"
#include "engine/commands/row_texts.h"
#include "engine/commands/sets/set_value.h"

#include <string>
#include <vector>

namespace redoubt {

namespace {

// Adds the arguments from 2 on; how many were new.
size_t add_members(Context& c, SetEditor& set) {
  size_t added = 0;
  for (const std::string_view member : c.args.subspan(2)) {
    added += set.add(SetMember(member)) ? 1 : 0;
  }
  c.env().count_work(c.args.size() - 2);
  return added;
}

void sadd_command(Context& c) {
  const std::string_view key = c.args[1];
  Entry* entry = c.write(key);
  if (c.wrong_type(entry, Type::set)) return;
  entry = set_to_write(c, entry);
  const size_t given = c.args.size() - 2;
  size_t added = 0;
  if (entry == nullptr) {
    const SetLimits limits = set_limits(c.settings());
    SetEditor set(c.db().allocator(), c.hash_key(), limits, SetMember(c.args[2]), given);
    added = add_members(c, set);
    c.db().insert_value(key, c.hash(key), Type::set, set.encoding(), set.value());
  } else if (may_expire(*entry)) {
    SetWriter set(c, key, entry, given);
    // Expired members that are still there would not count as new.
    for (const std::string_view member : c.args.subspan(2)) set.find(member);
    added = add_members(c, set.editor());
    set.finish();
  } else {
    const SetLimits limits = set_limits(c.settings());
    SetEditor set(c.db().allocator(), c.hash_key(), limits, *entry, given);
    added = add_members(c, set);
    set.store(*entry);
  }
  if (added > 0) c.modified(key, 's', "sadd");
  c.reply.integer(static_cast<int64_t>(added));
}

// Removes a member that has not expired; one that has goes, too, but does not count.
bool remove_member(SetWriter& set, std::string_view member) {
  if (set.has_expired() && !set.find(member)) return false;
  return set.editor().remove(SetMember(member));
}

void srem_command(Context& c) {
  const std::string_view key = c.args[1];
  Entry* entry = c.write(key);
  if (c.wrong_type(entry, Type::set)) return;
  entry = set_to_write(c, entry);
  size_t removed = 0;
  if (entry != nullptr) {
    SetWriter set(c, key, entry);
    for (size_t i = 2; i < c.args.size() && set.editor().size() > 0; ++i) {
      removed += remove_member(set, c.args[i]) ? 1 : 0;
    }
    set.finish();
    c.env().count_work(c.args.size() - 2);
    if (removed > 0) c.modified(key, 's', "srem");
    set.remove_if_empty();
  }
  c.reply.integer(static_cast<int64_t>(removed));
}

void sismember_command(Context& c) {
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::set)) return;
  entry = set_to_read(c, entry);
  const bool found = entry != nullptr && live_set(c, *entry).contains(SetMember(c.args[2]));
  c.reply.integer(found ? 1 : 0);
}

void smismember_command(Context& c) {
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::set)) return;
  entry = set_to_read(c, entry);
  c.reply.array(c.args.size() - 2);
  for (size_t i = 2; i < c.args.size(); ++i) {
    const bool found = entry != nullptr && live_set(c, *entry).contains(SetMember(c.args[i]));
    c.reply.integer(found ? 1 : 0);
  }
  c.env().count_work(c.args.size() - 2);
}

void scard_command(Context& c) {
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::set)) return;
  entry = set_to_read(c, entry);
  c.reply.integer(entry == nullptr ? 0 : static_cast<int64_t>(live_set(c, *entry).size()));
}

void smembers_command(Context& c) {
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::set)) return;
  entry = set_to_read(c, entry);
  if (entry == nullptr) {
    c.reply.set(0);
    return;
  }
  const SetView set = live_set(c, *entry);
  c.reply.set(set.size());
  reply_members(c, set);
}

// Adds a member to the set of a key, which may not exist.
bool add_to_key(Context& c, std::string_view key, Entry* entry, const SetMember& member) {
  if (entry == nullptr) {
    const SetLimits limits = set_limits(c.settings());
    SetEditor set(c.db().allocator(), c.hash_key(), limits, member, 1);
    set.add(member);
    c.db().insert_value(key, c.hash(key), Type::set, set.encoding(), set.value());
    return true;
  }
  SetWriter set(c, key, entry, 1);
  if (set.has_expired()) set.find(member.text());
  const bool added = set.editor().add(member);
  set.finish();
  return added;
}

void smove_command(Context& c) {
  const std::string_view from = c.args[1];
  const std::string_view to = c.args[2];
  const SetMember member(c.args[3]);
  Entry* source = c.write(from);
  Entry* target = c.write(to);
  if (source == nullptr) {
    c.reply.integer(0);
    return;
  }
  if (c.wrong_type(source, Type::set) || c.wrong_type(target, Type::set)) return;
  if (source == target) {
    c.reply.integer(live_set(c, *source).contains(member) ? 1 : 0);
    return;
  }
  // As every command that changes a set does: SREM, too, which is the effect of a member that is
  // met expired.
  target = set_to_write(c, target);
  SetWriter set(c, from, source);
  const bool removed = remove_member(set, member.text());
  set.finish();
  if (removed) c.modified(from, 's', "srem");
  set.remove_if_empty();
  if (removed && add_to_key(c, to, target, member)) c.modified(to, 's', "sadd");
  c.reply.integer(removed ? 1 : 0);
}

void sscan_command(Context& c) {
  ElementScan scan;
  if (!read_scan_cursor(c, scan)) return;
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::set)) return;
  entry = set_to_read(c, entry);
  if (entry == nullptr) {
    reply_empty_scan(c);
    return;
  }
  if (!read_scan_options(c, scan, false)) return;
  const SetView set = live_set(c, *entry);
  std::vector<SetElement> found;
  uint64_t seen = 0;
  walk_elements(scan, seen, [&](uint64_t cursor) {
    return set.scan(cursor, [&](const SetElement& element) {
      ++seen;
      if (scan.pattern == "*" || scan_matches(scan.pattern, SetMember(element).text())) {
        found.push_back(element);
      }
    });
  });
  c.env().count_work(seen);
  c.reply.array(2);
  c.reply.bulk(std::to_string(scan.cursor));
  c.reply.array(found.size());
  for (const SetElement& element : found) reply_member(c.reply, element);
}

constexpr Command set_rows[] = {
    {.name = "sadd",
     .arity = -3,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatSet,
     .keys = {keys_at(kKeyRW | kKeyInsert, 1)},
     .since = "1.0.0",
     .group = "set",
     .complexity = kOnceForEachAdded,
     .summary = "Add one or more members to a set",
     .arguments = "key:key member:string...",
     .history = "2.4.0: Accepts multiple `member` arguments.",
     .handler = sadd_command},
    {.name = "scard",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .categories = kCatSet,
     .keys = {keys_at(kKeyRO, 1)},
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(1)",
     .summary = "Get the number of members in a set",
     .arguments = "key:key",
     .handler = scard_command},
    {.name = "sismember",
     .arity = 3,
     .flags = kReadOnly | kFast,
     .categories = kCatSet,
     .keys = {keys_at(kKeyRO, 1)},
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(1)",
     .summary = "Determine if a given value is a member of a set",
     .arguments = "key:key member:string",
     .handler = sismember_command},
    {.name = "smembers",
     .arity = 2,
     .flags = kReadOnly,
     .categories = kCatSet,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(N) where N is the set cardinality.",
     .summary = "Get all the members in a set",
     .tips = "nondeterministic_output_order",
     .arguments = "key:key",
     .handler = smembers_command},
    {.name = "smismember",
     .arity = -3,
     .flags = kReadOnly | kFast,
     .categories = kCatSet,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "6.2.0",
     .group = "set",
     .complexity = "O(N) where N is the number of elements being checked for membership",
     .summary = "Returns the membership associated with the given elements for a set",
     .arguments = "key:key member:string...",
     .handler = smismember_command},
    {.name = "smove",
     .arity = 4,
     .flags = kWrite | kFast,
     .categories = kCatSet,
     .keys = {keys_at(kKeyRW | kKeyAccess | kKeyDelete, 1), keys_at(kKeyRW | kKeyInsert, 2)},
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(1)",
     .summary = "Move a member from one set to another",
     .arguments = "source:key destination:key#1 member:string",
     .handler = smove_command},
    {.name = "srem",
     .arity = -3,
     .flags = kWrite | kFast,
     .categories = kCatSet,
     .keys = {keys_at(kKeyRW | kKeyDelete, 1)},
     .since = "1.0.0",
     .group = "set",
     .complexity = "O(N) where N is the number of members to be removed.",
     .summary = "Remove one or more members from a set",
     .arguments = "key:key member:string...",
     .history = "2.4.0: Accepts multiple `member` arguments.",
     .handler = srem_command},
    element_scan_row({.name = "sscan",
                      .categories = kCatSet,
                      .group = "set",
                      .summary = "Incrementally iterate Set elements",
                      .handler = sscan_command}),
};

}  // namespace

std::span<const Command> set_commands() {
  return set_rows;
}

}  // namespace redoubt
