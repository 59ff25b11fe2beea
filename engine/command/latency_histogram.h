// How long the calls of a command take: LATENCY HISTOGRAM, INFO latencystats.
//
// The histogram has 128 steps for each doubling of time, so that what it answers is at most 0.8%
// above the truth. Blocks of 128 counters are made when a time first falls into them; a command
// uses a handful.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <memory>

#include "net/time.h"

namespace redoubt {

class LatencyHistogram {
 public:
  // `count` calls that took `time` each; more than a second counts as a second.
  void add(Duration time, uint64_t count);
  uint64_t count() const { return count_; }
  void clear();

  // The time that `percent` of the calls did not exceed, as the upper end of its step. 0 when
  // empty.
  Duration percentile(double percent) const;

  // Calls visit(microseconds, calls) with how many calls took no longer than 1, 2, 4, 8, 16, 33 ...
  // microseconds (upper ends of the steps at 1024 ns and its doublings), where that grows.
  template <typename Visit>
  void for_each_doubling(Visit&& visit) const {
    uint64_t before = 0;
    for (uint64_t limit = kFirstDoubling; before < count_; limit *= 2) {
      const uint64_t now = calls_up_to(step_of(limit));
      if (now > before) visit(step_end(step_of(limit)) / 1000, now);
      before = now;
    }
  }

 private:
  static constexpr size_t kBlockBits = 7;
  static constexpr size_t kBlockSize = size_t{1} << kBlockBits;
  static constexpr uint64_t kLongest = 1'000'000'000;
  static constexpr uint64_t kFirstDoubling = 1024;
  static constexpr size_t kBlocks = 24;  // the last one holds kLongest

  // Steps are numbered in the order of their times.
  static size_t step_of(uint64_t ns) {
    const int shift = std::max(0, static_cast<int>(std::bit_width(ns)) - 8);
    return (static_cast<size_t>(shift) << kBlockBits) + static_cast<size_t>(ns >> shift);
  }
  // The largest time of a step.
  static uint64_t step_end(size_t step) {
    if (step < 2 * kBlockSize) return step;
    const size_t shift = (step >> kBlockBits) - 1;
    const uint64_t first = (step & (kBlockSize - 1)) + kBlockSize;
    return ((first + 1) << shift) - 1;
  }
  uint64_t calls_up_to(size_t step) const;

  std::array<std::unique_ptr<std::array<uint64_t, kBlockSize>>, kBlocks> blocks_;
  uint64_t count_ = 0;
};

}  // namespace redoubt
