// Watches: the keys that a session watches. The table of all watched keys is in
// engine/node/watched_keys.h.
#pragma once

#include <cstddef>
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

}  // namespace redoubt
