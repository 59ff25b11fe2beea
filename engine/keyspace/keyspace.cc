#include "engine/keyspace/keyspace.h"

#include <algorithm>
#include <utility>

#include "net/assert.h"

namespace redoubt {

namespace {

// Copies that take less are freed at once.
constexpr size_t kLargeCopies = 1 << 20;

}  // namespace

Keyspace::Keyspace(const Surroundings& surroundings)
    : env_(surroundings.env),
      settings_(surroundings.settings),
      stats_(surroundings.stats),
      latency_(surroundings.latency),
      effects_(surroundings.effects),
      gate_(surroundings.gate),
      hash_key_([this] { return env_.entropy(); }),
      clock_(env_, surroundings.random, settings_),
      reclaim_(env_, databases_, settings_, stats_),
      snapshots_(env_, reclaim_) {
  ASSERT(settings_.databases > 0);
  for (int i = 0; i < settings_.databases; ++i) databases_.push_back(make_database());
  settings_changed();
}

std::unique_ptr<Database> Keyspace::make_database() {
  auto database = std::make_unique<Database>(hash_key_, &reclaim_.garbage());
  reclaim_.attach(*database);
  database->set_access_for_new(clock_.stamp());
  database->set_key_log(events_.log());
  database->set_lazy_replace(settings_.lazyfree_lazy_server_del);
  // Its first key has memory summed anew, which says how far it may grow (eviction.h).
  database->allocator().set_mark(database->used_bytes(), 0);
  return database;
}

void Keyspace::settings_changed() {
  clock_.settings_changed();
  advance_clock();
  reclaim_.settings_changed();
  events_.select(settings_.notify_events);
  update_attention();
  for (const auto& database : databases_) {
    database->set_key_log(events_.log());
    database->set_lazy_replace(settings_.lazyfree_lazy_server_del);
  }
}

void Keyspace::advance_clock() {
  clock_.advance();
  for (const auto& database : databases_) database->set_access_for_new(clock_.stamp());
}

void Keyspace::cron() {
  advance_clock();
  clock_.keep_from_wrapping(databases_);
}

// --- look-ups

const Entry* Keyspace::read(int db, std::string_view key, uint64_t hash, bool set_clock) {
  const Entry* entry = database(db).find(key, hash);
  if (entry == nullptr) {
    missed(db, key);
    return nullptr;
  }
  if (expired(*entry)) {
    expire_key(db, key, hash);
    missed(db, key);
    return nullptr;
  }
  ++stats_.keyspace_hits;
  if (set_clock) clock_.touch(*entry);
  return entry;
}

const Entry* Keyspace::touch(int db, std::string_view key, uint64_t hash, bool set_clock) {
  const Entry* entry = database(db).find(key, hash);
  if (entry == nullptr) return nullptr;
  if (expired(*entry)) {
    expire_key(db, key, hash);
    return nullptr;
  }
  if (set_clock) clock_.touch(*entry);
  return entry;
}

const Entry* Keyspace::peek(int db, std::string_view key, uint64_t hash) {
  return touch(db, key, hash, false);
}

// --- changes

void Keyspace::expire_key(int db, std::string_view key, uint64_t hash) {
  ASSERT(db >= 0 && db < count());
  if (!decides_) return;
  // A source that expires within a transaction, too, comes back when that is undone.
  if (rollback_ != nullptr) rollback_->keep(db, key);
  const bool lazy = settings_.lazyfree_lazy_expire;
  const int64_t threshold_ms = settings_.latency_monitor_threshold_ms;
  const Instant since = threshold_ms > 0 ? env_.precise_now() : Instant{};
  const bool removed = erase(db, key, hash, lazy);
  ASSERT(removed);
  if (threshold_ms > 0) {
    latency_.note("expire-del", env_.precise_now() - since, threshold_ms, env_.wall());
  }
  const std::string_view effect[] = {lazy ? "UNLINK" : "DEL", key};
  effects_.append(db, effect);
  if (rollback_ != nullptr) {
    note(Rollback::Event::Kind::expired, db, key, 'x', {});
  } else {
    tell_expired(db, key);
  }
}

void Keyspace::note_or_tell(int db, std::string_view key, char event_class,
                            std::string_view event) {
  if (rollback_ == nullptr) return tell_modified(db, key, event_class, event);
  ASSERT(rollback_->keeps(db, key));
  note(Rollback::Event::Kind::modified, db, key, event_class, event);
}

void Keyspace::announce(int db, std::string_view key, char event_class, std::string_view event) {
  if (rollback_ != nullptr) {
    note(Rollback::Event::Kind::announced, db, key, event_class, event);
  } else if (events_.on()) [[unlikely]] {
    events_.emit(db, key, event_class, event);
  }
}

void Keyspace::missed(int db, std::string_view key) {
  ++stats_.keyspace_misses;
  if (events_.on()) [[unlikely]]
    events_.emit(db, key, 'm', "keymiss");
}

void Keyspace::remove_expired(int db, std::string_view key, size_t parts_max) {
  ASSERT(decides_ && rollback_ == nullptr);
  const uint64_t key_hash = hash(key);
  const Entry* entry = database(db).find(key, key_hash);
  ASSERT(entry != nullptr);
  if (expired(*entry)) {
    expire_key(db, key, key_hash);
  } else {
    remove_expired_parts(db, *entry, parts_max);
  }
}

void Keyspace::evict(int db, std::string_view key) {
  ASSERT(decides_ && rollback_ == nullptr);
  const bool lazy = settings_.lazyfree_lazy_eviction;
  const int64_t threshold_ms = settings_.latency_monitor_threshold_ms;
  const Instant since = threshold_ms > 0 ? env_.precise_now() : Instant{};
  const bool removed = erase(db, key, hash(key), lazy);
  ASSERT(removed);
  if (threshold_ms > 0) {
    latency_.note(lazy ? "eviction-lazyfree" : "eviction-del", env_.precise_now() - since,
                  threshold_ms, env_.wall());
  }
  ++stats_.evicted_keys;
  const std::string_view effect[] = {lazy ? "UNLINK" : "DEL", key};
  effects_.append(db, effect);
  modified(db, key, 'e', "evicted");
  for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->on_evicted(db, key);
}

void Keyspace::swap(int a, int b) {
  ASSERT(a >= 0 && a < count() && b >= 0 && b < count());
  if (gate_.active()) gate_.all_written();
  Database& first = database(a);
  Database& second = database(b);
  if (!watched_.idle() && a != b) {
    watched_.database_changes(a, first, &second);
    watched_.database_changes(b, second, &first);
  }
  std::swap(databases_[static_cast<size_t>(a)], databases_[static_cast<size_t>(b)]);
  tell_database_changed(a);
  tell_database_changed(b);
}

size_t Keyspace::flush(int index, bool lazy) {
  // A small database is freed at once; freeing a large one takes its time beside the node, whatever
  // was asked: nobody should wait for a million calls of free().
  constexpr size_t kSmall = 1000;
  constexpr size_t kSmallBytes = 128 * 1024;
  ASSERT(index < count());
  ASSERT(rollback_ == nullptr);  // nothing could bring it back
  size_t removed = 0;
  if (gate_.active()) gate_.all_written();
  for (int db = 0; db < count(); ++db) {
    if (index >= 0 && db != index) continue;
    std::unique_ptr<Database>& slot = databases_[static_cast<size_t>(db)];
    const size_t size = slot->size();
    if (size == 0) continue;
    if (!watched_.idle()) watched_.database_changes(db, *slot, nullptr);
    removed += size;
    std::unique_ptr<Database> old = std::exchange(slot, make_database());
    tell_database_changed(db);
    old = snapshots_.keep_flushed(std::move(old));
    if (old == nullptr) continue;
    if (lazy || size > kSmall || old->used_bytes() > kSmallBytes) {
      reclaim_.free_in_background(std::move(old));
    }
  }
  for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->on_flushed();
  return removed;
}

std::vector<Snapshot::Source> Keyspace::snapshot_sources() {
  std::vector<Snapshot::Source> sources;
  sources.reserve(databases_.size());
  for (int db = 0; db < count(); ++db) sources.push_back({db, &database(db)});
  return sources;
}

// --- telling

void Keyspace::set_listening(KeyListener& listener, bool listens) {
  const auto at = std::find(listeners_.begin(), listeners_.end(), &listener);
  if (listens == (at != listeners_.end())) return;
  if (listens) {
    listeners_.push_back(&listener);
  } else {
    listeners_.erase(at);
  }
  update_attention();
}

void Keyspace::tell_modified(int db, std::string_view key, char event_class,
                             std::string_view event) {
  ASSERT(rollback_ == nullptr);
  ASSERT(db >= 0 && db < count());
  if (clock_.follows_changes()) [[unlikely]] {
    if (const Entry* entry = database(db).find(key, hash(key))) clock_.changed(*entry);
  }
  if (gate_.active()) gate_.key_written(gate_key(db, key));
  if (!watched_.idle()) [[unlikely]]
    watched_.key_changed(db, key);
  for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->on_key_changed(db, key);
  if (events_.on()) [[unlikely]]
    events_.emit(db, key, event_class, event);
}

void Keyspace::tell_expired(int db, std::string_view key) {
  ++stats_.expired_keys;
  tell_modified(db, key, 'x', "expired");
  for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->on_expired(db, key);
}

void Keyspace::tell_database_changed(int db) {
  for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->on_database_changed(db);
}

// --- transactions that may be undone

void Keyspace::begin_rollback() {
  ASSERT(rollback_ == nullptr);
  rollback_ = std::make_unique<Rollback>(*this);
  update_attention();
  changes_before_ = changes_;
}

void Keyspace::note(Rollback::Event::Kind kind, int db, std::string_view key, char event_class,
                    std::string_view event) {
  ASSERT(rollback_ != nullptr);
  rollback_->note({kind, event_class, db, std::string(key), std::string(event), {}});
}

void Keyspace::commit_rollback() {
  ASSERT(rollback_ != nullptr);
  const std::unique_ptr<Rollback> rollback = std::move(rollback_);
  update_attention();
  for (const Rollback::Event& event : rollback->take_events()) tell(event);
  free_copies(*rollback);
}

void Keyspace::undo_rollback() {
  ASSERT(rollback_ != nullptr);
  const std::unique_ptr<Rollback> rollback = std::move(rollback_);
  update_attention();
  rollback->undo();
  events_.forget_notes();
  changes_ = changes_before_;
  free_copies(*rollback);
}

void Keyspace::announce_parts(int db, std::string_view key, char event_class,
                              std::string_view event, std::span<const std::string_view> parts) {
  if (!events_.wants_parts() || parts.empty()) return;
  if (rollback_ != nullptr) {
    rollback_->note({Rollback::Event::Kind::parts,
                     event_class,
                     db,
                     std::string(key),
                     std::string(event),
                     {parts.begin(), parts.end()}});
    return;
  }
  env_.count_work(parts.size());
  events_.emit_parts(db, key, event_class, event, parts);
}

void Keyspace::tell(const Rollback::Event& event) {
  switch (event.kind) {
    case Rollback::Event::Kind::modified:
      tell_modified(event.db, event.key, event.event_class, event.event);
      break;
    case Rollback::Event::Kind::announced:
      announce(event.db, event.key, event.event_class, event.event);
      break;
    case Rollback::Event::Kind::parts: {
      const std::vector<std::string_view> names(event.parts.begin(), event.parts.end());
      announce_parts(event.db, event.key, event.event_class, event.event, names);
      break;
    }
    case Rollback::Event::Kind::expired: tell_expired(event.db, event.key); break;
    case Rollback::Event::Kind::parts_expired: {
      const std::vector<std::string_view> names(event.parts.begin(), event.parts.end());
      tell_parts_expired(event.db, event.key, event.event_class, names);
      break;
    }
  }
}

void Keyspace::free_copies(Rollback& rollback) {
  for (std::unique_ptr<Database>& copies : rollback.take_copies()) {
    if (copies->used_bytes() > kLargeCopies) reclaim_.free_in_background(std::move(copies));
  }
}

}  // namespace redoubt
