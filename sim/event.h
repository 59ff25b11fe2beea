// What is to happen, in order of (time, sequence): a 4-ary heap of plain 32-byte events. An event
// names what it is about by index and generation, so that one which has become void (its operation
// was cancelled, its connection is gone, its host has crashed) is recognised when its time comes;
// nothing is ever taken out of the middle.
#pragma once

#include <cstdint>
#include <vector>

#include "net/assert.h"
#include "net/time.h"

namespace redoubt::sim {

enum class EventKind : uint8_t {
  wake,        // a timer of host `index` may be due
  turn,        // host `index` has become free and has completions waiting
  op_done,     // operation `index` of host `extra` goes to its owner
  op_step,     // operation `index` of host `extra` is carried out, or a part of it
  syn,         // a connection attempt reaches the listener's machine
  syn_ack,     // and its answer comes back
  refused,     //
  segment,     // bytes of connection `index` up to offset `extra` arrive
  fin,         // the end of the stream arrives
  reset,       // a reset arrives
  retransmit,  // bytes that got lost are sent again
  keepalive,   // a silent connection is probed
  fault,       // fault `index` begins, or ends
  boot,        // host `index` starts
};

struct Event {
  Instant at;
  uint64_t sequence = 0;
  EventKind kind = EventKind::wake;
  uint8_t side = 0;
  uint16_t epoch = 0;
  uint32_t index = 0;
  uint32_t generation = 0;
  uint32_t extra = 0;

  bool before(const Event& other) const {
    return at != other.at ? at < other.at : sequence < other.sequence;
  }
};

class EventHeap {
 public:
  bool empty() const { return heap_.empty(); }
  size_t count() const { return heap_.size(); }
  const Event& top() const { return heap_.front(); }

  // `event.sequence` is given here.
  void push(Event event) {
    event.sequence = next_sequence_++;
    insert(event);
  }

  // Comes before all others of its instant, whenever they were pushed; among such, those of a lower
  // `rank` come first.
  void push_first(Event event, uint8_t rank) {
    event.sequence = (uint64_t{rank} << 48) + next_first_++;
    insert(event);
  }

  // The sequence of what was pushed last.
  uint64_t last_sequence() const { return next_sequence_ - 1; }

  Event pop() {
    ASSERT(!heap_.empty());
    const Event first = heap_.front();
    const Event last = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) sink(last);
    return first;
  }

 private:
  void insert(const Event& event) {
    heap_.push_back(event);
    size_t index = heap_.size() - 1;
    while (index > 0) {
      const size_t parent = (index - 1) / 4;
      if (!event.before(heap_[parent])) break;
      heap_[index] = heap_[parent];
      index = parent;
    }
    heap_[index] = event;
  }

  // Puts `event` into the hole at the root.
  void sink(const Event& event) {
    size_t index = 0;
    for (;;) {
      const size_t first = index * 4 + 1;
      if (first >= heap_.size()) break;
      size_t least = first;
      const size_t end = first + 4 < heap_.size() ? first + 4 : heap_.size();
      for (size_t child = first + 1; child < end; ++child) {
        if (heap_[child].before(heap_[least])) least = child;
      }
      if (!heap_[least].before(event)) break;
      heap_[index] = heap_[least];
      index = least;
    }
    heap_[index] = event;
  }

  std::vector<Event> heap_;
  uint64_t next_first_ = 0;
  uint64_t next_sequence_ = uint64_t{1} << 62;
};

}  // namespace redoubt::sim
