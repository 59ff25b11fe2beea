// CallTiming: times the calls of commands, and feeds what is noted about them (instrumentation.h):
// consecutive calls of one command share a reading of the clock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/dispatch/batch.h"
#include "engine/insight/instrumentation.h"
#include "net/env.h"

namespace redoubt {

class CallTiming {
 public:
  // All of these outlive it.
  CallTiming(Env& env, const Settings& settings, Instrumentation& instrumentation, Batch& batch)
      : env_(env), settings_(settings), instrumentation_(instrumentation), batch_(batch) {}
  CallTiming(const CallTiming&) = delete;
  CallTiming& operator=(const CallTiming&) = delete;

  // The requests of the batch begin to execute.
  void begin() { since_ = env_.precise_now(); }
  // The next request of the batch is for this command, or for none.
  void expect(CommandEntry* entry) {
    if (entry == entry_) return;
    end_group();
    entry_ = entry;
  }
  // A request of the batch was called, which was so much work. It stays until its group has ended.
  void add(const Planned& planned, uint64_t weight) {
    Call& call = calls_[count_++];
    call.planned = &planned;
    call.weight = weight;
    total_weight_ += weight;
    waiting_ += planned.waits ? 1 : 0;
    if (count_ == Instrumentation::kSharedReading || weight >= Instrumentation::kHeavy ||
        instrumentation_.closely()) {
      end_group();
    }
  }
  // Notes the calls that were added since the last reading.
  void end_group() {
    if (count_ > 0) note_group();
  }
  // All requests of the batch are executed.
  void end() {
    end_group();
    entry_ = nullptr;
  }

  // A call outside of the batch: in a transaction or a script, or of the process itself; `waited`:
  // it is over for a command that waited. `output_before`: bytes in the session's output before it.
  void note_single(Session& session, CommandEntry& entry, std::span<const std::string_view> args,
                   Instant since, size_t output_before, bool waited = false);

 private:
  struct Call {
    const Planned* planned;
    uint64_t weight;
  };

  void note_group();
  void note_call(Session& session, const CommandEntry& entry,
                 std::span<const std::string_view> args, Duration time, size_t request_bytes,
                 size_t reply_bytes);
  // What a call took of the group's time, as far as is known.
  Duration share(size_t index, Duration time) const {
    const double part =
        static_cast<double>(calls_[index].weight) / static_cast<double>(total_weight_);
    return {static_cast<int64_t>(static_cast<double>(time.ns) * part)};
  }

  Env& env_;
  const Settings& settings_;
  Instrumentation& instrumentation_;
  Batch& batch_;

  // The group that is being timed: calls of one command since the last reading of the clock.
  Instant since_;
  CommandEntry* entry_ = nullptr;
  size_t count_ = 0;
  uint64_t total_weight_ = 0;
  size_t waiting_ = 0;  // of the calls, those that wait for keys
  std::array<Call, Instrumentation::kSharedReading> calls_;
};

}  // namespace redoubt
