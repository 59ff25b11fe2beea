// Fields of hashes and members of sets that have expired.
#include <algorithm>

#include "engine/node/node_state.h"
#include "engine/store/type_ops.h"

namespace redoubt {

bool Node::remove_expired_parts(int db, const Entry& entry, size_t most) {
  const int64_t now_ms = env_.wall().unix_ms();
  const TypeOps& ops = ops_of(entry);
  const int64_t before_ms = ops.next_expiry(entry);
  // While clients are paused, data stands still: an expired part is invisible, but stays. So it
  // does in a transaction that could not bring it back.
  if (before_ms >= now_ms || pause_mode_ != PauseMode::none) return true;
  if (rollback_ != nullptr && !rollback_->keeps(db, entry.key())) return true;
  const std::string key(entry.key());
  std::vector<std::string> names;
  Entry& changed = database(db).write(entry, hash_key_(key));
  ops.remove_expired(database(db).allocator(), hash_key_, changed, now_ms, most, names);
  database(db).parts_expiry_changed(key, before_ms, ops.next_expiry(entry));
  env_.count_work(names.size());
  parts_expired(db, key, entry.type(), std::vector<std::string_view>(names.begin(), names.end()));
  if (ops.length(entry) > 0) return true;
  erase(db, key, hash_key_(key), settings().lazyfree_lazy_expire);
  announce(db, key, 'g', "del");
  return false;
}

bool Node::remove_all_expired_parts(int db, const Entry& entry) {
  constexpr size_t kAtOnce = 1024;
  const int64_t now_ms = env_.wall().unix_ms();
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

void Node::parts_expired(int db, std::string_view key, Type type,
                         std::span<const std::string_view> names) {
  constexpr size_t kNamesEach = 1024;  // of an effect
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

void Node::tell_parts_expired(int db, std::string_view key, char event_class,
                              std::span<const std::string_view> names) {
  stats_.expired_parts += names.size();
  key_modified(db, key, event_class, event_class == 's' ? "sexpired" : "hexpired");
  if (event_class == 'h') announce_parts(db, key, event_class, "hexpired", names);
  if (observer_ != nullptr) observer_->on_parts_expired(db, key, names);
}

}  // namespace redoubt
