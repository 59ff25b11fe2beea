// Caller: calls the handler of a command, and does what follows each call: it is counted and timed,
// what it changed reaches the stream of effects as one entry, and those are told who are shown
// commands or track keys.
#pragma once

#include <span>
#include <string_view>

#include "engine/clients/clients.h"
#include "engine/dispatch/batch.h"
#include "engine/dispatch/call_timing.h"
#include "engine/dispatch/reply_path.h"
#include "engine/dispatch/services.h"

namespace redoubt {

class Caller {
 public:
  // All of these outlive it.
  Caller(const Services& services, Batch& batch, CallTiming& timing, ReplyPath& replies);
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  // A request of the batch; its group is timed.
  void call_planned(Planned& planned, std::span<const std::string_view> args);
  // A call that is timed by itself: in a transaction, or of a stored request. True when it failed.
  bool call_alone(Session& session, CommandEntry& entry, std::span<const std::string_view> args);
  // An effect of a file or a primary, which nobody sees: it is not counted, timed or shown. True
  // when it failed.
  bool call_effect(Session& session, CommandEntry& entry, std::span<const std::string_view> args) {
    return invoke(session, entry, args, nullptr);
  }
  // A command that waited is called once more. True when it is through: then it is timed.
  bool call_again(Wait& wait, std::span<const std::string_view> args);

 private:
  void count_call(Session& session, CommandEntry& entry);
  bool invoke(Session& session, CommandEntry& entry, std::span<const std::string_view> args,
              const Planned* planned);
  void append_effect(int db, const CommandEntry& entry, std::span<const std::string_view> args);
  void data_changed(int db);

  const Services& services_;
  Env& env_;
  Stats& stats_;
  EffectLog& effects_;
  Keyspace& keys_;
  Clients& clients_;
  Batch& batch_;
  CallTiming& timing_;
  ReplyPath& replies_;
};

}  // namespace redoubt
