#include "engine/keyspace/access_clock.h"

#include <algorithm>

namespace redoubt {

namespace {

constexpr uint32_t kClockMask = 0xffffff;
constexpr uint32_t kLfuInitial = 5;
constexpr uint32_t kFractions = 1u << Entry::kFractionBits;
constexpr uint32_t kFineMask = (kClockMask + 1) * kFractions - 1;
constexpr uint32_t kLfuMax = 255 * kFractions;
constexpr int kMinutesShift = 8 + Entry::kFractionBits;

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

AccessClock::AccessClock(Env& env, const Settings& settings, Random& random)
    : env_(env), settings_(settings), random_(random) {
  settings_changed();
}

void AccessClock::settings_changed() {
  switch (settings_.maxmemory_policy) {
    case EvictionPolicy::allkeys_lfu:
    case EvictionPolicy::volatile_lfu: kind_ = Kind::frequency; break;
    case EvictionPolicy::allkeys_lrm:
    case EvictionPolicy::volatile_lrm: kind_ = Kind::last_change; break;
    default: kind_ = Kind::last_use; break;
  }
  update();
}

uint32_t AccessClock::now() const {
  if (counts_uses()) return (minutes_of(env_.wall()) << 8 | kLfuInitial) << Entry::kFractionBits;
  return static_cast<uint32_t>(env_.wall().unix_ms() / (1000 / kFractions)) & kFineMask;
}

void AccessClock::count_use(const Entry& entry) {
  const uint32_t minutes = value_ >> kMinutesShift;
  uint32_t counter = decayed(entry.fine_access(), minutes, settings_.lfu_decay_time_min);
  if (counter < kLfuMax) {
    // One access in (counter - 5) * lfu-log-factor + 1 adds one, so each adds its share in eighths.
    constexpr uint32_t kStart = kLfuInitial * kFractions;
    const uint64_t base = counter > kStart ? counter - kStart : 0;
    const uint64_t odds = base * static_cast<uint64_t>(settings_.lfu_log_factor) + kFractions;
    constexpr uint64_t kWhole = uint64_t{kFractions} * kFractions;
    counter += static_cast<uint32_t>(kWhole / odds) + (random_.below(odds) < kWhole % odds ? 1 : 0);
  }
  entry.set_fine_access(minutes << kMinutesShift | std::min(counter, kLfuMax));
}

int64_t AccessClock::idle_ms(const Entry& entry) const {
  const uint32_t now = static_cast<uint32_t>(env_.wall().unix_s()) & kClockMask;
  // A clock that was set back makes entries look as if they were touched in the future.
  const uint32_t passed = (now - entry.access()) & kClockMask;
  return passed > kClockMask / 2 ? 0 : int64_t{passed} * 1000;
}

int AccessClock::frequency(const Entry& entry) const {
  return static_cast<int>(fine_frequency(entry) / kFractions);
}

uint32_t AccessClock::fine_frequency(const Entry& entry) const {
  return decayed(entry.fine_access(), minutes_of(env_.wall()), settings_.lfu_decay_time_min);
}

// Eighths of seconds since the entry was used.
uint32_t AccessClock::fine_idle(const Entry& entry) const {
  const uint32_t now =
      static_cast<uint32_t>(env_.wall().unix_ms() / (1000 / kFractions)) & kFineMask;
  const uint32_t passed = (now - entry.fine_access()) & kFineMask;
  return passed > kFineMask / 2 ? 0 : passed;
}

uint32_t AccessClock::uselessness(const Entry& entry) const {
  return counts_uses() ? kLfuMax - fine_frequency(entry) : fine_idle(entry);
}

}  // namespace redoubt
