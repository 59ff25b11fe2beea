#include "engine/insight/hotkeys.h"

#include <algorithm>

namespace redoubt {

void HeavyHitters::add(std::string_view key, uint64_t amount) {
  if (const auto found = sums_.find(key); found != sums_.end()) {
    found->second += amount;
    return;
  }
  uint64_t inherited = 0;
  if (sums_.size() >= keys_max_) {
    const auto smallest =
        std::min_element(sums_.begin(), sums_.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    inherited = smallest->second;
    sums_.erase(smallest);
  }
  sums_.emplace(std::string(key), inherited + amount);
}

std::vector<std::pair<std::string, uint64_t>> HeavyHitters::top(size_t count) const {
  std::vector<std::pair<std::string, uint64_t>> all(sums_.begin(), sums_.end());
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (all.size() > count) all.resize(count);
  return all;
}

HotKeysSession::HotKeysSession(const HotKeysOptions& asked, Instant now, WallTime wall,
                               uint64_t seed)
    : options(asked),
      started(now),
      started_wall(wall),
      by_time(asked.count * kKept),
      by_bytes(asked.count * kKept),
      random_(seed) {}

void HotKeysSession::add(std::vector<std::string_view> keys, Duration time, uint64_t bytes) {
  const uint64_t ns = static_cast<uint64_t>(std::max(time.ns, int64_t{0}));
  all_ns += ns;
  all_bytes += bytes;
  if (keys.empty() || !random_.one_in(options.sample_ratio)) return;
  for (const std::string_view key : keys) {
    if (options.cpu) by_time.add(key, ns / keys.size());
    if (options.net) by_bytes.add(key, bytes / keys.size());
  }
}

}  // namespace redoubt
