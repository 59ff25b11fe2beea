// Execution: while it lives, a session executes a command: messages to it wait for the reply.
#pragma once

#include "engine/clients/clients.h"
#include "engine/keyspace/keyspace.h"

namespace redoubt {

class Execution {
 public:
  Execution(Clients& clients, Keyspace& keys, Session& session)
      : clients_(clients),
        keys_(keys),
        session_(session),
        outer_(clients.current()),
        nested_(session.executing) {
    clients.set_current(&session);
    session.executing = true;
  }
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;
  ~Execution() {
    session_.executing = nested_;
    if (clients_.messages().any_late() || keys_.feed().events().has_notes()) [[unlikely]] {
      keys_.feed().events().emit_notes();
      clients_.messages().release_late(session_, outer_ == nullptr);
    }
    clients_.set_current(outer_);
  }

 private:
  Clients& clients_;
  Keyspace& keys_;
  Session& session_;
  Session* outer_;
  bool nested_;
};

}  // namespace redoubt
