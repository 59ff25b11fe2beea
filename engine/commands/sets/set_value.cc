#include "engine/commands/sets/set_value.h"

namespace redoubt {

Entry* with_fewer_expired(Context& c, Entry* entry) {
  if (SetView(*entry).earliest_ms() >= c.now_ms()) return entry;
  return c.node.remove_expired_parts(c.db_index(), *entry, kExpiredAtOnce) ? entry : nullptr;
}

Entry* living_or_none(Context& c, Entry* entry) {
  entry = with_fewer_expired(c, entry);
  return entry != nullptr && live_set(c, *entry).size() == 0 ? nullptr : entry;
}

Entry* without_expired_members(Context& c, Entry* entry) {
  if (entry == nullptr || entry->type() != Type::set) return entry;
  return c.node.remove_all_expired_parts(c.db_index(), *entry) ? entry : nullptr;
}

}  // namespace redoubt
