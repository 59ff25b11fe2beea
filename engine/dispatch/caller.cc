#include "engine/dispatch/caller.h"

#include <string>
#include <vector>

#include "engine/dispatch/context.h"
#include "engine/keyspace/eviction.h"
#include "net/text.h"

namespace redoubt {

Caller::Caller(const Services& services, Batch& batch, CallTiming& timing, ReplyPath& replies)
    : services_(services),
      env_(services.env),
      stats_(services.stats),
      effects_(services.effects),
      keys_(services.keys),
      clients_(services.clients),
      batch_(batch),
      timing_(timing),
      replies_(replies) {}

void Caller::call_planned(Planned& planned, std::span<const std::string_view> args) {
  Session& session = *planned.session;
  CommandEntry& entry = *planned.entry;
  session.last_command = entry.name.c_str();
  count_call(session, entry);
  planned.called = true;
  invoke(session, entry, args, &planned);
  if (session.has(kSessionBlocked)) [[unlikely]]
    planned.waits = true;
  if (clients_.monitors().size() > 0) [[unlikely]]
    clients_.monitors().feed(session, entry, args);
}

bool Caller::call_alone(Session& session, CommandEntry& entry,
                        std::span<const std::string_view> args) {
  session.last_command = entry.name.c_str();
  count_call(session, entry);
  const Instant since = env_.precise_now();
  const size_t output_before = session.output.bytes();
  const bool failed = invoke(session, entry, args, nullptr);
  if (session.has(kSessionBlocked)) {
    // It is noted when it is served.
    entry.nsec += static_cast<uint64_t>((env_.precise_now() - since).ns);
  } else {
    timing_.note_single(session, entry, args, since, output_before);
  }
  if (clients_.monitors().size() > 0) clients_.monitors().feed(session, entry, args);
  return failed;
}

bool Caller::call_again(Wait& wait, std::span<const std::string_view> args) {
  Session& session = *wait.session;
  CommandEntry& command = *wait.command;
  const size_t output_before = session.output.bytes();
  const Instant since = env_.precise_now();
  ASSERT(session.has(kSessionBlocked) && session.wait.get() == &wait);
  wait.in_vain = false;
  env_.count_work(1);
  invoke(session, command, args, nullptr);
  if (wait.in_vain) return false;
  timing_.note_single(session, command, args, since, output_before, true);
  return true;
}

void Caller::count_call(Session& session, CommandEntry& entry) {
  ++session.traffic.commands;
  ++entry.calls;
  ++stats_.commands_processed;
  env_.count_work(1);
}

// True when the command failed.
bool Caller::invoke(Session& session, CommandEntry& entry, std::span<const std::string_view> args,
                    const Planned* planned) {
  const int db = session.db;
  const uint64_t effects_before = effects_.end_offset();
  effects_.open_group();
  Context context(services_, {.session = session,
                              .command = entry,
                              .args = args,
                              .reply = ReplyWriter(session.output, session.protocol),
                              .db = db,
                              .sets_clock = !session.has(kSessionNoTouch)});
  if (planned != nullptr) {
    context.set_batch(&batch_.requests(), batch_.first_arg(*planned));
    if (planned->hash != 0) {
      context.set_hash(args[static_cast<size_t>(entry.first_key)], planned->hash);
    }
  }
  entry.row->handler(context);
  if (context.failed()) ++entry.failed_calls;
  if (context.changed() && !context.effect_given()) append_effect(db, entry, args);
  effects_.close_group();
  if (effects_.end_offset() != effects_before) session.written_offset = effects_.end_offset();
  if (context.changed()) {
    const Allocator& changed = keys_.database(db).allocator();
    if (keys_.reclaim().garbage().has_remains() || changed.above_mark()) [[unlikely]]
      data_changed(db);
  }
  replies_.note_call(entry, args, db, effects_before);
  if (session.has(kSessionTracking) && (entry.row->flags & kReadOnly) != 0) {
    clients_.tracking().remember_keys(session, *entry.row, args);
  }
  return context.failed();
}

// The effect of a command is the command itself, under its own name.
void Caller::append_effect(int db, const CommandEntry& entry,
                           std::span<const std::string_view> args) {
  ASSERT(effects_.in_group() && !args.empty());
  if (!effects_.active()) return effects_.append(db, args);
  const CommandEntry& named = entry.container == nullptr ? entry : *entry.container;
  const std::string name = to_upper(named.row->name);
  std::vector<std::string_view> effect(args.begin(), args.end());
  effect[0] = name;
  effects_.append(db, effect);
}

// Frees removed values if too many wait, and looks at the limit of memory.
void Caller::data_changed(int db) {
  Database& changed = keys_.database(db);
  keys_.reclaim().after_change(changed);
  if (changed.allocator().above_mark()) services_.eviction.above_mark();
}

}  // namespace redoubt
