// Admission: what can stand between a request and its handler.
//
// A reason to look closer is an alert. Each concerns some commands (Concern, derived from a
// command's row), and its owner sets it only while there is something to look at. So the test that
// every request passes is one: none of the alerts that are set concerns the command. Everything
// else, and all that is about the client (its flags), is asked in admit(), in Redis's order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/clients/session.h"
#include "engine/command/command_table.h"
#include "engine/dispatch/batch.h"
#include "engine/dispatch/services.h"

namespace redoubt {

enum class Alert : uint8_t {
  observed,        // each command is told to the observer
  pause_all,       // CLIENT PAUSE ALL
  pause_writes,    // CLIENT PAUSE WRITE
  tight_memory,    // memory is used up, or nearly
  loading,         // data is being loaded
  refuses_writes,  // what is written could not be kept
  few_replicas,    // min-replicas-to-write
  read_only,       // this node is a replica
  stale,           // a replica without its primary, which is not to answer
  busy,            // a script is suspended
  count
};

class Admission {
 public:
  explicit Admission(const Services& services) : services_(services) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  void set(Alert alert, bool on);
  // From now on commands that write, and PING, are answered with this error, a whole line such as
  // "MISCONF ..."; empty: no longer.
  void refuse_writes(std::string_view error);
  bool is_set(Alert alert) const { return set_[static_cast<size_t>(alert)]; }
  // The command runs at once for a client without flags.
  bool clear(const CommandEntry& entry) const { return (concerned_ & entry.concerns) == 0; }

  // Looks at everything. False: a reply was written, or the session was closed.
  bool admit(Session& session, const Planned& planned, std::span<const std::string_view> args);

  // What a script is allowed beyond the rules for clients.
  struct ScriptAllowance {
    bool may_exceed_memory = false;
    bool may_be_stale = false;
    bool goes_on = false;  // it has written already: it may end what it has begun
  };
  // Why a script may not call a command now; empty: it may.
  std::string problem_of_script_call(const CommandEntry& entry,
                                     std::span<const std::string_view> args,
                                     const ScriptAllowance& allowance) const;
  // Why a script that says of itself that it writes, or needs memory, may not begin; empty: it may.
  std::string problem_of_script(bool writes, const ScriptAllowance& allowance) const;
  // What clients are answered while a script is suspended, a whole error line.
  void set_busy(std::string_view error);
  const std::string& busy_error() const { return busy_error_; }

 private:
  // What is wrong with the request; empty: nothing.
  std::string problem_of(Session& session, const CommandEntry& entry,
                         std::span<const std::string_view> args);
  void refuse_unknown(Session& session, std::span<const std::string_view> args);

  const Services& services_;
  std::array<bool, static_cast<size_t>(Alert::count)> set_{};
  std::string refusal_;
  std::string busy_error_;
  uint32_t concerned_ = kConcernNoHandler;  // the concerns of the alerts that are set
};

}  // namespace redoubt
