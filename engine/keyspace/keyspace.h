// Keyspace: the databases of a node as commands see them. It knows expiry and the access clock, and
// counts reads and changes.
//
// A look-up returns const entries. A command asks for a value that it changes in place with
// write(), or with Database::write() when it has found the entry already; the functions of Database
// replace strings. After the change the command reports it to the feed (change_feed.h), once for
// each event. Expiry and eviction remove keys through removal() (removal.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/config/settings.h"
#include "engine/effects/effect_log.h"
#include "engine/effects/reply_gate.h"
#include "engine/insight/latency.h"
#include "engine/insight/stats.h"
#include "engine/keyspace/access_clock.h"
#include "engine/keyspace/change_feed.h"
#include "engine/keyspace/function_sources.h"
#include "engine/keyspace/reclaim.h"
#include "engine/keyspace/removal.h"
#include "engine/keyspace/rollback.h"
#include "engine/keyspace/snapshots.h"
#include "engine/store/database.h"
#include "engine/store/hash.h"
#include "engine/store/random.h"
#include "net/env.h"

namespace redoubt {

class Keyspace {
 public:
  // Components of the node that it uses. They outlive the keyspace.
  struct Surroundings {
    Env& env;
    const Settings& settings;
    Stats& stats;
    LatencyMonitor& latency;
    EffectLog& effects;
    ReplyGate& gate;
    Random& random;
  };

  explicit Keyspace(const Surroundings& surroundings);
  Keyspace(const Keyspace&) = delete;
  Keyspace& operator=(const Keyspace&) = delete;

  Env& env() { return env_; }
  const HashKey& hash_key() const { return hash_key_; }
  uint64_t hash(std::string_view key) const { return hash_key_(key); }

  // The number of databases, one of them, and all. The index is below count(); a check of it would
  // take a fiftieth of the time of GET.
  int count() const { return static_cast<int>(databases_.size()); }
  Database& database(int index) { return *databases_[static_cast<size_t>(index)]; }
  const std::vector<std::unique_ptr<Database>>& databases() const { return databases_; }

  // --- look-ups. `hash` is that of the key. Entries are valid until the next write. An expired key
  // is not found, and is removed unless data stands still.

  // The entry of a key for reading; null when there is none. Counts a hit or a miss; `set_clock`:
  // sets its access clock.
  const Entry* read(int db, std::string_view key, uint64_t hash, bool set_clock);
  // The same without counting: for a command that replaces or removes the value as a whole, or may
  // find nothing to change.
  const Entry* touch(int db, std::string_view key, uint64_t hash, bool set_clock);
  // The same for changing the value in place, right away.
  Entry* write(int db, std::string_view key, uint64_t hash, bool set_clock) {
    const Entry* entry = touch(db, key, hash, set_clock);
    return entry == nullptr ? nullptr : &database(db).write(*entry, hash);
  }
  // The same without counting or setting the clock.
  const Entry* peek(int db, std::string_view key, uint64_t hash);
  // A key lives through the millisecond of its deadline.
  bool expired(const Entry& entry) const {
    return entry.has_expiry() && entry.expiry_ms() < past_ms();
  }
  // Deadlines before this, Unix time in ms, have passed. None has while effects are applied: what
  // expired when they were made, they say themselves.
  // While a command is suspended it is the time at which that began.
  int64_t past_ms() const { return past_fixed_ ? fixed_past_ms_ : env_.wall().unix_ms(); }

  // The time at which a command is executed, Unix time in ms: that of a suspended command is when
  // its suspension began.
  int64_t now_ms() const { return suspended_ ? fixed_past_ms_ : env_.wall().unix_ms(); }

  // --- changes

  // Removes a key; a value that is slow to free is freed in the background when `lazy`. False: it
  // is not there. The caller reports the removal.
  bool erase(int db, std::string_view key, uint64_t hash, bool lazy) {
    return database(db).erase(key, hash, lazy);
  }
  // Two databases change places.
  void swap(int a, int b);
  // Empties a database, or all with -1; in the background when `lazy`. Returns how many keys there
  // were.
  size_t flush(int index, bool lazy);
  // As many empty databases as there are, for loading; then they take the place of those that there
  // are, whose keys are gone as by flush(-1).
  std::vector<std::unique_ptr<Database>> make_databases();
  void replace_all(std::vector<std::unique_ptr<Database>> databases, bool lazy);
  // Changes of data that clients have made since the start, as rdb_changes_since_last_save counts
  // them: without keys that expire or are evicted.
  void count_changes(uint64_t count) { changes_ += count; }
  uint64_t changes() const { return changes_; }

  // --- components

  // Reports of changes.
  ChangeFeed& feed() { return feed_; }
  const ChangeFeed& feed() const { return feed_; }
  // Expiry and eviction.
  Removal& removal() { return removal_; }
  // The number under which the reply gate knows a key.
  uint64_t gate_key(int db, std::string_view key) const {
    return hash(key) ^ static_cast<uint64_t>(db) * 0x9e3779b97f4a7c15;
  }
  // Effects of a file or a primary are applied from now on, or no longer.
  bool applying() const { return applying_; }
  void set_applying(bool applying) {
    applying_ = past_fixed_ = applying;
    fixed_past_ms_ = INT64_MIN;
    removal_.set_applying(applying);
  }
  // A command is suspended from now on, or no longer (dispatch/suspension.h).
  void set_suspended(bool suspended) {
    ASSERT(!applying_);
    past_fixed_ = suspended_ = suspended;
    fixed_past_ms_ = env_.wall().unix_ms();
    removal_.set_suspended(suspended);
  }
  FunctionSources& functions() { return functions_; }
  AccessClock& clock() { return clock_; }
  const AccessClock& clock() const { return clock_; }
  Reclaim& reclaim() { return reclaim_; }
  const Reclaim& reclaim() const { return reclaim_; }
  Snapshots& snapshots() { return snapshots_; }
  const Snapshots& snapshots() const { return snapshots_; }
  // All databases, for a snapshot.
  std::vector<Snapshot::Source> snapshot_sources();

  // A transaction begins that may be undone. Before each of its commands runs, the caller gives the
  // keys that the command may write to Rollback::keep().
  void begin_rollback();
  // Null outside of such a transaction.
  Rollback* rollback() { return rollback_.get(); }
  // The transaction has succeeded: its changes are reported.
  void commit_rollback();
  // The transaction has failed: everything is as it was at its beginning.
  void undo_rollback();

  // Settings have changed of which this object or the databases have copies.
  void settings_changed();
  // Ten times a second: advances the access clock.
  void cron();

 private:
  std::unique_ptr<Database> make_database();
  void discard(std::unique_ptr<Database> old, bool lazy);
  void advance_clock();
  void free_copies(Rollback& rollback);

  Env& env_;
  const Settings& settings_;
  Stats& stats_;
  HashKey hash_key_;
  AccessClock clock_;
  std::vector<std::unique_ptr<Database>> databases_;
  Reclaim reclaim_;
  Snapshots snapshots_;  // ends before the databases
  ChangeFeed feed_;
  Removal removal_;
  FunctionSources functions_;
  std::unique_ptr<Rollback> rollback_;  // in a transaction that may be undone
  uint64_t changes_ = 0;
  uint64_t changes_before_ = 0;  // the transaction that may be undone
  bool applying_ = false;
  bool past_fixed_ = false;
  bool suspended_ = false;  // a command is
  int64_t fixed_past_ms_ = 0;
};

}  // namespace redoubt
