#include "engine/dispatch/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/clients/clients.h"
#include "engine/dispatch/execution.h"
#include "engine/keyspace/eviction.h"
#include "engine/keyspace/keyspace.h"
#include "net/places.h"

namespace redoubt {

namespace {

// CLIENT CACHING is about the next command that is not CLIENT itself.
bool is_client_command(const CommandEntry* entry) {
  return entry != nullptr && entry->container != nullptr && entry->container->row->name == "client";
}

}  // namespace

Dispatcher::Dispatcher(const Services& services)
    : services_(services),
      env_(services.env),
      keys_(services.keys),
      clients_(services.clients),
      batch_(services.commands, services.keys),
      timing_(services.env, services.settings, services.instrumentation, batch_),
      replies_(services.effects, services.gate, services.keys, services.clients),
      caller_(services, batch_, timing_, replies_),
      admission_(services),
      transactions_(services),
      blocked_(services, turn_),
      pause_(services),
      stored_(services),
      suspension_(services) {
  turn_.owner = this;
  turn_.run = [](TurnHook& hook) { static_cast<Dispatcher*>(hook.owner)->run_turn(); };
}

Dispatcher::~Dispatcher() {
  env_.withdraw(turn_);
}

void Dispatcher::set_observer(NodeObserver* observer) {
  if (observer_ != nullptr) keys_.feed().set_listening(*observer_, false);
  observer_ = observer;
  if (observer_ != nullptr) keys_.feed().set_listening(*observer_, true);
  // In simulations commands go the way that they go without an observer, and are told there.
  admission_.set(Alert::observed, observer_ != nullptr && !kSimulation);
}

// --- what clients send

void Dispatcher::take(Session& session, std::span<const char> bytes) {
  ASSERT(!session.has(kSessionLocal | kSessionClosing));
  touch(session);
  if (session.has(kSessionMalformed)) return;  // nothing behind it counts
  const ParserLimits limits{.bulk_bytes_max = services_.settings.proto_max_bulk_len,
                            .query_bytes_max = services_.settings.client_query_buffer_limit,
                            .authenticated = session.authenticated(),
                            .others_wait = session.stored != nullptr};
  if (batch_.take(session, bytes, limits) != RequestParser::Status::limit_exceeded) return;
  ++services_.stats.query_limit_disconnections;
  services_.logger.log(LogLevel::warning,
                       fmt::format("closing client id={} addr={}: its query buffer exceeds "
                                   "client-query-buffer-limit",
                                   session.id, session.peer().to_string()));
  clients_.close(session, false);
}

void Dispatcher::touch(Session& session) {
  ASSERT(!session.retiring);
  ready_.push_back(&session);
  env_.request(turn_);
}

void Dispatcher::on_output(Session& session) {
  ready_.push_back(&session);
  request_turn();
}

void Dispatcher::request_turn() {
  if (!in_turn_) env_.request(turn_);
}

void Dispatcher::on_closed(Session& session) {
  transactions_.forget(session);
  if (observer_ != nullptr && !session.has(kSessionLocal)) observer_->on_session_closed(session);
}

void Dispatcher::on_freed() {
  if (freed_hook_ != nullptr) env_.request(*freed_hook_);
}

void Dispatcher::on_push(const Session& session, std::string_view message) {
  if (observer_ != nullptr) observer_->on_push(session, message);
}

void Dispatcher::on_replies_failed(const Session& session, size_t behind, size_t size,
                                   std::string_view replaced) {
  if (observer_ != nullptr) observer_->on_replies_failed(session, behind, size, replaced);
}

void Dispatcher::on_tracking_changed() {
  keys_.feed().set_listening(clients_.tracking(), clients_.tracking().active());
}

// --- a turn

void Dispatcher::run_turn() {
  ASSERT(!in_turn_ && clients_.current() == nullptr);
  in_turn_ = true;
  replies_.begin_turn();
  if (services_.eviction.limited() && !suspension_.active()) {
    services_.eviction.begin_turn(batch_.largest_request());
  }
  execute_batch();
  if (!stored_.idle() || blocked_.has_ready()) [[unlikely]]
    stored_.run_woken();
  if (observer_ != nullptr) observer_->on_turn_end();
  clients_.end_messages();
  end_turn();
  in_turn_ = false;
  ASSERT(ready_.empty() && batch_.empty() && !transactions_.running());
  keys_.reclaim().end_turn();
  clients_.free_retired();
}

void Dispatcher::execute_batch() {
  const size_t count = batch_.size();
  const size_t window = REDOUBT_UNLUCKY(window_of_one) ? 1 : Batch::kWindow;
  if (count == 0) return;
  timing_.begin();
  for (size_t first = 0; first < count; first += window) {
    const size_t end = std::min(first + window, count);
    batch_.plan(first, end);
    for (size_t i = first; i < end; ++i) {
      Planned& planned = batch_[i];
      timing_.expect(planned.entry);
      const uint64_t work = env_.work();
      const size_t output = planned.session->output.bytes();
      execute_planned(planned);
      if (!planned.called) continue;
      // How much work it was, as far as is counted.
      const size_t output_now = planned.session->output.bytes();
      planned.reply_bytes = output_now > output ? output_now - output : 0;
      const uint64_t bytes = planned.reply_bytes + batch_.bytes(planned);
      timing_.add(planned, env_.work() - work + (bytes >> Instrumentation::kBytesShift));
    }
  }
  timing_.end();
  batch_.end_requests();
}

// What the requests pointed to goes back, replies leave, and the connections are read again.
void Dispatcher::end_turn() {
  for (size_t i = 0; i < ready_.size(); ++i) {
    Session& session = *ready_[i];
    clients_.io().finish_requests(session);
    replies_.flush(session);
    clients_.io().read(session);
    clients_.limits().count_after_turn(session);
  }
  clients_.end_turn();
  batch_.clear();
  ready_.clear();
}

void Dispatcher::execute_planned(Planned& planned) {
  Session& session = *planned.session;
  if (session.has(kSessionEnding)) return;
  if (planned.malformed) {
    // What waits in front of it comes first.
    if (session.has(kSessionPaused | kSessionWaiting)) {
      session.set(kSessionMalformed);
    } else {
      refuse_malformed(session);
    }
    return;
  }
  const std::span<const std::string_view> args = batch_.args(planned);
  replies_.begin();
  if (session.flags == 0 && planned.entry != nullptr && admission_.clear(*planned.entry) &&
      planned.entry->row->accepts(args.size())) [[likely]] {
    const Execution execution(clients_, keys_, session);
    const size_t before = session.output.bytes();
    const int db_before = session.db;
    caller_.call_planned(planned, args);
    if constexpr (kSimulation) {
      if (observer_ != nullptr) end_call(planned, db_before, args, before, false);
    }
  } else {
    execute_checked(planned, args);
  }
  replies_.end(session);
  if (blocked_.has_ready()) [[unlikely]]
    blocked_.serve_ready();
  if (session.output.bytes() > ClientLimits::kLargeOutput) clients_.limits().check_output(session);
}

void Dispatcher::refuse_malformed(Session& session) {
  services_.stats.count_error(session.parser.error());
  ReplyWriter(session.output, session.protocol).error(session.parser.error());
  clients_.close(session, true);
}

void Dispatcher::execute_stored(Planned& planned, std::span<const std::string_view> args) {
  replies_.begin();
  execute_checked(planned, args);
  replies_.end(*planned.session);
  blocked_.serve_ready();
}

std::string Dispatcher::execute(Session& session, std::span<const std::string_view> args) {
  ASSERT(session.has(kSessionLocal));
  Planned planned;
  planned.session = &session;
  planned.entry = services_.commands.resolve(args, &planned.container);
  execute_checked(planned, args);
  std::string reply = session.output.copy_from(0);
  session.output.clear();
  return reply;
}

// A request with everything that may stand between it and its handler.
void Dispatcher::execute_checked(Planned& planned, std::span<const std::string_view> args) {
  Session& session = *planned.session;
  ASSERT(!planned.malformed && !args.empty() && !session.has(kSessionClosing));
  if (!session.has(kSessionLocal) &&
      (session.has(kSessionPaused | kSessionWaiting) || pause_.holds(session, planned.entry))) {
    stored_.store(session, args);
    return;
  }
  // CLIENT REPLY SKIP was the command before this one.
  if (session.has(kSessionReplySkipNext)) {
    session.clear(kSessionReplySkipNext);
    session.set(kSessionReplySkip);
  }
  const Execution execution(clients_, keys_, session);
  const size_t before = session.output.bytes();
  const int db_before = session.db;
  // The command's own CLIENT REPLY is for those behind it: its reply, or EXEC's, is whole or
  // nothing.
  const bool silent = session.has(kSessionReplyOff | kSessionReplySkip);
  if (admission_.admit(session, planned, args)) {
    CommandEntry& entry = *planned.entry;
    if (session.has(kSessionMulti) && (entry.row->flags & kNotQueued) == 0) {
      transactions_.queue(session, entry, args);
    } else if (planned.in_batch) {
      caller_.call_planned(planned, args);
    } else {
      caller_.call_alone(session, entry, args);
    }
  }
  end_call(planned, db_before, args, before, silent);
}

// --- replies

// What a request was executed for ends now, or when the reply that it waits for is there.
void Dispatcher::end_call(const Planned& planned, int db_before,
                          std::span<const std::string_view> args, size_t before, bool silent) {
  Session& session = *planned.session;
  ASSERT(session.deferred == nullptr || !session.has(kSessionBlocked));
  if (session.deferred != nullptr) {
    session.deferred->request = {.begin = before,
                                 .silent = end_reply(session, planned.entry, silent),
                                 .db_before = db_before,
                                 .args = {}};
    if (observer_ != nullptr) session.deferred->request.args.emplace(args);
  } else if (!session.has(kSessionBlocked)) {
    end_command(session, planned.entry, db_before, args, before, silent);
  } else if (observer_ != nullptr) {
    observer_->on_wait(session, args);
  }
}

void Dispatcher::end_command(Session& session, const CommandEntry* entry, int db_before,
                             std::span<const std::string_view> args, size_t before, bool silent) {
  ASSERT(before <= session.output.bytes());
  if (end_reply(session, entry, silent)) {
    session.output.drop_back(session.output.bytes() - before);
  }
  if (observer_ != nullptr) {
    observer_->on_command(session, db_before, args, env_.wall(), session.output.copy_from(before));
  }
}

// True when the reply is not to be sent: CLIENT REPLY was off before the command, and still is.
bool Dispatcher::end_reply(Session& session, const CommandEntry* entry, bool silent) {
  silent = silent && session.has(kSessionReplyOff | kSessionReplySkip);
  session.clear(kSessionReplySkip);
  // CLIENT CACHING is for the next command, or for the whole transaction.
  if (session.tracking != nullptr && !session.has(kSessionMulti) && !is_client_command(entry)) {
    session.tracking->caching = false;
  }
  return silent;
}

void Dispatcher::finish_deferred(const DeferredReply& reply, std::string_view error,
                                 bool tells_of_data) {
  Session* session = clients_.sessions().find(reply.session_id);
  if (!error.empty()) services_.stats.count_error(error);
  if (session == nullptr || session->deferred == nullptr) return;
  ReplyWriter writer(session->deferred->slot(reply.slot), reply.protocol);
  if (error.empty()) {
    writer.ok();
  } else {
    writer.error(error);
  }
  end_deferred(reply, tells_of_data);
}

void Dispatcher::end_deferred(const DeferredReply& reply, bool tells_of_data) {
  Session* session = clients_.sessions().find(reply.session_id);
  if (session == nullptr || session->deferred == nullptr) return;
  ASSERT(session->has(kSessionWaiting) && session->wait == nullptr);
  DeferredReplies& deferred = *session->deferred;
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
  if (tells_of_data) {
    replies_.end_of_all(*session);
  } else {
    replies_.end_of_nothing(*session);
  }
  session->clear(kSessionWaiting);
  stored_.wake(*session);
}

}  // namespace redoubt
