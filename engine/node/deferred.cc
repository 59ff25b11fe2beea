#include "engine/clients/deferred.h"

#include "engine/node/context.h"
#include "engine/node/node_state.h"

namespace redoubt {

DeferredReply Context::defer() {
  ASSERT(!deferred_);
  deferred_ = true;
  if (session.deferred == nullptr) {
    session.deferred = std::make_unique<DeferredReplies>(session.output.pool());
  }
  const uint32_t slot = session.deferred->defer(session.output);
  session.flags |= kSessionWaiting;
  return {.session_id = session.id, .slot = slot, .protocol = session.protocol};
}

void Node::finish_deferred(const DeferredReply& reply, std::string_view error) {
  Session* session = clients_.find(reply.session_id);
  if (!error.empty()) count_error(error);
  if (session == nullptr || session->deferred == nullptr) return;
  DeferredReplies& deferred = *session->deferred;
  ReplyWriter writer(deferred.slot(reply.slot), reply.protocol);
  if (error.empty()) {
    writer.ok();
  } else {
    writer.error(error);
  }
  if (!deferred.close_slot(reply.slot)) return;
  deferred.assemble(session->output);
  const DeferredReplies::Request request = std::move(deferred.request);
  session->deferred.reset();
  if (request.silent) session->output.drop_back(session->output.bytes() - request.begin);
  if (observer_ != nullptr && request.args) {
    std::vector<std::string_view> args;
    request.args->views(args);
    observer_->on_command(*session, request.db_before, args, env_.wall(),
                          session->output.copy_from(request.begin));
  }
  if (gate_.active()) settle_reply(*session, effects_.end_offset(), 1);
  session->flags &= ~uint32_t{kSessionWaiting};
  wake(*session);
}

}  // namespace redoubt
