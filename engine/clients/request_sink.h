// RequestSink: the receiver of requests of clients. The rooms above implement it.
#pragma once

#include <span>
#include <string_view>

#include "engine/config/settings.h"

namespace redoubt {

class Session;

class RequestSink {
 public:
  // The session has sent these bytes. They stay until the end of the turn.
  virtual void take(Session& session, std::span<const char> bytes) = 0;
  // The session's replies are to be sent at the end of this turn.
  virtual void on_output(Session& session) = 0;
  // The session's replies are to be sent now, as far as they may.
  virtual void send_replies(Session& session) = 0;
  // Something is to be done at the end of this turn.
  virtual void request_turn() = 0;
  // Nothing more of the session is executed. If a command of it waits, that is over.
  virtual void on_ending(Session& session) = 0;
  // The connection has ended: the rooms above forget the session. The session itself stays until
  // the end of the turn, or longer.
  virtual void on_closed(Session& session) = 0;
  // Sessions have been freed.
  virtual void on_freed() = 0;
  // A message was written behind earlier output of the session.
  virtual void on_push(const Session& session, std::string_view message) = 0;
  // Of the replies that wait to leave, `size` bytes, which end `behind` bytes before the end, have
  // become errors.
  virtual void on_replies_failed(const Session& session, size_t behind, size_t size,
                                 std::string_view replaced) = 0;
  // Some client may have begun to track keys, or the last one may have stopped.
  virtual void on_tracking_changed() = 0;

 protected:
  ~RequestSink() = default;
};

}  // namespace redoubt
