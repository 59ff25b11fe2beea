// What the commands of the set family share. An expired member is a missing member, whether it has
// been removed already or not.
#pragma once

#include <optional>
#include <string_view>

#include "engine/commands/part_expiry.h"
#include "engine/commands/part_writer.h"
#include "engine/dispatch/context.h"
#include "engine/store/set_type.h"

namespace redoubt {

inline SetLimits set_limits(const Settings& settings) {
  return {.intset_entries = settings.set_max_intset_entries,
          .listpack_entries = settings.set_max_listpack_entries,
          .listpack_value = settings.set_max_listpack_value};
}

// Whether members of the set may have expired.
inline bool may_expire(const Entry& entry) {
  return entry.encoding() == Encoding::expiring_hashtable;
}
// A set without its expired members.
inline SetView live_set(const Context& c, const Entry& entry) {
  return SetView(entry, may_expire(entry) ? c.past_ms() : SetView::kBeforeAll);
}

// Removes some expired members of a set that may have some. False: none are left, and the key is
// gone.
bool remove_some_expired(Context& c, const Entry& entry);
// The same. Null, too, when all members that are left have expired.
const Entry* living_or_none(Context& c, const Entry* entry);

// The set of an entry, if there is one, for a command that changes it; without some expired
// members. Null when none are left and the key is gone.
inline Entry* set_to_write(Context& c, Entry* entry) {
  if (entry == nullptr || !may_expire(*entry)) [[likely]]
    return entry;
  return remove_some_expired(c, *entry) ? entry : nullptr;
}
// The same for reading it: null, too, when all its members have expired.
inline const Entry* set_to_read(Context& c, const Entry* entry) {
  if (entry == nullptr || !may_expire(*entry)) [[likely]]
    return entry;
  return living_or_none(c, entry);
}

// Removes all expired members of a set before a command stores what it makes of it: what applies
// the stream of effects has another clock. Null when none are left and the key is gone.
const Entry* without_expired_members(Context& c, const Entry* entry);

inline void reply_member(ReplyWriter& reply, const SetElement& element) {
  element.is_number ? reply.bulk_integer(element.number) : reply.bulk(element.text);
}

// Replies with all members, as an array or a set.
inline void reply_members(Context& c, const SetView& set) {
  set.for_each([&](const SetElement& element) { reply_member(c.reply, element); });
  c.env().count_work(set.size());
}

// Sets as values whose parts expire (part_writer.h, part_expiry.h).
struct SetMembers {
  using Editor = SetEditor;
  using Limits = SetLimits;
  using Part = SetPart;
  static constexpr Type kType = Type::set;
  static constexpr PartWords kWords = {
      .list = "MEMBERS",
      .no_list = "ERR Mandatory argument MEMBERS is missing or not at the right position",
      .no_number = "ERR Parameter `numMembers` should be greater than 0",
      .not_positive = "ERR Number of members must be a positive integer",
      .other_number = "ERR The `nummembers` parameter must match the number of arguments",
      .event_class = 's',
      .expires = "sexpire",
      .persists = "spersist",
      .removed = "srem",
      .expire_command = "SPEXPIREAT",
      .persist_command = "SPERSIST",
      .remove_command = "SREM"};

  static Limits limits(const Settings& settings) { return set_limits(settings); }
  static Editor open(Context& c, const Limits& limits, Entry* entry, size_t more) {
    Allocator& allocator = c.db().allocator();
    if (entry == nullptr) return {allocator, c.hash_key(), limits};
    return {allocator, c.hash_key(), limits, *entry, more};
  }
  static const Entry* to_read(Context& c, std::string_view key, bool& failed) {
    const Entry* entry = c.read(key);
    failed = c.wrong_type(entry, Type::set);
    return failed ? nullptr : set_to_read(c, entry);
  }
  static Entry* to_write(Context& c, std::string_view key, bool& failed) {
    Entry* entry = c.write(key);
    failed = c.wrong_type(entry, Type::set);
    return failed ? nullptr : set_to_write(c, entry);
  }
  static std::optional<Part> find_live(Context& c, const Entry* entry, std::string_view name) {
    return live_set(c, *entry).find(name);
  }
};

using SetWriter = PartWriter<SetMembers>;

}  // namespace redoubt
