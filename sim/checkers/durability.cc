#include "sim/checkers/durability.h"

#include <algorithm>

#include "engine/persist/persist.h"
#include "sim/model/resp_value.h"

namespace redoubt::sim {

namespace {

// What everysec may lose, and a bit for the time that a sync itself takes.
constexpr Duration kEverysecLoss = Duration::milliseconds(2'200);
// An operation that takes longer makes the gate let go (AofPromise::kPatience).
constexpr Duration kShortStall = Duration::milliseconds(8);

Persistence& persistence_of(Node& node) {
  return static_cast<Persistence&>(*node.parts().find(Persistence::kKind));
}

}  // namespace

DurabilityChecker::~DurabilityChecker() {
  if (attached()) node_->effects().detach(*this);
}

void DurabilityChecker::on_effect(std::string_view bytes, uint64_t end_offset) {
  effects_.push_back({std::string(bytes), end_offset, node_->env().now()});
}

void DurabilityChecker::on_control(std::string_view bytes, uint64_t end_offset) {
  effects_.push_back({std::string(bytes), end_offset, node_->env().now(), true});
}

// --- what is promised

DurabilityChecker::Promise DurabilityChecker::promise_now() const {
  const Aof& log = persistence_of(*node_).aof();
  if (log.state() != Aof::State::on) return Promise::nothing;
  const PersistSettings& settings = persistence_of(*node_).settings();
  if (settings.append_fsync == AppendFsync::always) return Promise::synced;
  const bool syncs = settings.append_fsync == AppendFsync::everysec && !log.promise().tainted() &&
                     !(settings.no_fsync_on_rewrite && log.rewriting());
  return syncs ? Promise::soon : Promise::written;
}

DurabilityChecker::Promise DurabilityChecker::weakest_since(Instant at) const {
  Promise weakest = Promise::synced;
  for (size_t i = eras_.size(); i-- > 0;) {
    weakest = std::min(weakest, eras_[i].promise);
    if (eras_[i].since < at) break;
  }
  return weakest;
}

void DurabilityChecker::acknowledged(uint64_t offset, Instant now) {
  look(now);
  if (node_ == nullptr || offset <= told_last_) return;
  told_last_ = offset;
  auto effect = std::lower_bound(effects_.begin(), effects_.end(), offset,
                                 [](const Applied& one, uint64_t end) { return one.end < end; });
  if (effect == effects_.end()) return;
  while (effect->control) {
    if (effect == effects_.begin()) return;
    --effect;
  }
  offset = effect->end;
  const Promise promise = weakest_since(effect->at);
  if (promise >= Promise::written) written_ = offset;
  if (promise == Promise::soon) told_.push_back({now, offset, Instant::never()});
  if (promise == Promise::synced) synced_ = offset;
}

// Settings change, and what is kept, between two looks: the weaker promise holds in between.
void DurabilityChecker::look(Instant now) {
  if (node_ == nullptr) return;
  note_saves();
  last_end_ = node_->effects().end_offset();
  const Instant before = std::exchange(looked_at_, now);
  const Promise promise = promise_now();
  const Promise former = eras_.back().promise;
  if (promise == former) return;
  eras_.push_back({promise < former ? before : now, promise});
  if (promise >= Promise::soon) return;
  for (auto told = told_.rbegin(); told != told_.rend() && told->until == Instant::never(); ++told)
    told->until = before;
}

// A snapshot begins when a save does, or later.
void DurabilityChecker::note_saves() {
  const Saver& saver = persistence_of(*node_).saver();
  if (saver.facts().saves != saves_) {
    saves_ = saver.facts().saves;
    if (saving_) saved_ = std::max(saved_, save_begins_);
    saving_ = false;
  }
  if (saver.saving() && !saving_) save_begins_ = last_end_;
  saving_ = saver.saving();
}

void DurabilityChecker::node_ended(StopKind kind, Instant now, Duration stalled, bool sync_failed) {
  sync_failed_ = sync_failed;
  if (node_ == nullptr) {
    // It was starting: what the page cache had of its last life is gone.
    if (over_ && kind == StopKind::power_loss) kind_ = kind;
    return;
  }
  look(now);
  if (attached()) node_->effects().detach(*this);
  saves_at_stop_ = node_->settings().part<PersistSettings>().save_points.size() > 0;
  node_ = nullptr;
  over_ = true;
  kind_ = kind;
  ended_ = now;
  stalled_ = stalled;
}

// The offset up to which nothing may be lost by a node that loads its log, or a snapshot.
uint64_t DurabilityChecker::promised(bool by_log) const {
  const bool stops = kind_ == StopKind::exit;
  if (!by_log) return stops && saves_at_stop_ ? told_last_ : saved_;
  if (stops && eras_.back().promise != Promise::nothing) return std::max(written_, synced_);
  if (kind_ != StopKind::power_loss && stalled_ <= kShortStall) return std::max(written_, synced_);
  const Duration loss = kEverysecLoss + stalled_;
  uint64_t offset = synced_;
  for (const Told& told : told_) {
    if (told.at + loss < std::min(told.until, ended_)) offset = std::max(offset, told.offset);
  }
  return offset;
}

DurabilityChecker::Loaded DurabilityChecker::keys_of(Node& node) {
  Loaded loaded;
  for (int db = 0; db < node.keyspace().count(); ++db) {
    node.keyspace().database(db).dict().for_each([&](const Entry& entry) {
      redoubt::Digest digest;
      digest_entry(entry, digest);
      digest.end_element();
      LoadedKey& key = loaded[{db, std::string(entry.key())}];
      key.digest = digest.hex();
      if (entry.has_expiry()) key.deadline_ms = entry.expiry_ms();
    });
  }
  return loaded;
}

// A snapshot is loaded without what has expired since.
std::optional<std::string> DurabilityChecker::compare_with_loaded(Node& node, bool by_log) const {
  const Loaded now = keys_of(node);
  const int64_t now_ms = node.env().wall().unix_ms();
  const auto shown = [](const auto& key) {
    return quote_bytes(key.second) + " of database " + std::to_string(key.first);
  };
  for (const auto& [key, value] : loaded_keys_) {
    const auto seen = now.find(key);
    if (seen == now.end()) {
      if (!by_log && value.deadline_ms && *value.deadline_ms <= now_ms) continue;
      return "after a start " + shown(key) + " is gone, which was loaded before";
    }
    if (seen->second.digest != value.digest) {
      return "after a start " + shown(key) + " is not what was loaded before";
    }
  }
  for (const auto& [key, value] : now) {
    // The clock may have gone back.
    if (!by_log && value.deadline_ms && *value.deadline_ms <= loaded_at_ms_) continue;
    if (!loaded_keys_.contains(key)) {
      return "after a start " + shown(key) + " is there, which was not loaded before";
    }
  }
  return std::nullopt;
}

std::optional<std::string> DurabilityChecker::compare(Node& node) {
  const History& history = node.effects().history();
  const std::string& id = history.second_id;
  const bool by_log = persistence_of(node).settings().append_only;
  const uint64_t wanted = promised(by_log);
  const uint64_t offset = id.empty() ? 0 : history.second_offset;
  // Of a start that was over before the node served, the id is another one; offsets go on.
  if (id.empty()) {
    if (wanted <= begin_) return compare_with_loaded(node, by_log);
    return "after a start the data is of no history, and up to offset " + std::to_string(wanted) +
           " it was promised to be kept";
  }
  if (offset < wanted) {
    return "after a start the data is that of offset " + std::to_string(offset) + "; up to " +
           std::to_string(wanted) + " it was promised to be kept";
  }
  // After a sync that failed, what was loaded was perhaps never on the medium, and no later start
  // can know it.
  if (by_log && sync_failed_ && offset < loaded_) return std::nullopt;
  if (offset < begin_) return compare_with_loaded(node, by_log);
  const auto shadow = ReplayChecker::detached(node);
  uint64_t at = begin_;
  for (const Applied& effect : effects_) {
    if (effect.end > offset) break;
    if (!effect.control) shadow->feed(effect.bytes);
    at = effect.end;
  }
  if (at != offset) {
    return "after a start the data is that of offset " + std::to_string(offset) +
           ", which is within an entry that ends behind " + std::to_string(at);
  }
  if (!by_log) shadow->drop_expired(node.env().wall().unix_ms());
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
  effects_.clear();
  told_.clear();
  loaded_keys_ = keys_of(node);
  loaded_at_ms_ = node.env().wall().unix_ms();
  node.effects().attach(*this);
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
  told_last_ = last_end_ = begin_;
  written_ = synced_ = saved_ = 0;
  saving_ = false;
  saves_ = persistence_of(node).saver().facts().saves;
  looked_at_ = node.env().now();
  eras_ = {{looked_at_, promise_now()}};
  return problem;
}

}  // namespace redoubt::sim
