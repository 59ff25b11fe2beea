// BlockedClients: clients whose command waits for keys (BLPOP, XREAD BLOCK), or for a time (WAIT).
//
// The session keeps the request; the table of blocking.h finds it by its keys. When a key that
// somebody waits for has become ready, the whole command is executed again, in the order in which
// the sessions began to wait: behind the command that wrote, or at the end of the turn.
#pragma once

#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "engine/clients/session.h"
#include "engine/dispatch/blocking.h"
#include "engine/dispatch/services.h"

namespace redoubt {

class BlockedClients {
 public:
  // `turn` is the hook that serves those whose keys are ready.
  BlockedClients(const Services& services, TurnHook& turn);
  BlockedClients(const BlockedClients&) = delete;
  BlockedClients& operator=(const BlockedClients&) = delete;

  const Blocking& table() const { return table_; }
  // The command that is being executed waits, or waits on.
  void block(Session& session, CommandEntry& command, const BlockRequest& request);
  // Ends the wait of a session as its time-out would, or with an error. False: it does not wait.
  bool unblock(Session& session, bool with_error);
  // Ends all waits with this error.
  void unblock_all(std::string_view error);
  // The sessions that wait for no key try again at the end of the turn.
  void retry_keyless();
  // The session is closed, or has got its reply: it waits no longer.
  void forget(Session& session);

  bool has_ready() const { return table_.has_ready() || !retries_.empty(); }
  // Serves those whose keys are ready, and those without keys whose time to try again has come. Not
  // within EXEC or a script, and not during a pause.
  void serve_ready();

 private:
  void arm(Wait& wait);
  void end_or_retry(Wait& wait);
  void end_in_vain(Session& session, std::string_view error);
  void execute_again(Wait& wait);
  void end(Wait& wait);
  void serve_key(int db, std::string_view key);
  void serve_orphans(int db, std::string_view key, std::optional<Type> type);

  const Services& services_;
  TurnHook& turn_;
  Blocking table_;
  std::set<uint64_t> keyless_;     // sessions that wait for no key
  std::vector<uint64_t> retries_;  // sessions that wait for no key, and are to be executed again
};

}  // namespace redoubt
