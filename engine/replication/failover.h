// Failover: FAILOVER, a change of roles that loses nothing.
//
//   waiting        clients that write are paused; the replica that is to be the primary gets the
//                  rest of the stream
//   in progress    this node follows it, and asks it to take over: PSYNC ... FAILOVER
//
// Then the pause ends: those that waited are told that this is a replica now. When the replica
// does not get there in time, or refuses, everything is as before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/dispatch/services.h"
#include "net/time.h"

namespace redoubt {

class Replication;

class Failover {
 public:
  enum class State : uint8_t { none, waiting_for_sync, in_progress };

  struct Request {
    std::string host;  // empty: whichever replica gets there first
    uint16_t port = 0;
    bool force = false;
    std::optional<Duration> timeout;
  };

  Failover(Replication& replication, const Services& services)
      : replication_(replication), services_(services) {}

  State state() const { return state_; }
  std::string_view state_name() const;
  void begin(const Request& request);
  void abort(std::string_view why);
  // Ten times a second, and when acknowledgements come.
  void step();
  // What the replica has answered.
  void on_answer(bool accepted, std::string_view answer);

 private:
  void hand_over(std::string host, uint16_t port);
  void end();

  Replication& replication_;
  const Services& services_;
  State state_ = State::none;
  Request request_;
  Instant deadline_;
};

}  // namespace redoubt
