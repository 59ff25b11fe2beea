// Session: one client of a node. Its connection carries bytes; the session has the requests, the
// replies, and the settings of the client.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "engine/clients/deferred.h"
#include "engine/clients/owned_request.h"
#include "engine/clients/transaction.h"
#include "engine/clients/wait.h"
#include "engine/effects/reply_gate.h"
#include "engine/keyspace/watched_keys.h"
#include "net/connection.h"
#include "net/output.h"
#include "net/resp/reply_writer.h"
#include "net/resp/request_parser.h"

namespace redoubt {

class Clients;
class Fieldsets;
struct Subscriptions;
struct TrackingState;

// Bits of Session::flags. A session without any takes the short way through dispatch.
enum SessionFlag : uint32_t {
  kSessionUnauthenticated = 1u << 0,
  kSessionCloseAfterReply = 1u << 1,  // nothing more is read; closed when the output is sent
  kSessionClosing = 1u << 2,          // it is closed, and freed when its operations are back
  kSessionReplyOff = 1u << 3,         // CLIENT REPLY OFF
  kSessionReplySkip = 1u << 4,        // the reply of this command is not sent
  kSessionReplySkipNext = 1u << 5,    // CLIENT REPLY SKIP was just executed
  kSessionPaused = 1u << 6,           // has requests that wait
  kSessionNoTouch = 1u << 7,
  kSessionNoEvict = 1u << 8,
  kSessionLocal = 1u << 9,        // made by the process itself, without a connection
  kSessionWaiting = 1u << 10,     // a command waits for the world; requests behind it are stored
  kSessionBlocked = 1u << 11,     // with kSessionWaiting: that command waits for keys
  kSessionSubscribed = 1u << 12,  // has subscriptions
  kSessionTracking = 1u << 13,    // CLIENT TRACKING is on
  kSessionDoomed = 1u << 14,      // is closed at the end of the turn
  kSessionMulti = 1u << 15,       // between MULTI and EXEC
  kSessionMonitor = 1u << 16,     // is shown the commands of all others
  kSessionMalformed = 1u << 17,   // behind the requests that wait comes one that is malformed
  kSessionHeldBack = 1u << 18,    // its parser holds requests back until the batch is executed
  kSessionSuspended = 1u << 19,   // a command of it goes on in later turns: it is not closed
};

// No request of such a session is executed any more.
inline constexpr uint32_t kSessionEnding =
    kSessionCloseAfterReply | kSessionClosing | kSessionDoomed;

// The library of a client, as the client names it.
struct ClientLibrary {
  std::string name;
  std::string version;
};

// The only user, as long as there are no others to define.
inline constexpr std::string_view kDefaultUser = "default";

// The identity of a client, as the client gives it.
struct ClientIdentity {
  std::string name;                        // CLIENT SETNAME
  std::unique_ptr<ClientLibrary> library;  // null: CLIENT SETINFO has not been used
  std::string_view user = kDefaultUser;

  std::string_view library_name() const { return library ? library->name : std::string_view(); }
  std::string_view library_version() const {
    return library ? library->version : std::string_view();
  }
};

// Counts of a connection's traffic.
struct ClientTraffic {
  Instant connected;
  Instant last_request;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t commands = 0;
};

// The memory of a session, as part of the sums of ClientLimits.
struct ClientMemory {
  size_t bytes = 0;
  size_t output_bytes = 0;  // of which replies
  size_t before_reset = 0;  // replies that waited when RESET took its authentication away
  Instant above_soft_limit = Instant::never();  // since when its output has been that
};

class Session final : public ConnectionUser, public ReplyHolder {
 public:
  // Made and freed by Clients.
  Session(Clients& owner, uint64_t session_id, OutputPool& pool);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() override;

  Clients& clients;
  const uint64_t id;
  std::unique_ptr<Connection> connection;  // null: of the process itself
  ClientIdentity identity;
  const char* last_command = "NULL";  // full name, which the command table keeps

  uint32_t flags = 0;
  int db = 0;
  Protocol protocol = Protocol::resp2;
  RollbackChoice rollback = RollbackChoice::inherit;
  bool executing = false;  // a command of it is being executed
  bool queued = false;     // on the list of those with messages to send
  bool retiring = false;   // closed, on the list of those to free
  ClientTraffic traffic;

  RequestParser parser;
  uint64_t written_offset = 0;  // of the effect log, behind its last write; 0: it has not written
  Output output;                // replies that wait for the end of the turn
  std::unique_ptr<Output> pushes;     // messages for behind the reply of this command
  std::unique_ptr<HeldReplies> held;  // replies that wait for the gate
  std::unique_ptr<std::deque<OwnedRequest>> stored;  // requests that wait for the end of a pause
  size_t stored_bytes = 0;                           // of them
  std::unique_ptr<Wait> wait;                        // with kSessionBlocked
  std::unique_ptr<DeferredReplies> deferred;         // replies that come later
  std::unique_ptr<Transaction> transaction;          // with kSessionMulti
  std::unique_ptr<Watches> watches;                  // null: none
  std::unique_ptr<Fieldsets> fieldsets;              // HIMPORT; null: none
  std::unique_ptr<Subscriptions> subscriptions;      // null: none
  std::unique_ptr<TrackingState> tracking;           // null: off

  ClientMemory memory;
  Instant last_push;  // when messages were sent last

  // The list of all sessions, in the order of their ids.
  Session* previous = nullptr;
  Session* next = nullptr;

  bool has(uint32_t flag) const { return (flags & flag) != 0; }
  void set(uint32_t flag) { flags |= flag; }
  void clear(uint32_t flag) { flags &= ~flag; }
  bool authenticated() const { return !has(kSessionUnauthenticated); }
  // A watched key was touched: EXEC will fail.
  bool watch_failed() const { return watches != nullptr && watches->failed; }
  // The client's address and ours; empty without a connection.
  const Address& peer() const;
  Address local() const;
  // Bytes of replies that have not left, as client-output-buffer-limit counts them.
  size_t output_bytes() const;
  // Bytes that this session takes, as counted.
  size_t memory_bytes() const;

 private:
  void on_bytes(std::span<const char> bytes) override;
  void on_direct(size_t bytes) override;
  void on_sent(size_t bytes) override;
  void on_end(Error error) override;
  void on_quiet() override;
  void on_replies_ready(HeldReplies& ready) override;
  void on_replies_failed(size_t behind, size_t size, std::string_view replaced) override;
};

}  // namespace redoubt
