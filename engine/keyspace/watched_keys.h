// WATCH: which clients watch which keys.
//
// One ordered set of (database, key, client): the clients that watch a key are a range of it, and
// one search tells whether a client watches a key already. A client whose key was touched is marked
// as failed, for its EXEC, and watches nothing any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace redoubt {

class Database;
class Keyspace;
struct Watches;

// One client that watches one key.
struct WatchPlace {
  int db;
  std::string key;
  uint64_t client_id;
  Watches* watches;
  // The key had expired already, and was not removed yet, when it was watched: its removal changes
  // nothing.
  mutable bool expired;

  std::tuple<int, std::string_view, uint64_t> order() const { return {db, key, client_id}; }
};

struct WatchOrder {
  using is_transparent = void;
  using Key = std::tuple<int, std::string_view, uint64_t>;

  bool operator()(const WatchPlace& a, const WatchPlace& b) const { return a.order() < b.order(); }
  bool operator()(const WatchPlace& a, const Key& b) const { return a.order() < b; }
  bool operator()(const Key& a, const WatchPlace& b) const { return a < b.order(); }
};

using WatchSet = std::set<WatchPlace, WatchOrder>;

// The places of one client. The client owns it, and does not move it while it has places.
struct Watches {
  explicit Watches(uint64_t id) : client_id(id) {}
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;

  const uint64_t client_id;
  std::vector<WatchSet::iterator> places;
  size_t key_bytes = 0;
  bool failed = false;  // a watched key was touched: EXEC will fail, and nothing is watched

  size_t memory_bytes() const {
    return places.size() * (sizeof(WatchSet::iterator) + sizeof(WatchPlace) + 40) + key_bytes;
  }
};

class WatchedKeys {
 public:
  // The keyspace outlives it.
  explicit WatchedKeys(Keyspace& keyspace) : keyspace_(keyspace) {}
  WatchedKeys(const WatchedKeys&) = delete;
  WatchedKeys& operator=(const WatchedKeys&) = delete;

  // No client watches anything.
  bool idle() const { return places_.empty(); }
  // The client watches this key, too. Nothing happens when it has failed already.
  void add(Watches& watches, int db, std::string_view key);
  // The client watches nothing any more. Whether it has failed stays.
  void remove(Watches& watches);
  // Whether a key of the client has expired since it was watched, and is still there.
  bool any_expired(const Watches& watches) const;

  // The key was changed, or has come or gone.
  void key_changed(int db, std::string_view key);
  // A database is about to have other contents, or none: watched keys that exist in it before or
  // after count as changed.
  void database_changes(int db, const Database& before, const Database* after);

  // The first place in a database behind this one, or at all with null.
  const WatchPlace* next_in(int db, const WatchPlace* after) const;
  // Clients that watch something.
  size_t clients() const { return clients_; }
  // Keys that some client watches.
  size_t keys() const { return keys_; }

 private:
  bool same_key_beside(WatchSet::iterator at) const;
  const WatchPlace* next(int db, std::string_view key, uint64_t after) const;
  void fail(Watches& watches);

  Keyspace& keyspace_;
  WatchSet places_;
  size_t keys_ = 0;
  size_t clients_ = 0;
};

}  // namespace redoubt
