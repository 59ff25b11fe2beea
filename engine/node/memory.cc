// What a node counts as memory, and how it follows the limit.
#include <algorithm>

#include "engine/node/node_state.h"
#include "net/places.h"

namespace redoubt {

size_t Node::used_memory() const {
  size_t bytes = clients_.memory_bytes() + snapshots_.flushed_bytes();
  for (const auto& database : databases_) bytes += database->used_bytes();
  return bytes;
}

size_t Node::not_counted_for_eviction() const {
  size_t bytes = clients_.memory_not_evictable() + snapshots_.flushed_bytes();
  for (const auto& database : databases_) {
    bytes += database->remains_bytes() + database->kept_bytes();
  }
  return bytes;
}

void Node::advance_access_clock() {
  access_clock_.advance();
  for (const auto& database : databases_) database->set_access_for_new(access_clock_.stamp());
}

// Whether commands of this turn have to ask for memory.
void Node::begin_memory_turn() {
  size_t largest = 0;
  for (const RequestBatch::Request& request : batch_.requests) {
    largest = std::max(largest, static_cast<size_t>(request.bytes));
  }
  eviction_.begin_turn(largest);
}

// A command has changed data.
void Node::data_changed(int db) {
  const Database& changed = database(db);
  reclaim_.after_change(changed);
  if (database(db).allocator().above_mark()) eviction_.above_mark();
}

void Node::evict(int db, std::string_view key) {
  const bool lazy = settings().lazyfree_lazy_eviction;
  const bool timed = settings().latency_monitor_threshold_ms > 0;
  const Instant since = timed ? env_.precise_now() : Instant{};
  erase(db, key, database(db).hash(key), lazy);
  if (timed) note_latency(lazy ? "eviction-lazyfree" : "eviction-del", env_.precise_now() - since);
  ++stats_.evicted_keys;
  const std::string_view effect[] = {lazy ? "UNLINK" : "DEL", key};
  effects_.append(db, effect);
  key_modified(db, key, 'e', "evicted");
  if (observer_ != nullptr) observer_->on_evicted(db, key);
}

void Node::remove_expired(int db, std::string_view key, size_t parts_max) {
  const uint64_t hash = database(db).hash(key);
  const Entry* entry = database(db).find(key, hash);
  ASSERT(entry != nullptr);
  if (expired(*entry)) {
    expire_key(db, key, hash);
  } else {
    remove_expired_parts(db, *entry, parts_max);
  }
}

}  // namespace redoubt
