#include "engine/node/watched_keys.h"

#include <iterator>
#include <memory>

#include "engine/clients/transaction.h"
#include "engine/node/node_state.h"

namespace redoubt {

// --- the table

bool WatchedKeys::same_key_beside(WatchSet::iterator at) const {
  const auto same = [&](WatchSet::iterator other) {
    return other->db == at->db && other->key == at->key;
  };
  return (at != places_.begin() && same(std::prev(at))) ||
         (std::next(at) != places_.end() && same(std::next(at)));
}

void WatchedKeys::add(Session& session, int db, std::string_view key, bool expired) {
  if (places_.contains(WatchOrder::Key(db, key, session.id))) return;
  WatchPlace place{db, std::string(key), session.id, &session, expired};
  const auto at = places_.insert(std::move(place)).first;
  if (!same_key_beside(at)) ++keys_;
  if (session.watches == nullptr) {
    session.watches = std::make_unique<Watches>();
    ++sessions_;
  }
  session.watches->places.push_back(at);
  session.watches->key_bytes += key.size();
}

void WatchedKeys::remove(Session& session) {
  if (session.watches == nullptr) return;
  for (const auto at : session.watches->places) {
    if (!same_key_beside(at)) --keys_;
    places_.erase(at);
  }
  session.watches.reset();
  --sessions_;
}

const WatchPlace* WatchedKeys::next(int db, std::string_view key, uint64_t after) const {
  const auto at = places_.lower_bound(WatchOrder::Key(db, key, after + 1));
  return at != places_.end() && at->db == db && at->key == key ? &*at : nullptr;
}

const WatchPlace* WatchedKeys::next_in(int db, const WatchPlace* after) const {
  const WatchOrder::Key from = after == nullptr
                                   ? WatchOrder::Key(db, {}, 0)
                                   : WatchOrder::Key(db, after->key, after->session_id + 1);
  const auto at = places_.lower_bound(from);
  return at != places_.end() && at->db == db ? &*at : nullptr;
}

// --- the node's part

void Node::watch(Session& session, std::string_view key) {
  // Who must fail already has nothing to look for.
  if (session.has(kSessionWatchFailed)) return;
  const Entry* entry = database(session.db).find(key, hash_key_(key));
  watched_keys_.add(session, session.db, key, entry != nullptr && expired(*entry));
}

void Node::unwatch(Session& session) {
  watched_keys_.remove(session);
  session.flags &= ~static_cast<uint32_t>(kSessionWatchFailed);
}

void Node::fail_watch(Session& session) {
  session.flags |= kSessionWatchFailed;
  watched_keys_.remove(session);
}

void Node::touch_watched(int db, std::string_view key) {
  uint64_t after = 0;
  const bool gone = database(db).find(key, hash_key_(key)) == nullptr;
  while (const WatchPlace* place = watched_keys_.next(db, key, after)) {
    after = place->session_id;
    if (place->expired && gone) {
      place->expired = false;
    } else {
      fail_watch(*place->session);
    }
  }
}

// A database is about to have other contents, or none: what is watched in it and is there before or
// after counts as touched.
void Node::touch_watched_database(int db, const Database& before, const Database* after) {
  // Those who fail watch nothing any more, which would pull the rug from under a walk.
  std::vector<Session*> failed;
  const WatchPlace* place = nullptr;
  while ((place = watched_keys_.next_in(db, place)) != nullptr) {
    env_.count_work(1);
    const uint64_t hash = hash_key_(place->key);
    const bool was_there = before.find(place->key, hash) != nullptr;
    const Entry* entry = after == nullptr ? nullptr : after->find(place->key, hash);
    if (!was_there && entry == nullptr) continue;
    const bool expires = entry != nullptr && expired(*entry);
    if (place->expired && (entry == nullptr || expires)) {
      place->expired = entry != nullptr;
    } else if (!was_there && expires) {
      place->expired = true;
    } else if (!place->session->has(kSessionWatchFailed)) {
      place->session->flags |= kSessionWatchFailed;
      failed.push_back(place->session);
    }
  }
  for (Session* session : failed) fail_watch(*session);
}

bool Node::watched_key_expired(const Session& session) const {
  if (session.watches == nullptr) return false;
  for (const auto at : session.watches->places) {
    if (at->expired) continue;
    const Entry* entry = databases_[static_cast<size_t>(at->db)]->find(at->key, hash_key_(at->key));
    if (entry != nullptr && expired(*entry)) return true;
  }
  return false;
}

}  // namespace redoubt
