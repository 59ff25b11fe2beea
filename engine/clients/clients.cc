#include "engine/clients/clients.h"

#include <utility>

#include "net/places.h"

namespace redoubt {

namespace {

// A stream of messages to a session is sent in pieces of this time.
constexpr Duration kPushInterval = Duration::microseconds(200);

constexpr std::string_view kProtectedMode =
    "-DENIED Redoubt is running in protected mode because protected mode is enabled and no "
    "password is set for the default user. In this mode connections are only accepted from the "
    "loopback interface. To accept connections from other hosts, set a password with "
    "'requirepass', or set 'protected-mode no' if this node is not reachable by others.\r\n";

}  // namespace

Clients::Clients(Env& env, const Settings& settings, Stats& stats, RequestSink& sink)
    : env_(env), settings_(settings), stats_(stats), sink_(sink), listeners_(env, sink) {
  push_timer_.owner = &sink_;
  push_timer_.on_fire = [](Timer& timer) {
    static_cast<RequestSink*>(timer.owner)->request_turn();
  };
}

Clients::~Clients() {
  env_.disarm(push_timer_);
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
  if (!settings_.requirepass.empty()) session->flags |= kSessionUnauthenticated;
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
  if (session.has(kSessionEnding | kSessionLocal) || session.connection->reading()) return;
  // One that waits for keys is read on: it may be gone before it is served.
  if (session.has(kSessionPaused | kSessionWaiting) && !session.has(kSessionBlocked)) return;
  session.connection->read(session.parser.direct_room());
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
    session.flags |= kSessionCloseAfterReply;
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
  session.flags |= kSessionDoomed;
  doomed_.push_back(&session);
  sink_.request_turn();
}

void Clients::close_now(Session& session) {
  ASSERT(!session.executing && !session.has(kSessionClosing));
  sink_.on_ending(session);
  session.flags |= kSessionClosing;
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
  session.flags |= kSessionClosing;
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

void Clients::free_retired() {
  if (retiring_.empty()) return;
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

// --- messages

// A session that executes a command gets the message behind its reply.
Output& Clients::push_output(Session& session) {
  if (!session.executing) return session.output;
  if (session.pushes == nullptr) session.pushes = std::make_unique<Output>(outputs());
  pushes_wait_ = true;
  return *session.pushes;
}

void Clients::push(Session& session, std::string_view message) {
  if (session.has(kSessionEnding)) return;
  const bool local = session.has(kSessionLocal);
  if (local && !session.executing) return;  // nobody reads it
  Output& output = push_output(session);
  if (!local) {
    const size_t waiting = output.bytes() + session.connection->queue().bytes() + message.size();
    if (waiting > ClientLimits::kLargeOutput && limits_.exceeded(session, message.size())) {
      limits_.drop_slow(session);
      return;
    }
  }
  output.append(message);
  if (session.executing) return;
  sink_.on_push(session, message);
  if (session.queued) return;
  session.queued = true;
  pushed_.push_back(&session);
  sink_.request_turn();
}

void Clients::release_pushes(Session& session, bool last) {
  if (session.pushes != nullptr && !session.executing) {
    sink_.on_push(session, session.pushes->copy_from(0));
    session.pushes->move_to(session.output);
    session.pushes.reset();
  }
  if (last) pushes_wait_ = false;
}

// Sends what was pushed. A session that messages come to in a stream gets them in larger pieces: a
// send costs many times what a message does, and the reader's wake-up again as much. The first
// message after a pause goes at once.
void Clients::flush_pushed() {
  size_t waiting = 0;
  const Instant now = env_.now();
  for (Session* session : pushed_) {
    if (session->has(kSessionClosing)) continue;
    if (!session->output.empty() && now - session->last_push < kPushInterval) {
      pushed_[waiting++] = session;
      continue;
    }
    session->queued = false;
    if (session->output.empty()) continue;  // it left with a reply
    session->last_push = now;
    sink_.send_replies(*session);
  }
  pushed_.resize(waiting);
  if (waiting > 0 && !push_timer_.armed()) env_.arm_in(push_timer_, kPushInterval);
}

// --- turns

void Clients::end_messages() {
  ASSERT(current_ == nullptr);
  tracking_.broadcast();
  for (size_t i = 0; i < doomed_.size(); ++i) {
    if (!doomed_[i]->has(kSessionClosing)) close_now(*doomed_[i]);
  }
  doomed_.clear();
}

void Clients::end_turn() {
  monitors_.flush();
  limits_.evict();
  if (!pushed_.empty()) flush_pushed();
}

void Clients::cron() {
  receive_buffer_bytes_ = env_.backend().receive_buffer_bytes();
  limits_.check_some();
  limits_.evict();
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
