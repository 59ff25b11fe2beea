#include "engine/dispatch/suspension.h"

#include <utility>

#include "engine/clients/clients.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/effects/effect_log.h"
#include "engine/keyspace/keyspace.h"

namespace redoubt {

void Suspension::begin(Session& session, const DeferredReply& reply, std::string_view busy_error) {
  ASSERT(!active() && session.executing && session.deferred != nullptr);
  session_ = &session;
  reply_ = reply;
  effects_before_ = services_.effects.end_offset();
  session.set(kSessionSuspended);
  services_.effects.open_group();
  services_.keys.set_suspended(true);
  services_.dispatcher.admission().set_busy(busy_error);
}

ReplyWriter Suspension::reply() const {
  ASSERT(active());
  return ReplyWriter(session_->deferred->slot(reply_.slot), reply_.protocol);
}

void Suspension::end() {
  ASSERT(active());
  Session& session = *std::exchange(session_, nullptr);
  const DeferredReply reply = reply_;
  services_.dispatcher.admission().set_busy({});
  services_.keys.set_suspended(false);
  Transactions& transactions = services_.dispatcher.transactions();
  if (transactions.is_suspended(session)) {
    transactions.go_on(session, session.deferred->slot(reply.slot).copy_from(0));
  }
  services_.effects.close_group();
  if (services_.effects.end_offset() != effects_before_) {
    session.written_offset = services_.effects.end_offset();
  }
  if (!active()) session.clear(kSessionSuspended);
  services_.dispatcher.end_deferred(reply, true);
  // Clients that wait for keys, and a client that is gone.
  services_.dispatcher.request_turn();
}

}  // namespace redoubt
