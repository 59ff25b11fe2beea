// ClientLimits: limits of memory, of output that is not read, and of idle time.
//
// The memory of a session is counted ten times a second, and at the end of each turn in which it
// did something while maxmemory-clients is set or the session is large. So the sums are a little
// late, but never far off.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/clients/session.h"
#include "engine/config/settings.h"
#include "engine/insight/stats.h"

namespace redoubt {

class Clients;

class ClientLimits {
 public:
  // From here on the output limit is checked after each command instead of ten times a second.
  static constexpr size_t kLargeOutput = 256 * 1024;
  // The output that may wait for a client that has not authenticated.
  static constexpr size_t kUnauthenticatedOutput = 16 * 1024;

  explicit ClientLimits(Clients& clients) : clients_(clients) {}
  ClientLimits(const ClientLimits&) = delete;
  ClientLimits& operator=(const ClientLimits&) = delete;

  void settings_changed();

  // --- memory

  // Counts the session anew.
  void count(Session& session);
  // The session has done something in this turn, which ends for it: counts it if a limit of memory
  // is set, it is large, or it has not authenticated.
  void count_after_turn(Session& session) {
    if (session.has(kSessionUnauthenticated) || memory_max_ > 0 ||
        (session.connection != nullptr && session.connection->unsent_bytes() > kLargeOutput))
        [[unlikely]]
      count_now(session);
  }
  // The session is about to be freed.
  void forget(Session& session);
  // Bytes that all sessions take, and those of them that are replies on their way.
  size_t memory_bytes() const { return memory_bytes_; }
  size_t output_bytes() const { return output_bytes_; }
  // Above maxmemory-clients, connections are closed, those that take most first. When that did not
  // suffice, because some may not be closed, nothing is tried until the next check_some().
  void evict() {
    if (memory_max_ > 0 && memory_bytes_ > memory_max_ && !evicts_in_vain_) evict_largest();
  }

  // --- output

  // Whether what waits for the client, and `more` bytes, exceed the limits of its class.
  bool exceeded(Session& session, size_t more);
  // Closes the session if it does not read as fast as it must.
  void check_output(Session& session);
  // Closes it for that reason.
  void drop_slow(Session& session);

  // The largest that requests and replies of a client have been in the last seconds, as far as
  // check_some() and check_output() have seen.
  const RecentMaximum& recent_input() const { return recent_input_; }
  const RecentMaximum& recent_output() const { return recent_output_; }

  // --- ten times a second

  // Looks at some of the sessions: idle time, soft limits, memory; then evicts. At a thousand every
  // time, at all of more than ten thousand once a second.
  void check_some();

 private:
  void count_now(Session& session);
  void check_unauthenticated(Session& session);
  void evict_largest();
  int64_t current_second() const;
  bool idles_too_long(const Session& session) const;

  Clients& clients_;
  uint64_t memory_max_ = 0;  // maxmemory-clients in bytes; 0: no limit
  size_t memory_bytes_ = 0;
  size_t output_bytes_ = 0;
  bool evicts_in_vain_ = false;
  RecentMaximum recent_input_;
  RecentMaximum recent_output_;
  uint64_t checked_session_ = 0;  // where check_some() stands
};

}  // namespace redoubt
