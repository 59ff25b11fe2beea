#include "net/timer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

namespace redoubt {
namespace {

struct Recorder {
  std::vector<int> fired;
};

struct NumberedTimer {
  Timer timer;
  int number = 0;
  Recorder* recorder = nullptr;
};

void record(Timer& timer) {
  NumberedTimer& mine = *static_cast<NumberedTimer*>(timer.owner);
  mine.recorder->fired.push_back(mine.number);
}

RC_GTEST_PROP(TimerHeap, FiresInOrderOfDeadlineThenOfArming, ()) {
  TimerHeap heap;
  Recorder recorder;
  std::deque<NumberedTimer> timers(50);
  for (int i = 0; i < 50; ++i) {
    NumberedTimer& t = timers[static_cast<size_t>(i)];
    t.number = i;
    t.recorder = &recorder;
    t.timer.owner = &t;
    t.timer.on_fire = record;
  }
  // (deadline, order of arming, number) of what is armed, by a naive list.
  std::vector<std::tuple<int64_t, int, int>> armed;
  const int steps = *rc::gen::inRange(0, 200);
  for (int order = 0; order < steps; ++order) {
    const int number = *rc::gen::inRange(0, 50);
    std::erase_if(armed, [&](const auto& a) { return std::get<2>(a) == number; });
    if (*rc::gen::inRange(0, 3) == 0) {
      heap.disarm(timers[static_cast<size_t>(number)].timer);
    } else {
      const int64_t deadline = *rc::gen::inRange(0, 20);
      heap.arm(timers[static_cast<size_t>(number)].timer, Instant{deadline});
      armed.emplace_back(deadline, order, number);
    }
    RC_ASSERT(heap.count() == armed.size());
  }
  std::sort(armed.begin(), armed.end());
  RC_ASSERT(heap.next_deadline() ==
            (armed.empty() ? Instant::never() : Instant{std::get<0>(armed[0])}));
  const int64_t now = *rc::gen::inRange(0, 25);
  heap.fire_due(Instant{now});
  std::vector<int> expected;
  for (const auto& [deadline, order, number] : armed) {
    if (deadline <= now) expected.push_back(number);
  }
  RC_ASSERT(recorder.fired == expected);
  for (NumberedTimer& t : timers) heap.disarm(t.timer);
}

TEST(TimerHeap, ATimerThatArmsItselfForNowWaitsForTheNextRound) {
  TimerHeap heap;
  struct Self {
    Timer timer;
    TimerHeap* heap;
    int fired = 0;
  } self;
  self.heap = &heap;
  self.timer.owner = &self;
  self.timer.on_fire = [](Timer& timer) {
    Self& mine = *static_cast<Self*>(timer.owner);
    ++mine.fired;
    mine.heap->arm(mine.timer, timer.deadline);
  };
  heap.arm(self.timer, Instant{5});
  EXPECT_EQ(heap.fire_due(Instant{5}), 1u);
  EXPECT_EQ(self.fired, 1);
  EXPECT_TRUE(self.timer.armed());
  heap.disarm(self.timer);
}

}  // namespace
}  // namespace redoubt
