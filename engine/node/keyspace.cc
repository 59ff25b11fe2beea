// The keyspace as commands see it: look-ups that know expiry, removal, announcing changes.
#include "engine/node/node_state.h"
#include "net/places.h"

namespace redoubt {

const Entry* Node::read(Session& session, int db, std::string_view key, uint64_t hash) {
  const Entry* entry = database(db).find(key, hash);
  if (entry == nullptr) {
    key_missed(db, key);
    return nullptr;
  }
  if (expired(*entry)) {
    expire_key(db, key, hash);
    key_missed(db, key);
    return nullptr;
  }
  ++stats_.keyspace_hits;
  if (!session.has(kSessionNoTouch)) access_clock_.touch(*entry);
  return entry;
}

const Entry* Node::touch(int db, std::string_view key, uint64_t hash, bool set_clock) {
  const Entry* entry = database(db).find(key, hash);
  if (entry == nullptr) return nullptr;
  if (expired(*entry)) {
    expire_key(db, key, hash);
    return nullptr;
  }
  if (set_clock) access_clock_.touch(*entry);
  return entry;
}

void Node::expire_key(int db, std::string_view key, uint64_t hash) {
  // While clients are paused, data stands still: an expired key is invisible, but stays.
  if (pause_mode_ != PauseMode::none) return;
  // A source that expires within a transaction, too, comes back when that is undone.
  if (rollback_ != nullptr) rollback_->keep(db, key);
  const bool lazy = settings().lazyfree_lazy_expire;
  const bool timed = settings().latency_monitor_threshold_ms > 0;
  const Instant since = timed ? env_.precise_now() : Instant{};
  erase(db, key, hash, lazy);
  if (timed) note_latency("expire-del", env_.precise_now() - since);
  const std::string_view effect[] = {lazy ? "UNLINK" : "DEL", key};
  effects_.append(db, effect);
  if (rollback_ != nullptr) {
    rollback_->note({Rollback::Event::Kind::expired, 'x', db, std::string(key), {}, {}});
  } else {
    tell_expired(db, key);
  }
}

void Node::tell_expired(int db, std::string_view key) {
  ++stats_.expired_keys;
  key_modified(db, key, 'x', "expired");
  if (observer_ != nullptr) observer_->on_expired(db, key);
}

bool Node::erase(int db, std::string_view key, uint64_t hash, bool lazy) {
  return database(db).erase(key, hash, lazy);
}

void Node::key_modified(int db, std::string_view key, char event_class, std::string_view event) {
  if (rollback_ != nullptr) {
    ASSERT(rollback_->keeps(db, key));
    rollback_->note({Rollback::Event::Kind::modified,
                     event_class,
                     db,
                     std::string(key),
                     std::string(event),
                     {}});
    return;
  }
  if (access_clock_.follows_changes()) {
    const Entry* entry = database(db).find(key, hash_key_(key));
    if (entry != nullptr) access_clock_.changed(*entry);
  }
  if (gate_.active()) [[unlikely]]
    gate_.key_written(key_of_gate(db, key));
  if (!watched_keys_.idle()) touch_watched(db, key);
  if (!blocking_.idle() && blocking_.key_changed(db, key)) env_.request(batch_hook_);
  if (key_events_wanted_) [[unlikely]]
    emit_event(db, key, event_class, event, true);
}

void Node::announce(int db, std::string_view key, char event_class, std::string_view event) {
  if (rollback_ != nullptr) {
    rollback_->note({Rollback::Event::Kind::announced,
                     event_class,
                     db,
                     std::string(key),
                     std::string(event),
                     {}});
    return;
  }
  if (key_events_wanted_) [[unlikely]]
    emit_event(db, key, event_class, event, false);
}

void Node::key_missed(int db, std::string_view key) {
  ++stats_.keyspace_misses;
  if (key_events_wanted_) [[unlikely]]
    emit_event(db, key, 'm', "keymiss", false);
}

void Node::swap_databases(int a, int b) {
  if (gate_.active()) gate_.all_written();
  if (!watched_keys_.idle() && a != b) {
    touch_watched_database(a, database(a), &database(b));
    touch_watched_database(b, database(b), &database(a));
  }
  std::swap(databases_[static_cast<size_t>(a)], databases_[static_cast<size_t>(b)]);
  expiry_.databases_changed();
  database_changed(a);
  database_changed(b);
}

// Any key of it may be there, or gone, now.
void Node::database_changed(int db) {
  if (!blocking_.idle() && blocking_.database_changed(db)) env_.request(batch_hook_);
}

std::unique_ptr<Database> Node::make_database() {
  auto database = std::make_unique<Database>(hash_key_, &reclaim_.garbage());
  reclaim_.attach(*database);
  database->set_access_for_new(access_clock_.stamp());
  attach_key_log(*database);
  database->set_lazy_replace(settings().lazyfree_lazy_server_del);
  return database;
}

std::vector<Snapshot::Source> Node::snapshot_sources() {
  std::vector<Snapshot::Source> sources;
  for (int db = 0; db < database_count(); ++db) sources.push_back({db, &database(db)});
  return sources;
}

size_t Node::flush(int index, bool lazy) {
  // A small database is freed at once; freeing a large one takes its time beside the node, whatever
  // was asked: nobody should wait for a million calls of free().
  constexpr size_t kSmall = 1000;
  constexpr size_t kSmallBytes = 128 * 1024;
  size_t removed = 0;
  if (gate_.active()) gate_.all_written();
  for (int db = 0; db < database_count(); ++db) {
    if (index >= 0 && db != index) continue;
    std::unique_ptr<Database>& slot = databases_[static_cast<size_t>(db)];
    const size_t size = slot->size();
    if (size == 0) continue;
    if (!watched_keys_.idle()) touch_watched_database(db, *slot, nullptr);
    removed += size;
    std::unique_ptr<Database> old = make_database();
    old.swap(slot);
    database_changed(db);
    old = snapshots_.keep_flushed(std::move(old));
    if (old == nullptr) continue;
    if (lazy || size > kSmall || old->used_bytes() > kSmallBytes)
      reclaim_.free_in_background(std::move(old));
  }
  expiry_.databases_changed();
  if (clients_.tracking().active()) clients_.tracking().all_changed();
  return removed;
}

}  // namespace redoubt
