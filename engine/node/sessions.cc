// What the node does for its clients besides executing their commands: it listens, takes what they
// send into the batch, and looks after what it keeps for them.
#include <fmt/format.h>

#include "engine/node/node_state.h"
#include "net/places.h"

namespace redoubt {

bool Node::listen(std::string* why) {
  const Settings& s = settings();
  const auto open = [&](const Address& address, uint32_t mode, bool optional) {
    Expected<Handle> handle = clients_.listeners().open(
        address, {.backlog = s.tcp_backlog, .mode = mode}, clients_.accept_handler());
    if (handle.ok()) return true;
    if (optional &&
        (handle.error() == Error::address_not_found || handle.error() == Error::unsupported)) {
      return true;
    }
    *why = fmt::format("cannot listen on {}: {}",
                       address.unix_socket ? address.host : address.to_string(),
                       describe(handle.error()));
    return false;
  };
  if (s.port != 0) {
    for (const std::string& name : s.bind) {
      const bool optional = name.starts_with("-");
      std::string host = optional ? name.substr(1) : name;
      if (host == "*") host = "0.0.0.0";
      if (!open(Address::tcp(host, static_cast<uint16_t>(s.port)), 0, optional)) return false;
    }
  }
  if (!s.unixsocket.empty() && !open(Address::local(s.unixsocket), s.unixsocketperm, false)) {
    return false;
  }
  if (clients_.listeners().empty()) {
    *why = "nothing to listen on: give a port, or a unixsocket";
    return false;
  }
  return true;
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
