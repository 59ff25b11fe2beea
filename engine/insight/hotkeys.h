// HOTKEYS: which keys take most of the processor's time and of the network, while somebody looks.
//
// Each metric has a sketch of a bounded number of keys (Metwally, Agrawal, El Abbadi: "Efficient
// computation of frequent and top-k elements in data streams", 2005): a key that is not in it takes
// the place of the one with the smallest sum, and inherits that sum. So a key whose share is above
// 1 / size is in it for certain, and its sum is too high by no more than the smallest one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/store/random.h"
#include "net/time.h"

namespace redoubt {

class HeavyHitters {
 public:
  explicit HeavyHitters(size_t keys_max) : keys_max_(keys_max) {}
  void add(std::string_view key, uint64_t amount);
  // The `count` keys with the largest sums, largest first.
  std::vector<std::pair<std::string, uint64_t>> top(size_t count) const;
  size_t size() const { return sums_.size(); }

 private:
  size_t keys_max_;
  std::map<std::string, uint64_t, std::less<>> sums_;
};

struct HotKeysOptions {
  bool cpu = false;
  bool net = false;
  size_t count = 10;
  uint64_t sample_ratio = 1;  // one command in so many is looked at
  Instant until = Instant::never();
};

// What was measured from HOTKEYS START on.
class HotKeysSession {
 public:
  static constexpr size_t kCountMax = 64;

  HotKeysSession(const HotKeysOptions& asked, Instant now, WallTime wall, uint64_t seed);

  bool active = true;
  HotKeysOptions options;
  Instant started;
  Instant stopped;  // once it is not active
  WallTime started_wall;
  uint64_t user_cpu_us = 0;  // of the process when it started; of the session once stopped
  uint64_t system_cpu_us = 0;
  uint64_t all_ns = 0;
  uint64_t all_bytes = 0;
  HeavyHitters by_time;
  HeavyHitters by_bytes;

  // A command with these keys was executed. What it took is shared out among them.
  void add(std::vector<std::string_view> keys, Duration time, uint64_t bytes);

 private:
  static constexpr size_t kKept = 16;  // keys in a sketch for each that is asked for
  Random random_;                      // of its own: looking does not change what the node does
};

}  // namespace redoubt
