#include "engine/dispatch/blocked_clients.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/clients/clients.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/dispatch/execution.h"
#include "engine/keyspace/keyspace.h"
#include "net/places.h"

namespace redoubt {

namespace {

constexpr std::string_view kUnblocked = "UNBLOCKED client unblocked via CLIENT UNBLOCK";

}  // namespace

BlockedClients::BlockedClients(const Services& services, TurnHook& turn)
    : services_(services), turn_(turn), table_(services.env, turn) {}

void BlockedClients::block(Session& session, CommandEntry& command, const BlockRequest& request) {
  ASSERT(session.executing && services_.dispatcher.may_block(session));
  if (session.wait != nullptr) {
    ASSERT(session.wait->command == &command);
    session.wait->in_vain = true;  // it keeps its place
    session.wait->retry = request.retry;
    session.wait->on_timeout = request.on_timeout;
    session.wait->numbers = request.numbers;
    arm(*session.wait);
    return;
  }
  session.wait = std::make_unique<Wait>();
  Wait& wait = *session.wait;
  wait.owner = this;
  wait.session = &session;
  wait.command = &command;
  wait.request = OwnedRequest(request.args);
  wait.deadline = request.deadline;
  wait.retry = request.retry;
  wait.mode = request.mode;
  wait.on_timeout = request.on_timeout;
  wait.numbers = request.numbers;
  table_.add(wait, session.db, request);
  if (wait.places.empty()) keyless_.insert(session.id);
  services_.keys.feed().set_listening(table_, true);
  session.set(kSessionWaiting | kSessionBlocked);
  wait.timer.owner = &wait;
  wait.timer.on_fire = [](Timer& timer) {
    Wait& due = *static_cast<Wait*>(timer.owner);
    due.owner->end_or_retry(due);
  };
  arm(wait);
}

void BlockedClients::arm(Wait& wait) {
  ASSERT(wait.owner == this && wait.session->wait.get() == &wait);
  const Instant due = std::min(wait.deadline, wait.retry);
  if (due != Instant::never()) {
    services_.env.arm(wait.timer, due);
  } else {
    services_.env.disarm(wait.timer);
  }
}

// The time of a wait is up, or that of trying again: its keys count as changed, so that it is its
// turn when it is that of those who wait longer.
void BlockedClients::end_or_retry(Wait& wait) {
  if (wait.deadline <= services_.env.now()) {
    end_in_vain(*wait.session, {});
    return;
  }
  wait.retry = Instant::never();
  for (const auto place : wait.places) table_.on_key_changed(place->db, place->key);
  if (wait.places.empty()) retries_.push_back(wait.session->id);
  arm(wait);
  services_.env.request(turn_);
}

bool BlockedClients::unblock(Session& session, bool with_error) {
  if (session.wait == nullptr) return false;
  end_in_vain(session, with_error ? kUnblocked : std::string_view());
  return true;
}

void BlockedClients::unblock_all(std::string_view error) {
  for (Session* session = services_.clients.sessions().first(); session != nullptr;
       session = session->next) {
    if (session->wait != nullptr) end_in_vain(*session, error);
  }
}

void BlockedClients::retry_keyless() {
  if (keyless_.empty()) return;
  retries_.assign(keyless_.begin(), keyless_.end());
  services_.dispatcher.request_turn();
}

// The wait was in vain: replies with this error, or as for a time-out.
void BlockedClients::end_in_vain(Session& session, std::string_view error) {
  REDOUBT_REACHED(wait_in_vain);
  ASSERT(session.wait != nullptr && session.has(kSessionBlocked));
  Wait& wait = *session.wait;
  const size_t before = session.output.bytes();
  ReplyWriter reply(session.output, session.protocol);
  if (!error.empty()) {
    services_.stats.count_error(error);
    ++wait.command->failed_calls;
    reply.error(error);
  } else {
    write_block_reply(reply, wait.on_timeout, wait.numbers);
  }
  std::vector<std::string_view> args;
  wait.request.views(args);
  services_.dispatcher.end_command(session, wait.command, session.db, args, before, true);
  services_.dispatcher.replies().end_of_nothing(session);  // it tells nothing of data
  end(wait);
}

// The session has got its reply.
void BlockedClients::end(Wait& wait) {
  Session& session = *wait.session;
  forget(session);
  ASSERT(!session.has(kSessionWaiting | kSessionBlocked));
  services_.dispatcher.stored().wake(session);
}

void BlockedClients::forget(Session& session) {
  if (session.wait == nullptr) return;
  services_.env.disarm(session.wait->timer);
  table_.remove(*session.wait);
  keyless_.erase(session.id);
  if (table_.idle()) services_.keys.feed().set_listening(table_, false);
  session.wait.reset();
  session.clear(kSessionWaiting | kSessionBlocked);
}

void BlockedClients::execute_again(Wait& wait) {
  Session& session = *wait.session;
  ASSERT(!session.executing && session.wait.get() == &wait);
  Dispatcher& dispatcher = services_.dispatcher;
  std::vector<std::string_view> args;
  wait.request.views(args);
  const size_t before = session.output.bytes();
  dispatcher.replies().begin();
  const Execution execution(services_.clients, services_.keys, session);
  if (!dispatcher.caller().call_again(wait, args)) {
    REDOUBT_REACHED(wait_retried);
    return;
  }
  REDOUBT_REACHED(wait_served);
  dispatcher.end_command(session, wait.command, session.db, args, before, true);
  dispatcher.replies().end(session);
  end(wait);
}

void BlockedClients::serve_ready() {
  // Within EXEC or a script nobody else is served, and while clients are paused nothing moves.
  const Dispatcher& dispatcher = services_.dispatcher;
  if (dispatcher.transactions().running() || dispatcher.pause().active()) return;
  if (dispatcher.suspension().active()) return;
  while (table_.has_ready()) {
    const Blocking::ReadyKey ready = table_.take_ready();
    serve_key(ready.db, ready.key);
  }
  for (const uint64_t id : std::exchange(retries_, {})) {
    const Session* session = services_.clients.sessions().find(id);
    if (session != nullptr && session->wait != nullptr) execute_again(*session->wait);
  }
}

void BlockedClients::serve_key(int db, std::string_view key) {
  const uint64_t hash = services_.keys.hash(key);
  const auto type_now = [&]() -> std::optional<Type> {
    const Entry* entry = services_.keys.database(db).find(key, hash);
    if (entry == nullptr || services_.keys.expired(*entry)) return std::nullopt;
    return entry->type();
  };
  std::optional<Type> type = type_now();
  uint64_t ticket = 0;
  while (type) {
    const WaitPlace* place = table_.next(db, key, *type, ticket);
    if (place == nullptr) break;
    ticket = place->ticket;
    execute_again(*place->wait);
    const std::optional<Type> before = std::exchange(type, type_now());
    if (type != before) ticket = 0;
  }
  if (table_.sessions_while_key_exists() > 0) serve_orphans(db, key, type);
}

// The key is gone, or is of another type than they wait for: who wants to know is told.
void BlockedClients::serve_orphans(int db, std::string_view key, std::optional<Type> type) {
  WaitPlace last{.db = db, .key = key, .type = Type{}, .ticket = 0, .wait = nullptr};
  while (const WaitPlace* place = table_.next_of_any_type(db, key, last.type, last.ticket)) {
    last.type = place->type;
    last.ticket = place->ticket;
    if (place->wait->mode == BlockMode::while_key_exists && place->type != type) {
      execute_again(*place->wait);
    }
  }
}

}  // namespace redoubt
