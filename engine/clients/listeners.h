// ListenerSet: the addresses where connections are accepted, each with a handler for them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/insight/logger.h"
#include "net/env.h"

namespace redoubt {

// Takes the streams that a listener has accepted.
class AcceptHandler {
 public:
  virtual void on_accepted(Handle stream, Address peer) = 0;

 protected:
  ~AcceptHandler() = default;
};

struct ListenOptions {
  int backlog = 511;
  uint32_t mode = 0;  // permissions of a unix socket's path; 0: the process's own
};

class ListenerSet {
 public:
  // Failures are logged.
  ListenerSet(Env& env, const Logger& logger) : env_(env), logger_(logger) {}
  ListenerSet(const ListenerSet&) = delete;
  ListenerSet& operator=(const ListenerSet&) = delete;
  // Closes nothing: the world ends, or has forgotten.
  ~ListenerSet();

  // Accepts at this address from now on. `handler` outlives the listener. The result is the
  // listener's handle, for close().
  Expected<Handle> open(const Address& address, const ListenOptions& options,
                        AcceptHandler& handler);
  // Nothing more is accepted there.
  void close(Handle handle);
  void close_all();
  bool empty() const { return open_count_ == 0; }
  // The port of the first listener with one, 0 for none.
  int tcp_port() const;

 private:
  struct Listener {
    ListenerSet* owner = nullptr;
    AcceptHandler* handler = nullptr;
    Address address;  // with the port that it got
    Handle handle;
    Op accept;
    Timer retry;  // after running out of file descriptors
    bool closed = false;
    bool telling = false;  // its handler is being called

    // Nothing is in flight that would come back, as between two attempts.
    bool at_rest() const { return !accept.in_flight && !telling; }
  };

  void accept_next(Listener& listener);
  void on_accepted(Listener& listener);
  void close(Listener& listener);
  void forget(const Listener& listener);

  Env& env_;
  const Logger& logger_;
  std::vector<std::unique_ptr<Listener>> all_;  // a closed one until its operation is back
  size_t open_count_ = 0;
};

}  // namespace redoubt
