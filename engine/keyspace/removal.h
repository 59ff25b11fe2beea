// Removal: the removals that a node decides itself, without a command that asks for them: keys and
// parts of values (fields of hashes, members of sets) that have expired, and keys that are evicted.
// Each of them is counted, announced, and has its effect.
//
// While decides() is false (clients are paused, a command is suspended, this node is a replica)
// nothing is removed: data that has expired is hidden, but stays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/config/settings.h"
#include "engine/effects/effect_log.h"
#include "engine/insight/latency.h"
#include "engine/store/entry.h"

namespace redoubt {

class Keyspace;

class Removal {
 public:
  // All of these outlive it.
  Removal(Keyspace& keys, const Settings& settings, LatencyMonitor& latency, EffectLog& effects)
      : keys_(keys), settings_(settings), latency_(latency), effects_(effects) {}
  Removal(const Removal&) = delete;
  Removal& operator=(const Removal&) = delete;

  // Whether this node decides what expires and is evicted.
  bool decides() const { return decides_ && !loading_ && !applying_ && !replica_ && !suspended_; }
  void set_decides(bool decides) { decides_ = decides; }
  // Data is being loaded from now on, or is there.
  void set_loading(bool loading) { loading_ = loading; }
  // This node is a replica from now on, or no longer: its primary decides. `writable`: its own
  // clients may write; a key that has expired and that they look for is removed here.
  void set_replica(bool replica, bool writable) {
    replica_ = replica;
    writable_replica_ = replica && writable;
  }
  bool replica() const { return replica_; }
  // Effects that say themselves what has expired are applied from now on, or no longer.
  void set_applying(bool applying) { applying_ = applying; }
  // A command is suspended from now on, or no longer.
  void set_suspended(bool suspended) { suspended_ = suspended; }

  // Removes a key that has expired. Does nothing while decides() is false.
  void expire_key(int db, std::string_view key, uint64_t hash);
  // Of a writable replica: removes a key that its own clients have given a deadline.
  void expire_local(int db, std::string_view key, uint64_t hash);
  // For active expiry: removes the key, which is there, if it has expired, otherwise up to
  // `parts_max` expired parts of its value.
  void expire(int db, std::string_view key, size_t parts_max);
  // Removes a key to make room.
  void evict(int db, std::string_view key);

  // --- parts of values (expired_parts.cc)

  // Removes at most `most` expired parts. False: none are left, and the key is gone. In a
  // transaction that may be undone it removes only parts of values that the transaction writes.
  bool expire_parts(int db, const Entry& entry, size_t most);
  // Removes all of them, before a command stores a value that it computes from this one: a reader
  // of the stream of effects has another clock. False: none are left, and the key is gone.
  bool expire_all_parts(int db, const Entry& entry);
  // Reports expired parts that the caller has removed.
  void parts_expired(int db, std::string_view key, Type type,
                     std::span<const std::string_view> names);

 private:
  void erase(int db, std::string_view key, uint64_t hash, bool lazy, std::string_view latency);

  Keyspace& keys_;
  const Settings& settings_;
  LatencyMonitor& latency_;
  EffectLog& effects_;
  bool decides_ = true;
  bool loading_ = false;
  bool applying_ = false;
  bool replica_ = false;
  bool suspended_ = false;
  bool writable_replica_ = false;
};

}  // namespace redoubt
