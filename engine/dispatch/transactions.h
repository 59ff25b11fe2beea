// Transactions: MULTI, EXEC, DISCARD and WATCH (transaction.h says what a session keeps).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "engine/clients/session.h"
#include "engine/command/command_table.h"
#include "engine/dispatch/context.h"
#include "engine/dispatch/services.h"

namespace redoubt {

class Transactions {
 public:
  explicit Transactions(const Services& services) : services_(services) {}
  Transactions(const Transactions&) = delete;
  Transactions& operator=(const Transactions&) = delete;

  void begin(Session& session);
  // MULTI's commands are forgotten, and what is watched too.
  void discard(Session& session);
  // Queues a command and says so, or rejects it.
  void queue(Session& session, CommandEntry& entry, std::span<const std::string_view> args);
  // EXEC: runs what was queued and writes the reply. Only after begin().
  void execute(Context& c);
  // One of the commands of the session's EXEC is suspended.
  bool is_suspended(const Session& session) const {
    return session.transaction != nullptr && session.transaction->suspended;
  }
  // It has ended, with this reply: the commands behind it run.
  void go_on(Session& session, std::string_view reply);
  // EXEC runs: nobody else is served, and no command waits.
  bool running() const { return depth_ > 0; }

  // A command is refused with this error: the transaction that it was for will fail, and EXEC
  // itself discards it. `entry` is null for an unknown command.
  void reject(Session& session, CommandEntry* entry, std::string_view text);

  void watch(Session& session, std::string_view key);
  void unwatch(Session& session);
  // The session is closed.
  void forget(Session& session);

  // Whether a rollback could undo the command: not changes of all data or of the server, nor what
  // reaches others.
  static bool can_be_undone(const CommandEntry& entry);
  // Copies what the command may write, for the rollback that goes on. False: a value takes more
  // than `effort_max` elements (Rollback::keep), and was not copied.
  bool keep_written(const Command& row, int db, std::span<const std::string_view> args,
                    size_t effort_max);

 private:
  struct FailedCommand {
    size_t index;
    size_t reply_at;  // where its reply begins in the output
  };

  std::optional<FailedCommand> run_queued(Session& session);
  void run_or_undo(Context& c);

  const Services& services_;
  int depth_ = 0;
};

}  // namespace redoubt
