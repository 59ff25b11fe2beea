// Memory: what is counted, access clocks, and eviction.
//
// The access clock of an entry has 24 bits. Under an LFU policy they are 16 bits of minutes and a
// counter of 8 bits that grows with the logarithm of the accesses and decays with time (Morris,
// "Counting large numbers of events in small registers", 1978); otherwise they are seconds. Three
// bits of the entry's flags make eighths of both: with seconds alone, a cache whose content changes
// within seconds cannot tell old from new, and a counter that grows by eighths, eight times as
// often, ranks keys with less noise. Under an LRM policy the clock is set by changes only.
#include <fmt/format.h>

#include <algorithm>

#include "engine/node/node_state.h"
#include "net/places.h"

namespace redoubt {

namespace {

constexpr uint32_t kClockMask = 0xffffff;
constexpr uint32_t kLfuInitial = 5;
constexpr uint32_t kFractions = 1u << Entry::kFractionBits;
constexpr uint32_t kFineMask = (kClockMask + 1) * kFractions - 1;
constexpr uint32_t kLfuMax = 255 * kFractions;
constexpr int kMinutesShift = 8 + Entry::kFractionBits;

// Keys evicted for one command at most. What is then still above the limit goes with the next ones.
constexpr size_t kEvictionsPerCall = 256;

bool only_volatile(EvictionPolicy policy) {
  return policy == EvictionPolicy::volatile_lru || policy == EvictionPolicy::volatile_lfu ||
         policy == EvictionPolicy::volatile_random || policy == EvictionPolicy::volatile_ttl ||
         policy == EvictionPolicy::volatile_lrm;
}

uint32_t minutes_of(WallTime wall) {
  return static_cast<uint32_t>(wall.unix_s() / 60) & 0xffff;
}

// The counter, in eighths, after the minutes that passed since it was last touched.
uint32_t decayed(uint32_t fine_access, uint32_t minutes, int decay_time_min) {
  const uint32_t counter = fine_access & ((1u << kMinutesShift) - 1);
  if (decay_time_min == 0) return counter;
  const uint32_t passed = (minutes - (fine_access >> kMinutesShift)) & 0xffff;
  const uint32_t lost = passed / static_cast<uint32_t>(decay_time_min) * kFractions;
  return counter - std::min(counter, lost);
}

}  // namespace

size_t Node::used_memory() const {
  size_t bytes = clients_.memory_bytes() + snapshots_.flushed_bytes();
  for (const auto& database : databases_) bytes += database->used_bytes();
  return bytes;
}

size_t Node::not_counted_for_eviction() const {
  size_t bytes = clients_.memory_not_evictable() + snapshots_.flushed_bytes();
  for (const auto& database : databases_) {
    bytes += database->remains_bytes() + database->kept_bytes();
  }
  return bytes;
}

uint32_t Node::access_clock_now() const {
  if (lfu_) return (minutes_of(env_.wall()) << 8 | kLfuInitial) << Entry::kFractionBits;
  return static_cast<uint32_t>(env_.wall().unix_ms() / (1000 / kFractions)) & kFineMask;
}

void Node::update_access_clock() {
  access_clock_ = access_clock_now();
  for (const auto& database : databases_) database->set_access_for_new(access_clock_);
}

void Node::touch(const Entry& entry) {
  if (lrm_) return;  // only changes count
  if (!lfu_) {
    entry.set_fine_access(access_clock_);
    return;
  }
  const uint32_t minutes = access_clock_ >> kMinutesShift;
  uint32_t counter = decayed(entry.fine_access(), minutes, settings().lfu_decay_time_min);
  if (counter < kLfuMax) {
    // One access in (counter - 5) * lfu-log-factor + 1 adds one, so each adds its share in eighths.
    constexpr uint32_t kStart = kLfuInitial * kFractions;
    const uint64_t base = counter > kStart ? counter - kStart : 0;
    const uint64_t odds = base * static_cast<uint64_t>(settings().lfu_log_factor) + kFractions;
    constexpr uint64_t kWhole = uint64_t{kFractions} * kFractions;
    counter += static_cast<uint32_t>(kWhole / odds) + (random_.below(odds) < kWhole % odds ? 1 : 0);
  }
  entry.set_fine_access(minutes << kMinutesShift | std::min(counter, kLfuMax));
}

int64_t Node::idle_ms(const Entry& entry) const {
  const uint32_t now = static_cast<uint32_t>(env_.wall().unix_s()) & kClockMask;
  // A clock that was set back makes entries look as if they were touched in the future.
  const uint32_t passed = (now - entry.access()) & kClockMask;
  return passed > kClockMask / 2 ? 0 : int64_t{passed} * 1000;
}

int Node::frequency(const Entry& entry) const {
  return static_cast<int>(fine_frequency(entry) / kFractions);
}

uint32_t Node::fine_frequency(const Entry& entry) const {
  return decayed(entry.fine_access(), minutes_of(env_.wall()), settings().lfu_decay_time_min);
}

// Eighths of seconds since the entry was used, by the clock of this moment.
uint32_t Node::fine_idle(const Entry& entry) const {
  const uint32_t now =
      static_cast<uint32_t>(env_.wall().unix_ms() / (1000 / kFractions)) & kFineMask;
  const uint32_t passed = (now - entry.fine_access()) & kFineMask;
  return passed > kFineMask / 2 ? 0 : passed;
}

// Larger goes first.
uint64_t Node::eviction_score(const Entry& entry) const {
  if (settings().maxmemory_policy == EvictionPolicy::volatile_ttl) {
    return ~static_cast<uint64_t>(entry.expiry_ms());
  }
  if (lfu_) return kLfuMax - fine_frequency(entry);
  return fine_idle(entry);
}

bool Node::evict_to_limit() {
  const uint64_t limit = settings().maxmemory;
  if (limit == 0 || counted_memory() <= limit) return true;
  if (pause_mode_ != PauseMode::none) return true;
  if (settings().maxmemory_policy == EvictionPolicy::noeviction) return false;
  const bool timed = settings().latency_monitor_threshold_ms > 0;
  const Instant since = timed ? env_.precise_now() : Instant{};
  bool possible = true;
  for (size_t i = 0; i < kEvictionsPerCall && possible; ++i) {
    possible = evict_one();
    if (!possible) REDOUBT_REACHED(eviction_of_nothing);
    env_.count_work(1);
    if (counted_memory() <= limit) break;
  }
  if (timed) note_latency("eviction-cycle", env_.precise_now() - since);
  return possible;  // perhaps still on the way; the next command goes on
}

bool Node::evict_one() {
  const EvictionPolicy policy = settings().maxmemory_policy;
  const bool only_expiring = only_volatile(policy);
  if (policy == EvictionPolicy::allkeys_random || policy == EvictionPolicy::volatile_random) {
    return evict_random(only_expiring);
  }
  EvictionPool& pool = *eviction_pool_;
  // A candidate may be gone by now; then the next best is taken, and new samples after the last.
  for (int tries = 0; tries < 4; ++tries) {
    for (int db = 0; db < database_count(); ++db) sample_into_pool(db, only_expiring);
    if (pool.count == 0) return false;
    while (pool.count > 0) {
      const EvictionPool::Candidate candidate = std::move(pool.candidates[--pool.count]);
      if (candidate.db >= database_count()) continue;
      const Database& from = database(candidate.db);
      const Entry* entry = from.find(candidate.key, from.hash(candidate.key));
      if (entry == nullptr || (only_expiring && !entry->has_expiry())) continue;
      // Used since it was sampled: it has earned another look.
      if (eviction_score(*entry) < candidate.score) continue;
      evict(candidate.db, candidate.key);
      return true;
    }
  }
  return false;
}

bool Node::evict_random(bool only_expiring) {
  for (int i = 0; i < database_count(); ++i) {
    eviction_db_ = (eviction_db_ + 1) % database_count();
    Database& from = database(eviction_db_);
    if ((only_expiring ? from.expiring() : from.size()) == 0) continue;
    Entry* found = nullptr;
    if (!only_expiring) {
      found = from.dict().random_entry(random_);
    } else if (from.dict().sample(random_, true, &found, 1) == 0) {
      continue;
    }
    const std::string key(found->key());
    evict(eviction_db_, key);
    return true;
  }
  return false;
}

void Node::sample_into_pool(int db, bool only_expiring) {
  constexpr size_t kSamplesMax = 64;
  Database& from = database(db);
  if ((only_expiring ? from.expiring() : from.size()) == 0) return;
  EvictionPool& pool = *eviction_pool_;
  Entry* sampled[kSamplesMax];
  const bool one = REDOUBT_UNLUCKY(eviction_sample_of_one);
  const size_t wanted =
      one ? 1 : std::min(static_cast<size_t>(settings().maxmemory_samples), kSamplesMax);
  const size_t count = from.dict().sample(random_, only_expiring, sampled, wanted);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t score = eviction_score(*sampled[i]);
    size_t at = 0;
    bool known = false;
    while (at < pool.count && pool.candidates[at].score < score) ++at;
    for (size_t j = 0; j < pool.count && !known; ++j) {
      known = pool.candidates[j].db == db && pool.candidates[j].key == sampled[i]->key();
    }
    if (known) continue;
    if (pool.count == EvictionPool::kSize) {
      if (at == 0) continue;  // better than the best that are kept
      std::rotate(pool.candidates.begin(), pool.candidates.begin() + 1,
                  pool.candidates.begin() + static_cast<ptrdiff_t>(at));
      --at;
    } else {
      std::rotate(pool.candidates.begin() + static_cast<ptrdiff_t>(at),
                  pool.candidates.begin() + static_cast<ptrdiff_t>(pool.count),
                  pool.candidates.begin() + static_cast<ptrdiff_t>(pool.count) + 1);
      ++pool.count;
    }
    EvictionPool::Candidate& candidate = pool.candidates[at];
    candidate.score = score;
    candidate.db = db;
    candidate.key.assign(sampled[i]->key());
  }
}

void Node::evict(int db, std::string_view key) {
  const bool lazy = settings().lazyfree_lazy_eviction;
  const bool timed = settings().latency_monitor_threshold_ms > 0;
  const Instant since = timed ? env_.precise_now() : Instant{};
  erase(db, key, database(db).hash(key), lazy);
  if (timed) note_latency(lazy ? "eviction-lazyfree" : "eviction-del", env_.precise_now() - since);
  ++stats_.evicted_keys;
  const std::string_view effect[] = {lazy ? "UNLINK" : "DEL", key};
  effects_.append(db, effect);
  key_modified(db, key, 'e', "evicted");
  if (observer_ != nullptr) observer_->on_evicted(db, key);
}

}  // namespace redoubt
