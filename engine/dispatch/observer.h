// NodeObserver: sees what a node executes, for the simulator's checkers.
#pragma once

#include <span>
#include <string_view>

#include "engine/keyspace/key_listener.h"
#include "net/time.h"

namespace redoubt {

class Session;

// Sees everything that a node does to its data, in order: the simulator's checkers.
class NodeObserver : public KeyListener {
 public:
  virtual ~NodeObserver() = default;
  // A command was executed; `reply` are the bytes that it wrote (empty after CLIENT REPLY OFF).
  virtual void on_command(const Session& session, int db_before,
                          std::span<const std::string_view> args, WallTime wall,
                          std::string_view reply) = 0;
  // A command of a transaction was executed, within EXEC, of which on_command() tells last. With
  // rollback, what expires meanwhile is told behind all of them, or never.
  virtual void on_queued_command(const Session& session, std::span<const std::string_view> args,
                                 std::string_view reply) {
    static_cast<void>(session);
    static_cast<void>(args);
    static_cast<void>(reply);
  }
  // The data is that of another place of the primary's stream: an entry was applied and is in the
  // log, or a snapshot is loaded.
  virtual void on_stream_position() {}
  // A command found nothing to do, and its session waits. on_command() tells when it is through.
  virtual void on_wait(const Session& session, std::span<const std::string_view> args) {
    static_cast<void>(session);
    static_cast<void>(args);
  }
  // All requests of a turn are executed, and whoever waited for what they did has been served.
  virtual void on_turn_end() {}
  // A message was written behind what a session was sent before: pub/sub, invalidations.
  virtual void on_push(const Session& session, std::string_view message) {
    static_cast<void>(session);
    static_cast<void>(message);
  }
  // What was written for a session and has not left has become errors, because it could not be
  // kept: `size` bytes, which end `behind` bytes before the end.
  virtual void on_replies_failed(const Session& session, size_t behind, size_t size,
                                 std::string_view replaced) {
    static_cast<void>(session);
    static_cast<void>(behind);
    static_cast<void>(size);
    static_cast<void>(replaced);
  }
  // The connection is gone; its number is never used again.
  virtual void on_session_closed(const Session& session) = 0;
};

}  // namespace redoubt
