// Randomness that is the same everywhere: xoshiro256** with our own distributions, because those of
// <random> differ between standard libraries, and integers only, because libm does too.
//
// A run has one seed. Each place that needs chance has a stream of its own, named; a new draw in
// one stream leaves all others as they were, so that a change in, say, the disk does not turn a run
// into a wholly different one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace redoubt::sim {

class Random {
 public:
  explicit Random(uint64_t seed);
  // The stream `name` number `index` of a run.
  Random(uint64_t seed, std::string_view name, uint64_t index = 0);

  uint64_t next() {
    ++draws_;
    const uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound); bound > 0.
  uint64_t below(uint64_t bound);
  // Uniform in [low, high], both included.
  int64_t between(int64_t low, int64_t high);
  // Between low and high, small values as likely as large ones: uniform in the logarithm. low >= 1.
  int64_t between_log(int64_t low, int64_t high);
  // True in `parts` of a million cases. Nothing is drawn for 0.
  bool chance(int64_t parts_per_million) {
    return parts_per_million > 0 && below(1'000'000) < static_cast<uint64_t>(parts_per_million);
  }
  bool coin() { return (next() >> 63) != 0; }
  // Roughly exponential with this mean (the logarithm is interpolated), at most 45 times it.
  int64_t exponential(int64_t mean);
  void fill(std::span<std::byte> bytes);

  uint64_t draws() const { return draws_; }

 private:
  static uint64_t rotate(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

  std::array<uint64_t, 4> state_;
  uint64_t draws_ = 0;
};

// One step of splitmix64: a good mix of 64 bits.
uint64_t mix64(uint64_t x);

}  // namespace redoubt::sim
