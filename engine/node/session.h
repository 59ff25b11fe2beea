// Session: one client connection, as the node sees it. The world's part is behind its handle.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clients/owned_request.h"
#include "engine/node/blocking.h"
#include "engine/node/transaction.h"
#include "engine/node/watched_keys.h"
#include "net/env.h"
#include "net/output.h"
#include "net/resp/reply_writer.h"
#include "net/resp/request_parser.h"

namespace redoubt {

class Fieldsets;
class Node;
struct Sender;
struct Subscriptions;
struct TrackingState;

// Bits of Session::flags. A session without any takes the short way through dispatch.
enum SessionFlag : uint32_t {
  kSessionUnauthenticated = 1u << 0,
  kSessionCloseAfterReply = 1u << 1,  // nothing more is read; closed when the output is sent
  kSessionClosing = 1u << 2,          // the handle is closed; waits for its operations to come back
  kSessionReplyOff = 1u << 3,         // CLIENT REPLY OFF
  kSessionReplySkip = 1u << 4,        // the reply of this command is not sent
  kSessionReplySkipNext = 1u << 5,    // CLIENT REPLY SKIP was just executed
  kSessionPaused = 1u << 6,           // has requests that wait: for CLIENT UNPAUSE, or behind one
  kSessionNoTouch = 1u << 7,
  kSessionNoEvict = 1u << 8,
  kSessionLocal = 1u << 9,     // made by the process itself, without a connection
  kSessionMonitor = 1u << 24,  // is shown the commands of all others
  kSessionWaiting = 1u << 10,  // a command of it waits for the world; requests behind it are stored
  kSessionBlocked = 1u << 11,  // with kSessionWaiting: that command waits for keys
  kSessionSubscribed = 1u << 12,   // has subscriptions
  kSessionTracking = 1u << 13,     // CLIENT TRACKING is on
  kSessionDoomed = 1u << 14,       // closed at the end of the turn: it reads too slowly
  kSessionMulti = 1u << 15,        // between MULTI and EXEC
  kSessionWatchFailed = 1u << 16,  // a watched key was touched: EXEC will fail
};

// Replies that may leave when the stream of effects is durable up to an offset.
struct HeldReplies {
  HeldReplies(uint64_t needed, OutputPool& pool) : offset(needed), bytes(pool) {}
  uint64_t offset;
  Output bytes;
};

// What a client says of its library.
struct ClientLibrary {
  std::string name;
  std::string version;
};

class Session {
 public:
  Session(Node& owner, uint64_t session_id, OutputPool& pool);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  Node& node;
  const uint64_t id;
  Handle handle;
  Address peer;
  Address local;
  std::string name;                        // CLIENT SETNAME
  std::unique_ptr<ClientLibrary> library;  // null: CLIENT SETINFO has not been used
  std::string user = "default";
  const char* last_command = "NULL";  // full name, which the command table keeps

  uint32_t flags = 0;
  int db = 0;
  Protocol protocol = Protocol::resp2;
  Instant created;
  Instant last_interaction;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t commands = 0;

  RequestParser parser;
  Output output;                                     // replies that wait for the end of the turn
  Output sendable;                                   // replies that wait for the send in flight
  std::unique_ptr<std::deque<HeldReplies>> held;     // replies that wait for the gate
  std::unique_ptr<std::deque<OwnedRequest>> stored;  // requests that wait for the end of a pause
  size_t stored_bytes = 0;                           // of them
  std::unique_ptr<Wait> wait;                        // with kSessionBlocked
  std::unique_ptr<Transaction> transaction;          // with kSessionMulti
  std::unique_ptr<Watches> watches;                  // null: none
  std::unique_ptr<Fieldsets> fieldsets;              // HIMPORT; null: none
  Chunk chunk;                                       // what the requests of this turn point into
  Op receive;
  Sender* sender = nullptr;                      // the send in flight
  std::unique_ptr<Subscriptions> subscriptions;  // null: none
  std::unique_ptr<TrackingState> tracking;       // null: off
  std::unique_ptr<Output> pushes;                // messages for behind the reply of this command
  size_t counted_memory = 0;                     // what it takes, as part of the node's sum
  size_t counted_output = 0;                     // of which replies
  Instant last_push;                             // when messages were sent last
  Instant soft_limit_since = Instant::never();   // output above the soft limit since

  RollbackChoice rollback = RollbackChoice::inherit;
  bool executing = false;  // a command of it is being executed
  bool queued = false;     // on the list of those with messages to send
  bool retiring = false;   // closed, on the list of those to free

  // The list of all sessions, in the order of their ids.
  Session* previous = nullptr;
  Session* next = nullptr;

  bool has(uint32_t flag) const { return (flags & flag) != 0; }
  std::string_view library_name() const { return library ? library->name : std::string_view(); }
  std::string_view library_version() const {
    return library ? library->version : std::string_view();
  }
  bool authenticated() const { return !has(kSessionUnauthenticated); }
  // Bytes of replies that have not left, as client-output-buffer-limit counts them.
  size_t output_bytes() const;
  // Bytes that this session takes, as counted.
  size_t memory_bytes() const;
};

}  // namespace redoubt
