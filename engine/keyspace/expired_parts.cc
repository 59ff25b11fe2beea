// Fields of hashes and members of sets that have expired. A command that meets some removes a few;
// active expiry removes the others.
#include <algorithm>
#include <string>
#include <vector>

#include "engine/keyspace/keyspace.h"
#include "engine/store/type_ops.h"
#include "net/assert.h"

namespace redoubt {

bool Removal::expire_parts(int db, const Entry& entry, size_t most) {
  const int64_t now_ms = keys_.past_ms();
  const TypeOps& ops = ops_of(entry);
  const int64_t before_ms = ops.next_expiry(entry);
  // While data stands still an expired part is invisible, but stays. The same holds in a
  // transaction that could not bring it back.
  if (before_ms >= now_ms || !decides()) return true;
  if (keys_.rollback() != nullptr && !keys_.rollback()->keeps(db, entry.key())) return true;
  const std::string key(entry.key());
  const uint64_t hash = keys_.hash(key);
  Database& database = keys_.database(db);
  ASSERT(database.find(key, hash) == &entry);
  std::vector<std::string> names;
  Entry& changed = database.write(entry, hash);
  ops.remove_expired(database.allocator(), keys_.hash_key(), changed, now_ms, most, names);
  ASSERT(names.size() <= most);
  database.expiring_parts().changed(key, before_ms, ops.next_expiry(changed));
  keys_.env().count_work(names.size());
  const bool empty = ops.length(changed) == 0;
  parts_expired(db, key, changed.type(), std::vector<std::string_view>(names.begin(), names.end()));
  if (!empty) return true;
  keys_.erase(db, key, hash, settings_.lazyfree_lazy_expire);
  keys_.feed().announce(db, key, 'g', "del");
  return false;
}

bool Removal::expire_all_parts(int db, const Entry& entry) {
  constexpr size_t kAtOnce = 1024;
  const int64_t now_ms = keys_.past_ms();
  const TypeOps& ops = ops_of(entry);
  if (ops.next_expiry(entry) >= now_ms) return true;
  if (keys_.rollback() != nullptr) keys_.rollback()->keep(db, entry.key());
  while (ops.next_expiry(entry) < now_ms) {
    const size_t before = ops.length(entry);
    if (!expire_parts(db, entry, kAtOnce)) return false;
    if (ops.length(entry) == before) return true;  // data stands still
  }
  return true;
}

void Removal::parts_expired(int db, std::string_view key, Type type,
                            std::span<const std::string_view> names) {
  constexpr size_t kNamesEach = 1024;  // of an effect
  ASSERT(type == Type::hash || type == Type::set);
  const bool set = type == Type::set;
  std::vector<std::string_view> effect;
  for (size_t i = 0; i < names.size(); i += kNamesEach) {
    const auto some = names.subspan(i, std::min(kNamesEach, names.size() - i));
    effect.assign({set ? "SREM" : "HDEL", key});
    effect.insert(effect.end(), some.begin(), some.end());
    effects_.append(db, effect);
  }
  keys_.feed().parts_expired(db, key, set ? 's' : 'h', names);
}

}  // namespace redoubt
