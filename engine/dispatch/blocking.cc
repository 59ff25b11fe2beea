#include "engine/dispatch/blocking.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace redoubt {

namespace {

// The lowest place that a key can have.
WaitPlace lowest(int db, std::string_view key, Type type = Type{}, uint64_t ticket = 0) {
  return {.db = db, .key = key, .type = type, .ticket = ticket, .wait = nullptr};
}

}  // namespace

void write_block_reply(ReplyWriter& reply, BlockReply what, BlockNumbers numbers) {
  switch (what) {
    case BlockReply::null: reply.null(); return;
    case BlockReply::null_array:
    case BlockReply::move: reply.null_array(); return;
    case BlockReply::number: reply.integer(numbers.first); return;
    case BlockReply::two_numbers:
      reply.array(2);
      reply.integer(numbers.first);
      reply.integer(numbers.second);
  }
}

bool Blocking::same_key_beside(std::set<WaitPlace>::iterator at) const {
  const auto same = [&](std::set<WaitPlace>::iterator other) {
    return other->db == at->db && other->key == at->key;
  };
  return (at != places_.begin() && same(std::prev(at))) ||
         (std::next(at) != places_.end() && same(std::next(at)));
}

void Blocking::add(Wait& wait, int db, const BlockRequest& request) {
  ASSERT(wait.places.empty() && request.first <= request.last);
  const uint64_t ticket = next_ticket_++;
  std::vector<std::string_view> args;
  wait.request.views(args);
  for (size_t i = request.first; i < request.last; ++i) {
    WaitPlace place = lowest(db, args[i], request.type, ticket);
    place.wait = &wait;
    const auto [at, added] = places_.insert(place);
    if (!added) continue;  // the same key twice
    wait.places.push_back(at);
    if (!same_key_beside(at)) ++keys_;
    // The mark of a key that is ready stays on its first place.
    const auto behind = std::next(at);
    if (behind != places_.end() && behind->db == db && behind->key == at->key && behind->ready) {
      at->ready = std::exchange(behind->ready, false);
    }
  }
  ++sessions_;
  if (wait.deadline != Instant::never()) ++sessions_with_deadline_;
  if (wait.mode == BlockMode::while_key_exists) ++sessions_while_key_exists_;
}

void Blocking::remove(Wait& wait) {
  ASSERT(sessions_ > 0 && wait.places.size() <= places_.size());
  for (const auto at : wait.places) {
    if (!same_key_beside(at)) {
      --keys_;
    } else if (at->ready && std::next(at) != places_.end() && std::next(at)->db == at->db &&
               std::next(at)->key == at->key) {
      std::next(at)->ready = true;
    }
    places_.erase(at);
  }
  wait.places.clear();
  ASSERT(places_.empty() == (keys_ == 0));
  --sessions_;
  if (wait.deadline != Instant::never()) --sessions_with_deadline_;
  if (wait.mode == BlockMode::while_key_exists) --sessions_while_key_exists_;
}

void Blocking::mark(std::set<WaitPlace>::iterator first) {
  ASSERT(first != places_.end());
  if (first->ready) return;
  first->ready = true;
  ready_.push_back({first->db, std::string(first->key)});
  env_.request(serve_);
}

void Blocking::on_key_changed(int db, std::string_view key) {
  const auto at = places_.lower_bound(lowest(db, key));
  if (at != places_.end() && at->db == db && at->key == key) mark(at);
}

void Blocking::on_database_changed(int db) {
  const WaitPlace* previous = nullptr;
  for (auto at = places_.lower_bound(lowest(db, {})); at != places_.end() && at->db == db; ++at) {
    if (previous == nullptr || previous->key != at->key) mark(at);
    previous = &*at;
  }
}

Blocking::ReadyKey Blocking::take_ready() {
  ASSERT(!ready_.empty());
  ReadyKey ready = std::move(ready_.front());
  ready_.pop_front();
  const auto at = places_.lower_bound(lowest(ready.db, ready.key));
  if (at != places_.end() && at->db == ready.db && at->key == ready.key) at->ready = false;
  return ready;
}

const WaitPlace* Blocking::next(int db, std::string_view key, Type type, uint64_t ticket) const {
  const auto at = places_.lower_bound(lowest(db, key, type, ticket + 1));
  const bool found = at != places_.end() && at->db == db && at->key == key && at->type == type;
  return found ? &*at : nullptr;
}

const WaitPlace* Blocking::next_of_any_type(int db, std::string_view key, Type type,
                                            uint64_t ticket) const {
  const auto at = places_.lower_bound(lowest(db, key, type, ticket + 1));
  return at != places_.end() && at->db == db && at->key == key ? &*at : nullptr;
}

size_t Blocking::keys_while_they_exist() const {
  size_t count = 0;
  const WaitPlace* counted = nullptr;
  if (sessions_while_key_exists_ == 0) return 0;
  for (const WaitPlace& place : places_) {
    if (place.wait->mode != BlockMode::while_key_exists) continue;
    if (counted != nullptr && counted->db == place.db && counted->key == place.key) continue;
    counted = &place;
    ++count;
  }
  return count;
}

}  // namespace redoubt
