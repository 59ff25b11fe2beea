// Connections: accepting, receiving, sending, closing.
#include <fmt/format.h>

#include <algorithm>

#include "engine/node/fieldsets.h"
#include "engine/node/node_state.h"
#include "net/places.h"

namespace redoubt {

namespace {

// After running out of file descriptors, connections wait in the kernel's backlog this long.
constexpr Duration kAcceptRetry = Duration::milliseconds(100);

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

Session::Session(Node& owner, uint64_t session_id, OutputPool& pool)
    : node(owner), id(session_id), output(pool), sendable(pool) {
  receive.kind = OpKind::receive;
  receive.owner = this;
}

Session::~Session() = default;

size_t Session::output_bytes() const {
  size_t bytes = output.bytes() + sendable.bytes();
  if (pushes != nullptr) bytes += pushes->bytes();
  if (sender != nullptr) bytes += sender->bytes.bytes();
  if (held != nullptr) {
    for (const HeldReplies& replies : *held) bytes += replies.bytes.bytes();
  }
  return bytes;
}

size_t Session::memory_bytes() const {
  size_t bytes = sizeof(Session) + parser.memory_bytes() + output.memory_bytes() +
                 sendable.memory_bytes() + name.capacity();
  if (subscriptions != nullptr) bytes += subscriptions->memory_bytes();
  if (sender != nullptr) bytes += sender->bytes.memory_bytes();
  if (held != nullptr) {
    for (const HeldReplies& replies : *held) bytes += replies.bytes.memory_bytes();
  }
  if (wait != nullptr) bytes += wait->memory_bytes();
  if (transaction != nullptr) bytes += transaction->memory_bytes();
  if (watches != nullptr) bytes += watches->memory_bytes();
  if (fieldsets != nullptr) bytes += fieldsets->memory_bytes();
  return bytes + stored_bytes;
}

// --- listening

bool Node::listen(std::string* why) {
  if (!listen_addresses_.change(settings(), why)) return false;
  if (listen_addresses_.empty()) {
    *why = "nothing to listen on: give a port, or a unixsocket";
    return false;
  }
  static constexpr std::string_view kDirectives[] = {"port", "bind"};
  config_->add_listener({kDirectives,
                         [](void* owner, std::string* reason) {
                           return static_cast<Node*>(owner)->listen_elsewhere(reason);
                         },
                         this});
  return true;
}

// After CONFIG SET.
bool Node::listen_elsewhere(std::string* reason) {
  std::string why;
  if (listen_addresses_.change(settings(), &why)) return true;
  log(LogLevel::warning, why);
  *reason = settings().port == tcp_port() ? "Failed to bind to specified addresses."
                                          : "Unable to listen on this port. Check server logs.";
  return false;
}

Expected<Handle> Node::open_listener(const Address& address, uint32_t mode) {
  Expected<Handle> handle = env_.backend().listen(address, settings().tcp_backlog, mode);
  if (!handle) return handle;
  auto listener = std::make_unique<Listener>();
  listener->node = this;
  listener->handle = *handle;
  listener->tcp_port = env_.backend().local_address(*handle).port;
  accept_next(*listener);
  listeners_.push_back(std::move(listener));
  return handle;
}

// The listener itself goes when its operation has come back.
void Node::close_listener(Handle handle) {
  for (const auto& listener : listeners_) {
    if (!(listener->handle == handle)) continue;
    listener->closed = true;
    env_.disarm(listener->retry);
    env_.close(handle);
    if (!listener->accept.in_flight) forget_listener(*listener);
    return;
  }
}

void Node::forget_listener(const Listener& closed) {
  std::erase_if(listeners_, [&closed](const auto& listener) { return listener.get() == &closed; });
}

int Node::tcp_port() const {
  for (const auto& listener : listeners_) {
    if (!listener->closed && listener->tcp_port != 0) return listener->tcp_port;
  }
  return 0;
}

void Node::accept_next(Listener& listener) {
  Op& op = listener.accept;
  op.kind = OpKind::accept;
  op.handle = listener.handle;
  op.owner = &listener;
  op.result = {};
  op.on_done = [](Op& done) {
    Listener& from = *static_cast<Listener*>(done.owner);
    from.node->on_accepted(from);
  };
  env_.submit(op);
}

void Node::on_accepted(Listener& listener) {
  Op& op = listener.accept;
  if (stopping_) {
    if (op.result.ok()) env_.close(op.result.handle);
    return;
  }
  if (listener.closed) {
    if (op.result.ok()) env_.close(op.result.handle);
    forget_listener(listener);
    return;
  }
  if (!op.result.ok()) {
    if (op.result.error == Error::cancelled) return;
    REDOUBT_REACHED(accept_failed);
    log(LogLevel::warning,
        fmt::format("accepting a connection failed: {}", describe(op.result.error)));
    listener.retry.owner = &listener;
    listener.retry.on_fire = [](Timer& timer) {
      Listener& from = *static_cast<Listener*>(timer.owner);
      from.node->accept_next(from);
    };
    env_.arm_in(listener.retry, kAcceptRetry);
    return;
  }
  Session& session = add_session();
  session.handle = op.result.handle;
  session.peer = std::move(op.address);
  session.local = env_.backend().local_address(session.handle);
  ++stats_.connections_received;
  if (!session.peer.unix_socket && settings().tcp_keepalive_s > 0) {
    env_.backend().set_keepalive(session.handle, settings().tcp_keepalive_s);
  }
  if (!refuse(session)) receive_next(session);
  accept_next(listener);
}

Session& Node::add_session() {
  Session* session = new Session(*this, next_session_id_++, output_pool_);
  session->created = session->last_interaction = env_.now();
  session->previous = last_session_;
  (last_session_ == nullptr ? first_session_ : last_session_->next) = session;
  last_session_ = session;
  ++session_count_;
  sessions_by_id_.add(session->id, session);
  if (!settings().requirepass.empty()) session->flags |= kSessionUnauthenticated;
  return *session;
}

// A connection that may not stay gets its reason and is closed.
bool Node::refuse(Session& session) {
  std::string_view reason;
  if (session_count_ > settings().maxclients) {
    reason = "-ERR max number of clients reached\r\n";
  } else if (settings().protected_mode && settings().requirepass.empty() &&
             !session.peer.is_loopback()) {
    reason = kProtectedMode;
  } else {
    return false;
  }
  ++stats_.rejected_connections;
  session.output.append(reason);
  close_session(session, true);
  return true;
}

// --- receiving

void Node::receive_next(Session& session) {
  if (session.receive.in_flight ||
      session.has(kSessionClosing | kSessionCloseAfterReply | kSessionLocal)) {
    return;
  }
  // One that waits for keys is read on: it may be gone before it is served.
  if (session.has(kSessionPaused | kSessionWaiting) && !session.has(kSessionBlocked)) return;
  Op& op = session.receive;
  op.handle = session.handle;
  op.result = {};
  const std::span<char> room = session.parser.direct_room();
  op.into = std::as_writable_bytes(room);
  op.on_done = [](Op& done) {
    Session& to = *static_cast<Session*>(done.owner);
    to.node.on_received(to);
  };
  env_.submit(op);
}

void Node::on_received(Session& session) {
  Op& op = session.receive;
  if (session.has(kSessionClosing)) {
    if (op.result.chunk) env_.backend().give_back(op.result.chunk);
    retire(session);
    return;
  }
  if (!op.result.ok()) {
    close_session(session, false);
    return;
  }
  session.last_interaction = env_.now();
  ++stats_.reads_processed;
  if (!op.into.empty()) {
    session.bytes_in += op.result.bytes;
    stats_.net_input_bytes += op.result.bytes;
    session.parser.direct_filled(op.result.bytes);
    receive_next(session);
    if (clients_limit_ > 0) {
      count_session(session);
      env_.request(batch_hook_);
    }
    return;
  }
  session.chunk = op.result.chunk;
  const std::span<const char> bytes(reinterpret_cast<const char*>(session.chunk.data),
                                    session.chunk.size);
  session.bytes_in += bytes.size();
  stats_.net_input_bytes += bytes.size();
  take_bytes(session, bytes);
}

// Parses what came in; the requests wait in the batch for the end of the turn.
void Node::take_bytes(Session& session, std::span<const char> bytes) {
  const ParserLimits limits{.bulk_bytes_max = settings().proto_max_bulk_len,
                            .query_bytes_max = settings().client_query_buffer_limit,
                            .authenticated = session.authenticated()};
  const size_t first = batch_.requests.size();
  if (session.parser.in_request()) REDOUBT_REACHED(request_in_pieces);
  const RequestParser::Status status = session.parser.feed(bytes, limits, batch_);
  for (size_t i = first; i < batch_.requests.size(); ++i) {
    Planned& planned = planned_.emplace_back();
    planned.session = &session;
    planned.request = static_cast<uint32_t>(i);
  }
  if (status == RequestParser::Status::protocol_error) {
    REDOUBT_REACHED(broken_request);
    Planned& planned = planned_.emplace_back();
    planned.session = &session;
    planned.request = Planned::kProtocolError;
  } else if (status == RequestParser::Status::limit_exceeded) {
    ++stats_.query_limit_disconnections;
    log(LogLevel::warning, fmt::format("closing client id={} addr={}: its query buffer exceeds "
                                       "client-query-buffer-limit",
                                       session.id, session.peer.to_string()));
    close_session(session, false);
  }
  ready_.push_back(&session);
  env_.request(batch_hook_);
}

void Node::release_chunk(Session& session) {
  if (!session.chunk) return;
  env_.backend().give_back(session.chunk);
  session.chunk = {};
}

// --- sending

Sender* Node::get_sender() {
  if (free_senders_.empty()) {
    all_senders_.push_back(new Sender(output_pool_));
    return all_senders_.back();
  }
  Sender* sender = free_senders_.back();
  free_senders_.pop_back();
  return sender;
}

// Sends what has passed the gate, unless the last send is still on its way.
void Node::flush_output(Session& session) {
  if (session.sender != nullptr && !session.sendable.empty()) REDOUBT_REACHED(output_held);
  if (session.sender != nullptr || session.has(kSessionClosing | kSessionLocal)) return;
  if (session.sendable.empty()) {
    if (session.has(kSessionCloseAfterReply) && session.held == nullptr && session.output.empty()) {
      close_session(session, false);
    }
    return;
  }
  Sender* sender = get_sender();
  session.sender = sender;
  sender->session = &session;
  session.sendable.move_to(sender->bytes);
  sender->slices.clear();
  sender->bytes.slices(sender->slices);
  Op& op = sender->op;
  op.kind = OpKind::send;
  op.handle = session.handle;
  op.gather = sender->slices;
  op.owner = sender;
  op.result.error = Error::none;
  op.on_done = [](Op& done) {
    Sender& sent = *static_cast<Sender*>(done.owner);
    sent.session->node.on_sent(sent);
  };
  ++stats_.writes_processed;
  env_.submit(op);
}

void Node::on_sent(Sender& sender) {
  Session& session = *sender.session;
  const bool ok = sender.op.result.ok();
  const size_t bytes = sender.bytes.bytes();
  sender.bytes.clear();
  sender.session = nullptr;
  session.sender = nullptr;
  free_senders_.push_back(&sender);
  if (ok) {
    session.bytes_out += bytes;
    stats_.net_output_bytes += bytes;
  }
  if (session.has(kSessionClosing)) {
    retire(session);
    return;
  }
  if (!ok) {
    close_session(session, false);
    return;
  }
  flush_output(session);
}

// Whether what waits for a client that does not read, and `more` bytes, exceed its class's limits.
bool Node::above_output_limit(Session& session, size_t more) {
  const OutputLimit& limit = session.has(kSessionSubscribed) ? settings().output_limit_pubsub
                                                             : settings().output_limit_normal;
  if (limit.hard_bytes == 0 && limit.soft_bytes == 0) return false;
  const size_t bytes = session.output_bytes() + more;
  if (limit.hard_bytes > 0 && bytes > limit.hard_bytes) return true;
  if (limit.soft_bytes == 0 || bytes <= limit.soft_bytes) {
    session.soft_limit_since = Instant::never();
    return false;
  }
  if (session.soft_limit_since == Instant::never()) session.soft_limit_since = env_.now();
  return env_.now() - session.soft_limit_since > Duration::seconds(limit.soft_seconds);
}

void Node::check_output_limit(Session& session) {
  if (!session.has(kSessionLocal) && above_output_limit(session, 0)) drop_slow_session(session);
}

void Node::drop_slow_session(Session& session) {
  ++stats_.output_limit_disconnections;
  log(LogLevel::warning,
      fmt::format("closing client id={} addr={}: {} bytes of replies wait, above "
                  "client-output-buffer-limit",
                  session.id, session.peer.to_string(), session.output_bytes()));
  close_session(session, false);
}

// --- closing

void Node::close_session(Session& session, bool after_output) {
  if (session.has(kSessionClosing) || session.has(kSessionLocal)) return;
  forget_wait(session);
  if (after_output) {
    session.flags |= kSessionCloseAfterReply;
    // Whoever calls this may still write a reply: the end of the turn sends it and closes.
    ready_.push_back(&session);
    env_.request(batch_hook_);
    return;
  }
  stop_monitoring(session);
  session.flags |= kSessionClosing;
  session.output.clear();
  session.sendable.clear();
  session.pushes.reset();
  session.held.reset();
  forget_subscriptions(session);
  session.stored.reset();
  session.stored_bytes = 0;
  forget_transaction(session);
  env_.close(session.handle);
  count_session(session);
  if (observer_ != nullptr) observer_->on_session_closed(session);
  retire(session);
}

// Nobody is to be told through this session any more.
void Node::forget_subscriptions(Session& session) {
  if (session.queued) std::erase(pushed_, &session);
  session.queued = false;
  pubsub_.unsubscribe_all(session);
  tracking_.session_closed(session);
}

// A closed connection whose operations may all have come back. It is freed at the end of the turn,
// when neither the batch nor anybody else can still point to it.
void Node::retire(Session& session) {
  if (session.retiring) return;
  session.retiring = true;
  retiring_.push_back(&session);
  env_.request(batch_hook_);
}

void Node::free_retired() {
  std::vector<Session*> retired;
  retired.swap(retiring_);
  for (Session* session : retired) {
    session->retiring = false;
    if (session->receive.in_flight || session->sender != nullptr) continue;  // retired again later
    release_chunk(*session);
    unlink(*session);
    delete session;
  }
  if (!retired.empty()) end_when_quiet();
}

void Node::unlink(Session& session) {
  sessions_memory_ -= session.counted_memory;
  sessions_output_bytes_ -= session.counted_output;
  (session.previous == nullptr ? first_session_ : session.previous->next) = session.next;
  (session.next == nullptr ? last_session_ : session.next->previous) = session.previous;
  --session_count_;
  sessions_by_id_.remove(session.id);
}

Session* Node::find_session(uint64_t id) const {
  Session* session = sessions_by_id_.find(id);
  return session == nullptr || session->has(kSessionClosing) ? nullptr : session;
}

// Clients that idle, soft limits, and what connections take in memory: of a thousand connections
// every time, of more than ten thousand once a second.
void Node::check_idle_sessions() {
  constexpr size_t kEachTime = 1000;
  const int timeout = settings().timeout_s;
  size_t left = std::max(kEachTime, sessions_by_id_.size() / static_cast<size_t>(settings().hz));
  for (; left > 0; --left) {
    Session* next = sessions_by_id_.next_after(checked_session_);
    if (next == nullptr) {
      checked_session_ = 0;
      return;
    }
    Session& session = *next;
    checked_session_ = session.id;
    if (session.has(kSessionClosing)) continue;
    count_session(session);
    check_output_limit(session);
    if (timeout > 0 &&
        !session.has(kSessionLocal | kSessionPaused | kSessionWaiting | kSessionSubscribed) &&
        env_.now() - session.last_interaction > Duration::seconds(timeout)) {
      close_session(session, false);
    }
  }
}

// --- sessions of the process itself

Session& Node::make_local_session() {
  Session& session = add_session();
  session.flags = kSessionLocal;
  return session;
}

void Node::drop_local_session(Session& session) {
  ASSERT(session.has(kSessionLocal));
  forget_transaction(session);
  forget_subscriptions(session);
  unlink(session);
  delete &session;
}

}  // namespace redoubt
