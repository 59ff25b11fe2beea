// What a run's clients send, written down as it happens: for a script that plays it again.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "sim/load/script.h"

namespace redoubt::sim {

// Hears of every step at once, for when the run's process does not live to tell it.
class StepListener {
 public:
  virtual ~StepListener() = default;
  virtual void on_step(const ScriptStep& step) = 0;
  // The connection of the step of this number, from 0, ended when its replies were there.
  virtual void on_hang_up(size_t number) = 0;
  // A client begins to wait, before its next step.
  virtual void on_pause(uint32_t node, uint32_t client, Duration pause) = 0;
};

// What clients, by node and number, have waited for since their last step.
using LastPauses = std::map<std::pair<uint32_t, uint32_t>, std::vector<Duration>>;
// Steps without commands, at the end of the script.
void add_last_pauses(Script& script, const LastPauses& pauses, Instant now);

class Recording {
 public:
  // `listener` is not owned, and may be null.
  explicit Recording(StepListener* listener) : listener_(listener) {}

  // Returns the step's number. Its pauses are those since the client's last one.
  size_t add(ScriptStep step) {
    step.pauses = std::exchange(pauses_[{step.node, step.client}], {});
    if (listener_ != nullptr) listener_->on_step(step);
    script_.push_back(std::move(step));
    return script_.size() - 1;
  }
  void hangs_up(size_t number) {
    if (listener_ != nullptr) listener_->on_hang_up(number);
    script_[number].hangs_up = true;
  }
  void pause(uint32_t node, uint32_t client, Duration pause) {
    if (listener_ != nullptr) listener_->on_pause(node, client, pause);
    pauses_[{node, client}].push_back(pause);
  }
  // At the end of the run, which is now.
  Script take(Instant now) {
    add_last_pauses(script_, pauses_, now);
    return std::move(script_);
  }

 private:
  StepListener* const listener_;
  Script script_;
  LastPauses pauses_;
};

}  // namespace redoubt::sim
