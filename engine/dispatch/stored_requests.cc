#include "engine/dispatch/stored_requests.h"

#include <fmt/format.h>

#include <deque>

#include "engine/clients/clients.h"
#include "engine/dispatch/dispatcher.h"
#include "net/places.h"

namespace redoubt {

void StoredRequests::store(Session& session, std::span<const std::string_view> args) {
  REDOUBT_REACHED(stored_while_paused);
  ASSERT(!args.empty() && !session.has(kSessionLocal));
  if (session.stored == nullptr) session.stored = std::make_unique<std::deque<OwnedRequest>>();
  session.stored_bytes += session.stored->emplace_back(args).memory_bytes() + sizeof(OwnedRequest);
  session.set(kSessionPaused);
  if (session.stored_bytes <= services_.settings.client_query_buffer_limit) return;
  ++services_.stats.query_limit_disconnections;
  services_.logger.log(
      LogLevel::warning,
      fmt::format("closing client id={} addr={}: the requests that wait behind one that blocks "
                  "exceed client-query-buffer-limit",
                  session.id, session.peer().to_string()));
  services_.clients.close(session, false);
}

void StoredRequests::wake(Session& session) {
  services_.dispatcher.touch(session);
  if (session.stored != nullptr) woken_.push_back(&session);
}

void StoredRequests::wake_all() {
  for (Session* session = services_.clients.sessions().first(); session != nullptr;
       session = session->next) {
    if (session->has(kSessionPaused) && !session->has(kSessionWaiting)) wake(*session);
  }
  services_.dispatcher.request_turn();
}

void StoredRequests::run_woken() {
  Dispatcher& dispatcher = services_.dispatcher;
  const auto serves = [&] {
    return dispatcher.blocked().has_ready() && !dispatcher.pause().active() &&
           !dispatcher.suspension().active();
  };
  while (!woken_.empty() || serves()) {
    dispatcher.blocked().serve_ready();
    std::vector<Session*> woken;
    woken.swap(woken_);
    for (Session* session : woken) {
      if (!session->has(kSessionClosing | kSessionWaiting)) run(*session);
    }
  }
}

// A command among those that are stored may begin the next pause, or wait.
void StoredRequests::run(Session& session) {
  Dispatcher& dispatcher = services_.dispatcher;
  ASSERT(!session.executing && session.wait == nullptr);
  session.clear(kSessionPaused);
  std::vector<std::string_view> args;
  while (session.stored != nullptr && !session.stored->empty()) {
    session.stored->front().views(args);
    Planned planned;
    planned.session = &session;
    planned.entry = services_.commands.resolve(args, &planned.container);
    if (session.has(kSessionWaiting) || dispatcher.pause().holds(session, planned.entry)) {
      session.set(kSessionPaused);
      break;
    }
    ASSERT(session.stored_bytes >= sizeof(OwnedRequest));
    const OwnedRequest request = std::move(session.stored->front());
    session.stored->pop_front();
    session.stored_bytes -= request.memory_bytes() + sizeof request;
    if (session.has(kSessionEnding)) continue;
    dispatcher.execute_stored(planned, args);
  }
  if (!session.has(kSessionPaused)) {
    ASSERT(session.stored_bytes == 0);
    session.stored.reset();
  }
  if (session.has(kSessionMalformed) && !session.has(kSessionPaused | kSessionWaiting)) {
    dispatcher.refuse_malformed(session);
  }
  dispatcher.replies().flush(session);
}

}  // namespace redoubt
