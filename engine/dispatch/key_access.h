// KeyAccess: the keys of the selected database as one call of a command sees them.
//
// A look-up returns an entry that is valid until the next write. A command reports each change of
// data with modified(); a call without such a report has no effect (in the stream of effects, for
// eviction, for WATCH).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/keyspace/keyspace.h"

namespace redoubt {

class KeyAccess {
 public:
  Keyspace& keys() const { return keys_; }
  // The number of the selected database, and the database.
  int db_index() const { return db_; }
  Database& db() const { return keys().database(db_); }
  const HashKey& hash_key() const { return keys().hash_key(); }
  // The hash of a key in this node's dicts.
  uint64_t hash(std::string_view key) const {
    return key.data() == hashed_key_.data() && key.size() == hashed_key_.size() ? hash_
                                                                                : keys().hash(key);
  }

  // --- look-ups. Null: the key does not exist, or has expired.

  // The entry of a key for reading. Counts a hit or a miss and sets the access clock.
  const Entry* read(std::string_view key) { return read(key, hash(key)); }
  // The same when the hash of the key is known.
  const Entry* read(std::string_view key, uint64_t key_hash) {
    return keys().read(db_, key, key_hash, sets_clock_);
  }
  // The same without setting the access clock: EXISTS, TYPE and TTL look, but do not use.
  const Entry* read_untouched(std::string_view key) {
    return keys().read(db_, key, hash(key), false);
  }
  // The entry of a key for changing its value in place. Sets the access clock, and counts neither
  // hit nor miss. A command that may find nothing to change reads first, and asks for the entry to
  // write when it does.
  Entry* write(std::string_view key) {
    const Entry* entry = touch(key);
    return entry == nullptr ? nullptr : &write(key, *entry);
  }
  // The same for an entry that a look-up of this key has found.
  Entry& write(std::string_view key, const Entry& entry) { return db().write(entry, hash(key)); }
  // The entry of a key that the command replaces or removes as a whole, or may change: as write(),
  // for looking only.
  const Entry* touch(std::string_view key) { return touch(key, hash(key)); }
  const Entry* touch(std::string_view key, uint64_t key_hash) {
    return keys().touch(db_, key, key_hash, sets_clock_);
  }
  // The same in another database, whatever CLIENT NO-TOUCH says.
  const Entry* touch_in(int db_index, std::string_view key) {
    return keys().touch(db_index, key, hash(key), true);
  }
  // The entry of a key without setting the access clock or counting: for OBJECT, TTL, DEBUG.
  const Entry* peek(std::string_view key) { return peek(key, hash(key)); }
  const Entry* peek(std::string_view key, uint64_t key_hash) {
    return keys().peek(db_, key, key_hash);
  }

  // --- changes

  // Data of this key changed. `event` is the keyspace event's name ("set"), of class `event_class`
  // ('$' string, 'g' generic, ...); INFO counts this as `changes` changes, 0 for a further key of a
  // change that is counted already.
  void modified(std::string_view key, char event_class, std::string_view event,
                uint64_t changes = 1) {
    modified_in(db_, key, event_class, event, changes);
  }
  void modified_in(int db_index, std::string_view key, char event_class, std::string_view event,
                   uint64_t changes = 1) {
    changed_ = true;
    keys().count_changes(changes);
    keys().feed().modified(db_index, key, event_class, event);
  }
  // Data changed, but not that of one key (FLUSHALL, SWAPDB).
  void modified_all(uint64_t changes) {
    changed_ = true;
    keys().count_changes(changes);
  }
  // A further keyspace event of a change that is already announced: counts nothing.
  void announce(std::string_view key, char event_class, std::string_view event) {
    keys().feed().announce(db_, key, event_class, event);
  }
  // The fields of a hash that the event before this one is about: `names`, or each `step`-th of
  // them.
  void announce_fields(std::string_view key, std::string_view event,
                       std::span<const std::string_view> names, size_t step = 1) {
    if (keys().feed().events().wants_parts()) [[unlikely]]
      publish_fields(key, event, names, step);
  }
  // The value of a key has become empty: the key is removed.
  void remove_empty(std::string_view key);
  // Whether the call has reported a change.
  bool changed() const { return changed_; }

  // Set by dispatch: the hash of a key of this call.
  void set_hash(std::string_view key, uint64_t hash) {
    hashed_key_ = key;
    hash_ = hash;
  }

 protected:
  // `db` is the selected database; look-ups set access clocks if `sets_clock`. The keyspace
  // outlives it.
  KeyAccess(Keyspace& keys, int db, bool sets_clock)
      : keys_(keys), db_(db), sets_clock_(sets_clock) {}
  ~KeyAccess() = default;

 private:
  void publish_fields(std::string_view key, std::string_view event,
                      std::span<const std::string_view> names, size_t step);

  Keyspace& keys_;
  std::string_view hashed_key_;
  uint64_t hash_ = 0;
  const int db_;
  const bool sets_clock_;
  bool changed_ = false;
};

}  // namespace redoubt
