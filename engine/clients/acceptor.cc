#include "engine/clients/acceptor.h"

#include <utility>

#include "engine/clients/clients.h"

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

Acceptor::Acceptor(Clients& clients)
    : clients_(clients), listeners_(clients.env(), clients.logger()) {}

bool Acceptor::listen(std::string* why) {
  return addresses_.change(clients_.settings(), why);
}

void Acceptor::on_accepted(Handle stream, Address peer) {
  const Settings& settings = clients_.settings();
  Session& session = clients_.add_connection(stream, std::move(peer));
  ++clients_.stats().connections_received;
  if (!session.peer().unix_socket && settings.tcp_keepalive_s > 0) {
    clients_.env().backend().set_keepalive(stream, settings.tcp_keepalive_s);
  }
  if (!refuse(session)) clients_.io().read(session);
}

Expected<Handle> Acceptor::open_listener(const Address& address, uint32_t mode) {
  return listeners_.open(address, {.backlog = clients_.settings().tcp_backlog, .mode = mode},
                         *this);
}

// A connection that may not stay gets its reason and is closed.
bool Acceptor::refuse(Session& session) {
  const Settings& settings = clients_.settings();
  std::string_view reason;
  if (clients_.sessions().count() > settings.maxclients) {
    reason = "-ERR max number of clients reached\r\n";
  } else if (settings.protected_mode && settings.requirepass.empty() &&
             !session.peer().is_loopback()) {
    reason = kProtectedMode;
  } else {
    return false;
  }
  ++clients_.stats().rejected_connections;
  session.output.append(reason);
  clients_.close(session, true);
  return true;
}

}  // namespace redoubt
