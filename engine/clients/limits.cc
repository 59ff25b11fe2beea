#include "engine/clients/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "engine/clients/clients.h"

namespace redoubt {

namespace {

// A smaller limit would close every client.
constexpr uint64_t kSmallestMemory = 128 * 1024;

}  // namespace

void ClientLimits::settings_changed() {
  const Settings& s = clients_.settings();
  const int64_t limit = s.maxmemory_clients;
  const uint64_t bytes =
      limit >= 0 ? static_cast<uint64_t>(limit) : s.maxmemory / 100 * static_cast<uint64_t>(-limit);
  memory_max_ = bytes == 0 ? 0 : std::max(bytes, kSmallestMemory);
}

// --- memory

void ClientLimits::count_now(Session& session) {
  if (session.has(kSessionLocal)) return;
  if (session.has(kSessionUnauthenticated)) check_unauthenticated(session);
  count(session);
}

void ClientLimits::count(Session& session) {
  const bool gone = session.has(kSessionClosing);
  const size_t bytes = gone ? 0 : session.memory_bytes();
  const size_t output = gone ? 0 : std::min(session.output_bytes(), bytes);
  ASSERT(output <= bytes);
  ClientMemory& memory = session.memory;
  ASSERT(memory_bytes_ >= memory.bytes && output_bytes_ >= memory.output_bytes);
  memory_bytes_ += bytes - memory.bytes;
  output_bytes_ += output - memory.output_bytes;
  memory.bytes = bytes;
  memory.output_bytes = output;
}

void ClientLimits::forget(Session& session) {
  ASSERT(memory_bytes_ >= session.memory.bytes && output_bytes_ >= session.memory.output_bytes);
  memory_bytes_ -= session.memory.bytes;
  output_bytes_ -= session.memory.output_bytes;
  session.memory = {};
}

void ClientLimits::evict_largest() {
  std::vector<Session*> sessions;
  for (Session* session = clients_.sessions().first(); session != nullptr;
       session = session->next) {
    if (!session->has(kSessionClosing | kSessionLocal | kSessionNoEvict)) {
      sessions.push_back(session);
    }
  }
  clients_.env().count_work(clients_.sessions().count());
  std::sort(sessions.begin(), sessions.end(), [](const Session* a, const Session* b) {
    return a->memory.bytes != b->memory.bytes ? a->memory.bytes > b->memory.bytes : a->id < b->id;
  });
  for (Session* session : sessions) {
    if (memory_bytes_ <= memory_max_) return;
    clients_.logger().log(
        LogLevel::notice,
        fmt::format("closing client id={} addr={}: clients take more than maxmemory-clients, and "
                    "it takes {} bytes",
                    session->id, session->peer().to_string(), session->memory.bytes));
    ++clients_.stats().evicted_clients;
    clients_.close(*session, false);
  }
  evicts_in_vain_ = memory_bytes_ > memory_max_;
}

// --- output

bool ClientLimits::exceeded(Session& session, size_t more) {
  const Settings& s = clients_.settings();
  const OutputLimit& limit =
      session.has(kSessionSubscribed) ? s.output_limit_pubsub : s.output_limit_normal;
  if (limit.hard_bytes == 0 && limit.soft_bytes == 0) return false;
  const size_t bytes = session.output_bytes() + more;
  if (limit.hard_bytes > 0 && bytes > limit.hard_bytes) return true;
  Instant& since = session.memory.above_soft_limit;
  if (limit.soft_bytes == 0 || bytes <= limit.soft_bytes) {
    since = Instant::never();
    return false;
  }
  const Instant now = clients_.env().now();
  if (since == Instant::never()) since = now;
  return now - since > Duration::seconds(limit.soft_seconds);
}

int64_t ClientLimits::current_second() const {
  return (clients_.env().now() - Instant{}).s();
}

void ClientLimits::check_output(Session& session) {
  if (session.has(kSessionLocal | kSessionClosing | kSessionDoomed)) return;
  recent_output_.note(current_second(), session.output_bytes());
  if (exceeded(session, 0)) drop_slow(session);
}

void ClientLimits::drop_slow(Session& session) {
  ASSERT(!session.has(kSessionLocal));
  ++clients_.stats().output_limit_disconnections;
  clients_.logger().log(
      LogLevel::warning,
      fmt::format("closing client id={} addr={}: {} bytes of replies wait, above "
                  "client-output-buffer-limit",
                  session.id, session.peer().to_string(), session.output_bytes()));
  clients_.doom(session);
}

void ClientLimits::check_unauthenticated(Session& session) {
  if (session.has(kSessionClosing)) return;
  const size_t waiting = session.output_bytes();
  session.memory.before_reset = std::min(session.memory.before_reset, waiting);
  if (waiting - session.memory.before_reset <= kUnauthenticatedOutput) return;
  ++clients_.stats().output_limit_disconnections;
  clients_.logger().log(
      LogLevel::warning,
      fmt::format("closing client id={} addr={}: it has not authenticated, and {} bytes of replies "
                  "wait for it to read",
                  session.id, session.peer().to_string(), waiting));
  clients_.close(session, false);
}

// --- ten times a second

bool ClientLimits::idles_too_long(const Session& session) const {
  const int timeout = clients_.settings().timeout_s;
  constexpr uint32_t kMayIdle =
      kSessionLocal | kSessionPaused | kSessionWaiting | kSessionSubscribed | kSessionMonitor;
  return timeout > 0 && !session.has(kMayIdle) &&
         clients_.env().now() - session.traffic.last_request > Duration::seconds(timeout);
}

void ClientLimits::check_some() {
  constexpr size_t kEachTime = 1000;
  const auto share = clients_.sessions().count() / static_cast<size_t>(clients_.settings().hz);
  for (size_t left = std::max(kEachTime, share); left > 0; --left) {
    Session* session = clients_.sessions().next_after(checked_session_);
    checked_session_ = session == nullptr ? 0 : session->id;
    if (session == nullptr) break;
    if (session->has(kSessionClosing)) continue;
    count(*session);
    recent_input_.note(current_second(), session->parser.memory_bytes());
    check_output(*session);
    if (idles_too_long(*session)) clients_.close(*session, false);
  }
  evicts_in_vain_ = false;
  evict();
}

}  // namespace redoubt
