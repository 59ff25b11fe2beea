// Active expiry: keys that nobody asks for are removed too.
//
// A segment of the dict knows a time before which none of its entries expires, so a round passes
// over segments in which nothing is due without touching an entry. Work is bounded by count: a step
// looks at up to kSegments segments with something due; if there is more, the next step follows
// after kPause, so that a burst of expiries takes at most about a tenth of the processor.
#include <fmt/format.h>

#include <algorithm>

#include "engine/node/node_state.h"
#include "engine/store/type_ops.h"
#include "net/places.h"

namespace redoubt {

namespace {

constexpr size_t kSegmentsPerEffort = 8;
constexpr size_t kDirectorySteps = 4096;
constexpr Duration kPause = Duration::milliseconds(2);

}  // namespace

void Node::run_active_expiry() {
  if (!active_expiry_ || !keyspace_.decides()) return;
  const bool timed = settings().latency_monitor_threshold_ms > 0;
  const Instant since = timed ? env_.precise_now() : Instant{};
  size_t budget = kSegmentsPerEffort * static_cast<size_t>(settings().active_expire_effort);
  if (REDOUBT_UNLUCKY(expiry_of_one)) budget = 1;
  bool more = false;
  for (int i = 0; i < keyspace_.count() && budget > 0; ++i) {
    const int db = (expire_db_ + i) % keyspace_.count();
    const bool keys_left = keyspace_.database(db).expiring() > 0 && expire_segments(db, budget);
    if (expire_parts(db, budget) || keys_left) {
      expire_db_ = db;
      more = true;
    }
  }
  if (timed) note_latency("expire-cycle", env_.precise_now() - since);
  if (more && budget == 0) {
    REDOUBT_REACHED(expiry_cut_short);
    ++stats_.expire_cycle_time_cap;
    env_.arm_in(expire_timer_, kPause);
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
  for (; budget > 0; --budget) {
    const uint64_t end = stats_.expired_parts + kPartsEach;
    for (size_t i = 0; i < kValuesEach && stats_.expired_parts < end; ++i) {
      const auto next = keyspace_.database(db).first_with_expired_parts(now_ms);
      if (!next) return false;
      key.assign(*next);
      const Entry* entry = keyspace_.database(db).find(key, keyspace_.database(db).hash(key));
      ASSERT(entry != nullptr);
      if (keyspace_.expired(*entry)) {
        keyspace_.expire_key(db, key, keyspace_.database(db).hash(key));
      } else {
        keyspace_.remove_expired_parts(db, *entry, kPartsEach);
      }
    }
  }
  return keyspace_.database(db).first_with_expired_parts(now_ms).has_value();
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
    unfinished = keyspace_.database(db).dict().expire_step(cursor, now_ms, kDirectorySteps,
                                                           [&](Entry& entry) {
                                                             ++looked_at;
                                                             if (!keyspace_.expired(entry))
                                                               return false;
                                                             due.push_back(&entry);
                                                             return true;
                                                           });
    // A call that met no due segment costs a look at the directory; it counts as little.
    --budget;
    for (const Entry* entry : due) {
      key.assign(entry->key());
      keyspace_.expire_key(db, key, keyspace_.database(db).hash(key));
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
