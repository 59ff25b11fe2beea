#include "engine/dispatch/context.h"

#include "engine/clients/fieldsets.h"
#include "engine/clients/session.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/dispatch/part.h"

namespace redoubt {

std::unique_ptr<Fieldsets>& Context::fieldsets() const {
  return session.fieldsets;
}

void Context::remove_destination(std::string_view key) {
  if (peek(key) == nullptr) return;
  keys().erase(db_index(), key, hash(key), settings().lazyfree_lazy_server_del);
  modified(key, 'g', "del");
}

void Context::block(Type type, size_t first, size_t last, Instant deadline, BlockReply on_timeout,
                    BlockMode mode, std::span<const std::string_view> again, Instant retry) {
  ASSERT(first < last && last <= args.size());
  ASSERT(again.empty() || again.size() == args.size());
  if (!services_.dispatcher.may_block(session)) {
    write_block_reply(reply, on_timeout == BlockReply::move ? BlockReply::null : on_timeout);
    return;
  }
  services_.dispatcher.blocked().block(session, command,
                                       {.args = again.empty() ? args : again,
                                        .first = first,
                                        .last = last,
                                        .type = type,
                                        .mode = mode,
                                        .on_timeout = on_timeout,
                                        .deadline = deadline,
                                        .retry = retry});
}

uint64_t Context::written_offset() const {
  return session.written_offset;
}

void Context::wait_until(Instant deadline, BlockReply on_timeout, BlockNumbers numbers,
                         Instant retry) {
  if (!services_.dispatcher.may_block(session)) {
    write_block_reply(reply, on_timeout, numbers);
    return;
  }
  BlockRequest request;
  request.args = args;
  request.on_timeout = on_timeout;
  request.numbers = numbers;
  request.deadline = deadline;
  request.retry = retry;
  services_.dispatcher.blocked().block(session, command, request);
}

Part& Context::find_part(const PartKind& kind) const {
  Part* part = services_.parts.find(kind);
  ASSERT(part != nullptr);
  return *part;
}

DeferredReply Context::defer() {
  ASSERT(!deferred_);
  deferred_ = true;
  if (session.deferred == nullptr) {
    session.deferred = std::make_unique<DeferredReplies>(session.output.pool());
  }
  const uint32_t slot = session.deferred->defer(session.output);
  session.set(kSessionWaiting);
  return {.session_id = session.id, .slot = slot, .protocol = session.protocol};
}

}  // namespace redoubt
