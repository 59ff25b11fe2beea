// ChangeFeed: reports of changes to keys, and their receivers.
//
// Commands, expiry and eviction report here. A change goes, in this order, to the access clock
// (under an LRM policy), the reply gate, watched keys, the listeners and keyspace events. While
// none of them is interested, a change costs one test of a flag.
//
// In a transaction that may be undone (rollback.h) the feed holds reports back until the
// transaction has succeeded.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/effects/reply_gate.h"
#include "engine/insight/stats.h"
#include "engine/keyspace/access_clock.h"
#include "engine/keyspace/key_events.h"
#include "engine/keyspace/key_listener.h"
#include "engine/keyspace/watched_keys.h"

namespace redoubt {

class Keyspace;
class Rollback;

class ChangeFeed {
 public:
  // All of these outlive it; the databases of the keyspace exist already.
  ChangeFeed(Keyspace& keys, AccessClock& clock, ReplyGate& gate, Stats& stats);
  ChangeFeed(const ChangeFeed&) = delete;
  ChangeFeed& operator=(const ChangeFeed&) = delete;

  // --- reports

  // The value of a key was changed. `event` is the keyspace event's name ("set"), of class
  // `event_class` ('$' string, 'g' generic, ...).
  void modified(int db, std::string_view key, char event_class, std::string_view event) {
    if (attentive_ || gate_.active()) [[unlikely]]
      hold_or_tell_modified(db, key, event_class, event);
  }
  // A keyspace event besides that of a change.
  void announce(int db, std::string_view key, char event_class, std::string_view event);
  // The parts of the value (fields of a hash) that the event before this one is about.
  void announce_parts(int db, std::string_view key, char event_class, std::string_view event,
                      std::span<const std::string_view> parts);
  // A read found no such key. The feed counts it.
  void missed(int db, std::string_view key);
  // A key has expired and is removed. The feed counts it.
  void expired(int db, std::string_view key);
  // Fields of a hash ('h') or members of a set ('s') have expired and are removed. The feed counts
  // them.
  void parts_expired(int db, std::string_view key, char event_class,
                     std::span<const std::string_view> names);
  // A key was removed to make room. The feed counts it.
  void evicted(int db, std::string_view key);
  // Any number of keys are about to change at once.
  void before_all_change();
  // A database is about to get the contents of `after`, or none with null.
  void before_database_changes(int db, const Database& before, const Database* after);
  // The database has its new contents.
  void database_changed(int db);
  // FLUSHDB or FLUSHALL was executed.
  void flushed();

  // --- receivers

  KeyEvents& events() { return events_; }
  WatchedKeys& watched() { return watched_; }
  const WatchedKeys& watched() const { return watched_; }
  // Adds or removes a listener. Does nothing when it is in that state already. A listener must not
  // call this from one of its own functions.
  void set_listening(KeyListener& listener, bool listens);
  // A receiver has become interested in changes, or no longer is.
  void update_attention();

  // --- transactions that may be undone

  // Holds reports back from now on. The rollback outlives the transaction.
  void hold_back(const Rollback& rollback);
  // Makes the reports that were held back, in their order.
  void release();
  // Forgets the reports that were held back, and the notes of databases for keyspace events.
  void forget();

 private:
  // A report that is held back.
  struct Held {
    enum class Kind : uint8_t { modified, announced, parts, expired, parts_expired };
    Kind kind;
    char event_class;
    int db;
    std::string key;
    std::string event;
    std::vector<std::string> parts;
  };

  void hold(Held::Kind kind, int db, std::string_view key, char event_class, std::string_view event,
            std::span<const std::string_view> parts = {});
  void tell(const Held& held);
  void hold_or_tell_modified(int db, std::string_view key, char event_class,
                             std::string_view event);
  void tell_modified(int db, std::string_view key, char event_class, std::string_view event);

  Keyspace& keys_;
  AccessClock& clock_;
  ReplyGate& gate_;
  Stats& stats_;
  KeyEvents events_;
  WatchedKeys watched_;
  std::vector<KeyListener*> listeners_;
  const Rollback* rollback_ = nullptr;  // while reports are held back
  std::vector<Held> held_;
  bool attentive_ = false;  // a receiver besides the gate is interested in changes
};

}  // namespace redoubt
