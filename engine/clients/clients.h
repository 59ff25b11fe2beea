// Clients: all sessions of a node, from accept to the last byte.
//
// A session is in the table until it is freed. Closing has two steps. close() ends the connection
// and removes the session from all other lists; from then on SessionTable::find() does not find it.
// The session is freed at the end of a turn when its last operation has come back, because until
// then the batch and others may point to it. The session that executes a command is never closed
// under itself: close() dooms it, and the end of the turn closes it.
//
// Connections come from the acceptor; their bytes go through SessionIo.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/clients/acceptor.h"
#include "engine/clients/limits.h"
#include "engine/clients/links.h"
#include "engine/clients/messages.h"
#include "engine/clients/monitors.h"
#include "engine/clients/pubsub.h"
#include "engine/clients/request_sink.h"
#include "engine/clients/session.h"
#include "engine/clients/session_io.h"
#include "engine/clients/session_table.h"
#include "engine/clients/tracking.h"
#include "engine/insight/logger.h"
#include "engine/insight/stats.h"
#include "net/connection.h"
#include "net/env.h"

namespace redoubt {

class Clients final {
 public:
  // All of these outlive it.
  Clients(Env& env, const Settings& settings, Stats& stats, const Logger& logger,
          RequestSink& sink);
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;
  // Frees all sessions. The world ends, or has forgotten operations that were in flight.
  ~Clients();

  Env& env() { return env_; }
  const Settings& settings() const { return settings_; }
  Stats& stats() { return stats_; }
  const Logger& logger() const { return logger_; }
  RequestSink& sink() { return sink_; }
  PubSub& pubsub() { return pubsub_; }
  Tracking& tracking() { return tracking_; }
  Monitors& monitors() { return monitors_; }
  Messages& messages() { return messages_; }
  ClientLimits& limits() { return limits_; }
  const ClientLimits& limits() const { return limits_; }
  Acceptor& acceptor() { return acceptor_; }
  const Acceptor& acceptor() const { return acceptor_; }
  SessionIo& io() { return io_; }
  SessionTable& sessions() { return sessions_; }
  LinkTable& links() { return links_; }
  const SessionTable& sessions() const { return sessions_; }
  OutputPool& outputs() { return pool_.outputs(); }
  SendPool& send_pool() { return pool_; }
  // Of sessions without a connection.
  const Address& no_address() const { return no_address_; }

  // --- sessions

  // Closes the connection: after its output has left, or at once. At once means at the end of the
  // turn for a session that executes.
  void close(Session& session, bool after_output);
  // Closes it at the end of the turn: for callers that walk lists which contain it.
  void doom(Session& session);
  // Closes the session without its connection, which gets another user. The session's replies are
  // in front of the connection's queue. The new user calls set_user() and, when this turn is over,
  // release_chunk(). Null, and nothing happens, while replies are held.
  std::unique_ptr<Connection> detach(Session& session);

  // A session for a stream that was accepted.
  Session& add_connection(Handle stream, Address peer);
  // A session of the process itself, for tests, scripts and replay.
  Session& make_local();
  void drop_local(Session& session);

  // The session that executes a command; null outside of commands.
  Session* current() const { return current_; }
  void set_current(Session* session) { current_ = session; }

  // --- turns

  // All requests of the turn are executed: collected messages are written, the doomed are closed.
  void end_messages() {
    if (tracking_.broadcast_due() || !doomed_.empty()) [[unlikely]]
      write_messages();
  }
  // Their replies are sent: messages follow, and limits are kept.
  void end_turn() {
    monitors_.flush();
    limits_.evict();
    messages_.flush();
  }
  // The batch is empty: parses the requests that were held back, and frees closed sessions whose
  // operations have come back. Nothing points to them any more.
  void free_retired() {
    io_.take_held_back();
    if (!retiring_.empty()) free_all_retired();
  }
  // Ten times a second.
  void cron();

  // Bytes that clients, their subscriptions and receive buffers take, as counted.
  size_t memory_bytes() const;
  // Of them, those that maxmemory does not count: replies on their way, and receive buffers.
  size_t memory_not_evictable() const { return limits_.output_bytes() + receive_buffer_bytes_; }
  // The sums agree with the sessions. Walks over all.
  void check_invariants() const;

 private:
  friend class Session;

  Session& add(uint32_t flags);
  void close_now(Session& session);
  void end(Session& session);
  void retire(Session& session);
  void free(Session& session);
  void free_all_retired();
  void write_messages();

  Env& env_;
  const Settings& settings_;
  Stats& stats_;
  const Logger& logger_;
  RequestSink& sink_;
  SendPool pool_;
  const Address no_address_;
  Acceptor acceptor_;
  ClientLimits limits_{*this};
  SessionIo io_;
  SessionTable sessions_;
  LinkTable links_;
  PubSub pubsub_{*this};
  Tracking tracking_{*this};
  Monitors monitors_{*this};
  Messages messages_{*this};

  size_t receive_buffer_bytes_ = 0;  // of the world, as of the last cron

  Session* current_ = nullptr;
  std::vector<Session*> doomed_;    // to be closed at the end of the turn
  std::vector<Session*> retiring_;  // closed, without operations in flight
};

}  // namespace redoubt
