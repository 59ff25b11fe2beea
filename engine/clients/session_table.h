// SessionTable: all sessions of a node, in the order of their ids and by id.
//
// A session is in the table from its beginning until it is freed, so also while it is closed and
// waits for its last operation.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/clients/session.h"
#include "engine/clients/session_index.h"

namespace redoubt {

class SessionTable {
 public:
  SessionTable() = default;
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  // The session with the smallest id; Session::next leads to the others. Null: none.
  Session* first() const { return first_; }
  // Clients that are connected; sessions of the process itself do not count.
  size_t count() const { return count_ - local_count_; }
  // Null: no session has this id, or it is closed.
  Session* find(uint64_t id) const {
    Session* session = by_id_.find(id);
    return session == nullptr || session->has(kSessionClosing) ? nullptr : session;
  }
  // The session with the next larger id; null behind the last.
  Session* next_after(uint64_t id) const { return by_id_.next_after(id); }
  bool any_connected() const { return count() > 0; }

  // An id for a new session, larger than all before.
  uint64_t take_id() { return next_id_++; }
  // The table does not own the session. Its id and flags are set.
  void add(Session& session);
  // The caller frees the session next.
  void remove(Session& session);

  // Asserts that list, index and counts agree. Walks over all.
  void check_invariants() const;

 private:
  Session* first_ = nullptr;
  Session* last_ = nullptr;
  size_t count_ = 0;
  size_t local_count_ = 0;
  SessionIndex by_id_;
  uint64_t next_id_ = 1;
};

}  // namespace redoubt
