// ScriptCalls: what a running script asks of the node. It executes the script's commands, in a
// session of the process, on behalf of the client that called the script.
//
// All of them are one entry of the effect log, because the group of the client's command is open
// meanwhile. Their changes can be undone, as those of a transaction: before a command runs, the
// values that it may write are copied, while they are small. What cannot be undone, or would cost
// too much, is done all the same, unless the script has to be all or nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clients/session.h"
#include "engine/dispatch/services.h"
#include "engine/effects/effect_log.h"
#include "engine/insight/logger.h"
#include "net/op.h"

namespace redoubt {

// How the commands of a script are let in.
struct ScriptRules {
  uint32_t flags = 0;      // bits of ScriptFlag
  bool read_only = false;  // EVAL_RO and the like
  bool undoable = false;   // copies are made while that is cheap
};

class ScriptCalls {
 public:
  // What the services refer to outlives it.
  explicit ScriptCalls(const Services& services) : services_(services) {}
  ScriptCalls(const ScriptCalls&) = delete;
  ScriptCalls& operator=(const ScriptCalls&) = delete;
  ~ScriptCalls();

  // A script of this client runs from now on. The session lives until end().
  void begin(Session& caller, const ScriptRules& rules);
  // It has ended, and what it did stands.
  void end();
  // It has ended, and nothing of it has happened. Only while can_undo().
  void undo();
  bool running() const { return caller_ != nullptr; }
  bool has_written() const { return has_written_; }
  // Nothing has been written, or all of it can be undone.
  bool can_undo() const { return !has_written_ || undoable_; }

  // Executes a command. False: it was refused, and the reply is that error.
  bool call(std::span<const std::string_view> args);
  // The reply of the last call as RESP, in one piece; valid until the next call.
  std::string_view reply();
  // True when the last reply is an error.
  bool failed() const { return failed_; }

  // Whether these are a command and arguments that it accepts.
  bool knows(std::span<const std::string_view> args) const;
  void log(LogLevel level, std::string_view text) const;

  // The protocol of replies to the script: redis.setresp().
  void set_protocol(Protocol protocol) { session_->protocol = protocol; }
  Protocol protocol() const { return session_->protocol; }
  const Services& services() const { return services_; }

 private:
  std::string problem_of(const CommandEntry* entry, std::span<const std::string_view> args) const;
  std::string before_write(const CommandEntry& entry, std::span<const std::string_view> args);
  bool refuse(std::string_view error);
  void stop_undoing();

  const Services& services_;
  Session* session_ = nullptr;  // null: no script has run yet
  Session* caller_ = nullptr;
  ScriptRules rules_;
  bool has_written_ = false;
  bool undoable_ = false;
  bool failed_ = false;
  EffectMark mark_;  // where the script's first effect begins
  std::vector<Slice> slices_;
  std::string joined_;  // a reply that was in several pieces
};

}  // namespace redoubt
