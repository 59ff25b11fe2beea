#include "engine/insight/latency.h"

#include <algorithm>

namespace redoubt {

void LatencyMonitor::add(std::string_view event, int64_t unix_s, int64_t ms) {
  auto found = events_.find(event);
  if (found == events_.end()) found = events_.emplace(std::string(event), Event{}).first;
  Event& to = found->second;
  to.max_ms = std::max(to.max_ms, ms);
  if (!to.samples.empty() && to.samples.back().unix_s == unix_s) {
    to.samples.back().ms = std::max(to.samples.back().ms, ms);
    return;
  }
  if (to.samples.size() == kSamplesMax) to.samples.erase(to.samples.begin());
  to.samples.push_back({unix_s, ms});
}

size_t LatencyMonitor::reset(std::string_view event) {
  const auto found = events_.find(event);
  if (found == events_.end()) return 0;
  events_.erase(found);
  return 1;
}

size_t LatencyMonitor::reset_all() {
  const size_t count = events_.size();
  events_.clear();
  return count;
}

}  // namespace redoubt
