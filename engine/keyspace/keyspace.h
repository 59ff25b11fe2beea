// Keyspace: the databases of a node as commands see them. It knows expiry, counts what is read and
// changed, and is where a change becomes known: to those who watch, wait for or cache the key, to
// keyspace events, and to the simulator's checkers.
//
// A look-up returns const entries. A value that is to change is asked for with write(), or with
// Database::write() for an entry that was found already; strings are replaced by the functions of
// Database. After the change the command says modified(), once for each event.
//
// While decides() is false (clients are paused), data stands still: an expired key is hidden, but
// not removed. In a transaction that may be undone (rollback.h), what would be told is kept back
// until it has succeeded.
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
#include "engine/keyspace/key_events.h"
#include "engine/keyspace/key_listener.h"
#include "engine/keyspace/reclaim.h"
#include "engine/keyspace/rollback.h"
#include "engine/keyspace/snapshots.h"
#include "engine/keyspace/watched_keys.h"
#include "engine/store/database.h"
#include "engine/store/hash.h"
#include "engine/store/random.h"
#include "net/env.h"

namespace redoubt {

class Keyspace {
 public:
  // What it works with. All of it outlives the keyspace.
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

  // How many databases there are, one of them, and all. The index is below count(); a check would
  // be a fiftieth of what GET takes.
  int count() const { return static_cast<int>(databases_.size()); }
  Database& database(int index) { return *databases_[static_cast<size_t>(index)]; }
  const std::vector<std::unique_ptr<Database>>& databases() const { return databases_; }

  // --- look-ups. `hash` is that of the key. Entries are valid until the next write. An expired key
  // is not there, and is removed where decides() is true.

  // The entry of a key for reading; null when there is none. Counts a hit or a miss; `set_clock`:
  // its access clock is set.
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
  int64_t past_ms() const { return applying_ ? INT64_MIN : env_.wall().unix_ms(); }

  // --- changes

  // Removes a key; a value that is slow to free is freed in the background when `lazy`. False: it
  // is not there. The caller announces it.
  bool erase(int db, std::string_view key, uint64_t hash, bool lazy) {
    return database(db).erase(key, hash, lazy);
  }
  // Removes an expired key: counted and announced, with its effect. Not while decides() is false.
  void expire_key(int db, std::string_view key, uint64_t hash);
  // The value of a key was changed. `event` is the keyspace event's name ("set"), of class
  // `event_class` ('$' string, 'g' generic, ...).
  void modified(int db, std::string_view key, char event_class, std::string_view event) {
    if (attentive_ || gate_.active()) [[unlikely]]
      note_or_tell(db, key, event_class, event);
  }
  // Whether anything is to be done with a change has changed: for watched keys.
  void update_attention() {
    attentive_ = rollback_ != nullptr || clock_.follows_changes() || !watched_.idle() ||
                 !listeners_.empty() || events_.on();
  }
  // A keyspace event beside that of a change.
  void announce(int db, std::string_view key, char event_class, std::string_view event);
  // The parts of its value (fields of a hash) that an event is about, which was told just now.
  void announce_parts(int db, std::string_view key, char event_class, std::string_view event,
                      std::span<const std::string_view> parts);
  // A read found no such key: counted and announced.
  void missed(int db, std::string_view key);
  // Removes the key, which is there, if it has expired, else up to `parts_max` parts of its value
  // that have: for active expiry.
  void remove_expired(int db, std::string_view key, size_t parts_max);
  // Removes a key to make room: counted and announced, with its effect.
  void evict(int db, std::string_view key);
  // Two databases change places.
  void swap(int a, int b);
  // Empties a database, or all with -1; in the background when `lazy`. Returns how many keys there
  // were.
  size_t flush(int index, bool lazy);
  // Changes of data that clients have made since the start, as rdb_changes_since_last_save counts
  // them: not what expires or is evicted.
  void count_changes(uint64_t count) { changes_ += count; }
  uint64_t changes() const { return changes_; }

  // --- expired parts of values (expired_parts.cc)

  // Removes fields of a hash or members of a set that have expired, at most `most`: counted and
  // announced, with their effect. False: none are left, and the key is gone. While decides() is
  // false nothing is removed; in a transaction that may be undone only of what it writes.
  bool remove_expired_parts(int db, const Entry& entry, size_t most);
  // Removes all of them before a command stores what it makes of the value: what applies the stream
  // of effects has another clock. False: none are left, and the key is gone.
  bool remove_all_expired_parts(int db, const Entry& entry);
  // Counts and announces expired parts that were removed, with their effect.
  void parts_expired(int db, std::string_view key, Type type,
                     std::span<const std::string_view> names);

  // --- what stands beside the data

  // How the reply gate knows a key.
  uint64_t gate_key(int db, std::string_view key) const {
    return hash(key) ^ static_cast<uint64_t>(db) * 0x9e3779b97f4a7c15;
  }
  // Whether this node decides what expires and is evicted.
  bool decides() const { return decides_ && !applying_ && !loading_; }
  void set_decides(bool decides) { decides_ = decides; }
  // Data is being loaded from now on, or is there.
  void set_loading(bool loading) { loading_ = loading; }
  // Effects of a file or a primary are applied from now on, or no longer.
  bool applying() const { return applying_; }
  void set_applying(bool applying) { applying_ = applying; }
  AccessClock& clock() { return clock_; }
  const AccessClock& clock() const { return clock_; }
  Reclaim& reclaim() { return reclaim_; }
  const Reclaim& reclaim() const { return reclaim_; }
  Snapshots& snapshots() { return snapshots_; }
  const Snapshots& snapshots() const { return snapshots_; }
  // All databases, for a snapshot.
  std::vector<Snapshot::Source> snapshot_sources();
  KeyEvents& events() { return events_; }
  WatchedKeys& watched() { return watched_; }
  const WatchedKeys& watched() const { return watched_; }
  // From now on the listener is told what happens to keys, or is no more. Nothing happens when it
  // is so already. Not by a listener that is being told.
  void set_listening(KeyListener& listener, bool listens);

  // A transaction begins that may be undone. Before a command of it runs, the keys that it may
  // write are kept.
  void begin_rollback();
  // Null outside of such a transaction.
  Rollback* rollback() { return rollback_.get(); }
  // The transaction has succeeded: what it did is told.
  void commit_rollback();
  // The transaction has failed: everything is as it was at its beginning.
  void undo_rollback();

  // Settings have changed that are cached here or in the databases.
  void settings_changed();
  // Ten times a second: advances the access clock.
  void cron();

 private:
  std::unique_ptr<Database> make_database();
  void advance_clock();
  void note(Rollback::Event::Kind kind, int db, std::string_view key, char event_class,
            std::string_view event);
  void note_or_tell(int db, std::string_view key, char event_class, std::string_view event);
  void tell(const Rollback::Event& event);
  void tell_modified(int db, std::string_view key, char event_class, std::string_view event);
  void tell_expired(int db, std::string_view key);
  void tell_parts_expired(int db, std::string_view key, char event_class,
                          std::span<const std::string_view> names);
  void tell_database_changed(int db);
  void free_copies(Rollback& rollback);

  Env& env_;
  const Settings& settings_;
  Stats& stats_;
  LatencyMonitor& latency_;
  EffectLog& effects_;
  ReplyGate& gate_;
  HashKey hash_key_;
  AccessClock clock_;
  std::vector<std::unique_ptr<Database>> databases_;
  Reclaim reclaim_;
  Snapshots snapshots_;  // ends before the databases
  KeyEvents events_{databases_};
  WatchedKeys watched_{*this};
  std::vector<KeyListener*> listeners_;  // those that listen
  std::unique_ptr<Rollback> rollback_;   // in a transaction that may be undone
  uint64_t changes_ = 0;
  uint64_t changes_before_ = 0;  // the transaction that may be undone
  bool decides_ = true;
  bool applying_ = false;
  bool loading_ = false;
  bool attentive_ = false;  // somebody, or something, is to learn of changes
};

}  // namespace redoubt
