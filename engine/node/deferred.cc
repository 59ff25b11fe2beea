#include "engine/node/deferred.h"

#include "engine/node/context.h"
#include "engine/node/node_state.h"

namespace redoubt {

uint32_t DeferredReplies::defer(Output& output) {
  Piece& piece = pieces_.emplace_back(pool_);
  output.move_to(piece.before);
  ++open_;
  return static_cast<uint32_t>(pieces_.size() - 1);
}

bool DeferredReplies::close_slot(uint32_t number) {
  ASSERT(number < pieces_.size() && pieces_[number].open && open_ > 0);
  pieces_[number].open = false;
  return --open_ == 0;
}

void DeferredReplies::assemble(Output& output) {
  ASSERT(open_ == 0);
  Output behind(pool_);
  output.move_to(behind);
  for (Piece& piece : pieces_) {
    piece.before.move_to(output);
    piece.reply.move_to(output);
  }
  behind.move_to(output);
  pieces_.clear();
}

size_t DeferredReplies::memory_bytes() const {
  size_t bytes = sizeof *this + pieces_.size() * sizeof(Piece);
  for (const Piece& piece : pieces_) {
    bytes += piece.before.memory_bytes() + piece.reply.memory_bytes();
  }
  return bytes;
}

// --- the node's part

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
  Session* session = find_session(reply.session_id);
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
