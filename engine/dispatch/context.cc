#include "engine/dispatch/context.h"

#include <cmath>
#include <limits>

#include "engine/clients/fieldsets.h"
#include "engine/clients/session.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/dispatch/part.h"
#include "engine/store/number.h"
#include "net/text.h"

namespace redoubt {

void Context::error(std::string_view text) {
  failed_ = true;
  services_.stats.count_error(text);
  reply.error(text);
}

std::unique_ptr<Fieldsets>& Context::fieldsets() const {
  return session.fieldsets;
}

void Context::publish_fields(std::string_view key, std::string_view event,
                             std::span<const std::string_view> names, size_t step) {
  std::vector<std::string_view> fields;
  for (size_t i = 0; i < names.size(); i += step) fields.push_back(names[i]);
  keys().feed().announce_parts(db_, key, 'h', event, fields);
}

void Context::remove_empty(std::string_view key) {
  keys().erase(db_, key, hash(key), false);
  announce(key, 'g', "del");
}

void Context::remove_destination(std::string_view key) {
  if (peek(key) == nullptr) return;
  keys().erase(db_, key, hash(key), settings().lazyfree_lazy_server_del);
  modified(key, 'g', "del");
}

std::optional<int64_t> Context::integer(size_t index, std::string_view message) {
  const std::optional<int64_t> value = parse_integer(args[index]);
  if (!value) error(message.empty() ? "ERR value is not an integer or out of range" : message);
  return value;
}

std::optional<int64_t> Context::integer_between(size_t index, int64_t low, int64_t high,
                                                std::string_view message) {
  const std::optional<int64_t> value = integer(index, message);
  if (!value || (*value >= low && *value <= high)) return value;
  error(message.empty() ? "ERR value is out of range" : message);
  return std::nullopt;
}

std::optional<Instant> Context::timeout(size_t index) {
  const std::optional<long double> seconds = parse_long_double(args[index]);
  if (!seconds) {
    error("ERR timeout is not a float or out of range");
    return std::nullopt;
  }
  const long double ms = std::ceil(*seconds * 1000);
  if (ms < 0) {
    error("ERR timeout is negative");
    return std::nullopt;
  }
  if (ms >= 0x1p63L) {
    error("ERR timeout is out of range");
    return std::nullopt;
  }
  return deadline_in(static_cast<int64_t>(ms));
}

std::optional<Instant> Context::timeout_ms(size_t index) {
  const std::optional<int64_t> ms = integer(index, "ERR timeout is not an integer or out of range");
  if (!ms) return std::nullopt;
  if (*ms < 0) {
    error("ERR timeout is negative");
    return std::nullopt;
  }
  return deadline_in(*ms);
}

// The end of the wait is to be a Unix time in milliseconds, as Redis has it.
std::optional<Instant> Context::deadline_in(int64_t ms) {
  if (ms > std::numeric_limits<int64_t>::max() - now_ms()) {
    error("ERR timeout is out of range");
    return std::nullopt;
  }
  constexpr int64_t kLongestMs = int64_t{100} * 366 * 24 * 3600 * 1000;
  if (ms == 0 || ms > kLongestMs) return Instant::never();
  return env().now() + Duration::milliseconds(ms);
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

void Context::wait_until(Instant deadline, BlockReply on_timeout) {
  if (!services_.dispatcher.may_block(session)) {
    write_block_reply(reply, on_timeout);
    return;
  }
  BlockRequest request;
  request.args = args;
  request.on_timeout = on_timeout;
  request.deadline = deadline;
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

Blob Context::take_blob(size_t index) {
  if (batch_ == nullptr) return {};
  for (RequestBatch::Owned& owned : batch_->owned) {
    if (owned.arg == first_arg_ + index) return std::move(owned.blob);
  }
  return {};
}

bool Context::is(size_t index, std::string_view option) const {
  return equal_ignoring_case(args[index], option);
}

}  // namespace redoubt
