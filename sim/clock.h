// The clocks of one machine: one that never goes back, fast or slow by its drift, and one that
// shows the time of day, which is wrong by an offset and may jump.
#pragma once

#include "net/time.h"

namespace redoubt::sim {

class SimClock {
 public:
  // `uptime` is what the monotonic clock shows at time 0 of the world, `unix_ns` the wall clock.
  SimClock(Duration uptime, int64_t unix_ns) : uptime_ns_(uptime.ns), unix_ns_(unix_ns) {}

  // Fast by so much, from the beginning; before anybody has read it.
  void set_drift(int64_t parts_per_million) { drift_ = parts_per_million; }
  void jump(Duration by) { unix_ns_ += by.ns; }

  Instant monotonic(Instant world) const { return {uptime_ns_ + elapsed(world)}; }
  WallTime wall(Instant world) const { return {(unix_ns_ + elapsed(world)) / 1'000}; }

  int64_t drift_ppm() const { return drift_; }
  // The first moment of the world at which monotonic() is at least `clock`.
  Instant world_when(Instant clock) const {
    if (clock == Instant::never()) return clock;
    __extension__ using Wide = __int128;
    const int64_t wanted = clock.ns - uptime_ns_;
    Instant world{
        static_cast<int64_t>(static_cast<Wide>(wanted) * 1'000'000 / (1'000'000 + drift_)) - 2};
    while (elapsed(world) < wanted) ++world.ns;
    return world;
  }

 private:
  int64_t elapsed(Instant world) const {
    return world.ns + world.ns / 1'000'000 * drift_ + world.ns % 1'000'000 * drift_ / 1'000'000;
  }

  int64_t uptime_ns_;
  int64_t unix_ns_;
  int64_t drift_ = 0;
};

}  // namespace redoubt::sim
