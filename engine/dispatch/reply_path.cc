#include "engine/dispatch/reply_path.h"

#include <algorithm>

#include "net/resp/reply_count.h"

namespace redoubt {

namespace {

// Whether the arguments may not tell all keys that the command reads (SORT ... BY).
bool has_incomplete_keys(const Command& row) {
  return std::any_of(row.keys.begin(), row.keys.end(), [](const KeySpec& spec) {
    return spec.begin == KeySpec::Begin::unknown || (spec.flags & kKeyIncomplete) != 0;
  });
}

// Whether the reply of a command without keys depends on data. Those that manage the node do not,
// and are answered when the data cannot be kept; DEBUG shows some.
bool tells_of_data(const Command& row) {
  return (row.flags & (kWrite | kReadOnly | kPubSub)) != 0 || row.name == "debug";
}

}  // namespace

void ReplyPath::note_need(const CommandEntry& entry, std::span<const std::string_view> args, int db,
                          uint64_t effects_before) {
  ASSERT(effects_before <= effects_.end_offset());
  // A message moves the offset, too, but nothing of it has to be kept.
  const uint64_t data_end = effects_.data_end();
  if (!effects_.in_group()) gate_.entry_ended(data_end);
  if (data_end > effects_before) need_ = data_end;
  const Command& row = *entry.row;
  const bool has_keys = (entry.concerns & kConcernKeys) != 0;
  key_indexes_.clear();
  if (has_keys && (row.flags & kOtherDatabases) == 0 && !has_incomplete_keys(row) &&
      find_keys(row, args, key_indexes_)) {
    for (const int index : key_indexes_) {
      const uint64_t key = keys_.gate_key(db, args[static_cast<size_t>(index)]);
      need_ = std::max(need_, gate_.need_of(key));
    }
  } else if (has_keys || tells_of_data(row)) {
    need_ = std::max(need_, gate_.need_of_all());
  }
}

void ReplyPath::settle(Session& session, uint64_t need, size_t replies) {
  ASSERT(gate_.active() && need <= effects_.end_offset());
  if (session.has(kSessionLocal | kSessionClosing) || session.output.empty()) return;
  if (session.held == nullptr && need <= gate_.released()) {
    session.output.move_to(session.connection->queue());
    return;
  }
  if (session.held == nullptr) session.held = std::make_unique<HeldReplies>(gate_, session);
  session.held->hold(need, session.output, replies);
  if (!session.held->take_ready(session.connection->queue())) session.held.reset();
}

// The replies in the output: none, if each has been settled. Otherwise the gate has become active
// behind them, within this turn.
size_t ReplyPath::unsettled_replies(const Session& session) const {
  if (settles_each_ || session.output.empty() || session.has(kSessionSubscribed)) return 0;
  return count_replies(session.output.copy_from(0));
}

void ReplyPath::flush(Session& session) {
  ASSERT(!session.executing);
  // Whoever made a session of the process takes its output.
  if (session.has(kSessionLocal | kSessionClosing)) return;
  if (before_replies_ != nullptr && before_replies_->requested) [[unlikely]] {
    clients_.env().withdraw(*before_replies_);
    before_replies_->run(*before_replies_);
  }
  // What is behind an open slot leaves after what is owed there.
  if (session.deferred != nullptr) return;
  if (!gate_.active()) {
    if (!session.output.empty()) return clients_.io().send_output(session);
    // The gate was active when replies of this turn were settled, perhaps.
    if (!session.connection->queue().empty() || session.has(kSessionCloseAfterReply)) {
      clients_.io().flush(session);
    }
    return;
  }
  settle(session, effects_.data_end(), unsettled_replies(session));
  if (!session.connection->queue().empty() || session.has(kSessionCloseAfterReply)) {
    clients_.io().flush(session);
  }
}

}  // namespace redoubt
