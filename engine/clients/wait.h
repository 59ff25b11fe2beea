// Wait: a session that waits for keys, and its condition. The table of all waits is in
// engine/dispatch/blocking.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>

#include "engine/clients/owned_request.h"
#include "engine/command/command_table.h"
#include "engine/store/entry.h"
#include "net/timer.h"

namespace redoubt {

class BlockedClients;
class Session;
struct Wait;

// The reply of a command that waited in vain. move: a null array, but null where it may not wait.
// number: of WAIT; two_numbers: of WAITAOF.
enum class BlockReply : uint8_t { null, null_array, move, number, two_numbers };
struct BlockNumbers {
  int64_t first = 0;
  int64_t second = 0;
};

// until_served: while a key does not exist, or has another type, the command waits on.
// while_key_exists: when it is deleted or changes its type, too, the command is executed again.
enum class BlockMode : uint8_t { until_served, while_key_exists };

// The keys, and the time, that a command waits for.
struct BlockRequest {
  std::span<const std::string_view> args;  // of the command
  size_t first = 0;                        // the keys are args[first .. last); there may be none
  size_t last = 0;
  Type type = Type::string;
  BlockMode mode = BlockMode::until_served;
  BlockReply on_timeout = BlockReply::null;
  BlockNumbers numbers{};
  Instant deadline;
  Instant retry = Instant::never();  // when the command is executed again at the latest
};

// One session that waits for one key.
struct WaitPlace {
  int db;
  std::string_view key;  // points into the request of the Wait
  Type type;
  uint64_t ticket;
  Wait* wait;
  // On the first place of a key: the key is on the list of those that are ready.
  mutable bool ready = false;

  bool operator<(const WaitPlace& other) const {
    return std::tie(db, key, type, ticket) <
           std::tie(other.db, other.key, other.type, other.ticket);
  }
};

// A session that waits. It belongs to the session.
struct Wait {
  BlockedClients* owner;
  Session* session;
  CommandEntry* command;
  OwnedRequest request;
  Instant deadline;
  Instant retry;
  Timer timer;  // armed for the earlier of the two, when there is one
  std::vector<std::set<WaitPlace>::iterator> places;
  BlockMode mode;
  BlockReply on_timeout;
  BlockNumbers numbers;  // of on_timeout
  bool in_vain = false;  // executed again, and still nothing to do

  size_t memory_bytes() const {
    return sizeof(Wait) + request.memory_bytes() + places.size() * (sizeof(WaitPlace) + 40);
  }
};

}  // namespace redoubt
