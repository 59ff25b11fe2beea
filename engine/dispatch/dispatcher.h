// Dispatcher: from what clients send to what they are answered.
//
// A turn: received bytes are parsed into one batch of requests of all connections; at its end they
// execute one after another, and then the replies of each connection leave in one send. A request
// of a client without flags, for a command that no alert concerns (admission.h), goes straight to
// its handler.
//
// The rest of the room: Batch finds commands, Admission lets them in, Caller calls handlers,
// CallTiming notes what they took, ReplyPath sends what they wrote; Transactions, BlockedClients,
// Pause and StoredRequests are for requests that do not execute where they stand.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clients/request_sink.h"
#include "engine/dispatch/admission.h"
#include "engine/dispatch/batch.h"
#include "engine/dispatch/blocked_clients.h"
#include "engine/dispatch/call_timing.h"
#include "engine/dispatch/caller.h"
#include "engine/dispatch/observer.h"
#include "engine/dispatch/pause.h"
#include "engine/dispatch/reply_path.h"
#include "engine/dispatch/services.h"
#include "engine/dispatch/stored_requests.h"
#include "engine/dispatch/suspension.h"
#include "engine/dispatch/transactions.h"

namespace redoubt {

class Dispatcher final : private RequestSink {
 public:
  // What the services refer to outlives it.
  explicit Dispatcher(const Services& services);
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;
  ~Dispatcher();

  // What clients ask goes here.
  RequestSink& sink() { return *this; }

  Admission& admission() { return admission_; }
  Caller& caller() { return caller_; }
  ReplyPath& replies() { return replies_; }
  Transactions& transactions() { return transactions_; }
  const Transactions& transactions() const { return transactions_; }
  BlockedClients& blocked() { return blocked_; }
  const BlockedClients& blocked() const { return blocked_; }
  Pause& pause() { return pause_; }
  const Pause& pause() const { return pause_; }
  StoredRequests& stored() { return stored_; }
  Suspension& suspension() { return suspension_; }
  const Suspension& suspension() const { return suspension_; }

  // Null: nobody looks on.
  NodeObserver* observer() const { return observer_; }
  void set_observer(NodeObserver* observer);
  // Requested when sessions have been freed; null: nobody wants to know.
  void set_freed_hook(TurnHook* hook) { freed_hook_ = hook; }

  // Executes one command of a session of the process itself, and returns the reply's bytes.
  std::string execute(Session& session, std::span<const std::string_view> args);
  // Executes a request that was stored.
  void execute_stored(Planned& planned, std::span<const std::string_view> args);
  // False within EXEC and scripts, and for a session of the process itself.
  bool may_block(const Session& session) const {
    return !transactions_.running() && !session.has(kSessionLocal);
  }
  // The reply that a handler has deferred (Context::defer) is there: OK, or an error. The client
  // may be gone.
  // `tells_of_data`: it waits until all that was executed is kept.
  void finish_deferred(const DeferredReply& reply, std::string_view error,
                       bool tells_of_data = false);
  // The same for one that stands in its slot already.
  void end_deferred(const DeferredReply& reply, bool tells_of_data);

  // The reply to a command is whole: CLIENT REPLY may drop it (`silent`: it was off before the
  // command), and the observer is told. It begins at `before` in the output.
  void end_command(Session& session, const CommandEntry* entry, int db_before,
                   std::span<const std::string_view> args, size_t before, bool silent);
  // Replies with the error of the session's parser, and closes the connection.
  void refuse_malformed(Session& session);
  // The session has something to send at the end of the turn, or is to be read again.
  void touch(Session& session);
  // There is something to do at the end of the turn.
  void request_turn() override;

 private:
  void take(Session& session, std::span<const char> bytes) override;
  void on_output(Session& session) override;
  void send_replies(Session& session) override { replies_.flush(session); }
  void on_ending(Session& session) override { blocked_.forget(session); }
  void on_closed(Session& session) override;
  void on_freed() override;
  void on_push(const Session& session, std::string_view message) override;
  void on_replies_failed(const Session& session, size_t behind, size_t size,
                         std::string_view replaced) override;
  void on_tracking_changed() override;

  void run_turn();
  void execute_batch();
  void end_turn();
  void execute_planned(Planned& planned);
  void execute_checked(Planned& planned, std::span<const std::string_view> args);
  void end_call(const Planned& planned, int db_before, std::span<const std::string_view> args,
                size_t before, bool silent);
  bool end_reply(Session& session, const CommandEntry* entry, bool silent);

  const Services& services_;
  Env& env_;
  Keyspace& keys_;
  Clients& clients_;
  TurnHook turn_;
  Batch batch_;
  CallTiming timing_;
  ReplyPath replies_;
  Caller caller_;
  Admission admission_;
  Transactions transactions_;
  BlockedClients blocked_;
  Pause pause_;
  StoredRequests stored_;
  Suspension suspension_;
  std::vector<Session*> ready_;  // sessions with requests in the batch, or with replies to send
  bool in_turn_ = false;
  NodeObserver* observer_ = nullptr;
  TurnHook* freed_hook_ = nullptr;
};

}  // namespace redoubt
