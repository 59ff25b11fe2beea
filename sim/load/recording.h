// What a run's clients send, written down as it happens: for a script that plays it again.
#pragma once

#include "sim/load/script.h"

namespace redoubt::sim {

// Hears of every step at once, for when the run's process does not live to tell it.
class StepListener {
 public:
  virtual ~StepListener() = default;
  virtual void on_step(const ScriptStep& step) = 0;
  // The connection of the step of this number, from 0, ended when its replies were there.
  virtual void on_hang_up(size_t number) = 0;
};

class Recording {
 public:
  // `listener` is not owned, and may be null.
  explicit Recording(StepListener* listener) : listener_(listener) {}

  // Returns the step's number.
  size_t add(ScriptStep step) {
    if (listener_ != nullptr) listener_->on_step(step);
    script_.push_back(std::move(step));
    return script_.size() - 1;
  }
  void hangs_up(size_t number) {
    if (listener_ != nullptr) listener_->on_hang_up(number);
    script_[number].hangs_up = true;
  }
  Script take() { return std::move(script_); }

 private:
  StepListener* const listener_;
  Script script_;
};

}  // namespace redoubt::sim
