// Blocking: sessions that wait for keys, in order of arrival.
//
// A command that finds nothing to do registers its session here, with its arguments in bytes of its
// own. Whatever changes a key that somebody waits for marks the key as ready; when the command that
// did so is through (or the whole EXEC, or script), ready keys are served in the order in which
// they became so: as long as the key holds a value of the wanted type, the session that waits
// longest executes its whole command again. What that command changes may make more keys ready. A
// command that is executed again in vain keeps its place and its deadline.
//
// The table is one ordered set of (database, key, type, ticket), where tickets count arrivals: the
// sessions that wait for a key are a range of it, and a place in it survives all other changes.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "engine/clients/owned_request.h"
#include "engine/command/command_table.h"
#include "engine/store/entry.h"
#include "net/resp/reply_writer.h"
#include "net/timer.h"

namespace redoubt {

class Session;
struct Wait;

// What a command that waited in vain replies. move: a null array, but null where it may not wait.
// zero: of WAIT; two_zeros: of WAITAOF.
enum class BlockReply : uint8_t { null, null_array, move, zero, two_zeros };

void write_block_reply(ReplyWriter& reply, BlockReply what);

// until_served: while a key does not exist, or has another type, the command waits on.
// while_key_exists: when it is deleted or changes its type, too, the command is executed again.
enum class BlockMode : uint8_t { until_served, while_key_exists };

// What a command waits for.
struct BlockRequest {
  std::span<const std::string_view> args;  // of the command
  size_t first = 0;                        // the keys are args[first .. last); there may be none
  size_t last = 0;
  Type type = Type::string;
  BlockMode mode = BlockMode::until_served;
  BlockReply on_timeout = BlockReply::null;
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
  Session* session;
  CommandEntry* command;
  OwnedRequest request;
  Instant deadline;
  Instant retry;
  Timer timer;  // armed for the earlier of the two, when there is one
  std::vector<std::set<WaitPlace>::iterator> places;
  BlockMode mode;
  BlockReply on_timeout;
  bool in_vain = false;  // executed again, and still nothing to do

  size_t memory_bytes() const {
    return sizeof(Wait) + request.memory_bytes() + places.size() * (sizeof(WaitPlace) + 40);
  }
};

class Blocking {
 public:
  struct ReadyKey {
    int db;
    std::string key;
  };

  // Nobody waits for anything.
  bool idle() const { return places_.empty(); }

  // Gives a new Wait its places. Its request, mode, and deadline are set.
  void add(Wait& wait, int db, const BlockRequest& request);
  void remove(Wait& wait);

  // A key changed: it is ready if somebody waits for it. True when it became so just now.
  bool key_changed(int db, std::string_view key);
  // The same for all keys of a database.
  bool database_changed(int db);

  bool has_ready() const { return !ready_.empty(); }
  ReadyKey take_ready();
  // The session that waits longest for this key and type and came after `ticket`; null when there
  // is none.
  const WaitPlace* next(int db, std::string_view key, Type type, uint64_t ticket) const;
  // The place of this key behind (type, ticket), whatever its type.
  const WaitPlace* next_of_any_type(int db, std::string_view key, Type type, uint64_t ticket) const;

  size_t sessions() const { return sessions_; }
  size_t sessions_with_deadline() const { return sessions_with_deadline_; }
  // Sessions for which a deleted key matters.
  size_t sessions_while_key_exists() const { return sessions_while_key_exists_; }
  // Keys that somebody waits for.
  size_t keys() const { return keys_; }
  // Those of them whose deletion matters to somebody. Walks over all places.
  size_t keys_while_they_exist() const;

 private:
  bool same_key_beside(std::set<WaitPlace>::iterator at) const;
  bool mark(std::set<WaitPlace>::iterator first);

  std::set<WaitPlace> places_;
  std::deque<ReadyKey> ready_;
  uint64_t next_ticket_ = 1;
  size_t keys_ = 0;
  size_t sessions_ = 0;
  size_t sessions_with_deadline_ = 0;
  size_t sessions_while_key_exists_ = 0;
};

}  // namespace redoubt
