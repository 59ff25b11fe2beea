// A stable sort whose memory is a vector of its own: std::stable_sort of libstdc++ 12 asks for its
// buffer in a way that C++17 deprecates.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace redoubt {

// Sorts by `before`, a strict weak order; equal items keep their order. The vector's memory stays
// where it is.
template <typename Item, typename Before>
void stable_sort(std::vector<Item>& items, Before before) {
  std::vector<size_t> order(items.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (before(items[a], items[b])) return true;
    return !before(items[b], items[a]) && a < b;
  });
  std::vector<Item> sorted;
  sorted.reserve(items.size());
  for (const size_t i : order) sorted.push_back(std::move(items[i]));
  std::move(sorted.begin(), sorted.end(), items.begin());
}

}  // namespace redoubt
