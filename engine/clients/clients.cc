#include "engine/clients/clients.h"

#include <utility>

#include "net/assert.h"

namespace redoubt {

Clients::Clients(Env& env, const Settings& settings, Stats& stats, const Logger& logger,
                 RequestSink& sink)
    : env_(env),
      settings_(settings),
      stats_(stats),
      logger_(logger),
      sink_(sink),
      acceptor_(*this),
      io_(env, stats, sink, limits_) {}

Clients::~Clients() {
  while (Session* session = sessions_.first()) {
    pubsub_.unsubscribe_all(*session);
    free(*session);
  }
}

// --- beginning

Session& Clients::add(uint32_t flags) {
  auto* session = new Session(*this, sessions_.take_id(), outputs());
  session->traffic.connected = session->traffic.last_request = env_.now();
  session->flags = flags;
  sessions_.add(*session);
  return *session;
}

Session& Clients::add_connection(Handle stream, Address peer) {
  Session& session = add(settings_.requirepass.empty() ? 0u : kSessionUnauthenticated);
  session.connection = std::make_unique<Connection>(env_, pool_, session);
  session.connection->adopt(stream, std::move(peer));
  return session;
}

Session& Clients::make_local() {
  return add(kSessionLocal);
}

void Clients::drop_local(Session& session) {
  ASSERT(session.has(kSessionLocal) && !session.executing && !session.queued);
  sink_.on_ending(session);
  end(session);
  sink_.on_closed(session);
  monitors_.purge();
  free(session);
}

// --- closing

void Clients::close(Session& session, bool after_output) {
  if (session.has(kSessionClosing | kSessionLocal)) return;
  if (after_output) {
    sink_.on_ending(session);
    session.set(kSessionCloseAfterReply);
    // The caller may still write a reply: the end of the turn sends it and closes.
    sink_.on_output(session);
  } else if (session.executing || session.has(kSessionSuspended)) {
    doom(session);
  } else {
    close_now(session);
  }
}

void Clients::doom(Session& session) {
  ASSERT(!session.has(kSessionLocal));
  if (session.has(kSessionClosing | kSessionDoomed)) return;
  session.set(kSessionDoomed);
  doomed_.push_back(&session);
  sink_.request_turn();
}

void Clients::close_now(Session& session) {
  ASSERT(!session.executing && !session.has(kSessionClosing | kSessionSuspended));
  sink_.on_ending(session);
  session.set(kSessionClosing);
  end(session);
  session.connection->close();
  limits_.count(session);
  sink_.on_closed(session);
  if (session.connection->quiet()) retire(session);
}

std::unique_ptr<Connection> Clients::detach(Session& session) {
  ASSERT(session.connection != nullptr && !session.has(kSessionEnding));
  if (session.held != nullptr) return nullptr;
  std::unique_ptr<Connection> connection = std::move(session.connection);
  session.output.move_to(connection->queue());
  sink_.on_ending(session);
  session.set(kSessionClosing);
  end(session);
  limits_.count(session);
  sink_.on_closed(session);
  retire(session);
  return connection;
}

// Removes the session from all lists but the table, and drops its replies and requests.
void Clients::end(Session& session) {
  monitors_.stop(session);
  session.output.clear();
  session.pushes.reset();
  session.held.reset();
  session.deferred.reset();
  session.stored.reset();
  session.stored_bytes = 0;
  pubsub_.unsubscribe_all(session);
  tracking_.session_closed(session);
}

// The session is closed and has no operation in flight. It is freed at the end of the turn, when
// neither the batch nor anything else points to it.
void Clients::retire(Session& session) {
  ASSERT(session.has(kSessionClosing) && !session.retiring);
  session.retiring = true;
  retiring_.push_back(&session);
  sink_.request_turn();
}

void Clients::free_all_retired() {
  for (Session* session : std::exchange(retiring_, {})) {
    ASSERT(!session->executing && session != current_);
    io_.finish_requests(*session);
    free(*session);
  }
  sink_.on_freed();
}

void Clients::free(Session& session) {
  limits_.forget(session);
  sessions_.remove(session);
  delete &session;
}

// --- turns

void Clients::write_messages() {
  ASSERT(current_ == nullptr);
  tracking_.broadcast();
  for (size_t i = 0; i < doomed_.size(); ++i) {
    if (!doomed_[i]->has(kSessionClosing | kSessionSuspended)) close_now(*doomed_[i]);
  }
  std::erase_if(doomed_, [](const Session* each) { return !each->has(kSessionSuspended); });
}

void Clients::cron() {
  receive_buffer_bytes_ = env_.backend().receive_buffer_bytes();
  limits_.check_some();
  tracking_.clean();
}

size_t Clients::memory_bytes() const {
  return limits_.memory_bytes() + pubsub_.memory_bytes() + tracking_.memory_bytes() +
         receive_buffer_bytes_;
}

void Clients::check_invariants() const {
  size_t bytes = 0;
  size_t output = 0;
  sessions_.check_invariants();
  for (const Session* session = sessions_.first(); session != nullptr; session = session->next) {
    ASSERT(session->has(kSessionLocal | kSessionClosing) || session->connection != nullptr);
    ASSERT(!session->has(kSessionClosing) || session->output.empty());
    ASSERT(session->held == nullptr || !session->held->empty());
    bytes += session->memory.bytes;
    output += session->memory.output_bytes;
  }
  ASSERT(bytes == limits_.memory_bytes() && output == limits_.output_bytes());
}

}  // namespace redoubt
