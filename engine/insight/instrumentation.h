// Instrumentation: what a node notes about the commands that it executes. The logs of what stood
// out (SLOWLOG, COMMANDLOG), latency events, MONITOR, HOTKEYS. The functions of Node that feed it
// are in instrumentation.cc.
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

#include "engine/insight/hotkeys.h"
#include "engine/insight/latency.h"
#include "engine/insight/slowlog.h"

namespace redoubt {

struct Instrumentation {
  // Calls of one command that share a reading of the clock.
  static constexpr size_t kSharedReading = 16;
  // A call of this weight or more ends its group.
  static constexpr uint64_t kHeavy = 256;
  // Bytes of request and reply that weigh as much as a short command.
  static constexpr int kBytesShift = 6;
  // Thresholds below these need each call by itself.
  static constexpr int64_t kSharedSlowUs = 1000;
  static constexpr int64_t kSharedBytes = static_cast<int64_t>(kHeavy) << kBytesShift;

  CommandLog log;
  LatencyMonitor latency;
  std::unique_ptr<HotKeysSession> hotkeys;

  bool closely = false;
  // A group that took so long is looked at.
  Duration group_limit{std::numeric_limits<int64_t>::max()};
};

}  // namespace redoubt
