#include "engine/replication/local_deadlines.h"

#include "engine/keyspace/keyspace.h"

namespace redoubt {

void LocalDeadlines::set_active(bool active) {
  if (active == active_) return;
  active_ = active;
  keys_.clear();
  services_.keys.feed().set_listening(*this, active);
}

void LocalDeadlines::on_key_changed(int db, std::string_view key) {
  if (services_.keys.applying()) return;
  const Entry* entry = services_.keys.database(db).find(key, services_.keys.hash(key));
  if (entry != nullptr && entry->has_expiry()) {
    if (keys_.size() < kCountMax) keys_.emplace(db, key);
  } else if (!keys_.empty()) {
    keys_.erase({db, std::string(key)});
  }
}

void LocalDeadlines::cron() {
  if (!active_ || keys_.empty()) return;
  Keyspace& keys = services_.keys;
  auto at = keys_.lower_bound(cursor_);
  for (size_t i = 0; i < kStep && i < keys_.size(); ++i) {
    if (keys_.empty()) return;
    if (at == keys_.end()) at = keys_.begin();
    const auto [db, key] = *at;
    const uint64_t hash = keys.hash(key);
    const Entry* entry = keys.database(db).find(key, hash);
    ++at;
    cursor_ = at == keys_.end() ? std::pair<int, std::string>() : *at;
    if (entry == nullptr || !entry->has_expiry()) {
      keys_.erase({db, key});
    } else if (keys.expired(*entry)) {
      keys_.erase({db, key});
      keys.removal().expire_local(db, key, hash);
    }
  }
}

}  // namespace redoubt
