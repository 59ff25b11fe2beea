// ReplyPath: from the output of a session to its connection.
//
// The replies of a turn leave at its end, in one send. While the reply gate is active, each reply
// first waits until what it tells of is kept: its need is that of the keys which the command read
// or wrote, or of everything, if the command reads more than keys that it names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/clients/clients.h"
#include "engine/command/command_table.h"
#include "engine/effects/effect_log.h"
#include "engine/effects/reply_gate.h"
#include "engine/keyspace/keyspace.h"

namespace redoubt {

class ReplyPath {
 public:
  // All of these outlive it.
  ReplyPath(EffectLog& effects, ReplyGate& gate, Keyspace& keys, Clients& clients)
      : effects_(effects), gate_(gate), keys_(keys), clients_(clients) {}
  ReplyPath(const ReplyPath&) = delete;
  ReplyPath& operator=(const ReplyPath&) = delete;

  // A hook that, when it is requested, runs before replies leave; null: none. For what makes
  // changes durable.
  void set_before_replies(TurnHook* hook) { before_replies_ = hook; }
  // The requests of a turn are going to execute.
  void begin_turn() { settles_each_ = gate_.active(); }
  // A command is going to execute.
  void begin() {
    if (!gate_.active()) [[likely]]
      return;
    // What expired or was evicted since the last command; the entry of a suspended script goes on.
    if (!effects_.in_group()) gate_.entry_ended(effects_.data_end());
    need_ = 0;
  }
  // A handler has run with these arguments in this database; before it, the effects ended at
  // `effects_before`.
  void note_call(const CommandEntry& entry, std::span<const std::string_view> args, int db,
                 uint64_t effects_before) {
    if (gate_.active()) [[unlikely]]
      note_need(entry, args, db, effects_before);
  }
  // The reply of the command is in the session's output: it goes to be sent, or waits.
  void end(Session& session) {
    if (gate_.active()) [[unlikely]]
      settle(session, need_, 1);
  }
  // The same for a reply that tells of all that was executed, or of no data.
  void end_of_all(Session& session) {
    if (gate_.active()) settle(session, effects_.data_end(), 1);
  }
  void end_of_nothing(Session& session) {
    if (gate_.active()) settle(session, 0, 1);
  }
  // What the session was answered in this turn leaves, as far as it may. What is still in its
  // output are messages, which depend on all that was executed.
  void flush(Session& session);

 private:
  void note_need(const CommandEntry& entry, std::span<const std::string_view> args, int db,
                 uint64_t effects_before);
  void settle(Session& session, uint64_t need, size_t replies);

  EffectLog& effects_;
  ReplyGate& gate_;
  Keyspace& keys_;
  Clients& clients_;
  size_t unsettled_replies(const Session& session) const;

  TurnHook* before_replies_ = nullptr;
  bool settles_each_ = false;     // in this turn each reply has been settled when it was written
  std::vector<int> key_indexes_;  // memory for those of a call
  uint64_t need_ = 0;             // of the command that is being executed, while the gate is active
};

}  // namespace redoubt
