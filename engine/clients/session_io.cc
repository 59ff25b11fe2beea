#include "engine/clients/session_io.h"

#include <utility>

#include "net/places.h"

namespace redoubt {

// --- receiving

void SessionIo::read(Session& session) {
  constexpr uint32_t kLook =
      kSessionEnding | kSessionLocal | kSessionPaused | kSessionWaiting | kSessionHeldBack;
  if (session.has(kLook) && !may_read(session)) return;
  if (session.parser.held()) {
    session.set(kSessionHeldBack);
    held_back_.push_back(&session);
    sink_.request_turn();
    return;
  }
  Connection& connection = *session.connection;
  if (session.parser.in_request() && !connection.reading()) {
    connection.read(session.parser.direct_room());
  } else {
    connection.read();
  }
}

bool SessionIo::may_read(const Session& session) {
  if (session.has(kSessionEnding | kSessionLocal | kSessionHeldBack)) return false;
  // A session that waits for keys reads on: its client may go away before it is served.
  return session.has(kSessionBlocked) || !session.has(kSessionPaused | kSessionWaiting);
}

void SessionIo::take_all_held_back() {
  for (Session* session : std::exchange(held_back_, {})) {
    session->clear(kSessionHeldBack);
    if (!session->has(kSessionEnding)) sink_.take(*session, {});
  }
}

void SessionIo::on_bytes(Session& session, std::span<const char> bytes) {
  ASSERT(!session.has(kSessionClosing));
  session.traffic.last_request = env_.now();
  session.traffic.bytes_in += bytes.size();
  ++stats_.reads_processed;
  stats_.net_input_bytes += bytes.size();
  sink_.take(session, bytes);
}

void SessionIo::on_direct(Session& session, size_t bytes) {
  ASSERT(!session.has(kSessionClosing));
  session.traffic.last_request = env_.now();
  session.traffic.bytes_in += bytes;
  ++stats_.reads_processed;
  stats_.net_input_bytes += bytes;
  session.parser.direct_filled(bytes);
  read(session);
  limits_.count(session);
  sink_.request_turn();
}

void SessionIo::finish_requests(Session& session) {
  session.parser.release();
  if (session.connection != nullptr) session.connection->release_chunk();
}

// --- sending

void SessionIo::flush(Session& session) {
  if (session.has(kSessionClosing | kSessionLocal)) return;
  Connection& connection = *session.connection;
  if (!connection.queue().empty()) {
    if (connection.sending()) {
      REDOUBT_REACHED(output_held);
    } else {
      ++stats_.writes_processed;
    }
  }
  if (session.has(kSessionCloseAfterReply) && session.held == nullptr && session.output.empty()) {
    connection.close_after_output();
  }
  connection.flush();
}

void SessionIo::send_output(Session& session) {
  ASSERT(!session.has(kSessionClosing | kSessionLocal) && !session.output.empty());
  Connection& connection = *session.connection;
  if (session.has(kSessionCloseAfterReply)) {
    session.output.move_to(connection.queue());
    flush(session);
    return;
  }
  if (connection.sending()) {
    REDOUBT_REACHED(output_held);
  } else {
    ++stats_.writes_processed;
  }
  connection.flush(session.output);
}

void SessionIo::on_sent(Session& session, size_t bytes) {
  session.traffic.bytes_out += bytes;
  stats_.net_output_bytes += bytes;
  Connection& connection = *session.connection;
  if (!connection.queue().empty()) ++stats_.writes_processed;
  if (session.has(kSessionCloseAfterReply) && session.held == nullptr && session.output.empty()) {
    connection.close_after_output();
  }
}

}  // namespace redoubt
