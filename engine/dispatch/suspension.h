// Suspension: a command that goes on over several turns, because it is a script that takes long.
//
// Nothing else that touches data runs meanwhile. Clients are answered BUSY, except for the few
// commands that are allowed then; nothing expires or is evicted, and the clock by which keys expire
// stands still; the group of effects stays open, so that all of the command, or of the EXEC that it
// is in, is one entry. No snapshot begins, and a primary's stream waits.
//
// The session that called it is not closed before the command has ended: if its client goes, it is
// closed then.
#pragma once

#include <string_view>

#include "engine/clients/deferred.h"
#include "engine/dispatch/services.h"

namespace redoubt {

class Session;

class Suspension {
 public:
  explicit Suspension(const Services& services) : services_(services) {}
  Suspension(const Suspension&) = delete;
  Suspension& operator=(const Suspension&) = delete;

  bool active() const { return session_ != nullptr; }
  // The session that called the command.
  Session& session() const { return *session_; }

  // Within the command: it goes on later. It has deferred its reply. `busy_error` is what other
  // clients are answered.
  void begin(Session& session, const DeferredReply& reply, std::string_view busy_error);
  // Where the reply is to be written.
  ReplyWriter reply() const;
  // The command has ended, and its reply stands there. The rest of its transaction runs; that may
  // suspend a command again.
  void end();

 private:
  const Services& services_;
  Session* session_ = nullptr;
  DeferredReply reply_;
  uint64_t effects_before_ = 0;
};

}  // namespace redoubt
