// Active expiry: keys that nobody asks for are removed too.
//
// The dict knows what falls due without reading entries (dict.h), so a round costs next to nothing
// while nothing is due. Work is bounded by count: a step removes up to about a thousand keys, which
// takes a millisecond; if there is more, the next step follows after a pause, which is shorter with
// a larger active-expire-effort.
#include <fmt/format.h>

#include <algorithm>

#include "engine/node/node_state.h"
#include "engine/store/type_ops.h"
#include "net/places.h"

namespace redoubt {

namespace {

// Work of a step, as Dict::find_expired() counts it.
constexpr size_t kStepWork = 1000 * (Dict::kDueCost + 1);
// Between two steps at an effort of 1: a quarter of the processor at most.
constexpr Duration kPause = Duration::milliseconds(3);
// What a field or member that expires counts as.
constexpr size_t kPartCost = 8;

}  // namespace

void Node::run_active_expiry() {
  if (!active_expiry_ || pause_mode_ != PauseMode::none) return;
  const bool timed = settings().latency_monitor_threshold_ms > 0;
  const Instant since = timed ? env_.precise_now() : Instant{};
  size_t budget = kStepWork;
  if (REDOUBT_UNLUCKY(expiry_of_one)) budget = 1;
  bool more = false;
  for (int i = 0; i < database_count() && budget > 0; ++i) {
    const int db = (expire_db_ + i) % database_count();
    const bool keys_left = database(db).expiring() > 0 && expire_segments(db, budget);
    if (expire_parts(db, budget) || keys_left) {
      expire_db_ = db;
      more = true;
    }
  }
  if (timed) note_latency("expire-cycle", env_.precise_now() - since);
  if (more && budget == 0) {
    REDOUBT_REACHED(expiry_cut_short);
    ++stats_.expire_cycle_time_cap;
    env_.arm_in(expire_timer_, {kPause.ns / settings().active_expire_effort});
  }
}

// Removes expired fields of hashes and members of sets, those that have waited longest first. True
// when the budget ended before they did.
bool Node::expire_parts(int db, size_t& budget) {
  // Of one step of the budget; the last value may have as many parts again.
  constexpr size_t kPartsEach = 64;
  constexpr size_t kValuesEach = 32;
  const int64_t now_ms = env_.wall().unix_ms();
  std::string key;
  while (budget > 0) {
    const uint64_t before = stats_.expired_parts;
    const uint64_t end = stats_.expired_parts + kPartsEach;
    for (size_t i = 0; i < kValuesEach && stats_.expired_parts < end; ++i) {
      const auto next = database(db).first_with_expired_parts(now_ms);
      if (!next) return false;
      key.assign(*next);
      Entry* entry = database(db).find(key, database(db).hash(key));
      ASSERT(entry != nullptr);
      if (expired(*entry)) {
        expire_key(db, key, database(db).hash(key));
      } else {
        remove_expired_parts(db, *entry, kPartsEach);
      }
      budget -= std::min(budget, Dict::kDueCost);
    }
    budget -= std::min(budget, (stats_.expired_parts - before) * kPartCost);
  }
  return database(db).first_with_expired_parts(now_ms).has_value();
}

bool Node::remove_expired_parts(int db, Entry& entry, size_t most) {
  const int64_t now_ms = env_.wall().unix_ms();
  const TypeOps& ops = ops_of(entry);
  const int64_t before_ms = ops.next_expiry(entry);
  // While clients are paused, data stands still: an expired part is invisible, but stays. So it
  // does in a transaction that could not bring it back.
  if (before_ms >= now_ms || pause_mode_ != PauseMode::none) return true;
  if (rollback_ != nullptr && !rollback_->keeps(db, entry.key())) return true;
  const std::string key(entry.key());
  std::vector<std::string> names;
  ops.remove_expired(database(db).allocator(), hash_key_, entry, now_ms, most, names);
  database(db).parts_expiry_changed(key, before_ms, ops.next_expiry(entry));
  env_.count_work(names.size());
  parts_expired(db, key, entry.type(), std::vector<std::string_view>(names.begin(), names.end()));
  if (ops.length(entry) > 0) return true;
  erase(db, key, hash_key_(key), settings().lazyfree_lazy_expire);
  announce(db, key, 'g', "del");
  return false;
}

bool Node::remove_all_expired_parts(int db, Entry& entry) {
  constexpr size_t kAtOnce = 1024;
  const int64_t now_ms = env_.wall().unix_ms();
  const TypeOps& ops = ops_of(entry);
  if (ops.next_expiry(entry) >= now_ms) return true;
  if (rollback_ != nullptr) rollback_->keep(db, entry.key());
  while (ops.next_expiry(entry) < now_ms) {
    const size_t before = ops.length(entry);
    if (!remove_expired_parts(db, entry, kAtOnce)) return false;
    if (ops.length(entry) == before) return true;  // data stands still
  }
  return true;
}

void Node::parts_expired(int db, std::string_view key, Type type,
                         std::span<const std::string_view> names) {
  constexpr size_t kNamesEach = 1024;  // of an effect
  const bool set = type == Type::set;
  std::vector<std::string_view> effect;
  for (size_t i = 0; i < names.size(); i += kNamesEach) {
    const auto some = names.subspan(i, std::min(kNamesEach, names.size() - i));
    effect.assign({set ? "SREM" : "HDEL", key});
    effect.insert(effect.end(), some.begin(), some.end());
    effects_.append(db, effect);
  }
  if (rollback_ == nullptr) return tell_parts_expired(db, key, set ? 's' : 'h', names);
  Rollback::Event event{
      Rollback::Event::Kind::parts_expired, set ? 's' : 'h', db, std::string(key), {}, {}};
  event.parts.assign(names.begin(), names.end());
  rollback_->note(std::move(event));
}

void Node::tell_parts_expired(int db, std::string_view key, char event_class,
                              std::span<const std::string_view> names) {
  stats_.expired_parts += names.size();
  key_modified(db, key, event_class, event_class == 's' ? "sexpired" : "hexpired");
  if (observer_ != nullptr) observer_->on_parts_expired(db, key, names);
}

// Goes on with the round of one database. True when the budget ended before the round.
bool Node::expire_segments(int db, size_t& budget) {
  const int64_t now_ms = env_.wall().unix_ms();
  uint64_t& cursor = expire_cursors_[static_cast<size_t>(db)];
  std::vector<Entry*> due;
  std::string key;
  size_t looked_at = 0;
  size_t found = 0;
  bool unfinished = true;
  while (unfinished && budget > 0) {
    due.clear();
    const size_t before = budget;
    unfinished = database(db).dict().find_expired(cursor, now_ms, budget, due);
    looked_at += before - budget - std::min(before - budget, due.size() * Dict::kDueCost);
    for (const Entry* entry : due) {
      key.assign(entry->key());
      expire_key(db, key, database(db).hash(key));
    }
    found += due.size();
  }
  env_.count_work(found + looked_at / 16);
  if (looked_at > 0) {
    const double share = 100.0 * static_cast<double>(found) / static_cast<double>(looked_at);
    stats_.expired_stale_percent = stats_.expired_stale_percent * 0.95 + share * 0.05;
  }
  return unfinished;
}

}  // namespace redoubt
