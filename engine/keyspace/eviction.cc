#include "engine/keyspace/eviction.h"

#include <algorithm>
#include <limits>

#include "net/places.h"

namespace redoubt {

namespace {

// The clock is read after so many keys.
constexpr size_t kKeysPerReading = 8;
// Keys for a command when another has used up its slice in the same turn.
constexpr size_t kKeysOfTheOthers = 16;

bool only_volatile(EvictionPolicy policy) {
  return policy == EvictionPolicy::volatile_lru || policy == EvictionPolicy::volatile_lfu ||
         policy == EvictionPolicy::volatile_random || policy == EvictionPolicy::volatile_ttl ||
         policy == EvictionPolicy::volatile_lrm;
}

// How far above the limit commands are still let in while eviction goes on.
size_t tolerance(size_t limit) {
  return limit / 32;
}

}  // namespace

Eviction::Eviction(Env& env, KeyRemover& keys, AccessClock& clock, Random& random,
                   const Settings& settings)
    : env_(env), keys_(keys), clock_(clock), random_(random), settings_(settings) {
  timer_.owner = this;
  timer_.on_fire = [](Timer& timer) { static_cast<Eviction*>(timer.owner)->go_on(); };
}

Eviction::~Eviction() {
  env_.disarm(timer_);
}

void Eviction::settings_changed() {
  measure(0);
}

// Sums memory, and decides how closely it is to be watched.
size_t Eviction::measure(size_t largest_request) {
  const size_t limit = settings_.maxmemory;
  if (limit == 0) {
    set_tight(false);
    set_marks(SIZE_MAX);
    return 0;
  }
  const size_t used = keys_.evictable_bytes();
  const size_t room = limit - std::min(limit, used);
  const size_t reserve = limit / 64;
  request_mark_ = reserve;
  set_tight(room <= std::max(reserve, largest_request));
  // Tight memory is summed anew by each command that may need some.
  set_marks(tight_ ? SIZE_MAX : std::max(room - reserve, room / 2));
  return used;
}

void Eviction::set_tight(bool tight) {
  if (tight == tight_) return;
  tight_ = tight;
  keys_.on_tight(tight);
}

// Databases and clients that grow by what they get here do not grow by more than the room together.
// An empty database gets nothing: its first key has memory summed anew.
void Eviction::set_marks(size_t room) {
  const auto databases = keys_.databases();
  size_t shares = 1;  // of the clients
  for (const std::unique_ptr<Database>& database : databases) shares += database->size() > 0;
  const size_t clients = keys_.client_bytes();
  client_mark_ = room > SIZE_MAX - clients ? SIZE_MAX : clients + room / shares;
  for (const std::unique_ptr<Database>& database : databases) {
    const bool grows = database->size() > 0 || room == SIZE_MAX;
    database->allocator().set_mark(database->used_bytes(), grows ? room / shares : 0);
  }
}

bool Eviction::admit(size_t bytes) {
  const size_t limit = settings_.maxmemory;
  const size_t target = limit - std::min(limit, bytes);
  ASSERT(tight_);
  if (keys_.evictable_bytes() <= target || limit == 0 || !keys_.decides()) return true;
  if (settings_.maxmemory_policy == EvictionPolicy::noeviction || bytes > limit) return false;
  Slice most = slice();
  if (cut_short_) most.keys = std::min(most.keys, kKeysOfTheOthers);
  switch (evict_until(target, most)) {
    case Outcome::enough: return true;
    case Outcome::impossible: return false;
    case Outcome::unfinished: break;
  }
  cut_short_ = true;
  env_.arm(timer_, env_.now());
  return keys_.evictable_bytes() <= target + tolerance(limit);
}

void Eviction::cron() {
  if (limited() && measure(0) > settings_.maxmemory) go_on();
}

// A slice between commands.
void Eviction::go_on() {
  const size_t limit = settings_.maxmemory;
  if (limit == 0 || !keys_.decides() || keys_.evictable_bytes() <= limit) return;
  if (settings_.maxmemory_policy == EvictionPolicy::noeviction) return;
  if (evict_until(limit, slice()) == Outcome::unfinished) env_.arm(timer_, env_.now());
}

// By maxmemory-eviction-tenacity: 50 us for each of the first ten, then twice as much with every
// eight, 100 without an end. A key takes a microsecond or more, so counting them bounds the time
// where the clock stands still.
Eviction::Slice Eviction::slice() const {
  constexpr int kLinear = 10;
  constexpr int kDoubling = 8;
  constexpr int64_t kUsEach = 50;
  const int tenacity = settings_.maxmemory_eviction_tenacity;
  if (tenacity >= 100) {
    return {{std::numeric_limits<int64_t>::max()}, SIZE_MAX};
  }
  int64_t us = kUsEach * std::min(tenacity, kLinear);
  if (tenacity > kLinear) {
    const int above = tenacity - kLinear;
    const int64_t doubled = us << (above / kDoubling);
    us = doubled + doubled * (above % kDoubling) / kDoubling;
  }
  return {Duration::microseconds(us), static_cast<size_t>(std::max<int64_t>(us, 1))};
}

Eviction::Outcome Eviction::evict_until(size_t target, Slice slice) {
  const bool timed = settings_.latency_monitor_threshold_ms > 0;
  const Instant since = env_.precise_now();
  Outcome outcome = Outcome::unfinished;
  for (size_t i = 1; i <= slice.keys && outcome == Outcome::unfinished; ++i) {
    if (!evict_one()) {
      REDOUBT_REACHED(eviction_of_nothing);
      outcome = Outcome::impossible;
    } else if (keys_.evictable_bytes() <= target) {
      outcome = Outcome::enough;
    }
    env_.count_work(1);
    if (i % kKeysPerReading == 0 && (env_.precise_now() - since).ns >= slice.time.ns) break;
  }
  if (timed) keys_.note_latency("eviction-cycle", env_.precise_now() - since);
  return outcome;
}

bool Eviction::evict_one() {
  ASSERT(pool_count_ <= kPoolSize && keys_.decides());
  const EvictionPolicy policy = settings_.maxmemory_policy;
  const bool only_expiring = only_volatile(policy);
  if (policy == EvictionPolicy::allkeys_random || policy == EvictionPolicy::volatile_random) {
    return evict_random(only_expiring);
  }
  // A candidate may be gone by now; then the next best is taken, and new samples after the last.
  for (int tries = 0; tries < 4; ++tries) {
    const int count = static_cast<int>(keys_.databases().size());
    for (int db = 0; db < count; ++db) sample_into_pool(db, only_expiring);
    if (pool_count_ == 0) return false;
    while (pool_count_ > 0) {
      const Candidate candidate = std::move(pool_[--pool_count_]);
      if (candidate.db >= count) continue;
      const Database& from = database(candidate.db);
      const Entry* entry = from.find(candidate.key, from.hash(candidate.key));
      if (entry == nullptr || (only_expiring && !entry->has_expiry())) continue;
      // Used since it was sampled: it has earned another look.
      if (clock_.eviction_score(*entry) < candidate.score) continue;
      keys_.evict(candidate.db, candidate.key);
      return true;
    }
  }
  return false;
}

bool Eviction::evict_random(bool only_expiring) {
  const int count = static_cast<int>(keys_.databases().size());
  for (int i = 0; i < count; ++i) {
    random_db_ = (random_db_ + 1) % count;
    const Database& from = database(random_db_);
    if ((only_expiring ? from.expiring() : from.size()) == 0) continue;
    Entry* found = nullptr;
    if (!only_expiring) {
      found = from.dict().random_entry(random_);
    } else if (from.dict().sample(random_, true, &found, 1) == 0) {
      continue;
    }
    const std::string key(found->key());
    keys_.evict(random_db_, key);
    return true;
  }
  return false;
}

void Eviction::sample_into_pool(int db, bool only_expiring) {
  constexpr size_t kSamplesMax = 64;
  const Database& from = database(db);
  if ((only_expiring ? from.expiring() : from.size()) == 0) return;
  Entry* sampled[kSamplesMax];
  const bool one = REDOUBT_UNLUCKY(eviction_sample_of_one);
  const size_t wanted =
      one ? 1 : std::min(static_cast<size_t>(settings_.maxmemory_samples), kSamplesMax);
  const size_t count = from.dict().sample(random_, only_expiring, sampled, wanted);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t score = clock_.eviction_score(*sampled[i]);
    size_t at = 0;
    bool known = false;
    while (at < pool_count_ && pool_[at].score < score) ++at;
    for (size_t j = 0; j < pool_count_ && !known; ++j) {
      known = pool_[j].db == db && pool_[j].key == sampled[i]->key();
    }
    if (known) continue;
    const auto place = [this](size_t index) {
      return pool_.begin() + static_cast<ptrdiff_t>(index);
    };
    if (pool_count_ == kPoolSize) {
      if (at == 0) continue;  // better than the best that are kept
      std::rotate(pool_.begin(), place(1), place(at));
      --at;
    } else {
      std::rotate(place(at), place(pool_count_), place(pool_count_ + 1));
      ++pool_count_;
    }
    ASSERT(at < pool_count_);
    pool_[at].score = score;
    pool_[at].db = db;
    pool_[at].key.assign(sampled[i]->key());
  }
}

}  // namespace redoubt
