// Signal: what coroutines wait for that is no operation of the world.
//
//   Signal drained;
//   co_await drained;      // in a coroutine
//   drained.raise();       // somewhere else: all that wait go on, within this call
#pragma once

#include <coroutine>
#include <utility>
#include <vector>

namespace redoubt {

class Signal {
 public:
  Signal() = default;
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiting) { waiting_.push_back(waiting); }
  void await_resume() {}

  // Those that wait go on, in order; who begins to wait meanwhile waits for the next time.
  void raise() {
    for (const std::coroutine_handle<> waiting : std::exchange(waiting_, {})) waiting.resume();
  }

 private:
  std::vector<std::coroutine_handle<>> waiting_;
};

}  // namespace redoubt
