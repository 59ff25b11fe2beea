#include "engine/commands/set_value.h"

namespace redoubt {

namespace {

Entry* without_expired(Context& c, Entry* entry, bool& failed) {
  failed = c.wrong_type(entry, Type::set);
  if (failed || entry == nullptr) return nullptr;
  if (SetView(*entry).earliest_ms() >= c.now_ms()) [[likely]]
    return entry;
  return c.node.remove_expired_parts(c.session.db, *entry, kExpiredAtOnce) ? entry : nullptr;
}

}  // namespace

Entry* set_to_read(Context& c, std::string_view key, bool& failed) {
  Entry* entry = without_expired(c, c.lookup(key), failed);
  return entry != nullptr && live_set(c, *entry).size() == 0 ? nullptr : entry;
}

Entry* set_to_write(Context& c, std::string_view key, bool& failed) {
  return without_expired(c, c.lookup_write(key), failed);
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
