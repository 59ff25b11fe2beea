#include "engine/clients/messages.h"

#include <memory>

#include "engine/clients/clients.h"

namespace redoubt {

namespace {

// A stream of messages to a session is sent in pieces of this time.
constexpr Duration kPushInterval = Duration::microseconds(200);

}  // namespace

Messages::Messages(Clients& clients) : clients_(clients) {
  timer_.owner = this;
  timer_.on_fire = [](Timer& timer) {
    static_cast<Messages*>(timer.owner)->clients_.sink().request_turn();
  };
}

Messages::~Messages() {
  clients_.env().disarm(timer_);
}

Output& Messages::output_of(Session& session) {
  if (!session.executing) return session.output;
  if (session.pushes == nullptr) session.pushes = std::make_unique<Output>(clients_.outputs());
  any_late_ = true;
  return *session.pushes;
}

void Messages::push(Session& session, std::string_view message) {
  if (session.has(kSessionEnding)) return;
  const bool local = session.has(kSessionLocal);
  if (local && !session.executing) return;  // no client reads it
  Output& output = output_of(session);
  if (!local) {
    const size_t waiting = output.bytes() + session.connection->queue().bytes() + message.size();
    if (waiting > ClientLimits::kLargeOutput &&
        clients_.limits().exceeded(session, message.size())) {
      clients_.limits().drop_slow(session);
      return;
    }
  }
  output.append(message);
  if (session.executing) return;
  clients_.sink().on_push(session, message);
  if (session.queued) return;
  session.queued = true;
  pushed_.push_back(&session);
  clients_.sink().request_turn();
}

void Messages::release_late(Session& session, bool last) {
  if (session.pushes != nullptr && !session.executing) {
    clients_.sink().on_push(session, session.pushes->copy_from(0));
    session.pushes->move_to(session.output);
    session.pushes.reset();
  }
  if (last) any_late_ = false;
}

// Sends what was pushed. A session that messages come to in a stream gets them in larger pieces: a
// send costs many times what a message does, and the reader's wake-up again as much. The first
// message after a pause goes at once.
void Messages::flush_pushed() {
  size_t waiting = 0;
  const Instant now = clients_.env().now();
  for (Session* session : pushed_) {
    if (session->has(kSessionClosing)) continue;
    if (!session->output.empty() && now - session->last_push < kPushInterval) {
      pushed_[waiting++] = session;
      continue;
    }
    ASSERT(session->queued);
    session->queued = false;
    if (session->output.empty()) continue;  // it left with a reply
    session->last_push = now;
    clients_.sink().send_replies(*session);
  }
  pushed_.resize(waiting);
  if (waiting > 0 && !timer_.armed()) clients_.env().arm_in(timer_, kPushInterval);
}

}  // namespace redoubt
