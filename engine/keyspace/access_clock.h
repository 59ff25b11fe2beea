// AccessClock: when entries were used last, or how often.
//
// An entry has a stamp of 28 bits. Under an LFU policy it holds 17 bits of minutes and a counter of
// 8 bits, with three more below its lowest, that grows with the logarithm of the accesses and
// decays with time (Morris, "Counting large numbers of events in small registers", 1978). Otherwise
// it is the time in eighths of seconds: with seconds alone, a cache whose content changes within
// seconds cannot tell old from new. A counter that grows by eighths, eight times as often, ranks
// keys with less noise. Under an LRM policy only changes set the stamp.
//
// Time is the monotonic clock, so that setting the wall clock makes nothing fresh or old. Stamps
// wrap after 388 days, those of LFU after 91. Before they do, keep_from_wrapping() moves old ones
// up: it passes all entries once in two days, so an idle time is exact up to 339 days, and stands
// there then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/config/settings.h"
#include "engine/store/database.h"
#include "engine/store/random.h"
#include "net/env.h"

namespace redoubt {

class AccessClock {
 public:
  // All of these outlive it.
  AccessClock(Env& env, Random& random, const Settings& settings);
  AccessClock(const AccessClock&) = delete;
  AccessClock& operator=(const AccessClock&) = delete;

  void settings_changed();
  // Follows the time of the turn. Several times a second.
  void advance();
  // The stamp of new entries.
  uint32_t stamp() const { return stamp_; }

  // A command used the entry.
  void touch(const Entry& entry) {
    if (kind_ == Kind::changes) return;
    entry.set_fine_access(kind_ == Kind::uses ? stamp_ : counted_use(entry));
  }
  // A command changed it.
  // What a file or RESTORE says of an entry: seconds since it was used, not under an LFU policy; or
  // the counter of one.
  void set_idle(const Entry& entry, uint64_t idle_s) const;
  void set_frequency(const Entry& entry, uint8_t frequency) const;
  bool follows_changes() const { return kind_ == Kind::changes; }
  void changed(const Entry& entry) const { entry.set_fine_access(stamp_); }

  bool counts_uses() const { return kind_ == Kind::frequency; }
  // Milliseconds since the entry was used; not under an LFU policy.
  int64_t idle_ms(const Entry& entry) const { return int64_t{idle(entry)} * kTickMs; }
  // The counter of an LFU policy.
  int frequency(const Entry& entry) const;
  // Larger for an entry that is to be evicted earlier.
  uint64_t eviction_score(const Entry& entry) const;

  // Goes on with the pass over all entries. Several times a second.
  void keep_from_wrapping(std::span<const std::unique_ptr<Database>> databases);

 private:
  enum class Kind : uint8_t { uses, frequency, changes };
  static constexpr int kTickMs = 125;

  uint32_t ticks() const;
  uint32_t minutes() const;
  uint32_t idle(const Entry& entry) const;
  uint32_t decayed(uint32_t stamp, uint32_t minutes) const;
  uint32_t counted_use(const Entry& entry);
  void pin(const Entry& entry) const;
  uint64_t pass_position() const;

  Env& env_;
  Random& random_;
  const Settings& settings_;
  Kind kind_ = Kind::uses;
  uint32_t stamp_ = 0;
  uint64_t passed_ = 0;  // how far the pass is, on the dict's circle of hashes
};

}  // namespace redoubt
