#include "engine/commands/hashes/hash_value.h"

namespace redoubt {

namespace {

// Const or not, as the entry is.
template <typename AnyEntry>
AnyEntry* without_expired(Context& c, AnyEntry* entry, bool& failed) {
  failed = c.wrong_type(entry, Type::hash);
  if (failed || entry == nullptr) return nullptr;
  if (HashView(*entry).earliest_ms() >= c.past_ms()) [[likely]]
    return entry;
  return c.keys().removal().expire_parts(c.db_index(), *entry, kExpiredAtOnce) ? entry : nullptr;
}

}  // namespace

const Entry* hash_to_read(Context& c, std::string_view key, bool& failed) {
  return without_expired(c, c.read(key), failed);
}

Entry* hash_to_write(Context& c, std::string_view key, bool& failed) {
  return without_expired(c, c.write(key), failed);
}

std::optional<HashField> find_live(Context& c, const Entry* entry, std::string_view name) {
  if (entry == nullptr) return std::nullopt;
  std::optional<HashField> field = HashView(*entry).find(name);
  if (field && !is_live(*field, c.past_ms())) return std::nullopt;
  return field;
}

size_t live_fields(Context& c, const HashView& hash) {
  if (hash.earliest_ms() >= c.past_ms()) return hash.size();
  size_t count = 0;
  for_each_live(c, hash, [&](const HashField&) { ++count; });
  return count;
}

}  // namespace redoubt
