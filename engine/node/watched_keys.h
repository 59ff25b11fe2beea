// WATCH: which sessions watch which keys.
//
// One ordered set of (database, key, session): those who watch a key are a range of it, and looking
// whether a session watches a key already is one search. A session whose key was touched watches
// nothing any more: it is marked, and that is all that its EXEC has to know.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace redoubt {

class Session;

// One session that watches one key.
struct WatchPlace {
  int db;
  std::string key;
  uint64_t session_id;
  Session* session;
  // The key had expired already, and was not removed yet, when it was watched: its removal changes
  // nothing.
  mutable bool expired;

  std::tuple<int, std::string_view, uint64_t> order() const { return {db, key, session_id}; }
};

struct WatchOrder {
  using is_transparent = void;
  using Key = std::tuple<int, std::string_view, uint64_t>;

  bool operator()(const WatchPlace& a, const WatchPlace& b) const { return a.order() < b.order(); }
  bool operator()(const WatchPlace& a, const Key& b) const { return a.order() < b; }
  bool operator()(const Key& a, const WatchPlace& b) const { return a < b.order(); }
};

using WatchSet = std::set<WatchPlace, WatchOrder>;

// What a session watches. It belongs to the session.
struct Watches {
  std::vector<WatchSet::iterator> places;
  size_t key_bytes = 0;

  size_t memory_bytes() const {
    return places.size() * (sizeof(WatchSet::iterator) + sizeof(WatchPlace) + 40) + key_bytes;
  }
};

class WatchedKeys {
 public:
  // Nobody watches anything.
  bool idle() const { return places_.empty(); }
  void add(Session& session, int db, std::string_view key, bool expired);
  void remove(Session& session);

  // The first session with a number above `after` that watches the key; null when there is none.
  const WatchPlace* next(int db, std::string_view key, uint64_t after) const;
  // The first place in a database behind this one, or at all with null.
  const WatchPlace* next_in(int db, const WatchPlace* after) const;

  size_t sessions() const { return sessions_; }
  // Keys that somebody watches.
  size_t keys() const { return keys_; }

 private:
  bool same_key_beside(WatchSet::iterator at) const;

  WatchSet places_;
  size_t keys_ = 0;
  size_t sessions_ = 0;
};

}  // namespace redoubt
