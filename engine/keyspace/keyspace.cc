#include "engine/keyspace/keyspace.h"

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
      hash_key_([this] { return env_.entropy(); }),
      clock_(env_, surroundings.random, settings_),
      reclaim_(env_, databases_, settings_, stats_),
      snapshots_(env_, reclaim_, databases_),
      feed_(*this, clock_, surroundings.gate, stats_),
      removal_(*this, settings_, surroundings.latency, surroundings.effects) {
  ASSERT(settings_.databases > 0);
  for (int i = 0; i < settings_.databases; ++i) databases_.push_back(make_database());
  settings_changed();
}

std::unique_ptr<Database> Keyspace::make_database() {
  auto database = std::make_unique<Database>(hash_key_, &reclaim_.garbage());
  reclaim_.attach(*database);
  database->set_access_for_new(clock_.stamp());
  database->set_key_log(feed_.events().log());
  database->set_lazy_replace(settings_.lazyfree_lazy_server_del);
  // Its first key has memory summed anew, which says how far it may grow (eviction.h).
  database->allocator().set_mark(database->used_bytes(), 0);
  return database;
}

void Keyspace::settings_changed() {
  clock_.settings_changed();
  advance_clock();
  reclaim_.settings_changed();
  feed_.events().select(settings_.notify_events);
  feed_.update_attention();
  for (const auto& database : databases_) {
    database->set_key_log(feed_.events().log());
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
    feed_.missed(db, key);
    return nullptr;
  }
  if (expired(*entry)) {
    removal_.expire_key(db, key, hash);
    feed_.missed(db, key);
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
    removal_.expire_key(db, key, hash);
    return nullptr;
  }
  if (set_clock) clock_.touch(*entry);
  return entry;
}

const Entry* Keyspace::peek(int db, std::string_view key, uint64_t hash) {
  return touch(db, key, hash, false);
}

// --- changes

void Keyspace::swap(int a, int b) {
  ASSERT(a >= 0 && a < count() && b >= 0 && b < count());
  feed_.before_all_change();
  Database& first = database(a);
  Database& second = database(b);
  if (a != b) {
    feed_.before_database_changes(a, first, &second);
    feed_.before_database_changes(b, second, &first);
  }
  std::swap(databases_[static_cast<size_t>(a)], databases_[static_cast<size_t>(b)]);
  feed_.database_changed(a);
  feed_.database_changed(b);
}

// Frees a database that was replaced. A small one is freed at once, a large one in the background
// even without `lazy`: a million calls of free() would hold the node.
void Keyspace::discard(std::unique_ptr<Database> old, bool lazy) {
  constexpr size_t kSmall = 1000;
  constexpr size_t kSmallBytes = 128 * 1024;
  old = snapshots_.keep_flushed(std::move(old));
  if (old == nullptr) return;
  if (lazy || old->size() > kSmall || old->used_bytes() > kSmallBytes) {
    reclaim_.free_in_background(std::move(old));
  }
}

std::vector<std::unique_ptr<Database>> Keyspace::make_databases() {
  std::vector<std::unique_ptr<Database>> databases;
  databases.reserve(static_cast<size_t>(count()));
  for (int db = 0; db < count(); ++db) databases.push_back(make_database());
  return databases;
}

void Keyspace::replace_all(std::vector<std::unique_ptr<Database>> databases, bool lazy) {
  ASSERT(databases.size() == databases_.size() && rollback_ == nullptr);
  feed_.before_all_change();
  for (int db = 0; db < count(); ++db) {
    std::unique_ptr<Database>& slot = databases_[static_cast<size_t>(db)];
    std::unique_ptr<Database>& fresh = databases[static_cast<size_t>(db)];
    feed_.before_database_changes(db, *slot, fresh.get());
    std::unique_ptr<Database> old = std::exchange(slot, std::move(fresh));
    feed_.database_changed(db);
    discard(std::move(old), lazy);
  }
  feed_.flushed();
}

size_t Keyspace::flush(int index, bool lazy) {
  ASSERT(index < count());
  ASSERT(rollback_ == nullptr);  // nothing could bring it back
  size_t removed = 0;
  feed_.before_all_change();
  for (int db = 0; db < count(); ++db) {
    if (index >= 0 && db != index) continue;
    std::unique_ptr<Database>& slot = databases_[static_cast<size_t>(db)];
    const size_t size = slot->size();
    if (size == 0) continue;
    feed_.before_database_changes(db, *slot, nullptr);
    removed += size;
    std::unique_ptr<Database> old = std::exchange(slot, make_database());
    feed_.database_changed(db);
    discard(std::move(old), lazy);
  }
  feed_.flushed();
  return removed;
}

std::vector<Snapshot::Source> Keyspace::snapshot_sources() {
  std::vector<Snapshot::Source> sources;
  sources.reserve(databases_.size());
  for (int db = 0; db < count(); ++db) sources.push_back({db, &database(db)});
  return sources;
}

// --- transactions that may be undone

void Keyspace::begin_rollback() {
  ASSERT(rollback_ == nullptr);
  rollback_ = std::make_unique<Rollback>(*this);
  feed_.hold_back(*rollback_);
  changes_before_ = changes_;
}

void Keyspace::commit_rollback() {
  ASSERT(rollback_ != nullptr);
  const std::unique_ptr<Rollback> rollback = std::move(rollback_);
  feed_.release();
  free_copies(*rollback);
}

void Keyspace::undo_rollback() {
  ASSERT(rollback_ != nullptr);
  const std::unique_ptr<Rollback> rollback = std::move(rollback_);
  rollback->undo();
  feed_.forget();
  changes_ = changes_before_;
  free_copies(*rollback);
}

void Keyspace::free_copies(Rollback& rollback) {
  for (std::unique_ptr<Database>& copies : rollback.take_copies()) {
    if (copies->used_bytes() > kLargeCopies) reclaim_.free_in_background(std::move(copies));
  }
}

}  // namespace redoubt
