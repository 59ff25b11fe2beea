#include "sim/first_difference/first_difference.h"

#include <array>

namespace redoubt::sim {

Comparison compare_events(EventReader& left, EventReader& right) {
  std::array<std::string, 5> last;
  Comparison comparison;
  for (;; ++comparison.events) {
    const std::string_view one = left.next();
    const std::string_view other = right.next();
    const bool same = one == other && !one.empty();
    if (same && left.is_end(one)) {
      comparison.outcome = EventReader::outcome(one);
      return comparison;
    }
    if (same) {
      last[comparison.events % last.size()] = one;
      continue;
    }
    FirstDifference difference;
    difference.place = comparison.events;
    difference.left = left.describe(one);
    difference.right = right.describe(other);
    const uint64_t kept = std::min<uint64_t>(comparison.events, last.size());
    for (uint64_t i = comparison.events - kept; i < comparison.events; ++i) {
      difference.before.push_back(left.describe(last[i % last.size()]));
    }
    comparison.difference = std::move(difference);
    return comparison;
  }
}

}  // namespace redoubt::sim
