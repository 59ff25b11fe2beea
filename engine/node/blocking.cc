#include "engine/node/blocking.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/node/context.h"
#include "engine/node/node_state.h"
#include "net/places.h"

namespace redoubt {

namespace {

constexpr std::string_view kUnblocked = "UNBLOCKED client unblocked via CLIENT UNBLOCK";

// The lowest place that a key can have.
WaitPlace lowest(int db, std::string_view key, Type type = Type{}, uint64_t ticket = 0) {
  return {.db = db, .key = key, .type = type, .ticket = ticket, .wait = nullptr};
}

}  // namespace

void write_block_reply(ReplyWriter& reply, BlockReply what) {
  switch (what) {
    case BlockReply::null: reply.null(); return;
    case BlockReply::null_array:
    case BlockReply::move: reply.null_array(); return;
    case BlockReply::zero: reply.integer(0); return;
    case BlockReply::two_zeros:
      reply.array(2);
      reply.integer(0);
      reply.integer(0);
  }
}

// --- the table

bool Blocking::same_key_beside(std::set<WaitPlace>::iterator at) const {
  const auto same = [&](std::set<WaitPlace>::iterator other) {
    return other->db == at->db && other->key == at->key;
  };
  return (at != places_.begin() && same(std::prev(at))) ||
         (std::next(at) != places_.end() && same(std::next(at)));
}

void Blocking::add(Wait& wait, int db, const BlockRequest& request) {
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
  --sessions_;
  if (wait.deadline != Instant::never()) --sessions_with_deadline_;
  if (wait.mode == BlockMode::while_key_exists) --sessions_while_key_exists_;
}

void Blocking::mark(std::set<WaitPlace>::iterator first) {
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

// --- the node's part

void Node::block(Session& session, CommandEntry& command, const BlockRequest& request) {
  if (session.wait != nullptr) {
    session.wait->in_vain = true;  // it keeps its place
    session.wait->retry = request.retry;
    arm_wait(*session.wait);
    return;
  }
  session.wait = std::make_unique<Wait>();
  Wait& wait = *session.wait;
  wait.node = this;
  wait.session = &session;
  wait.command = &command;
  wait.request = OwnedRequest(request.args);
  wait.deadline = request.deadline;
  wait.retry = request.retry;
  wait.mode = request.mode;
  wait.on_timeout = request.on_timeout;
  blocking_.add(wait, session.db, request);
  keyspace_.set_listening(blocking_, true);
  session.flags |= kSessionWaiting | kSessionBlocked;
  wait.timer.owner = &wait;
  wait.timer.on_fire = [](Timer& timer) {
    Wait& due = *static_cast<Wait*>(timer.owner);
    due.node->end_or_retry(due);
  };
  arm_wait(wait);
}

void Node::arm_wait(Wait& wait) {
  const Instant due = std::min(wait.deadline, wait.retry);
  if (due != Instant::never()) {
    env_.arm(wait.timer, due);
  } else {
    env_.disarm(wait.timer);
  }
}

// The time of a wait is up, or that of trying again: its keys count as changed, so that it is its
// turn when it is that of those who wait longer.
void Node::end_or_retry(Wait& wait) {
  if (wait.deadline <= env_.now()) {
    end_wait(*wait.session, {});
    return;
  }
  wait.retry = Instant::never();
  for (const auto place : wait.places) blocking_.on_key_changed(place->db, place->key);
  arm_wait(wait);
  env_.request(batch_hook_);
}

bool Node::unblock(Session& session, bool with_error) {
  if (session.wait == nullptr) return false;
  end_wait(session, with_error ? kUnblocked : std::string_view());
  return true;
}

// The wait was in vain: replies with this error, or as for a time-out.
void Node::end_wait(Session& session, std::string_view error) {
  REDOUBT_REACHED(wait_in_vain);
  const Wait& wait = *session.wait;
  const size_t before = session.output.bytes();
  ReplyWriter reply(session.output, session.protocol);
  if (!error.empty()) {
    count_error(error);
    ++wait.command->failed_calls;
    reply.error(error);
  } else {
    write_block_reply(reply, wait.on_timeout);
  }
  std::vector<std::string_view> args;
  wait.request.views(args);
  end_command(session, wait.command, session.db, args, before, true);
  if (gate_.active()) settle_reply(session, 0, 1);  // it tells nothing of data
  forget_wait(session);
  wake(session);
}

void Node::forget_wait(Session& session) {
  if (session.wait == nullptr) return;
  env_.disarm(session.wait->timer);
  blocking_.remove(*session.wait);
  if (blocking_.idle()) keyspace_.set_listening(blocking_, false);
  session.wait.reset();
  session.flags &= ~static_cast<uint32_t>(kSessionWaiting | kSessionBlocked);
}

// The session has got its reply. What it sent meanwhile is executed at the end of the turn, not in
// the middle of somebody else's command.
void Node::wake(Session& session) {
  ready_.push_back(&session);
  if (session.stored != nullptr) woken_.push_back(&session);
  env_.request(batch_hook_);
}

void Node::execute_again(Wait& wait) {
  Session& session = *wait.session;
  CommandEntry& command = *wait.command;
  std::vector<std::string_view> args;
  wait.request.views(args);
  const size_t before = session.output.bytes();
  const Instant since = env_.precise_now();
  wait.in_vain = false;
  reply_need_ = 0;
  const Execution execution(*this, session);
  env_.count_work(1);
  invoke(session, command, args, nullptr);
  if (wait.in_vain) {
    REDOUBT_REACHED(wait_retried);
    return;
  }
  REDOUBT_REACHED(wait_served);
  note_single(session, command, args, since, before, true);
  end_command(session, &command, session.db, args, before, true);
  if (gate_.active()) settle_reply(session, reply_need_, 1);
  forget_wait(session);
  wake(session);
}

void Node::serve_ready() {
  // Within EXEC or a script nobody else is served, and while clients are paused nothing moves.
  if (atomic_depth_ > 0 || pause_mode_ != PauseMode::none) return;
  while (blocking_.has_ready()) {
    const Blocking::ReadyKey ready = blocking_.take_ready();
    serve_key(ready.db, ready.key);
  }
}

void Node::serve_key(int db, std::string_view key) {
  const uint64_t hash = keyspace_.hash(key);
  const auto type_now = [&]() -> std::optional<Type> {
    const Entry* entry = keyspace_.database(db).find(key, hash);
    if (entry == nullptr || keyspace_.expired(*entry)) return std::nullopt;
    return entry->type();
  };
  std::optional<Type> type = type_now();
  uint64_t ticket = 0;
  while (type) {
    const WaitPlace* place = blocking_.next(db, key, *type, ticket);
    if (place == nullptr) break;
    ticket = place->ticket;
    execute_again(*place->wait);
    const std::optional<Type> before = std::exchange(type, type_now());
    if (type != before) ticket = 0;
  }
  if (blocking_.sessions_while_key_exists() > 0) serve_orphans(db, key, type);
}

// The key is gone, or is of another type than they wait for: who wants to know is told.
void Node::serve_orphans(int db, std::string_view key, std::optional<Type> type) {
  WaitPlace last{.db = db, .key = key, .type = Type{}, .ticket = 0, .wait = nullptr};
  while (const WaitPlace* place = blocking_.next_of_any_type(db, key, last.type, last.ticket)) {
    last.type = place->type;
    last.ticket = place->ticket;
    if (place->wait->mode == BlockMode::while_key_exists && place->type != type) {
      execute_again(*place->wait);
    }
  }
}

// What the sessions sent while they waited.
void Node::run_woken() {
  while (!woken_.empty() || (blocking_.has_ready() && pause_mode_ == PauseMode::none)) {
    serve_ready();
    std::vector<Session*> woken;
    woken.swap(woken_);
    for (Session* session : woken) {
      if (!session->has(kSessionClosing | kSessionWaiting)) run_stored(*session);
    }
  }
}

}  // namespace redoubt
