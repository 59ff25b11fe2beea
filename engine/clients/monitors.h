// Monitors: the sessions that are shown the commands of all others (MONITOR).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "engine/command/command_table.h"

namespace redoubt {

class Clients;
class Session;

class Monitors {
 public:
  explicit Monitors(Clients& clients) : clients_(clients) {}
  Monitors(const Monitors&) = delete;
  Monitors& operator=(const Monitors&) = delete;

  size_t size() const { return sessions_.size() - gaps_; }
  void start(Session& session);
  void stop(Session& session);
  // Shows a command. `source` stands in place of the session's address. The lines are replies: they
  // leave at the end of the turn.
  void feed(const Session& session, const CommandEntry& entry,
            std::span<const std::string_view> args, std::string_view source = {});
  // The same for EVAL and the like, before the commands that the script calls.
  void feed_script(const Session& session, const CommandEntry& entry,
                   std::span<const std::string_view> args) {
    if (size() > 0) show(session, entry, args, {});
  }
  // The end of the turn: sends the lines.
  void flush() {
    if (!sessions_.empty()) flush_all();
  }
  // Forgets those that have stopped, which may be freed after that.
  void purge();

 private:
  void show(const Session& session, const CommandEntry& entry,
            std::span<const std::string_view> args, std::string_view source);
  void flush_all();

  Clients& clients_;
  std::vector<Session*> sessions_;
  size_t gaps_ = 0;  // of them, those that have stopped since the last purge
};

}  // namespace redoubt
