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
  if (!session.has(kSessionNoTouch)) touch(*entry);
  return entry;
}

const Entry* Node::touch(int db, std::string_view key, uint64_t hash, bool set_clock) {
  const Entry* entry = database(db).find(key, hash);
  if (entry == nullptr) return nullptr;
  if (expired(*entry)) {
    expire_key(db, key, hash);
    return nullptr;
  }
  if (set_clock) touch(*entry);
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
  if (lrm_) {
    if (const Entry* entry = database(db).find(key, hash_key_(key))) {
      entry->set_fine_access(access_clock_);
    }
  }
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
  if (!watched_keys_.idle() && a != b) {
    touch_watched_database(a, database(a), &database(b));
    touch_watched_database(b, database(b), &database(a));
  }
  std::swap(databases_[static_cast<size_t>(a)], databases_[static_cast<size_t>(b)]);
  std::swap(expire_cursors_[static_cast<size_t>(a)], expire_cursors_[static_cast<size_t>(b)]);
  database_changed(a);
  database_changed(b);
}

// Any key of it may be there, or gone, now.
void Node::database_changed(int db) {
  if (!blocking_.idle() && blocking_.database_changed(db)) env_.request(batch_hook_);
}

std::unique_ptr<Database> Node::make_database() {
  auto database = std::make_unique<Database>(hash_key_, &garbage_);
  database->allocator().regions().set_wish(&region_wanted_);
  database->set_access_for_new(access_clock_);
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
  for (int db = 0; db < database_count(); ++db) {
    if (index >= 0 && db != index) continue;
    std::unique_ptr<Database>& slot = databases_[static_cast<size_t>(db)];
    const size_t size = slot->size();
    if (size == 0) continue;
    if (!watched_keys_.idle()) touch_watched_database(db, *slot, nullptr);
    removed += size;
    std::unique_ptr<Database> old = make_database();
    old.swap(slot);
    expire_cursors_[static_cast<size_t>(db)] = 0;
    database_changed(db);
    old = snapshots_.keep_flushed(std::move(old));
    if (old == nullptr) continue;
    if (lazy || size > kSmall || old->used_bytes() > kSmallBytes)
      free_in_background(std::move(old), {});
  }
  if (clients_.tracking().active()) clients_.tracking().all_changed();
  return removed;
}

// --- freeing beside the node

size_t Node::garbage_bytes() const {
  size_t bytes = garbage_in_flight_bytes_ + garbage_.bytes();
  for (const auto& database : databases_) bytes += database->remains_bytes();
  return bytes;
}

size_t Node::garbage_objects() const {
  size_t count = garbage_in_flight_count_ + garbage_.objects();
  for (const auto& database : databases_) count += database->remains();
  return count;
}

// Between turns, so that nobody waits for a value of many parts.
void Node::free_remains() {
  constexpr size_t kSlice = 4000;  // allocations: a fraction of a millisecond
  size_t budget = REDOUBT_UNLUCKY(free_little) ? 1 : kSlice;
  bool done = true;
  for (const std::unique_ptr<Database>& database : databases_) {
    const size_t before = database->remains();
    done = database->free_some(budget) && done;
    stats_.lazyfreed_objects += before - database->remains();
  }
  if (done) {
    garbage_.no_remains();
    return;
  }
  REDOUBT_REACHED(freed_in_slices);
  if (!free_timer_.armed()) {
    env_.arm(free_timer_, env_.now());
  }
}

void Node::collect_garbage() {
  if (garbage_.has_remains()) free_remains();
  if (garbage_.empty()) return;
  Garbage garbage = garbage_.take_pieces();
  free_in_background(nullptr, std::move(garbage));
}

// What databases do not need goes back to the system, a little at a time.
void Node::trim_memory() {
  constexpr Duration kEvery = Duration::milliseconds(100);
  constexpr size_t kRegions = 4;  // up to 0.04 ms each
  const bool now = REDOUBT_UNLUCKY(trim_everything);
  if (env_.now() - last_trim_ < kEvery && !now) return;
  last_trim_ = env_.now();
  for (const std::unique_ptr<Database>& database : databases_) {
    if (database->allocator().regions().trim(now ? SIZE_MAX : kRegions)) break;
  }
}

void Node::free_in_background(std::unique_ptr<Database> database, Garbage garbage) {
  auto job = std::make_unique<FreeJob>();
  job->node = this;
  job->bytes = (database == nullptr ? 0 : database->used_bytes()) + garbage.bytes();
  job->objects = (database == nullptr ? 0 : database->size()) + garbage.objects();
  job->database = std::move(database);
  job->garbage = std::move(garbage);
  garbage_in_flight_bytes_ += job->bytes;
  garbage_in_flight_count_ += job->objects;
  job->op.kind = OpKind::background;
  job->op.owner = job.get();
  job->op.work = [](Op& op) {
    FreeJob& mine = *static_cast<FreeJob*>(op.owner);
    mine.database.reset();
    mine.garbage = {};
  };
  job->op.on_done = [](Op& op) {
    FreeJob& done = *static_cast<FreeJob*>(op.owner);
    done.node->on_freed(done);
  };
  env_.submit(job->op);
  free_jobs_.push_back(std::move(job));
}

void Node::on_freed(FreeJob& job) {
  garbage_in_flight_bytes_ -= job.bytes;
  garbage_in_flight_count_ -= job.objects;
  stats_.lazyfreed_objects += job.objects;
  std::erase_if(free_jobs_, [&](const auto& other) { return other.get() == &job; });
}

// --- memory made beside the node

// One at a time; who wants one then is asked when it is there.
void Node::make_spare_region() {
  region_wanted_ = false;
  if (region_job_ != nullptr) return;
  region_job_ = std::make_unique<RegionJob>();
  RegionJob& job = *region_job_;
  job.node = this;
  job.op.kind = OpKind::background;
  job.op.owner = &job;
  job.op.work = [](Op& op) { static_cast<RegionJob*>(op.owner)->memory = Regions::make_memory(); };
  job.op.on_done = [](Op& op) { static_cast<RegionJob*>(op.owner)->node->on_region_made(); };
  env_.submit(job.op);
}

void Node::on_region_made() {
  const std::unique_ptr<RegionJob> job = std::move(region_job_);
  bool more = false;
  for (const std::unique_ptr<Database>& database : databases_) {
    Regions& regions = database->allocator().regions();
    if (!regions.wants_spare()) continue;
    if (job->memory != nullptr) {
      regions.give_spare(std::exchange(job->memory, nullptr));
    } else {
      more = true;
    }
  }
  if (more) make_spare_region();
}

}  // namespace redoubt
