// SessionIo: the bytes of sessions. Requests that a connection receives go to the RequestSink, and
// the output of a session goes to its connection.
//
// A session whose parser has found enough requests for one turn is held back: it receives nothing
// more until the batch has executed.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/clients/limits.h"
#include "engine/clients/request_sink.h"
#include "engine/clients/session.h"
#include "engine/insight/stats.h"
#include "net/env.h"

namespace redoubt {

class SessionIo {
 public:
  // All of these outlive it.
  SessionIo(Env& env, Stats& stats, RequestSink& sink, ClientLimits& limits)
      : env_(env), stats_(stats), sink_(sink), limits_(limits) {}
  SessionIo(const SessionIo&) = delete;
  SessionIo& operator=(const SessionIo&) = delete;

  // Receives more, unless the session has to wait.
  void read(Session& session);
  // The session's requests of this turn have executed: their memory is given back.
  void finish_requests(Session& session);
  // Sends what is in the connection's queue, and ends a connection that was to end after that.
  void flush(Session& session);
  // Sends the session's output. Nothing holds it back.
  void send_output(Session& session);
  // The batch is empty: parses the requests that were held back.
  void take_held_back() {
    if (!held_back_.empty()) take_all_held_back();
  }

  // --- from the session's connection

  // Bytes have arrived; valid until finish_requests().
  void on_bytes(Session& session, std::span<const char> bytes);
  // So many bytes have arrived in the place that the parser gave.
  void on_direct(Session& session, size_t bytes);
  void on_sent(Session& session, size_t bytes);

 private:
  static bool may_read(const Session& session);
  void take_all_held_back();

  Env& env_;
  Stats& stats_;
  RequestSink& sink_;
  ClientLimits& limits_;
  std::vector<Session*> held_back_;
};

}  // namespace redoubt
