#include "engine/keyspace/removal.h"

#include "engine/keyspace/keyspace.h"
#include "net/assert.h"

namespace redoubt {

// Removes a key that is there, with its effect. Its time counts as an event `latency` of LATENCY.
void Removal::erase(int db, std::string_view key, uint64_t hash, bool lazy,
                    std::string_view latency) {
  Env& env = keys_.env();
  const int64_t threshold_ms = settings_.latency_monitor_threshold_ms;
  const Instant since = threshold_ms > 0 ? env.precise_now() : Instant{};
  const bool removed = keys_.erase(db, key, hash, lazy);
  ASSERT(removed);
  if (threshold_ms > 0) {
    latency_.note(latency, env.precise_now() - since, threshold_ms, env.wall());
  }
  const std::string_view effect[] = {lazy ? "UNLINK" : "DEL", key};
  effects_.append(db, effect);
}

void Removal::expire_key(int db, std::string_view key, uint64_t hash) {
  ASSERT(db >= 0 && db < keys_.count());
  if (writable_replica_ && decides_ && !loading_ && !applying_ && !suspended_)
    return expire_local(db, key, hash);
  if (!decides()) return;
  // Undoing the transaction also brings back a source that has expired within it.
  if (keys_.rollback() != nullptr) keys_.rollback()->keep(db, key);
  erase(db, key, hash, settings_.lazyfree_lazy_expire, "expire-del");
  keys_.feed().expired(db, key);
}

void Removal::expire_local(int db, std::string_view key, uint64_t hash) {
  ASSERT(writable_replica_ && !applying_);
  if (keys_.rollback() != nullptr) keys_.rollback()->keep(db, key);
  erase(db, key, hash, settings_.lazyfree_lazy_expire, "expire-del");
  keys_.feed().expired(db, key);
}

void Removal::expire(int db, std::string_view key, size_t parts_max) {
  ASSERT(decides() && keys_.rollback() == nullptr);
  const uint64_t hash = keys_.hash(key);
  const Entry* entry = keys_.database(db).find(key, hash);
  ASSERT(entry != nullptr);
  if (keys_.expired(*entry)) {
    expire_key(db, key, hash);
  } else {
    expire_parts(db, *entry, parts_max);
  }
}

void Removal::evict(int db, std::string_view key) {
  ASSERT(decides() && keys_.rollback() == nullptr);
  const bool lazy = settings_.lazyfree_lazy_eviction;
  erase(db, key, keys_.hash(key), lazy, lazy ? "eviction-lazyfree" : "eviction-del");
  keys_.feed().evicted(db, key);
}

}  // namespace redoubt
