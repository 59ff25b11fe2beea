// Acceptor: where clients come in. It listens where the settings say and makes a session of each
// connection that it accepts, or refuses the connection with a reason.
#pragma once

#include <cstdint>
#include <string>

#include "engine/clients/listen_addresses.h"
#include "engine/clients/listeners.h"

namespace redoubt {

class Clients;
class Session;

class Acceptor final : private AcceptHandler, private ListenDoor {
 public:
  // `clients` outlives it.
  explicit Acceptor(Clients& clients);
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Listens where the settings say, and nowhere else. False: an address could not be had, *why
  // says which and the reason in one line, and clients are accepted where they were before.
  bool listen(std::string* why);
  // Listens nowhere until the next listen().
  void stop_listening() { addresses_.close_all(); }
  bool listens() const { return !addresses_.empty(); }
  ListenerSet& listeners() { return listeners_; }
  const ListenerSet& listeners() const { return listeners_; }

 private:
  void on_accepted(Handle stream, Address peer) override;
  Expected<Handle> open_listener(const Address& address, uint32_t mode) override;
  void close_listener(Handle handle) override { listeners_.close(handle); }
  bool refuse(Session& session);

  Clients& clients_;
  ListenerSet listeners_;
  ListenAddresses addresses_{*this};
};

}  // namespace redoubt
