// WATCH: which sessions watch which keys.
//
// One ordered set of (database, key, session): those who watch a key are a range of it, and looking
// whether a session watches a key already is one search. A session whose key was touched watches
// nothing any more: it is marked, and that is all that its EXEC has to know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/clients/watches.h"

namespace redoubt {

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
