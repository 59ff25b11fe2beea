#include "engine/clients/session_table.h"

#include "net/assert.h"

namespace redoubt {

void SessionTable::add(Session& session) {
  ASSERT(session.previous == nullptr && session.next == nullptr);
  session.previous = last_;
  (last_ == nullptr ? first_ : last_->next) = &session;
  last_ = &session;
  ++count_;
  if (session.has(kSessionLocal)) ++local_count_;
  by_id_.add(session.id, &session);
}

void SessionTable::remove(Session& session) {
  ASSERT(count_ > 0);
  (session.previous == nullptr ? first_ : session.previous->next) = session.next;
  (session.next == nullptr ? last_ : session.next->previous) = session.previous;
  --count_;
  if (session.has(kSessionLocal)) --local_count_;
  by_id_.remove(session.id);
}

void SessionTable::check_invariants() const {
  size_t count = 0;
  size_t local = 0;
  const Session* before = nullptr;
  for (const Session* session = first_; session != nullptr; session = session->next) {
    ASSERT(session->previous == before && by_id_.find(session->id) == session);
    ASSERT(before == nullptr || before->id < session->id);
    ++count;
    local += session->has(kSessionLocal) ? 1 : 0;
    before = session;
  }
  ASSERT(before == last_ && count == count_ && local == local_count_ && by_id_.size() == count);
}

}  // namespace redoubt
