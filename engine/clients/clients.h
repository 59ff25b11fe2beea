// Clients: all sessions of a node, from accept to the last byte.
//
// A session is on the list of all and in the index until it is freed. Closing has two steps.
// close() ends the connection and takes the session off whatever it is on; from then on find() does
// not know it. It is freed at the end of a turn when its last operation has come back, because
// until then the batch and others may point to it. The session that executes a command is never
// closed under itself: close() dooms it, and the end of the turn closes it.
//
// What is asked goes to the RequestSink; what is answered leaves through flush().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clients/limits.h"
#include "engine/clients/listen_addresses.h"
#include "engine/clients/listeners.h"
#include "engine/clients/messages.h"
#include "engine/clients/monitors.h"
#include "engine/clients/pubsub.h"
#include "engine/clients/request_sink.h"
#include "engine/clients/session.h"
#include "engine/clients/session_index.h"
#include "engine/clients/tracking.h"
#include "engine/insight/logger.h"
#include "engine/insight/stats.h"
#include "net/connection.h"
#include "net/env.h"

namespace redoubt {

class Clients final : private AcceptHandler, private ListenDoor {
 public:
  // All of these outlive it.
  Clients(Env& env, const Settings& settings, Stats& stats, const Logger& logger,
          RequestSink& sink);
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;
  // Frees all sessions. The world ends, or has forgotten what was in flight.
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
  ListenerSet& listeners() { return listeners_; }
  const ListenerSet& listeners() const { return listeners_; }
  // Listens where the settings say, and nowhere else; makes a session of each stream that is
  // accepted. False: an address could not be had, *why says which and the reason in one line, and
  // clients are accepted where they were before.
  bool listen(std::string* why) { return listen_addresses_.change(settings_, why); }
  bool listens() const { return !listen_addresses_.empty(); }
  OutputPool& outputs() { return pool_.outputs(); }
  // Of sessions without a connection.
  const Address& no_address() const { return no_address_; }

  // --- sessions

  // The list of all, in the order of their ids, with those that are closed and not freed yet.
  Session* first() const { return first_; }
  size_t count() const { return count_; }
  // Null: no session has this number, or it is closed.
  Session* find(uint64_t id) const;
  // The session with the next larger number; null behind the last.
  Session* next_after(uint64_t id) const { return by_id_.next_after(id); }
  // Whether a client is connected; sessions of the process itself do not count.
  bool any_connected() const { return count_ > local_count_; }

  // Closes the connection: after its output has left, or at once. At once means at the end of the
  // turn for a session that executes.
  void close(Session& session, bool after_output);
  // Closes it at the end of the turn: for callers that walk lists which it is on.
  void doom(Session& session);
  // The connection becomes a link of somebody else, and the session is closed without it. What the
  // session was answered is in front of the connection's queue. The new user calls set_user() and,
  // when this turn is over, release_chunk(). Null, and nothing happens, while replies are held.
  std::unique_ptr<Connection> detach(Session& session);

  // A session of the process itself, for tests, scripts and replay.
  Session& make_local();
  void drop_local(Session& session);

  // --- traffic

  // Receives more, unless the session has to wait.
  void read(Session& session);
  // Its requests of this turn are executed: what they pointed to goes back.
  void finish_requests(Session& session);
  // Sends what is in the connection's queue, and ends a connection that was to end after that.
  void flush(Session& session);
  // Sends its output, which needs not wait any longer.
  void send_output(Session& session);
  // It did something in this turn, which is over for it: is counted, if that matters.
  void count_after_turn(Session& session) {
    constexpr size_t kLarge = ClientLimits::kLargeOutput;
    if (session.has(kSessionUnauthenticated) || limits_.counts_each_turn() ||
        (session.connection != nullptr && session.connection->unsent_bytes() > kLarge)) [[unlikely]]
      count_now(session);
  }

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
  // The batch is empty: takes what had to wait for it, and frees closed sessions whose operations
  // have come back. Nobody points to one any more.
  void free_retired() {
    if (!held_back_.empty()) take_held_back();
    if (!retiring_.empty()) free_all_retired();
  }
  // Ten times a second.
  void cron();
  void settings_changed() { limits_.settings_changed(); }

  // Bytes that clients, their subscriptions and receive buffers take, as counted.
  size_t memory_bytes() const;
  // Of them, those that maxmemory does not count: replies on their way, and receive buffers.
  size_t memory_not_evictable() const { return limits_.output_bytes() + receive_buffer_bytes_; }
  // The sums agree with the sessions. Walks over all.
  void check_invariants() const;

 private:
  friend class Session;

  void on_accepted(Handle stream, Address peer) override;
  Expected<Handle> open_listener(const Address& address, uint32_t mode) override;
  void close_listener(Handle handle) override { listeners_.close(handle); }
  Session& add();
  bool refuse(Session& session);
  void on_bytes(Session& session, std::span<const char> bytes);
  void on_direct(Session& session, size_t bytes);
  void on_sent(Session& session, size_t bytes);
  void close_now(Session& session);
  void end(Session& session);
  void retire(Session& session);
  void unlink(Session& session);
  void take_held_back();
  void free_all_retired();
  void write_messages();
  void count_now(Session& session);
  bool may_read(const Session& session) const;

  Env& env_;
  const Settings& settings_;
  Stats& stats_;
  const Logger& logger_;
  RequestSink& sink_;
  SendPool pool_;
  const Address no_address_;
  ListenerSet listeners_;
  ListenAddresses listen_addresses_{*this};
  ClientLimits limits_{*this};
  PubSub pubsub_{*this};
  Tracking tracking_{*this};
  Monitors monitors_{*this};
  Messages messages_{*this};

  Session* first_ = nullptr;
  Session* last_ = nullptr;
  size_t count_ = 0;
  size_t local_count_ = 0;
  SessionIndex by_id_;
  uint64_t next_id_ = 1;
  size_t receive_buffer_bytes_ = 0;  // of the world, as of the last cron

  Session* current_ = nullptr;
  std::vector<Session*> doomed_;     // to be closed at the end of the turn
  std::vector<Session*> retiring_;   // closed ones
  std::vector<Session*> held_back_;  // whose parser holds requests back
};

}  // namespace redoubt
