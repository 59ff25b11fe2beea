// Dispatch: from the batch of a turn to replies.
//
// A batch is executed in windows of requests, each in three passes: find the command and hash its
// first key, fetching the bucket's line; fetch the entry's lines; execute. So the cache misses of
// up to kWindow requests overlap, and the hash is computed once.
//
// A session without flags on a node without anything special takes the short way; everything else
// (no authentication yet, maxmemory, pauses, observers, the reply gate) is behind one test.
#include <fmt/format.h>

#include <algorithm>

#include "engine/node/context.h"
#include "engine/node/node_state.h"
#include "net/places.h"
#include "net/text.h"

namespace redoubt {

namespace {

constexpr size_t kWindow = 64;

// How much of an unknown command's words its error reply shows.
constexpr size_t kShownName = 128;

std::string unknown_command(std::span<const std::string_view> args) {
  std::string shown;
  for (size_t i = 1; i < args.size() && shown.size() < kShownName; ++i) {
    shown += fmt::format("'{}' ", args[i].substr(0, kShownName - shown.size()));
  }
  return fmt::format("ERR unknown command '{}', with args beginning with: {}",
                     args[0].substr(0, kShownName), shown);
}

// Whether the arguments may not tell all keys that the command reads (SORT ... BY).
bool has_incomplete_keys(const Command& row) {
  return std::any_of(row.keys.begin(), row.keys.end(), [](const KeySpec& spec) {
    return spec.begin == KeySpec::Begin::unknown || (spec.flags & kKeyIncomplete) != 0;
  });
}

// CLIENT CACHING is about the next command that is not CLIENT itself.
bool is_client_command(const CommandEntry* entry) {
  return entry != nullptr && entry->container != nullptr && entry->container->row->name == "client";
}

// What a browser sends when a page that somebody else wrote makes it talk to us. Nothing of the
// request, whose body may hold commands, is to be executed.
bool is_http(std::string_view name) {
  return equal_ignoring_case(name, "post") || equal_ignoring_case(name, "host:");
}

// What the command may take in memory, as far as its request says.
size_t bytes_brought(const Session& session, const CommandEntry& entry,
                     std::span<const std::string_view> args) {
  if (session.has(kSessionMulti) && (entry.row->flags & kRunsQueued) != 0) {
    return session.transaction->bytes;
  }
  size_t bytes = 0;
  for (const std::string_view arg : args) bytes += counted_size(arg.size());
  return bytes;
}

}  // namespace

// The command of the request before, as it was spelled there: pipelines repeat it.
struct Node::FoundCommand {
  std::string_view name;
  CommandEntry* entry = nullptr;
};

void Node::update_special() {
  special_ = observer_ != nullptr || pause_mode_ != PauseMode::none;
}

void Node::set_observer(NodeObserver* observer) {
  if (observer_ != nullptr) keyspace_.set_listening(*observer_, false);
  observer_ = observer;
  if (observer_ != nullptr) keyspace_.set_listening(*observer_, true);
  update_special();
}

void Node::run_batch() {
  ++stats_.turns;
  in_batch_ = true;
  if (eviction_.limited()) begin_memory_turn();
  Instant since;
  CallGroup group;
  // Consecutive calls of one command share a reading of the clock (instrumentation.h).
  const auto end_group = [&] {
    if (group.count == 0) return;
    const Instant now = env_.precise_now();
    note_group(group, now - since);
    since = now;
    group.count = 0;
    group.total_weight = 0;
    group.waiting = 0;
  };
  FoundCommand last;
  const size_t count = planned_.size();
  if (count > 0) since = env_.precise_now();
  const size_t window = REDOUBT_UNLUCKY(window_of_one) ? 1 : kWindow;
  for (size_t first = 0; first < count; first += window) {
    const size_t end = std::min(first + window, count);
    for (size_t i = first; i < end; ++i) plan(planned_[i], last);
    if (end - first > 1) {
      for (size_t i = first; i < end; ++i) {
        const Planned& planned = planned_[i];
        if (planned.hash != 0)
          keyspace_.database(planned.session->db).dict().prefetch_entry(planned.hash);
      }
    }
    for (size_t i = first; i < end; ++i) {
      Planned& planned = planned_[i];
      if (planned.entry != group.entry) {
        end_group();
        group.entry = planned.entry;
      }
      const uint64_t weight = execute_weighed(planned);
      if (!planned.called) continue;
      group.add(planned, weight);
      if (group.count == Instrumentation::kSharedReading || weight >= Instrumentation::kHeavy ||
          instrumentation_.closely) {
        end_group();
      }
    }
  }
  end_group();
  planned_.clear();
  run_woken();
  if (observer_ != nullptr) observer_->on_turn_end();
  clients_.end_messages();

  // Requests executed; what they pointed to goes back, and the connections are read again.
  for (size_t i = 0; i < ready_.size(); ++i) {
    Session& session = *ready_[i];
    clients_.finish_requests(session);
    hold_or_flush(session);
    clients_.read(session);
    clients_.count_after_turn(session);
  }
  clients_.end_turn();
  batch_.clear();
  ready_.clear();
  in_batch_ = false;
  keyspace_.reclaim().end_turn();
  clients_.free_retired();
}

void Node::plan(Planned& planned, FoundCommand& last) {
  if (planned.malformed) return;
  const RequestBatch::Request& request = batch_.requests[planned.request];
  const std::span<const std::string_view> args(batch_.args.data() + request.first_arg,
                                               request.arg_count);
  if (args[0] == last.name) {
    planned.entry = last.entry;
  } else {
    planned.entry = commands_.resolve(args, &planned.container);
    const bool is_word = planned.entry != nullptr && planned.entry->container == nullptr &&
                         planned.entry->subcommands.empty();
    if (is_word) last = {args[0], planned.entry};
  }
  if (planned.entry == nullptr || planned.entry->first_key == 0) return;
  const size_t at = static_cast<size_t>(planned.entry->first_key);
  if (at >= args.size()) return;
  planned.hash = keyspace_.hash(args[at]);
  keyspace_.database(planned.session->db).dict().prefetch_bucket(planned.hash);
}

// Executes a request and says how much work it was, as far as is counted.
uint64_t Node::execute_weighed(Planned& planned) {
  const uint64_t work = env_.work();
  const size_t output = planned.session->output.bytes();
  execute_planned(planned);
  if (!planned.called) return 0;
  const size_t output_now = planned.session->output.bytes();
  planned.reply_bytes = output_now > output ? output_now - output : 0;
  const uint64_t bytes = planned.reply_bytes + batch_.requests[planned.request].bytes;
  return env_.work() - work + (bytes >> Instrumentation::kBytesShift);
}

void Node::execute_planned(Planned& planned) {
  Session& session = *planned.session;
  if (session.has(kSessionEnding)) return;
  if (planned.malformed) {
    // What waits in front of it comes first.
    if (session.has(kSessionPaused | kSessionWaiting)) {
      session.flags |= kSessionMalformed;
    } else {
      refuse_malformed(session);
    }
    return;
  }
  const RequestBatch::Request& request = batch_.requests[planned.request];
  const std::span<const std::string_view> args(batch_.args.data() + request.first_arg,
                                               request.arg_count);
  if (gate_.active()) [[unlikely]] {
    gate_.entry_ended(effects_.end_offset());  // what expired or was evicted since the last command
    reply_need_ = 0;
  }
  if (!special_ && session.flags == 0 && planned.entry != nullptr &&
      planned.entry->row->accepts(args.size()) && planned.entry->row->handler != nullptr &&
      (!eviction_.tight() || (planned.entry->row->flags & kDenyOom) == 0)) [[likely]] {
    const Execution execution(*this, session);
    call(session, *planned.entry, args, &planned);
  } else {
    execute_special(session, planned, args);
  }
  if (gate_.active()) [[unlikely]]
    settle_reply(session, reply_need_, 1);
  if (blocking_.has_ready()) [[unlikely]]
    serve_ready();
  if (session.output.bytes() > ClientLimits::kLargeOutput) clients_.limits().check_output(session);
}

// The error of the parser, and the end of the connection.
void Node::refuse_malformed(Session& session) {
  count_error(session.parser.error());
  ReplyWriter(session.output, session.protocol).error(session.parser.error());
  clients_.close(session, true);
}

void Node::call(Session& session, CommandEntry& entry, std::span<const std::string_view> args,
                Planned* planned) {
  session.last_command = entry.name.c_str();
  if (planned == nullptr || !planned->in_batch) {
    call_alone(session, entry, args);
    return;
  }
  count_call(session, entry);
  planned->called = true;
  invoke(session, entry, args, planned);
  if (session.has(kSessionBlocked)) [[unlikely]]
    planned->waits = true;
  if (clients_.monitors().size() > 0) [[unlikely]]
    clients_.monitors().feed(session, entry, args);
}

// A call outside the batch, timed by itself. True when it failed.
bool Node::call_alone(Session& session, CommandEntry& entry,
                      std::span<const std::string_view> args) {
  count_call(session, entry);
  const Instant since = env_.precise_now();
  const size_t output_before = session.output.bytes();
  const bool failed = invoke(session, entry, args, nullptr);
  if (session.has(kSessionBlocked)) {
    // It is noted when it is served.
    entry.nsec += static_cast<uint64_t>((env_.precise_now() - since).ns);
  } else {
    note_single(session, entry, args, since, output_before);
  }
  if (clients_.monitors().size() > 0) clients_.monitors().feed(session, entry, args);
  return failed;
}

void Node::count_call(Session& session, CommandEntry& entry) {
  ++session.traffic.commands;
  ++entry.calls;
  ++stats_.commands_processed;
  env_.count_work(1);
}

// Runs the handler; what it changed reaches the stream of effects. True when it failed.
bool Node::invoke(Session& session, CommandEntry& entry, std::span<const std::string_view> args,
                  Planned* planned) {
  const int db = session.db;
  const uint64_t effects_before = effects_.end_offset();
  effects_.open_group();
  Context context(*this, services_,
                  {.session = session,
                   .command = entry,
                   .args = args,
                   .reply = ReplyWriter(session.output, session.protocol),
                   .db = db,
                   .sets_clock = !session.has(kSessionNoTouch)});
  if (planned != nullptr && planned->in_batch) {
    context.set_batch(&batch_, batch_.requests[planned->request].first_arg);
    if (planned->hash != 0) {
      context.set_hash(args[static_cast<size_t>(entry.first_key)], planned->hash);
    }
  }
  entry.row->handler(context);
  if (context.failed()) ++entry.failed_calls;
  if (context.changed() && !context.effect_given()) append_effect(db, entry, args);
  effects_.close_group();
  if (context.changed()) {
    const Allocator& changed = keyspace_.database(db).allocator();
    if (keyspace_.reclaim().garbage().has_remains() || changed.above_mark()) [[unlikely]]
      data_changed(db);
  }
  if (gate_.active()) [[unlikely]] {
    if (!effects_.in_group()) gate_.entry_ended(effects_.end_offset());
    if (effects_.end_offset() > effects_before) reply_need_ = effects_.end_offset();
    note_need(entry, args, db);
  }
  if (session.has(kSessionTracking) && (entry.row->flags & kReadOnly) != 0) {
    clients_.tracking().remember_keys(session, *entry.row, args);
  }
  return context.failed();
}

// The effect of a command is the command itself, under its own name.
void Node::append_effect(int db, const CommandEntry& entry,
                         std::span<const std::string_view> args) {
  if (!effects_.active()) return effects_.append(db, args);
  const CommandEntry& named = entry.container == nullptr ? entry : *entry.container;
  const std::string name = to_upper(named.row->name);
  std::vector<std::string_view> effect(args.begin(), args.end());
  effect[0] = name;
  effects_.append(db, effect);
}

// Everything that can stand between a request and its handler, in Redis's order. False: a reply was
// written.
bool Node::admit(Session& session, const Planned& planned, std::span<const std::string_view> args) {
  CommandEntry* entry = planned.entry;
  if (planned.container != nullptr) {
    reject(session, planned.container,
           fmt::format("ERR unknown subcommand '{}'. Try {} HELP.", args[1].substr(0, kShownName),
                       to_upper(planned.container->name)));
    return false;
  }
  if (entry == nullptr && is_http(args[0])) {
    log(LogLevel::verbose, "A connection was closed because it spoke HTTP");
    clients_.close(session, false);
    return false;
  }
  if (entry == nullptr) {
    ++stats_.unexpected_errors;
    reject(session, nullptr, unknown_command(args));
    return false;
  }
  if (!entry->row->accepts(args.size()) || entry->row->handler == nullptr) {
    reject(session, entry,
           fmt::format("ERR wrong number of arguments for '{}' command", entry->name));
    return false;
  }
  if (!session.authenticated() && (entry->row->flags & kNoAuth) == 0) {
    reject(session, entry, "NOAUTH Authentication required.");
    return false;
  }
  if (session.has(kSessionMonitor) &&
      (entry->row->flags & (kWrite | kReadOnly | kMayReplicate)) != 0) {
    reject(session, entry, "ERR Replica can't interact with the keyspace");
    return false;
  }
  if (session.has(kSessionMulti) && (entry->row->flags & kNoMulti) != 0) {
    reject(session, entry, "ERR Command not allowed inside a transaction");
    return false;
  }
  if (eviction_.tight() && denied_when_out_of_memory(session, *entry) &&
      !eviction_.admit(bytes_brought(session, *entry, args))) {
    REDOUBT_REACHED(refused_for_memory);
    reject(session, entry, "OOM command not allowed when used memory > 'maxmemory'.");
    return false;
  }
  if (session.has(kSessionSubscribed) && session.protocol == Protocol::resp2 &&
      (entry->row->flags & kSubscribedMode) == 0) {
    reject(session, entry,
           fmt::format("ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / "
                       "QUIT / RESET are allowed in this context",
                       entry->name));
    return false;
  }
  return true;
}

// Queueing takes memory, too: after MULTI nothing goes but its end.
bool Node::denied_when_out_of_memory(const Session& session, const CommandEntry& entry) const {
  const uint32_t flags = entry.row->flags;
  if ((flags & kDenyOom) != 0) return true;
  if (!session.has(kSessionMulti)) return false;
  if ((flags & kRunsQueued) != 0) return (session.transaction->command_flags & kDenyOom) != 0;
  return (flags & kEndsMulti) == 0;
}

void Node::reject(Session& session, CommandEntry* entry, std::string_view text) {
  if (entry != nullptr) ++entry->rejected_calls;
  if (session.transaction != nullptr) session.transaction->aborted = true;
  std::string aborted;
  if (entry != nullptr && (entry->row->flags & kRunsQueued) != 0) {
    discard_transaction(session);
    aborted = fmt::format("EXECABORT Transaction discarded because of: {}",
                          text.starts_with("ERR ") ? text.substr(4) : text);
    text = aborted;
  }
  count_error(text);
  ReplyWriter(session.output, session.protocol).error(text);
}

bool Node::paused_for(const Session& session, const CommandEntry* entry) const {
  switch (pause_mode_) {
    case PauseMode::none: return false;
    case PauseMode::all: return true;
    case PauseMode::write: break;
  }
  if (entry == nullptr) return false;
  const bool runs_queued = (entry->row->flags & kRunsQueued) != 0 && session.transaction != nullptr;
  const uint32_t flags = runs_queued ? session.transaction->command_flags : entry->row->flags;
  return (flags & (kWrite | kMayReplicate)) != 0;
}

void Node::execute_special(Session& session, Planned& planned,
                           std::span<const std::string_view> args) {
  if (!session.has(kSessionLocal) &&
      (session.has(kSessionPaused | kSessionWaiting) || paused_for(session, planned.entry))) {
    store_request(session, args);
    return;
  }
  // CLIENT REPLY SKIP was the command before this one.
  if (session.has(kSessionReplySkipNext)) {
    session.flags = (session.flags & ~static_cast<uint32_t>(kSessionReplySkipNext)) |
                    static_cast<uint32_t>(kSessionReplySkip);
  }
  const Execution execution(*this, session);
  const size_t before = session.output.bytes();
  const int db_before = session.db;
  // The command's own CLIENT REPLY is for those behind it: its reply, or EXEC's, is whole or
  // nothing.
  const bool silent = session.has(kSessionReplyOff | kSessionReplySkip);
  if (admit(session, planned, args)) {
    if (session.has(kSessionMulti) && (planned.entry->row->flags & kNotQueued) == 0) {
      queue_command(session, *planned.entry, args);
    } else {
      call(session, *planned.entry, args, &planned);
    }
  }
  // A command that waits for keys ends when it is served.
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

// What follows a command: CLIENT REPLY may drop what it wrote (`silent`: it was off before), and
// the observer is told.
void Node::end_command(Session& session, const CommandEntry* entry, int db_before,
                       std::span<const std::string_view> args, size_t before, bool silent) {
  if (end_reply(session, entry, silent)) {
    session.output.drop_back(session.output.bytes() - before);
  }
  if (observer_ != nullptr) {
    observer_->on_command(session, db_before, args, env_.wall(), session.output.copy_from(before));
  }
}

// True when the reply is not to be sent: CLIENT REPLY was off before the command, and still is.
bool Node::end_reply(Session& session, const CommandEntry* entry, bool silent) {
  silent = silent && session.has(kSessionReplyOff | kSessionReplySkip);
  session.flags &= ~uint32_t{kSessionReplySkip};
  // CLIENT CACHING is for the next command, or for the whole transaction.
  if (session.tracking != nullptr && !session.has(kSessionMulti) && !is_client_command(entry)) {
    session.tracking->caching = false;
  }
  return silent;
}

void Node::store_request(Session& session, std::span<const std::string_view> args) {
  REDOUBT_REACHED(stored_while_paused);
  if (session.stored == nullptr) session.stored = std::make_unique<std::deque<OwnedRequest>>();
  session.stored_bytes += session.stored->emplace_back(args).memory_bytes() + sizeof(OwnedRequest);
  session.flags |= kSessionPaused;
  if (session.stored_bytes <= settings().client_query_buffer_limit) return;
  ++stats_.query_limit_disconnections;
  log(LogLevel::warning, fmt::format("closing client id={} addr={}: the requests that wait behind "
                                     "one that blocks exceed client-query-buffer-limit",
                                     session.id, session.peer().to_string()));
  clients_.close(session, false);
}

// Executes what waited for the end of a pause, or behind a command that waited. A command among it
// may begin the next pause, or wait.
void Node::run_stored(Session& session) {
  session.flags &= ~static_cast<uint32_t>(kSessionPaused);
  std::vector<std::string_view> args;
  while (session.stored != nullptr && !session.stored->empty()) {
    session.stored->front().views(args);
    Planned planned;
    planned.session = &session;
    planned.entry = commands_.resolve(args, &planned.container);
    if (session.has(kSessionWaiting) || paused_for(session, planned.entry)) {
      session.flags |= kSessionPaused;
      break;
    }
    const OwnedRequest request = std::move(session.stored->front());
    session.stored->pop_front();
    session.stored_bytes -= request.memory_bytes() + sizeof request;
    if (session.has(kSessionEnding)) continue;
    reply_need_ = 0;
    execute_special(session, planned, args);
    if (gate_.active()) settle_reply(session, reply_need_, 1);
    serve_ready();
  }
  if (!session.has(kSessionPaused)) session.stored.reset();
  if (session.has(kSessionMalformed) && !session.has(kSessionPaused | kSessionWaiting)) {
    refuse_malformed(session);
  }
  hold_or_flush(session);
}

void Node::pause(PauseMode mode, Instant until) {
  // A pause is extended, never shortened, and never weakened: as Redis has it.
  if (pause_mode_ == PauseMode::none || mode == PauseMode::all) pause_mode_ = mode;
  keyspace_.set_decides(pause_mode_ == PauseMode::none);
  if (!pause_timer_.armed() || until > pause_timer_.deadline) env_.arm(pause_timer_, until);
  update_special();
}

// What waited is executed at the end of the turn: nothing of another client runs inside the command
// that ends the pause.
void Node::unpause() {
  if (pause_mode_ == PauseMode::none) return;
  env_.disarm(pause_timer_);
  pause_mode_ = PauseMode::none;
  keyspace_.set_decides(true);
  update_special();
  for (Session* session = clients_.first(); session != nullptr; session = session->next) {
    if (session->has(kSessionPaused) && !session->has(kSessionWaiting)) wake(*session);
  }
  env_.request(batch_hook_);
}

void Node::add_job(std::unique_ptr<NodeJob> job) {
  jobs_.push_back(std::move(job));
  if (jobs_.size() == 1) jobs_.front()->start();
}

void Node::end_job(NodeJob& job) {
  ASSERT(!jobs_.empty() && jobs_.front().get() == &job);
  jobs_.pop_front();
  if (!jobs_.empty()) jobs_.front()->start();
}

std::string Node::execute(Session& session, std::span<const std::string_view> args) {
  Planned planned;
  planned.session = &session;
  planned.entry = commands_.resolve(args, &planned.container);
  execute_special(session, planned, args);
  std::string reply = session.output.copy_from(0);
  session.output.clear();
  return reply;
}

// --- the gate

// What the reply of a command depends on that is being executed: the last writes of its keys, which
// are also those of its own entry; or all writes, if it reads more than keys that it names.
void Node::note_need(const CommandEntry& entry, std::span<const std::string_view> args, int db) {
  const Command& row = *entry.row;
  const bool has_keys = row.find_keys != nullptr || row.keys[0].begin != KeySpec::Begin::none;
  std::vector<int> keys;
  if (has_keys && (row.flags & kOtherDatabases) == 0 && !has_incomplete_keys(row) &&
      find_keys(row, args, keys)) {
    for (const int index : keys) {
      const uint64_t key = keyspace_.gate_key(db, args[static_cast<size_t>(index)]);
      reply_need_ = std::max(reply_need_, gate_.need_of(key));
    }
  } else if (has_keys || (row.flags & (kWrite | kReadOnly | kAdmin | kPubSub)) != 0) {
    reply_need_ = std::max(reply_need_, gate_.need_of_all());
  }
}

// The reply of a command, which is what lies in the output, goes to be sent, or waits for the gate.
void Node::settle_reply(Session& session, uint64_t need, size_t replies) {
  if (session.has(kSessionLocal | kSessionClosing) || session.output.empty()) return;
  if (session.held == nullptr && need <= gate_.released()) {
    session.output.move_to(session.connection->queue());
    return;
  }
  if (session.held == nullptr) session.held = std::make_unique<HeldReplies>(gate_, session);
  session.held->hold(need, session.output, replies);
  if (!session.held->take_ready(session.connection->queue())) session.held.reset();
}

// The replies of this turn leave at its end, unless they wait for the gate. What is still in the
// output are messages, which depend on all that was executed.
void Node::hold_or_flush(Session& session) {
  // Whoever made a session of the process takes its output.
  if (session.has(kSessionLocal | kSessionClosing)) return;
  // What is behind an open slot leaves after what is owed there.
  if (session.deferred != nullptr) return;
  if (!gate_.active()) {
    if (!session.output.empty()) return clients_.send_output(session);
    if (session.has(kSessionCloseAfterReply)) clients_.flush(session);
    return;
  }
  settle_reply(session, effects_.end_offset(), 0);
  if (!session.connection->queue().empty() || session.has(kSessionCloseAfterReply)) {
    clients_.flush(session);
  }
}

}  // namespace redoubt
