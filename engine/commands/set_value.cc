#include "engine/commands/set_value.h"

namespace redoubt {

Entry* with_fewer_expired(Context& c, Entry* entry) {
  if (SetView(*entry).earliest_ms() >= c.now_ms()) return entry;
  return c.node.remove_expired_parts(c.session.db, *entry, kExpiredAtOnce) ? entry : nullptr;
}

Entry* living_or_none(Context& c, Entry* entry) {
  entry = with_fewer_expired(c, entry);
  return entry != nullptr && live_set(c, *entry).size() == 0 ? nullptr : entry;
}

Entry* without_expired_members(Context& c, Entry* entry) {
  constexpr size_t kAtOnce = 1024;
  if (entry == nullptr || entry->type() != Type::set) return entry;
  size_t size = 0;
  do {
    const SetView set(*entry);
    // Nothing is removed while data stands still.
    if (set.earliest_ms() >= c.now_ms() || set.size() == size) return entry;
    size = set.size();
  } while (c.node.remove_expired_parts(c.session.db, *entry, kAtOnce));
  return nullptr;
}

}  // namespace redoubt
