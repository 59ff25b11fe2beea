// Fields of hashes and members of sets that have expired. A command that meets some removes a few;
// the others are removed by active expiry.
#include <algorithm>
#include <string>
#include <vector>

#include "engine/keyspace/keyspace.h"
#include "engine/store/type_ops.h"
#include "net/assert.h"

namespace redoubt {

bool Keyspace::remove_expired_parts(int db, const Entry& entry, size_t most) {
  const int64_t now_ms = past_ms();
  const TypeOps& ops = ops_of(entry);
  const int64_t before_ms = ops.next_expiry(entry);
  // While data stands still an expired part is invisible, but stays. So it does in a transaction
  // that could not bring it back.
  if (before_ms >= now_ms || !decides()) return true;
  if (rollback_ != nullptr && !rollback_->keeps(db, entry.key())) return true;
  const std::string key(entry.key());
  const uint64_t key_hash = hash(key);
  ASSERT(database(db).find(key, key_hash) == &entry);
  std::vector<std::string> names;
  Entry& changed = database(db).write(entry, key_hash);
  ops.remove_expired(database(db).allocator(), hash_key_, changed, now_ms, most, names);
  ASSERT(names.size() <= most);
  database(db).parts_expiry_changed(key, before_ms, ops.next_expiry(changed));
  env_.count_work(names.size());
  const bool empty = ops.length(changed) == 0;
  parts_expired(db, key, changed.type(), std::vector<std::string_view>(names.begin(), names.end()));
  if (!empty) return true;
  erase(db, key, key_hash, settings_.lazyfree_lazy_expire);
  announce(db, key, 'g', "del");
  return false;
}

bool Keyspace::remove_all_expired_parts(int db, const Entry& entry) {
  constexpr size_t kAtOnce = 1024;
  const int64_t now_ms = past_ms();
  const TypeOps& ops = ops_of(entry);
  if (ops.next_expiry(entry) >= now_ms) return true;
  if (rollback_ != nullptr) rollback_->keep(db, entry.key());
  while (ops.next_expiry(entry) < now_ms) {
    const size_t before = ops.length(entry);
    if (!remove_expired_parts(db, entry, kAtOnce)) return false;
    if (ops.length(entry) == before) return true;  // data stands still
  }
  return true;
}

void Keyspace::parts_expired(int db, std::string_view key, Type type,
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
  if (rollback_ == nullptr) return tell_parts_expired(db, key, set ? 's' : 'h', names);
  Rollback::Event event{
      Rollback::Event::Kind::parts_expired, set ? 's' : 'h', db, std::string(key), {}, {}};
  event.parts.assign(names.begin(), names.end());
  rollback_->note(std::move(event));
}

void Keyspace::tell_parts_expired(int db, std::string_view key, char event_class,
                                  std::span<const std::string_view> names) {
  stats_.expired_parts += names.size();
  tell_modified(db, key, event_class, event_class == 's' ? "sexpired" : "hexpired");
  if (event_class == 'h') announce_parts(db, key, event_class, "hexpired", names);
  for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->on_parts_expired(db, key, names);
}

}  // namespace redoubt
