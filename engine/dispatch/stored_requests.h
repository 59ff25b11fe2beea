// StoredRequests: the requests that clients send while a command of theirs waits, or during a
// pause. They are executed in order when that is over, at the end of a turn: never in the middle of
// somebody else's command.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "engine/clients/session.h"
#include "engine/dispatch/services.h"

namespace redoubt {

class StoredRequests {
 public:
  explicit StoredRequests(const Services& services) : services_(services) {}
  StoredRequests(const StoredRequests&) = delete;
  StoredRequests& operator=(const StoredRequests&) = delete;

  // Keeps a request of the session. A session that has too much waiting is closed.
  void store(Session& session, std::span<const std::string_view> args);
  // What the session waited for is over.
  void wake(Session& session);
  // A pause is over.
  void wake_all();
  // Executes what those have stored that were woken, and serves those who wait for what it writes.
  void run_woken();
  // Nobody points to the session any more.
  bool idle() const { return woken_.empty(); }

 private:
  void run(Session& session);

  const Services& services_;
  std::vector<Session*> woken_;  // with stored requests
};

}  // namespace redoubt
