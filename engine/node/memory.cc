// Memory: what is counted, access clocks, and eviction.
//
// The access clock of an entry has 24 bits. Under an LFU policy they are 16 bits of minutes and a
// counter of 8 bits that grows with the logarithm of the accesses and decays with time (Morris,
// "Counting large numbers of events in small registers", 1978); otherwise they are seconds.
#include <algorithm>

#include "engine/node/node_state.h"

namespace redoubt {

namespace {

constexpr uint32_t kClockMask = 0xffffff;
constexpr int kLfuInitial = 5;

// Keys evicted for one command at most. What is then still above the limit goes with the next ones.
constexpr size_t kEvictionsPerCall = 256;

bool only_volatile(EvictionPolicy policy) {
  return policy == EvictionPolicy::volatile_lru || policy == EvictionPolicy::volatile_lfu ||
         policy == EvictionPolicy::volatile_random || policy == EvictionPolicy::volatile_ttl;
}

uint32_t minutes_of(WallTime wall) {
  return static_cast<uint32_t>(wall.unix_s() / 60) & 0xffff;
}

// The counter after the minutes that passed since it was last touched.
int decayed(uint32_t access, uint32_t minutes, int decay_time_min) {
  const int counter = static_cast<int>(access & 255);
  if (decay_time_min == 0) return counter;
  const uint32_t passed = (minutes - (access >> 8)) & 0xffff;
  return std::max(0, counter - static_cast<int>(passed) / decay_time_min);
}

}  // namespace

size_t Node::used_memory() const {
  size_t bytes = sessions_memory_;
  for (const auto& database : databases_) bytes += database->used_bytes();
  bytes += pubsub_.memory_bytes() + tracking_.memory_bytes();
  return bytes;
}

size_t Node::not_counted_for_eviction() const {
  size_t bytes = sessions_output_bytes_;
  for (const auto& database : databases_) bytes += database->remains_bytes();
  return bytes;
}

uint32_t Node::access_clock_now() const {
  if (lfu_) return minutes_of(env_.wall()) << 8 | kLfuInitial;
  return static_cast<uint32_t>(env_.wall().unix_s()) & kClockMask;
}

void Node::update_access_clock() {
  access_clock_ = access_clock_now();
  for (const auto& database : databases_) database->set_access_for_new(access_clock_);
}

void Node::touch(Entry& entry) {
  if (!lfu_) {
    entry.set_access(access_clock_);
    return;
  }
  const uint32_t minutes = access_clock_ >> 8;
  int counter = decayed(entry.access(), minutes, settings().lfu_decay_time_min);
  if (counter < 255) {
    const int base = std::max(0, counter - kLfuInitial);
    const uint64_t odds =
        static_cast<uint64_t>(base) * static_cast<uint64_t>(settings().lfu_log_factor) + 1;
    if (random_.one_in(odds)) ++counter;
  }
  entry.set_access(minutes << 8 | static_cast<uint32_t>(counter));
}

int64_t Node::idle_ms(const Entry& entry) const {
  const uint32_t now = static_cast<uint32_t>(env_.wall().unix_s()) & kClockMask;
  // A clock that was set back makes entries look as if they were touched in the future.
  const uint32_t passed = (now - entry.access()) & kClockMask;
  return passed > kClockMask / 2 ? 0 : int64_t{passed} * 1000;
}

int Node::frequency(const Entry& entry) const {
  return decayed(entry.access(), minutes_of(env_.wall()), settings().lfu_decay_time_min);
}

// Larger goes first.
uint64_t Node::eviction_score(const Entry& entry) const {
  if (settings().maxmemory_policy == EvictionPolicy::volatile_ttl) {
    return ~static_cast<uint64_t>(entry.expiry_ms());
  }
  if (lfu_) return static_cast<uint64_t>(255 - frequency(entry));
  return static_cast<uint64_t>(idle_ms(entry));
}

bool Node::evict_to_limit() {
  const uint64_t limit = settings().maxmemory;
  if (limit == 0 || counted_memory() <= limit) return true;
  if (pause_mode_ != PauseMode::none) return true;
  if (settings().maxmemory_policy == EvictionPolicy::noeviction) return false;
  for (size_t i = 0; i < kEvictionsPerCall; ++i) {
    if (!evict_one()) return false;
    env_.count_work(1);
    if (counted_memory() <= limit) return true;
  }
  return true;  // on the way; the next command goes on
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
  const size_t wanted = std::min(static_cast<size_t>(settings().maxmemory_samples), kSamplesMax);
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
  erase(db, key, database(db).hash(key), lazy);
  ++stats_.evicted_keys;
  const std::string_view effect[] = {lazy ? "UNLINK" : "DEL", key};
  effects_.append(db, effect);
  key_modified(db, key, 'e', "evicted");
  if (observer_ != nullptr) observer_->on_evicted(db, key);
}

}  // namespace redoubt
