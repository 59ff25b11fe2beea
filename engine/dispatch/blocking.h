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
#include <vector>

#include "engine/clients/wait.h"
#include "engine/keyspace/key_listener.h"
#include "net/env.h"
#include "net/resp/reply_writer.h"

namespace redoubt {

// What a command that waited in vain replies.
void write_block_reply(ReplyWriter& reply, BlockReply what, BlockNumbers numbers = {});

class Blocking final : public KeyListener {
 public:
  struct ReadyKey {
    int db;
    std::string key;
  };

  // `serve` is requested when a key that somebody waits for has become ready.
  Blocking(Env& env, TurnHook& serve) : env_(env), serve_(serve) {}
  Blocking(const Blocking&) = delete;
  Blocking& operator=(const Blocking&) = delete;

  // Nobody waits for anything.
  bool idle() const { return places_.empty(); }

  // Gives a new Wait its places. Its request, mode, and deadline are set.
  void add(Wait& wait, int db, const BlockRequest& request);
  void remove(Wait& wait);

  // A key changed: it is ready if somebody waits for it.
  void on_key_changed(int db, std::string_view key) override;
  // The same for all keys of a database.
  void on_database_changed(int db) override;

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
  void mark(std::set<WaitPlace>::iterator first);

  Env& env_;
  TurnHook& serve_;
  std::set<WaitPlace> places_;
  std::deque<ReadyKey> ready_;
  uint64_t next_ticket_ = 1;
  size_t keys_ = 0;
  size_t sessions_ = 0;
  size_t sessions_with_deadline_ = 0;
  size_t sessions_while_key_exists_ = 0;
};

}  // namespace redoubt
