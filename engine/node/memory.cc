// Memory: what is counted, and eviction.
#include <fmt/format.h>

#include <algorithm>

#include "engine/node/node_state.h"
#include "net/places.h"

namespace redoubt {

namespace {

// Keys evicted for one command at most. What is then still above the limit goes with the next ones.
constexpr size_t kEvictionsPerCall = 256;

bool only_volatile(EvictionPolicy policy) {
  return policy == EvictionPolicy::volatile_lru || policy == EvictionPolicy::volatile_lfu ||
         policy == EvictionPolicy::volatile_random || policy == EvictionPolicy::volatile_ttl ||
         policy == EvictionPolicy::volatile_lrm;
}

}  // namespace

size_t Node::used_memory() const {
  size_t bytes = clients_.memory_bytes();
  for (const auto& database : keyspace_.databases()) bytes += database->used_bytes();
  return bytes;
}

size_t Node::not_counted_for_eviction() const {
  size_t bytes = clients_.memory_not_evictable();
  for (const auto& database : keyspace_.databases()) bytes += database->remains_bytes();
  return bytes;
}

// Larger goes first.
uint64_t Node::eviction_score(const Entry& entry) const {
  if (settings().maxmemory_policy == EvictionPolicy::volatile_ttl) {
    return ~static_cast<uint64_t>(entry.expiry_ms());
  }
  return keyspace_.clock().uselessness(entry);
}

bool Node::evict_to_limit() {
  const uint64_t limit = settings().maxmemory;
  if (limit == 0 || counted_memory() <= limit) return true;
  if (!keyspace_.decides()) return true;
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
    for (int db = 0; db < keyspace_.count(); ++db) sample_into_pool(db, only_expiring);
    if (pool.count == 0) return false;
    while (pool.count > 0) {
      const EvictionPool::Candidate candidate = std::move(pool.candidates[--pool.count]);
      if (candidate.db >= keyspace_.count()) continue;
      const Database& from = keyspace_.database(candidate.db);
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
  for (int i = 0; i < keyspace_.count(); ++i) {
    eviction_db_ = (eviction_db_ + 1) % keyspace_.count();
    Database& from = keyspace_.database(eviction_db_);
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
  Database& from = keyspace_.database(db);
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
  keyspace_.erase(db, key, keyspace_.hash(key), lazy);
  if (timed) note_latency(lazy ? "eviction-lazyfree" : "eviction-del", env_.precise_now() - since);
  const std::string_view effect[] = {lazy ? "UNLINK" : "DEL", key};
  effects_.append(db, effect);
  keyspace_.evicted(db, key);
}

}  // namespace redoubt
