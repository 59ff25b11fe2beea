// What the node does for its clients besides executing their commands: it listens, takes what they
// send into the batch, and looks after what it keeps for them.
#include <fmt/format.h>

#include "engine/node/node_state.h"
#include "net/places.h"

namespace redoubt {

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
  const ListenOptions options{.backlog = settings().tcp_backlog, .mode = mode};
  return clients_.listeners().open(address, options, clients_.accept_handler());
}

// Parses what came in; the requests wait in the batch for the end of the turn.
void Node::take(Session& session, std::span<const char> bytes) {
  ready_.push_back(&session);
  env_.request(batch_hook_);
  if (session.has(kSessionMalformed)) return;  // nothing behind it counts
  const ParserLimits limits{.bulk_bytes_max = settings().proto_max_bulk_len,
                            .query_bytes_max = settings().client_query_buffer_limit,
                            .authenticated = session.authenticated(),
                            .others_wait = session.stored != nullptr};
  const size_t first = batch_.requests.size();
  if (session.parser.in_request()) REDOUBT_REACHED(request_in_pieces);
  const RequestParser::Status status = session.parser.feed(bytes, limits, batch_);
  for (size_t i = first; i < batch_.requests.size(); ++i) {
    Planned& planned = planned_.emplace_back();
    planned.session = &session;
    planned.request = static_cast<uint32_t>(i);
    planned.in_batch = true;
  }
  if (status == RequestParser::Status::protocol_error) {
    REDOUBT_REACHED(broken_request);
    Planned& planned = planned_.emplace_back();
    planned.session = &session;
    planned.malformed = true;
  } else if (status == RequestParser::Status::limit_exceeded) {
    ++stats_.query_limit_disconnections;
    log(LogLevel::warning, fmt::format("closing client id={} addr={}: its query buffer exceeds "
                                       "client-query-buffer-limit",
                                       session.id, session.peer().to_string()));
    clients_.close(session, false);
  }
}

void Node::on_output(Session& session) {
  ready_.push_back(&session);
  request_turn();
}

void Node::request_turn() {
  if (!in_batch_) env_.request(batch_hook_);
}

void Node::on_closed(Session& session) {
  forget_transaction(session);
  if (observer_ != nullptr && !session.has(kSessionLocal)) observer_->on_session_closed(session);
}

void Node::on_push(const Session& session, std::string_view message) {
  if (observer_ != nullptr) observer_->on_push(session, message);
}

}  // namespace redoubt
