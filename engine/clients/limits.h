// ClientLimits: what clients may take: memory, time, and patience.
//
// What a session takes in memory is counted ten times a second, and at the end of each turn in
// which it did something while maxmemory-clients is set or it is large. So the sums are a little
// late, as a whole never much.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/config/settings.h"
#include "engine/insight/stats.h"

namespace redoubt {

class Clients;
class Session;

class ClientLimits {
 public:
  // From here on the output limit is checked after each command instead of ten times a second.
  static constexpr size_t kLargeOutput = 256 * 1024;
  // What may wait for a client that has not authenticated: it may ask, but has to listen.
  static constexpr size_t kUnauthenticatedOutput = 16 * 1024;

  explicit ClientLimits(Clients& clients) : clients_(clients) {}
  ClientLimits(const ClientLimits&) = delete;
  ClientLimits& operator=(const ClientLimits&) = delete;

  void settings_changed();

  // --- memory

  // Counts the session anew.
  void count(Session& session);
  // A limit of memory is set: sessions are counted after each turn in which they do something.
  bool counts_each_turn() const { return memory_max_ > 0; }
  // The session, which has not authenticated, has done something: is closed when it does not read.
  void check_unauthenticated(Session& session);
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
