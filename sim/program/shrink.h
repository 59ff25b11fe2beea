// Cutting a list down to what a property needs (delta debugging, Zeller and Hildebrandt 2002, in
// its greedy form): ever smaller stretches are left out for as long as the property holds without.
#pragma once

#include <cstddef>
#include <vector>

namespace redoubt::sim {

// `holds(items)` says whether the property holds for what is left, or that time is over (false).
// It holds for `items`; of what is returned no single item can be left out.
template <typename T, typename Holds>
std::vector<T> minimise(std::vector<T> items, Holds holds) {
  for (size_t stretch = (items.size() + 1) / 2; stretch > 0 && !items.empty();) {
    bool shorter = false;
    for (size_t from = 0; from < items.size();) {
      std::vector<T> left(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(from));
      const size_t behind = std::min(from + stretch, items.size());
      left.insert(left.end(), items.begin() + static_cast<std::ptrdiff_t>(behind), items.end());
      if (holds(left)) {
        items = std::move(left);
        shorter = true;
      } else {
        from += stretch;
      }
    }
    if (stretch == 1 && !shorter) break;
    if (stretch > 1) stretch = (stretch + 1) / 2;
    stretch = std::min(stretch, items.size());
  }
  return items;
}

}  // namespace redoubt::sim
