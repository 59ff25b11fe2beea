// Active expiry: keys that nobody asks for are removed too.
//
// A segment of the dict knows a time before which none of its entries expires, so a round passes
// over segments in which nothing is due without touching an entry. Work is bounded by count: a step
// looks at up to kSegments segments with something due; if there is more, the next step follows
// after kPause, so that a burst of expiries takes at most about a tenth of the processor.
#include <fmt/format.h>

#include "engine/node/node_state.h"
#include "engine/store/hash_type.h"
#include "net/places.h"

namespace redoubt {

namespace {

constexpr size_t kSegmentsPerEffort = 8;
constexpr size_t kDirectorySteps = 4096;
constexpr Duration kPause = Duration::milliseconds(2);

}  // namespace

void Node::run_active_expiry() {
  if (!active_expiry_ || pause_mode_ != PauseMode::none) return;
  const bool timed = settings().latency_monitor_threshold_ms > 0;
  const Instant since = timed ? env_.precise_now() : Instant{};
  size_t budget = kSegmentsPerEffort * static_cast<size_t>(settings().active_expire_effort);
  bool more = false;
  for (int i = 0; i < database_count() && budget > 0; ++i) {
    const int db = (expire_db_ + i) % database_count();
    const bool keys_left = database(db).expiring() > 0 && expire_segments(db, budget);
    if (expire_parts(db, budget) || keys_left) {
      expire_db_ = db;
      more = true;
    }
    if (REDOUBT_UNLUCKY(expiry_ends_early)) break;
  }
  if (timed) note_latency("expire-cycle", env_.precise_now() - since);
  if (more && budget == 0) {
    REDOUBT_REACHED(expiry_cut_short);
    ++stats_.expire_cycle_time_cap;
    env_.arm_in(expire_timer_, kPause);
  }
}

// Removes expired fields of hashes, those that have waited longest first. True when the budget
// ended before they did.
bool Node::expire_parts(int db, size_t& budget) {
  // Of one step of the budget; the last hash may have as many fields again.
  constexpr size_t kFieldsEach = 64;
  constexpr size_t kHashesEach = 32;
  const int64_t now_ms = env_.wall().unix_ms();
  std::string key;
  for (; budget > 0; --budget) {
    const uint64_t end = stats_.expired_fields + kFieldsEach;
    for (size_t i = 0; i < kHashesEach && stats_.expired_fields < end; ++i) {
      const auto next = database(db).first_with_expired_parts(now_ms);
      if (!next) return false;
      key.assign(*next);
      Entry* entry = database(db).find(key, database(db).hash(key));
      ASSERT(entry != nullptr);
      if (expired(*entry)) {
        expire_key(db, key, database(db).hash(key));
      } else {
        expire_fields(db, *entry, kFieldsEach);
      }
    }
  }
  return database(db).first_with_expired_parts(now_ms).has_value();
}

bool Node::expire_fields(int db, Entry& entry, size_t most) {
  const int64_t now_ms = env_.wall().unix_ms();
  const HashView hash(entry);
  const int64_t before_ms = hash.earliest_ms();
  // While clients are paused, and in a transaction that may be undone, data stands still: an
  // expired field is invisible, but stays.
  if (before_ms >= now_ms || pause_mode_ != PauseMode::none || rollback_ != nullptr) return true;
  const std::string key(entry.key());
  std::vector<std::string> names;
  hash.for_each_due(now_ms, most, [&](const HashField& field) {
    names.emplace_back(field.name.is_number ? IntegerText(field.name.number).view()
                                            : field.name.text);
  });
  const HashLimits limits;
  HashEditor editor(database(db).allocator(), hash_key_, limits, entry);
  for (const std::string& name : names) editor.remove(name);
  editor.store(entry);
  database(db).parts_expiry_changed(key, before_ms, editor.view().earliest_ms());
  env_.count_work(names.size());
  fields_expired(db, key, std::vector<std::string_view>(names.begin(), names.end()));
  if (editor.size() > 0) return true;
  erase(db, key, hash_key_(key), settings().lazyfree_lazy_expire);
  announce(db, key, 'g', "del");
  return false;
}

void Node::fields_expired(int db, std::string_view key, std::span<const std::string_view> fields) {
  stats_.expired_fields += fields.size();
  std::vector<std::string_view> effect = {"HDEL", key};
  effect.insert(effect.end(), fields.begin(), fields.end());
  effects_.append(db, effect);
  key_modified(db, key, 'h', "hexpired");
  if (observer_ != nullptr) observer_->on_fields_expired(db, key, fields);
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
    unfinished =
        database(db).dict().expire_step(cursor, now_ms, kDirectorySteps, [&](Entry& entry) {
          ++looked_at;
          if (!expired(entry)) return false;
          due.push_back(&entry);
          return true;
        });
    // A call that met no due segment costs a look at the directory; it counts as little.
    --budget;
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
