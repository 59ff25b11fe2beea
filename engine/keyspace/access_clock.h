// AccessClock: when, or how often, keys were used. Eviction and OBJECT read it, look-ups set it.
//
// The access clock of an entry has 24 bits. Under an LFU policy they are 16 bits of minutes and a
// counter of 8 bits that grows with the logarithm of the accesses and decays with time (Morris,
// "Counting large numbers of events in small registers", 1978); otherwise they are seconds. Three
// bits of the entry's flags make eighths of both: with seconds alone, a cache whose content changes
// within seconds cannot tell old from new, and a counter that grows by eighths, eight times as
// often, ranks keys with less noise. Under an LRM policy the clock is set by changes only.
#pragma once

#include <cstdint>

#include "engine/config/settings.h"
#include "engine/store/entry.h"
#include "engine/store/random.h"
#include "net/env.h"

namespace redoubt {

class AccessClock {
 public:
  // All of these outlive it.
  AccessClock(Env& env, const Settings& settings, Random& random);
  AccessClock(const AccessClock&) = delete;
  AccessClock& operator=(const AccessClock&) = delete;

  // Reads the policy anew, and the time.
  void settings_changed();
  // Reads the time; ten times a second. In between the clock stands still.
  void update() { value_ = now(); }
  // What a new entry gets, in eighths.
  uint32_t value() const { return value_; }

  // The entry is read.
  void touch(const Entry& entry) {
    if (kind_ == Kind::last_use) [[likely]] {
      entry.set_fine_access(value_);
    } else if (kind_ == Kind::frequency) {
      count_use(entry);
    }
  }
  // Changes count as uses, and nothing else does.
  bool counts_changes() const { return kind_ == Kind::last_change; }
  // The entry was changed. Only with counts_changes().
  void changed(const Entry& entry) {
    ASSERT(counts_changes());
    entry.set_fine_access(value_);
  }
  bool counts_uses() const { return kind_ == Kind::frequency; }

  // What OBJECT IDLETIME and OBJECT FREQ answer, by the clock of this moment.
  int64_t idle_ms(const Entry& entry) const;
  int frequency(const Entry& entry) const;
  // How much an entry deserves to be evicted for its use; larger goes first.
  uint32_t uselessness(const Entry& entry) const;

 private:
  enum class Kind : uint8_t { last_use, last_change, frequency };

  uint32_t now() const;
  void count_use(const Entry& entry);
  uint32_t fine_frequency(const Entry& entry) const;
  uint32_t fine_idle(const Entry& entry) const;

  Env& env_;
  const Settings& settings_;
  Random& random_;
  Kind kind_ = Kind::last_use;
  uint32_t value_ = 0;
};

}  // namespace redoubt
