// Messages: output that is no reply to a request (pub/sub, invalidations).
//
// A message is written behind earlier output of the session, and passes the gate like a reply. A
// session that executes a command gets it behind the reply of that command.
#pragma once

#include <string_view>
#include <vector>

#include "net/output.h"
#include "net/timer.h"

namespace redoubt {

class Clients;
class Session;

class Messages {
 public:
  explicit Messages(Clients& clients);
  Messages(const Messages&) = delete;
  Messages& operator=(const Messages&) = delete;
  ~Messages();

  // Sends an encoded message. A session that is too slow for it is closed at the end of the turn.
  void push(Session& session, std::string_view message);
  // The output for such a message.
  Output& output_of(Session& session);

  // Some wait for the end of the command that is executed.
  bool any_late() const { return any_late_; }
  // The command has ended: messages to its session follow the reply. `last`: it was the outermost.
  void release_late(Session& session, bool last);
  // The end of the turn: sends messages that were pushed.
  void flush() {
    if (!pushed_.empty()) flush_pushed();
  }

 private:
  void flush_pushed();

  Clients& clients_;
  bool any_late_ = false;
  std::vector<Session*> pushed_;  // sessions with messages to send
  Timer timer_;
};

}  // namespace redoubt
