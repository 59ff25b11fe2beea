#include "engine/keyspace/watched_keys.h"

#include <iterator>

#include "engine/keyspace/keyspace.h"
#include "net/assert.h"

namespace redoubt {

bool WatchedKeys::same_key_beside(WatchSet::iterator at) const {
  const auto same = [&](WatchSet::iterator other) {
    return other->db == at->db && other->key == at->key;
  };
  return (at != places_.begin() && same(std::prev(at))) ||
         (std::next(at) != places_.end() && same(std::next(at)));
}

void WatchedKeys::add(Watches& watches, int db, std::string_view key) {
  if (watches.failed) return;
  if (places_.contains(WatchOrder::Key(db, key, watches.client_id))) return;
  const Entry* entry = keyspace_.database(db).find(key, keyspace_.hash(key));
  const bool expired = entry != nullptr && keyspace_.expired(*entry);
  const auto at =
      places_.insert({db, std::string(key), watches.client_id, &watches, expired}).first;
  if (!same_key_beside(at)) ++keys_;
  if (watches.places.empty()) ++clients_;
  watches.places.push_back(at);
  watches.key_bytes += key.size();
  keyspace_.feed().update_attention();
}

void WatchedKeys::remove(Watches& watches) {
  if (watches.places.empty()) return;
  for (const auto at : watches.places) {
    ASSERT(at->watches == &watches);
    if (!same_key_beside(at)) {
      ASSERT(keys_ > 0);
      --keys_;
    }
    places_.erase(at);
  }
  watches.places.clear();
  watches.key_bytes = 0;
  ASSERT(clients_ > 0);
  --clients_;
  ASSERT((clients_ == 0) == places_.empty());
  keyspace_.feed().update_attention();
}

bool WatchedKeys::any_expired(const Watches& watches) const {
  for (const auto at : watches.places) {
    if (at->expired) continue;
    const Entry* entry = keyspace_.database(at->db).find(at->key, keyspace_.hash(at->key));
    if (entry != nullptr && keyspace_.expired(*entry)) return true;
  }
  return false;
}

// The first client with a number above `after` that watches the key; null when there is none.
const WatchPlace* WatchedKeys::next(int db, std::string_view key, uint64_t after) const {
  const auto at = places_.lower_bound(WatchOrder::Key(db, key, after + 1));
  return at != places_.end() && at->db == db && at->key == key ? &*at : nullptr;
}

const WatchPlace* WatchedKeys::next_in(int db, const WatchPlace* after) const {
  const WatchOrder::Key from = after == nullptr
                                   ? WatchOrder::Key(db, {}, 0)
                                   : WatchOrder::Key(db, after->key, after->client_id + 1);
  const auto at = places_.lower_bound(from);
  return at != places_.end() && at->db == db ? &*at : nullptr;
}

void WatchedKeys::fail(Watches& watches) {
  watches.failed = true;
  remove(watches);
}

void WatchedKeys::key_changed(int db, std::string_view key) {
  uint64_t after = 0;
  const bool gone = keyspace_.database(db).find(key, keyspace_.hash(key)) == nullptr;
  while (const WatchPlace* place = next(db, key, after)) {
    after = place->client_id;
    if (place->expired && gone) {
      place->expired = false;
    } else {
      fail(*place->watches);
    }
  }
}

void WatchedKeys::database_changes(int db, const Database& before, const Database* after) {
  // A client that fails watches nothing any more, which would invalidate the walk.
  std::vector<Watches*> failed;
  const WatchPlace* place = nullptr;
  while ((place = next_in(db, place)) != nullptr) {
    keyspace_.env().count_work(1);
    const uint64_t hash = keyspace_.hash(place->key);
    const bool was_there = before.find(place->key, hash) != nullptr;
    const Entry* entry = after == nullptr ? nullptr : after->find(place->key, hash);
    if (!was_there && entry == nullptr) continue;
    const bool expires = entry != nullptr && keyspace_.expired(*entry);
    if (place->expired && (entry == nullptr || expires)) {
      place->expired = entry != nullptr;
    } else if (!was_there && expires) {
      place->expired = true;
    } else if (!place->watches->failed) {
      place->watches->failed = true;
      failed.push_back(place->watches);
    }
  }
  for (Watches* watches : failed) remove(*watches);
}

}  // namespace redoubt
