// Env: the world as one node sees it. The Backend's calls, and above them what both worlds share:
// timers, the clock of the turn, and turns themselves.
//
// A turn is what happens between two waits of the world's loop:
//
//   env.begin_turn();          // the clocks are read once; due timers fire
//   ... completions: op.on_done(op) ...
//   env.end_turn();            // hooks run: batched requests execute, replies leave
//
// Within a turn now() and wall() stand still, so that a batch of requests reads the clock once and
// sees one instant. The world waits for completions until next_deadline().
#pragma once

#include <cstdint>
#include <string_view>

#include "net/backend.h"
#include "net/timer.h"

namespace redoubt {

// Something that runs at the end of each turn in which it was requested. Embedded in its owner.
struct TurnHook {
  void (*run)(TurnHook&) = nullptr;
  void* owner = nullptr;
  bool requested = false;
  TurnHook* next = nullptr;

  TurnHook() = default;
  TurnHook(const TurnHook&) = delete;
  TurnHook& operator=(const TurnHook&) = delete;
};

class Env {
 public:
  explicit Env(Backend& backend);
  Env(const Env&) = delete;
  Env& operator=(const Env&) = delete;

  Backend& backend() { return backend_; }

  // The clocks, as of the beginning of this turn.
  Instant now() const { return now_; }
  WallTime wall() const { return wall_; }
  // The clock as of this very moment, for measuring how long something took.
  Instant precise_now() { return backend_.now(); }
  uint64_t entropy() { return backend_.entropy(); }

  void arm(Timer& timer, Instant deadline) { timers_.arm(timer, deadline); }
  void arm_in(Timer& timer, Duration wait) { timers_.arm(timer, now_ + wait); }
  void disarm(Timer& timer) { timers_.disarm(timer); }

  void submit(Op& op) {
    ASSERT(!op.in_flight && op.on_done != nullptr);
    op.in_flight = true;
    op.prompted = false;
    backend_.submit(op);
  }
  void cancel(Op& op) { backend_.cancel(op); }
  // Takes a background job out of the world, if it is in flight: its owner goes.
  void abandon(Op& op) {
    if (op.in_flight) backend_.abandon(op);
    op.in_flight = false;
  }
  void close(Handle handle) { backend_.close(handle); }

  // Runs the hook once at the end of the current turn.
  void request(TurnHook& hook);
  void withdraw(TurnHook& hook);

  // Elements touched by commands and jobs so far. The simulator turns the difference over a turn
  // into processor time; one unit stands for the work of a short command.
  void count_work(uint64_t units) { work_ += units; }
  uint64_t work() const { return work_; }

  // Turns so far, and for how long the loop was busy with them.
  uint64_t turns() const { return turns_; }
  Duration busy_time() const { return busy_; }

  // For the world's loop.
  Instant next_deadline() const { return timers_.next_deadline(); }
  void begin_turn();
  void end_turn();
  // All that the turns since the last call brought is done, and the loop is about to wait. Worlds
  // that do not say so are never busy.
  void rest(Instant now);

 private:
  Backend& backend_;
  TimerHeap timers_;
  Instant now_;
  WallTime wall_;
  uint64_t work_ = 0;
  uint64_t turns_ = 0;
  Duration busy_{0};
  Instant busy_since_;
  bool resting_ = true;
  TurnHook* hooks_ = nullptr;
  TurnHook** hooks_tail_ = &hooks_;
};

// For worlds: hands an operation back to who waits for it.
inline void complete(Op& op) {
  ASSERT(op.in_flight);
  op.in_flight = false;
  op.on_done(op);
}

}  // namespace redoubt
