// The samples of events that took longer than latency-monitor-threshold (LATENCY HISTORY).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "net/time.h"

namespace redoubt {

class LatencyMonitor {
 public:
  static constexpr size_t kSamplesMax = 160;

  struct Sample {
    int64_t unix_s = 0;
    int64_t ms = 0;
  };
  struct Event {
    std::vector<Sample> samples;  // oldest first, one a second
    int64_t max_ms = 0;
  };

  void add(std::string_view event, int64_t unix_s, int64_t ms);
  // The same for an event that took this long, if it reaches the threshold; 0: none does.
  void note(std::string_view event, Duration time, int64_t threshold_ms, WallTime now) {
    if (threshold_ms > 0 && time.ms() >= threshold_ms) add(event, now.unix_s(), time.ms());
  }
  const std::map<std::string, Event, std::less<>>& events() const { return events_; }
  // Forgets one event or all; returns how many there were.
  size_t reset(std::string_view event);
  size_t reset_all();

 private:
  std::map<std::string, Event, std::less<>> events_;  // names of our own: a handful
};

}  // namespace redoubt
