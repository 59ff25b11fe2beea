// Instrumentation: what a node notes about the commands that it executes. The logs of what stood
// out (SLOWLOG, COMMANDLOG), latency events, HOTKEYS. CallTiming (engine/dispatch) feeds it.
//
// Reading the clock costs a twentieth of a short command, so light commands of a batch share
// readings: up to kSharedReading consecutive calls of one command are a group, and time is known of
// the group. What is noted of each call is its share by weight (work counted, bytes in and out); a
// call of some weight ends its group at once. A threshold of the logs of a millisecond or more
// cannot be reached by a group in which nothing happened: when a group reaches it, the call whose
// share does so is noted, or the heaviest one of the group with the group's time. Below that
// threshold, and while HOTKEYS counts, each call is timed by itself (`closely`).
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>

#include "engine/config/settings.h"
#include "engine/insight/hotkeys.h"
#include "engine/insight/latency.h"
#include "engine/insight/slowlog.h"
#include "net/env.h"

namespace redoubt {

class Instrumentation {
 public:
  // Calls of one command that share a reading of the clock.
  static constexpr size_t kSharedReading = 16;
  // A call of this weight or more ends its group.
  static constexpr uint64_t kHeavy = 256;
  // Bytes of request and reply that weigh as much as a short command.
  static constexpr int kBytesShift = 6;
  // Thresholds below these need each call by itself.
  static constexpr int64_t kSharedSlowUs = 1000;
  static constexpr int64_t kSharedBytes = static_cast<int64_t>(kHeavy) << kBytesShift;

  // Both outlive it.
  Instrumentation(Env& env, const Settings& settings);
  Instrumentation(const Instrumentation&) = delete;
  Instrumentation& operator=(const Instrumentation&) = delete;

  CommandLog& log() { return log_; }
  LatencyMonitor& latency() { return latency_; }
  // An event of LATENCY that took this long, if it reaches the threshold.
  void note_latency(std::string_view event, Duration time) {
    latency_.note(event, time, settings_.latency_monitor_threshold_ms, env_.wall());
  }

  // HOTKEYS START. False: it has been started.
  bool start_hotkeys(const HotKeysOptions& options);
  // The session of HOTKEYS, which ends when its time is over; null: there is nothing to show.
  const HotKeysSession* hotkeys();
  void stop_hotkeys();
  void reset_hotkeys();
  // The session that counts; null: none does.
  HotKeysSession* counting() const {
    return hotkeys_ != nullptr && hotkeys_->active ? hotkeys_.get() : nullptr;
  }

  // Each call is timed by itself.
  bool closely() const { return closely_; }
  // A group that took so long is looked at.
  Duration group_limit() const { return group_limit_; }
  void settings_changed();

 private:
  Env& env_;
  const Settings& settings_;
  const Instant started_;
  CommandLog log_;
  LatencyMonitor latency_;
  std::unique_ptr<HotKeysSession> hotkeys_;
  bool closely_ = false;
  Duration group_limit_{std::numeric_limits<int64_t>::max()};
};

}  // namespace redoubt
