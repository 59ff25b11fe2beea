#include "sim/checkers/durability.h"

#include <algorithm>

#include "engine/persist/persist.h"

namespace redoubt::sim {

namespace {

// What everysec may lose, and a bit for the time that a sync itself takes.
constexpr Duration kEverysecLoss = Duration::milliseconds(2'200);
// An operation that takes longer makes the gate let go (AofPromise::kPatience).
constexpr Duration kShortStall = Duration::milliseconds(8);

std::string digests(Node& node) {
  std::string text;
  for (int db = 0; db < node.keyspace().count(); ++db) {
    redoubt::Digest digest;
    node.keyspace().database(db).digest(digest, db);
    text += digest.hex();
  }
  return text;
}

const PersistSettings& settings_of(Node& node) {
  return node.settings().part<PersistSettings>();
}

}  // namespace

DurabilityChecker::~DurabilityChecker() {
  if (attached()) node_->effects().detach(*this);
}

void DurabilityChecker::on_effect(std::string_view bytes, uint64_t end_offset) {
  effects_.push_back({std::string(bytes), end_offset});
}

void DurabilityChecker::acknowledged(uint64_t offset, Instant now) {
  if (node_ == nullptr || offset <= told_last_) return;
  const auto& persistence =
      static_cast<const Persistence&>(*node_->parts().find(Persistence::kKind));
  // While the log is off, or begins, nothing is promised.
  if (keeps_log_ && persistence.aof().state() != Aof::State::on) return;
  told_last_ = offset;
  told_.push_back({now, offset});
}

void DurabilityChecker::node_ended(StopKind kind, Instant now, Duration stalled) {
  if (node_ == nullptr) {
    // It was starting: what the page cache had of its last life is gone.
    if (over_ && kind == StopKind::power_loss) kind_ = kind;
    return;
  }
  if (attached()) node_->effects().detach(*this);
  node_ = nullptr;
  over_ = true;
  kind_ = kind;
  ended_ = now;
  stalled_ = stalled;
}

// The offset up to which nothing may be lost.
uint64_t DurabilityChecker::promised() const {
  if (!keeps_log_) return kind_ == StopKind::exit && saves_at_stop_ ? told_last_ : 0;
  const bool power = kind_ == StopKind::power_loss;
  if (fsync_ == AppendFsync::always || kind_ == StopKind::exit) return told_last_;
  if (!power && stalled_ <= kShortStall) return told_last_;
  if (fsync_ == AppendFsync::no && power) return 0;
  const Duration loss = kEverysecLoss + stalled_;
  uint64_t offset = 0;
  for (const Told& told : told_) {
    if (told.at + loss < ended_) offset = std::max(offset, told.offset);
  }
  return offset;
}

std::optional<std::string> DurabilityChecker::compare(Node& node) {
  const History& history = node.effects().history();
  const std::string& id = history.second_id;
  const uint64_t offset = id.empty() ? 0 : history.second_offset;
  // Of a start that was over before the node served, the id is another one; offsets go on.
  if (id.empty()) {
    if (promised() <= begin_ && digests(node) == loaded_digest_) return std::nullopt;
    return "after a start the data is of no history, and not what it was before";
  }
  const uint64_t wanted = promised();
  if (offset < wanted) {
    return "after a start the data is that of offset " + std::to_string(offset) + "; up to " +
           std::to_string(wanted) + " it was promised to be kept";
  }
  if (offset < begin_) {
    if (digests(node) == loaded_digest_) return std::nullopt;
    return "after a start the data is not what was loaded before";
  }
  const auto shadow = ReplayChecker::detached(node);
  uint64_t at = begin_;
  for (const Applied& effect : effects_) {
    if (effect.end > offset) break;
    shadow->feed(effect.bytes);
    at = effect.end;
  }
  if (at != offset) {
    return "after a start the data is that of offset " + std::to_string(offset) +
           ", which is within an entry that ends behind " + std::to_string(at);
  }
  const std::optional<std::string> difference = shadow->compare();
  if (!difference) return std::nullopt;
  return "after a start with the data of offset " + std::to_string(offset) + ": " + *difference;
}

std::optional<std::string> DurabilityChecker::node_started(Node& node) {
  std::optional<std::string> problem;
  ++starts_;
  if (over_) problem = compare(node);
  over_ = false;
  node_ = &node;
  const PersistSettings& settings = settings_of(node);
  keeps_log_ = settings.append_only;
  fsync_ = settings.append_fsync;
  saves_at_stop_ = !settings.save_points.empty();
  effects_.clear();
  told_.clear();
  loaded_digest_ = digests(node);
  node.effects().attach(*this);
  history_id_ = node.effects().history().id;
  loaded_ = node.effects().end_offset();
  begin_ = loaded_;
  bool empty = true;
  for (int db = 0; db < node.keyspace().count(); ++db) {
    empty = empty && node.keyspace().database(db).size() == 0;
  }
  if (!empty) {
    Session& session = node.clients().make_local();
    node.dispatcher().execute(session, std::vector<std::string_view>{"FLUSHALL", "SYNC"});
    node.clients().drop_local(session);
    begin_ = node.effects().end_offset();
    effects_.clear();
  }
  told_last_ = loaded_;
  return problem;
}

}  // namespace redoubt::sim
