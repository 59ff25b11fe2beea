// Cutting a list down to what a property needs (delta debugging, Zeller and Hildebrandt 2002, in
// its greedy form): ever smaller stretches are left out for as long as the property holds without.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace redoubt::sim {

// `holds(items)` says whether the property holds for what is left; it does for `items`. Of what is
// returned no single item can be left out, unless time_is_over() came true meanwhile.
template <typename T, typename Holds, typename Over>
std::vector<T> minimise(std::vector<T> items, Holds holds, Over time_is_over) {
  for (size_t stretch = (items.size() + 1) / 2; stretch > 0 && !items.empty();) {
    bool shorter = false;
    for (size_t from = 0; from < items.size();) {
      if (time_is_over()) return items;
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
