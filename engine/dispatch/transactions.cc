#include "engine/dispatch/transactions.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "engine/clients/clients.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/dispatch/execution.h"
#include "engine/effects/effect_log.h"
#include "engine/keyspace/keyspace.h"
#include "net/places.h"

namespace redoubt {

namespace {

bool writes_key(const KeySpec& spec) {
  return (spec.flags & kKeyRO) == 0 || (spec.flags & kKeyVariableFlags) != 0;
}

// The indexes of the arguments whose keys a command may write: those that its specifications say,
// or all keys of a writing command where they do not say.
void find_written_keys(const Command& row, std::span<const std::string_view> args,
                       std::vector<int>& out) {
  const auto specs = std::span(row.keys).first(static_cast<size_t>(
      std::find_if(row.keys.begin(), row.keys.end(),
                   [](const KeySpec& spec) { return spec.begin == KeySpec::Begin::none; }) -
      row.keys.begin()));
  const bool told = std::any_of(specs.begin(), specs.end(), writes_key);
  if ((row.flags & kWrite) == 0 && !told) return;
  if (row.find_keys != nullptr || !told) {
    find_keys(row, args, out);
    return;
  }
  for (const KeySpec& spec : specs) {
    if (writes_key(spec)) keys_of_spec(spec, args, out);
  }
}

// "-ERR no such key\r\n" without what belongs to the protocol.
std::string_view error_line(std::string_view reply) {
  if (!reply.starts_with('-')) return "ERR the command failed";
  return reply.substr(1, reply.find('\r') - 1);
}

bool key_expired(const Keyspace& keys, const Session& session) {
  return session.watches != nullptr && keys.feed().watched().any_expired(*session.watches);
}

}  // namespace

bool Transactions::can_be_undone(const CommandEntry& entry) {
  const Command& row = *entry.row;
  if ((row.flags & (kAdmin | kPubSub)) != 0 || (entry.categories & kCatScripting) != 0) {
    return false;
  }
  return (row.flags & kWrite) == 0 || (entry.concerns & kConcernKeys) != 0;
}

void Transactions::begin(Session& session) {
  ASSERT(session.transaction == nullptr && !session.has(kSessionMulti));
  session.transaction = std::make_unique<Transaction>();
  session.transaction->rollback =
      session.rollback == RollbackChoice::inherit
          ? services_.settings.transaction_on_error == TransactionOnError::rollback
          : session.rollback == RollbackChoice::on;
  session.set(kSessionMulti);
}

void Transactions::discard(Session& session) {
  session.transaction.reset();
  session.clear(kSessionMulti);
  unwatch(session);
}

void Transactions::queue(Session& session, CommandEntry& entry,
                         std::span<const std::string_view> args) {
  ASSERT(session.has(kSessionMulti) && session.transaction != nullptr);
  Transaction& transaction = *session.transaction;
  if (transaction.rollback && !can_be_undone(entry)) {
    reject(session, &entry,
           fmt::format("ERR '{}' cannot be undone, so it is not allowed in a transaction with "
                       "rollback",
                       entry.name));
    return;
  }
  session.last_command = entry.name.c_str();
  ReplyWriter(session.output, session.protocol).simple("QUEUED");
  // What will not be executed takes no memory.
  if (transaction.aborted || session.watch_failed()) return;
  transaction.queue.push_back({&entry, OwnedRequest(args)});
  transaction.bytes += transaction.queue.back().request.memory_bytes();
  transaction.command_flags |= entry.row->flags;
}

void Transactions::execute(Context& c) {
  Session& session = c.session;
  ASSERT(session.transaction != nullptr && session.executing);
  const bool changed = session.watch_failed();
  const bool failed = changed || key_expired(services_.keys, session);
  if (changed) REDOUBT_REACHED(watch_failed);
  if (failed && !changed) REDOUBT_REACHED(watched_key_expired);
  if (session.transaction->aborted) {
    c.error("EXECABORT Transaction discarded because of previous errors.");
  } else if (failed) {
    c.reply.null_array();
  } else {
    unwatch(session);  // its own changes are no reason to fail
    ASSERT(depth_ == 0 && session.wait == nullptr);
    ++depth_;
    if (session.transaction->rollback) {
      run_or_undo(c);
    } else {
      c.reply.array(session.transaction->queue.size());
      run_queued(session);
    }
    --depth_;
    if (services_.dispatcher.suspension().active()) {
      session.transaction->suspended = true;
      return;
    }
    ASSERT(services_.keys.rollback() == nullptr);
  }
  discard(session);
}

void Transactions::go_on(Session& session, std::string_view reply) {
  ASSERT(is_suspended(session) && depth_ == 0);
  session.transaction->suspended = false;
  const Execution execution(services_.clients, services_.keys, session);
  if (NodeObserver* observer = services_.dispatcher.observer()) {
    std::vector<std::string_view> args;
    session.transaction->queue[session.transaction->next - 1].request.views(args);
    observer->on_queued_command(session, args, reply);
  }
  ++depth_;
  run_queued(session);
  --depth_;
  if (services_.dispatcher.suspension().active()) {
    session.transaction->suspended = true;
  } else {
    discard(session);
  }
}

// Runs the queued commands, from transaction.next on, and writes their replies. With a rollback it
// ends with the first that fails: the result is its index, and where its reply begins. It also ends
// behind a command that was suspended.
std::optional<Transactions::FailedCommand> Transactions::run_queued(Session& session) {
  Transaction& transaction = *session.transaction;
  std::vector<std::string_view> args;
  while (transaction.next < transaction.queue.size()) {
    const size_t i = transaction.next++;
    const Transaction::Queued& queued = transaction.queue[i];
    queued.request.views(args);
    if (services_.keys.rollback() != nullptr) {
      keep_written(*queued.command->row, session.db, args, SIZE_MAX);
    }
    const size_t before = session.output.bytes();
    const size_t slots = session.deferred == nullptr ? 0 : session.deferred->size();
    const bool failed = services_.dispatcher.caller().call_alone(session, *queued.command, args);
    // Each command is one element, also one that says nothing (CLIENT REPLY OFF) or pushes.
    const bool deferred = session.deferred != nullptr && session.deferred->size() > slots;
    if (session.output.bytes() == before && !deferred)
      ReplyWriter(session.output, session.protocol).ok();
    if (services_.dispatcher.suspension().active()) break;  // the observer is told when it ends
    if (NodeObserver* observer = services_.dispatcher.observer()) {
      observer->on_queued_command(session, args, session.output.copy_from(before));
    }
    if (failed && services_.keys.rollback() != nullptr) return FailedCommand{i, before};
  }
  return std::nullopt;
}

bool Transactions::keep_written(const Command& row, int db, std::span<const std::string_view> args,
                                size_t effort_max) {
  Rollback* rollback = services_.keys.rollback();
  ASSERT(rollback != nullptr);
  std::vector<int> keys;
  find_written_keys(row, args, keys);
  for (const int index : keys) {
    const std::string_view key = args[static_cast<size_t>(index)];
    const bool others = (row.flags & kOtherDatabases) != 0;
    for (int at = others ? 0 : db; at < (others ? services_.keys.count() : db + 1); ++at) {
      if (!rollback->keep(at, key, effort_max)) return false;
    }
  }
  return true;
}

// All or nothing.
void Transactions::run_or_undo(Context& c) {
  Session& session = c.session;
  const size_t before = session.output.bytes();
  const int db_before = session.db;
  services_.keys.begin_rollback();
  c.reply.array(session.transaction->queue.size());
  const std::optional<FailedCommand> failed = run_queued(session);
  if (!failed) {
    services_.keys.commit_rollback();
  } else {
    ASSERT(before <= failed->reply_at && failed->reply_at <= session.output.bytes());
    const std::string reply = session.output.copy_from(failed->reply_at);
    session.output.drop_back(session.output.bytes() - before);
    services_.keys.undo_rollback();
    services_.effects.abandon_group();
    services_.gate.entry_abandoned();
    session.db = db_before;
    ++services_.stats.transactions_rolled_back;
    REDOUBT_REACHED(rolled_back);
    const CommandEntry& command = *session.transaction->queue[failed->index].command;
    c.reply.set_protocol(session.protocol);
    c.error(fmt::format("EXECABORT Transaction rolled back because of command {} ('{}'): {}",
                        failed->index + 1, command.name, error_line(reply)));
  }
}

void Transactions::reject(Session& session, CommandEntry* entry, std::string_view text) {
  if (entry != nullptr) ++entry->rejected_calls;
  if (session.transaction != nullptr) session.transaction->aborted = true;
  std::string aborted;
  if (entry != nullptr && (entry->row->flags & kRunsQueued) != 0) {
    discard(session);
    aborted = fmt::format("EXECABORT Transaction discarded because of: {}",
                          text.starts_with("ERR ") ? text.substr(4) : text);
    text = aborted;
  }
  services_.stats.count_error(text);
  ReplyWriter(session.output, session.protocol).error(text);
}

// --- WATCH

void Transactions::watch(Session& session, std::string_view key) {
  if (session.watches == nullptr) session.watches = std::make_unique<Watches>(session.id);
  services_.keys.feed().watched().add(*session.watches, session.db, key);
}

void Transactions::unwatch(Session& session) {
  if (session.watches == nullptr) return;
  services_.keys.feed().watched().remove(*session.watches);
  session.watches.reset();
}

void Transactions::forget(Session& session) {
  session.transaction.reset();
  unwatch(session);
}

}  // namespace redoubt
