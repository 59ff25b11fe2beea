#include "engine/commands/sets/set_value.h"

namespace redoubt {

bool remove_some_expired(Context& c, const Entry& entry) {
  return SetView(entry).earliest_ms() >= c.past_ms() ||
         c.keys().removal().expire_parts(c.db_index(), entry, kExpiredAtOnce);
}

const Entry* living_or_none(Context& c, const Entry* entry) {
  if (!remove_some_expired(c, *entry)) return nullptr;
  return live_set(c, *entry).size() == 0 ? nullptr : entry;
}

const Entry* without_expired_members(Context& c, const Entry* entry) {
  if (entry == nullptr || entry->type() != Type::set) return entry;
  return c.keys().removal().expire_all_parts(c.db_index(), *entry) ? entry : nullptr;
}

}  // namespace redoubt
