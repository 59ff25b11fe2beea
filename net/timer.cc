#include "net/timer.h"

#include <algorithm>

#include "net/assert.h"

namespace redoubt {

namespace {
constexpr size_t kFanout = 4;
}

void TimerHeap::place(size_t index, const Item& item) {
  heap_[index] = item;
  item.timer->position = index + 1;
}

void TimerHeap::sift_up(size_t index, const Item& item) {
  while (index > 0) {
    const size_t parent = (index - 1) / kFanout;
    if (!item.before(heap_[parent])) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, item);
}

void TimerHeap::sift_down(size_t index, const Item& item) {
  for (;;) {
    const size_t first = index * kFanout + 1;
    if (first >= heap_.size()) break;
    size_t least = first;
    const size_t end = std::min(first + kFanout, heap_.size());
    for (size_t child = first + 1; child < end; ++child) {
      if (heap_[child].before(heap_[least])) least = child;
    }
    if (!heap_[least].before(item)) break;
    place(index, heap_[least]);
    index = least;
  }
  place(index, item);
}

void TimerHeap::arm(Timer& timer, Instant deadline) {
  ASSERT(timer.on_fire != nullptr);
  if (timer.armed()) disarm(timer);
  timer.deadline = deadline;
  heap_.push_back({});
  sift_up(heap_.size() - 1, {deadline, next_sequence_++, &timer});
}

void TimerHeap::disarm(Timer& timer) {
  if (!timer.armed()) return;
  const size_t index = timer.position - 1;
  ASSERT(heap_[index].timer == &timer);
  timer.position = 0;
  const Item last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  if (index > 0 && last.before(heap_[(index - 1) / kFanout])) {
    sift_up(index, last);
  } else {
    sift_down(index, last);
  }
}

Instant TimerHeap::next_deadline() const {
  return heap_.empty() ? Instant::never() : heap_.front().deadline;
}

size_t TimerHeap::fire_due(Instant now) {
  const uint64_t armed_before = next_sequence_;
  size_t fired = 0;
  while (!heap_.empty() && heap_.front().deadline <= now && heap_.front().sequence < armed_before) {
    Timer& timer = *heap_.front().timer;
    disarm(timer);
    ++fired;
    timer.on_fire(timer);
  }
  return fired;
}

}  // namespace redoubt
