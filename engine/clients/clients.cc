#include "engine/clients/clients.h"

#include <utility>

#include "net/places.h"

namespace redoubt {

namespace {

constexpr std::string_view kProtectedMode =
    "-DENIED Redoubt is running in protected mode: no password is set for the default user, so "
    "that "
    "connections from other hosts than its own are refused. To be answered, do one of these: 1) "
    "set "
    "a password, with 'CONFIG SET requirepass <password>' from the server's own host, or in the "
    "configuration file; 2) if nobody else can reach the server, switch the protection off with "
    "'CONFIG SET protected-mode no' from its own host, or with '--protected-mode no' at its start; "
    "3) connect from its own host, by the loopback interface or a unix socket.\r\n";

}  // namespace

Clients::Clients(Env& env, const Settings& settings, Stats& stats, const Logger& logger,
                 RequestSink& sink)
    : env_(env),
      settings_(settings),
      stats_(stats),
      logger_(logger),
      sink_(sink),
      listeners_(env, logger) {}

Clients::~Clients() {
  while (first_ != nullptr) {
    Session* session = first_;
    pubsub_.unsubscribe_all(*session);
    unlink(*session);
    delete session;
  }
}

// --- beginning

Session& Clients::add() {
  auto* session = new Session(*this, next_id_++, outputs());
  session->traffic.connected = session->traffic.last_request = env_.now();
  session->previous = last_;
  (last_ == nullptr ? first_ : last_->next) = session;
  last_ = session;
  ++count_;
  by_id_.add(session->id, session);
  if (!settings_.requirepass.empty()) session->set(kSessionUnauthenticated);
  return *session;
}

void Clients::on_accepted(Handle stream, Address peer) {
  Session& session = add();
  session.connection = std::make_unique<Connection>(env_, pool_, session);
  session.connection->adopt(stream, std::move(peer));
  ++stats_.connections_received;
  if (!session.peer().unix_socket && settings_.tcp_keepalive_s > 0) {
    env_.backend().set_keepalive(stream, settings_.tcp_keepalive_s);
  }
  if (!refuse(session)) read(session);
}

Expected<Handle> Clients::open_listener(const Address& address, uint32_t mode) {
  return listeners_.open(address, {.backlog = settings_.tcp_backlog, .mode = mode}, *this);
}

// A connection that may not stay gets its reason and is closed.
bool Clients::refuse(Session& session) {
  std::string_view reason;
  if (count_ > settings_.maxclients) {
    reason = "-ERR max number of clients reached\r\n";
  } else if (settings_.protected_mode && settings_.requirepass.empty() &&
             !session.peer().is_loopback()) {
    reason = kProtectedMode;
  } else {
    return false;
  }
  ++stats_.rejected_connections;
  session.output.append(reason);
  close(session, true);
  return true;
}

Session* Clients::find(uint64_t id) const {
  Session* session = by_id_.find(id);
  return session == nullptr || session->has(kSessionClosing) ? nullptr : session;
}

Session& Clients::make_local() {
  Session& session = add();
  session.flags = kSessionLocal;
  ++local_count_;
  return session;
}

void Clients::drop_local(Session& session) {
  ASSERT(session.has(kSessionLocal) && !session.executing && !session.queued);
  sink_.on_ending(session);
  end(session);
  sink_.on_closed(session);
  monitors_.purge();
  unlink(session);
  delete &session;
}

// --- receiving

void Clients::read(Session& session) {
  constexpr uint32_t kLook =
      kSessionEnding | kSessionLocal | kSessionPaused | kSessionWaiting | kSessionHeldBack;
  if (session.has(kLook) && !may_read(session)) return;
  if (session.parser.held()) {
    session.set(kSessionHeldBack);
    held_back_.push_back(&session);
    sink_.request_turn();
    return;
  }
  Connection& connection = *session.connection;
  if (session.parser.in_request() && !connection.reading()) {
    connection.read(session.parser.direct_room());
  } else {
    connection.read();
  }
}

bool Clients::may_read(const Session& session) const {
  if (session.has(kSessionEnding | kSessionLocal | kSessionHeldBack)) return false;
  // One that waits for keys is read on: it may be gone before it is served.
  return session.has(kSessionBlocked) || !session.has(kSessionPaused | kSessionWaiting);
}

// Requests that stood behind others which had to be executed first.
void Clients::take_held_back() {
  for (Session* session : std::exchange(held_back_, {})) {
    session->clear(kSessionHeldBack);
    if (!session->has(kSessionEnding)) sink_.take(*session, {});
  }
}

void Clients::on_bytes(Session& session, std::span<const char> bytes) {
  ASSERT(!session.has(kSessionClosing));
  session.traffic.last_request = env_.now();
  session.traffic.bytes_in += bytes.size();
  ++stats_.reads_processed;
  stats_.net_input_bytes += bytes.size();
  sink_.take(session, bytes);
}

void Clients::on_direct(Session& session, size_t bytes) {
  ASSERT(!session.has(kSessionClosing));
  session.traffic.last_request = env_.now();
  session.traffic.bytes_in += bytes;
  ++stats_.reads_processed;
  stats_.net_input_bytes += bytes;
  session.parser.direct_filled(bytes);
  read(session);
  limits_.count(session);
  sink_.request_turn();
}

void Clients::finish_requests(Session& session) {
  session.parser.release();
  if (session.connection != nullptr) session.connection->release_chunk();
}

// --- sending

void Clients::flush(Session& session) {
  if (session.has(kSessionClosing | kSessionLocal)) return;
  Connection& connection = *session.connection;
  if (!connection.queue().empty()) {
    if (connection.sending()) {
      REDOUBT_REACHED(output_held);
    } else {
      ++stats_.writes_processed;
    }
  }
  if (session.has(kSessionCloseAfterReply) && session.held == nullptr && session.output.empty()) {
    connection.close_after_output();
  }
  connection.flush();
}

void Clients::send_output(Session& session) {
  ASSERT(!session.has(kSessionClosing | kSessionLocal) && !session.output.empty());
  Connection& connection = *session.connection;
  if (session.has(kSessionCloseAfterReply)) {
    session.output.move_to(connection.queue());
    flush(session);
    return;
  }
  if (connection.sending()) {
    REDOUBT_REACHED(output_held);
  } else {
    ++stats_.writes_processed;
  }
  connection.flush(session.output);
}

void Clients::on_sent(Session& session, size_t bytes) {
  session.traffic.bytes_out += bytes;
  stats_.net_output_bytes += bytes;
  Connection& connection = *session.connection;
  if (!connection.queue().empty()) ++stats_.writes_processed;
  if (session.has(kSessionCloseAfterReply) && session.held == nullptr && session.output.empty()) {
    connection.close_after_output();
  }
}

// --- closing

void Clients::close(Session& session, bool after_output) {
  if (session.has(kSessionClosing | kSessionLocal)) return;
  if (after_output) {
    sink_.on_ending(session);
    session.set(kSessionCloseAfterReply);
    // Whoever calls this may still write a reply: the end of the turn sends it and closes.
    sink_.on_output(session);
  } else if (session.executing) {
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
  ASSERT(!session.executing && !session.has(kSessionClosing));
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

// Takes the session off what it is on, and drops what it has.
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

// A closed session without operations in flight. It is freed at the end of the turn, when neither
// the batch nor anybody else can still point to it.
void Clients::retire(Session& session) {
  ASSERT(session.has(kSessionClosing) && !session.retiring);
  session.retiring = true;
  retiring_.push_back(&session);
  sink_.request_turn();
}

void Clients::free_all_retired() {
  for (Session* session : std::exchange(retiring_, {})) {
    ASSERT(!session->executing && session != current_);
    finish_requests(*session);
    unlink(*session);
    delete session;
  }
  sink_.on_freed();
}

void Clients::unlink(Session& session) {
  limits_.forget(session);
  (session.previous == nullptr ? first_ : session.previous->next) = session.next;
  (session.next == nullptr ? last_ : session.next->previous) = session.previous;
  --count_;
  if (session.has(kSessionLocal)) --local_count_;
  by_id_.remove(session.id);
}

// --- turns

void Clients::write_messages() {
  ASSERT(current_ == nullptr);
  tracking_.broadcast();
  for (size_t i = 0; i < doomed_.size(); ++i) {
    if (!doomed_[i]->has(kSessionClosing)) close_now(*doomed_[i]);
  }
  doomed_.clear();
}

void Clients::count_now(Session& session) {
  if (session.has(kSessionLocal)) return;
  if (session.has(kSessionUnauthenticated)) limits_.check_unauthenticated(session);
  limits_.count(session);
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
  size_t count = 0;
  size_t local = 0;
  size_t bytes = 0;
  size_t output = 0;
  const Session* before = nullptr;
  for (const Session* session = first_; session != nullptr; session = session->next) {
    ASSERT(session->previous == before && by_id_.find(session->id) == session);
    ASSERT(before == nullptr || before->id < session->id);
    ASSERT(session->has(kSessionLocal | kSessionClosing) || session->connection != nullptr);
    ASSERT(!session->has(kSessionClosing) || session->output.empty());
    ASSERT(session->held == nullptr || !session->held->empty());
    ++count;
    local += session->has(kSessionLocal) ? 1 : 0;
    bytes += session->memory.bytes;
    output += session->memory.output_bytes;
    before = session;
  }
  ASSERT(before == last_ && count == count_ && local == local_count_ && by_id_.size() == count);
  ASSERT(bytes == limits_.memory_bytes() && output == limits_.output_bytes());
}

}  // namespace redoubt
