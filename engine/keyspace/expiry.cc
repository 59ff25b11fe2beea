#include "engine/keyspace/expiry.h"

#include <algorithm>
#include <numeric>

#include "net/places.h"

namespace redoubt {

namespace {

// Work of a step, as Dict::find_expired() counts it.
constexpr size_t kStepWork = 1000 * (Dict::kDueCost + 1);
// Between two steps at an effort of 1: a quarter of the processor at most.
constexpr Duration kPause = Duration::milliseconds(3);
// The cost of a field or member that expires, and how many of a value are removed at a time.
constexpr size_t kPartCost = 8;
constexpr size_t kPartsEach = 64;

// Steps through so many places that reach each once, far from each other: the rest of a segment
// then fits into a smaller one, which it would not when one end of it is erased first.
size_t stride_through(size_t count) {
  size_t stride = count * 5 / 8 | 1;
  while (std::gcd(stride, count) > 1) stride += 2;
  return stride;
}

}  // namespace

Expiry::Expiry(Env& env, KeyRemover& keys, const Settings& settings, Stats& stats)
    : env_(env), keys_(keys), settings_(settings), stats_(stats) {
  timer_.owner = this;
  timer_.on_fire = [](Timer& timer) { static_cast<Expiry*>(timer.owner)->step(); };
}

Expiry::~Expiry() {
  env_.disarm(timer_);
}

void Expiry::step() {
  if (!active_ || !keys_.decides()) return;
  const Instant since = env_.precise_now();
  const size_t count = keys_.databases().size();
  cursors_.resize(count);
  ASSERT(next_db_ < count);
  size_t budget = REDOUBT_UNLUCKY(expiry_of_one) ? 1 : kStepWork;
  bool more = false;
  for (size_t i = 0; i < count && budget > 0; ++i) {
    const size_t db = (next_db_ + i) % count;
    const bool keys_left = expire_keys(static_cast<int>(db), budget);
    if (expire_parts(static_cast<int>(db), budget) || keys_left) {
      next_db_ = db;
      more = true;
    }
  }
  const Duration took = env_.precise_now() - since;
  stats_.expire_cycle_ns += static_cast<uint64_t>(std::max(took.ns, int64_t{0}));
  keys_.note_latency("expire-cycle", took);
  if (more && budget == 0) {
    REDOUBT_REACHED(expiry_cut_short);
    ++stats_.expire_cycle_time_cap;
    env_.arm_in(timer_, {kPause.ns / settings_.active_expire_effort});
  }
}

// Goes on with the round of one database. True when the budget ended before the round.
bool Expiry::expire_keys(int db, size_t& budget) {
  Database& database = *keys_.databases()[static_cast<size_t>(db)];
  const int64_t now_ms = env_.wall().unix_ms();
  uint64_t& cursor = cursors_[static_cast<size_t>(db)];
  size_t work = 0;
  size_t found = 0;
  bool more = true;
  while (more && budget > 0) {
    due_.clear();
    const size_t before = budget;
    more = database.dict().find_expired(cursor, now_ms, budget, due_);
    ASSERT(budget <= before);
    work += before - budget;
    const size_t stride = stride_through(due_.size());
    for (size_t i = 0, at = 0; i < due_.size(); ++i, at = (at + stride) % due_.size()) {
      key_.assign(due_[at]->key());
      keys_.remove_expired(db, key_, kPartsEach);
    }
    found += due_.size();
  }
  const size_t looked_at = work - std::min(work, found * Dict::kDueCost);
  env_.count_work(found + looked_at / 16);
  if (looked_at > 0) {
    const double share =
        100.0 * static_cast<double>(std::min(found, looked_at)) / static_cast<double>(looked_at);
    stats_.expired_stale_percent = stats_.expired_stale_percent * 0.95 + share * 0.05;
  }
  return more;
}

// Removes expired fields of hashes and members of sets, those that have waited longest first. True
// when the budget ended before they did.
bool Expiry::expire_parts(int db, size_t& budget) {
  const Database& database = *keys_.databases()[static_cast<size_t>(db)];
  const int64_t now_ms = env_.wall().unix_ms();
  while (true) {
    const auto next = database.expiring_parts().first_before(now_ms);
    if (!next) return false;
    if (budget == 0) return true;
    key_.assign(*next);
    const uint64_t before = stats_.expired_parts;
    keys_.remove_expired(db, key_, kPartsEach);
    const size_t cost = Dict::kDueCost + (stats_.expired_parts - before) * kPartCost;
    budget -= std::min(budget, cost);
  }
}

}  // namespace redoubt
