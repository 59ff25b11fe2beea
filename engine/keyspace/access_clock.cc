#include "engine/keyspace/access_clock.h"

#include <algorithm>

namespace redoubt {

namespace {

constexpr uint32_t kStampMask = (uint32_t{1} << Entry::kFineAccessBits) - 1;
// Idle times end here; older stamps are moved up to it.
constexpr uint32_t kLongestIdle = kStampMask / 8 * 7;
// A stamp that is ahead of the clock by less than this was set a moment ago.
constexpr uint32_t kAhead = 8 * 60;

constexpr uint32_t kFractions = 8;
constexpr uint32_t kLfuInitial = 5 * kFractions;
constexpr uint32_t kLfuMax = 255 * kFractions;
constexpr int kMinutesShift = 11;
constexpr uint32_t kCounterMask = (uint32_t{1} << kMinutesShift) - 1;
constexpr uint32_t kMinutesMask = kStampMask >> kMinutesShift;

constexpr int64_t kNsPerMs = 1'000'000;
// One pass over all entries takes so long.
constexpr uint64_t kPassMs = uint64_t{2} * 24 * 3600 * 1000;
constexpr uint64_t kCircle = uint64_t{1} << 48;
// Buckets of a database that one call looks at. Far more than it has to, unless it was not called
// for long.
constexpr int kStepsMax = 200;

}  // namespace

AccessClock::AccessClock(Env& env, Random& random, const Settings& settings)
    : env_(env), random_(random), settings_(settings) {
  settings_changed();
  passed_ = pass_position();
}

void AccessClock::settings_changed() {
  switch (settings_.maxmemory_policy) {
    case EvictionPolicy::allkeys_lfu:
    case EvictionPolicy::volatile_lfu: kind_ = Kind::frequency; break;
    case EvictionPolicy::allkeys_lrm:
    case EvictionPolicy::volatile_lrm: kind_ = Kind::changes; break;
    default: kind_ = Kind::uses; break;
  }
  advance();
}

uint32_t AccessClock::ticks() const {
  return static_cast<uint32_t>(env_.now().ns / (kTickMs * kNsPerMs)) & kStampMask;
}

uint32_t AccessClock::minutes() const {
  return static_cast<uint32_t>(env_.now().ns / (60'000 * kNsPerMs)) & kMinutesMask;
}

void AccessClock::advance() {
  stamp_ = kind_ == Kind::frequency ? minutes() << kMinutesShift | kLfuInitial : ticks();
}

uint32_t AccessClock::idle(const Entry& entry) const {
  const uint32_t passed = (ticks() - entry.fine_access()) & kStampMask;
  return passed > kStampMask - kAhead ? 0 : passed;
}

// The counter, in eighths, after the minutes that passed since it was last touched.
uint32_t AccessClock::decayed(uint32_t stamp, uint32_t minutes) const {
  const uint32_t counter = stamp & kCounterMask;
  if (settings_.lfu_decay_time_min == 0) return counter;
  const uint32_t passed = (minutes - (stamp >> kMinutesShift)) & kMinutesMask;
  const uint32_t lost = passed / static_cast<uint32_t>(settings_.lfu_decay_time_min) * kFractions;
  return counter - std::min(counter, lost);
}

// The stamp with one use more.
uint32_t AccessClock::counted_use(const Entry& entry) {
  const uint32_t now = stamp_ >> kMinutesShift;
  uint32_t counter = decayed(entry.fine_access(), now);
  if (counter < kLfuMax) {
    // One access in (counter - 5) * lfu-log-factor + 1 adds one, so each adds its share in eighths.
    const uint64_t base = counter > kLfuInitial ? counter - kLfuInitial : 0;
    const uint64_t odds = base * static_cast<uint64_t>(settings_.lfu_log_factor) + kFractions;
    constexpr uint64_t kWhole = uint64_t{kFractions} * kFractions;
    counter += static_cast<uint32_t>(kWhole / odds) + (random_.below(odds) < kWhole % odds ? 1 : 0);
  }
  return now << kMinutesShift | std::min(counter, kLfuMax);
}

int AccessClock::frequency(const Entry& entry) const {
  return static_cast<int>(decayed(entry.fine_access(), minutes()) / kFractions);
}

uint64_t AccessClock::eviction_score(const Entry& entry) const {
  if (settings_.maxmemory_policy == EvictionPolicy::volatile_ttl) {
    return ~static_cast<uint64_t>(entry.expiry_ms());
  }
  if (counts_uses()) return kLfuMax - decayed(entry.fine_access(), minutes());
  return idle(entry);
}

void AccessClock::set_idle(const Entry& entry, uint64_t idle_s) const {
  ASSERT(!counts_uses());
  constexpr uint64_t kTicksPerSecond = 1000 / kTickMs;
  const uint64_t passed = std::min<uint64_t>(idle_s, kLongestIdle / kTicksPerSecond);
  entry.set_fine_access((ticks() - static_cast<uint32_t>(passed * kTicksPerSecond)) & kStampMask);
}

void AccessClock::set_frequency(const Entry& entry, uint8_t frequency) const {
  ASSERT(counts_uses());
  entry.set_fine_access(minutes() << kMinutesShift | frequency * kFractions);
}

// Moves a stamp up that would soon look as if it were of a later time.
void AccessClock::pin(const Entry& entry) const {
  if (!counts_uses()) {
    const uint32_t passed = idle(entry);
    if (passed > kLongestIdle) entry.set_fine_access((ticks() - kLongestIdle) & kStampMask);
    return;
  }
  const uint32_t now = minutes();
  const uint32_t passed = (now - (entry.fine_access() >> kMinutesShift)) & kMinutesMask;
  if (passed < kMinutesMask / 2) return;
  const int decay_min = settings_.lfu_decay_time_min;
  const uint32_t rest = decay_min == 0 ? 0 : passed % static_cast<uint32_t>(decay_min);
  const uint32_t counter = decayed(entry.fine_access(), now);
  entry.set_fine_access(((now - rest) & kMinutesMask) << kMinutesShift | counter);
}

// Where the pass should be.
uint64_t AccessClock::pass_position() const {
  const uint64_t ms = static_cast<uint64_t>(env_.now().ns / kNsPerMs) % kPassMs;
  return ms * (kCircle / kPassMs);
}

void AccessClock::keep_from_wrapping(std::span<const std::unique_ptr<Database>> databases) {
  ASSERT(passed_ < kCircle);
  const uint64_t due = pass_position();
  // To the end of the circle first, when a new pass has begun.
  const uint64_t end = due < passed_ ? kCircle : due;
  uint64_t reached = end;
  for (const std::unique_ptr<Database>& database : databases) {
    if (database->size() == 0) continue;
    uint64_t at = passed_;
    for (int steps = 0; at < end && steps < kStepsMax; ++steps) {
      at = database->dict().scan(at, [&](const Entry& entry) { pin(entry); });
      if (at == Dict::kCursorEnd) at = kCircle;
    }
    reached = std::min(reached, at);
  }
  passed_ = reached >= kCircle ? 0 : reached;
}

}  // namespace redoubt
