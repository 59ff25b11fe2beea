#include "engine/commands/keys/sort_order.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "net/assert.h"

namespace redoubt {

namespace {

constexpr size_t kKeyBytes = 8;
// Below, clearing the counters would take longer than comparing.
constexpr size_t kRadixMin = 64;

uint8_t byte_of(uint64_t key, size_t byte) {
  return static_cast<uint8_t>(key >> (8 * byte));
}

}  // namespace

uint64_t score_key(double score, bool descending) {
  ASSERT(!std::isnan(score));
  const auto bits = std::bit_cast<uint64_t>(score + 0.0);
  const bool negative = bits >> 63 != 0;
  const uint64_t key = negative ? ~bits : bits | uint64_t{1} << 63;
  return descending ? ~key : key;
}

void sort_by_key(std::vector<RankedScore>& items) {
  if (items.size() < kRadixMin) {
    std::sort(items.begin(), items.end(), [](const RankedScore& a, const RankedScore& b) {
      return a.key != b.key ? a.key < b.key : a.index < b.index;
    });
    return;
  }
  std::array<std::array<size_t, 256>, kKeyBytes> counts{};
  for (const RankedScore& item : items) {
    for (size_t byte = 0; byte < kKeyBytes; ++byte) ++counts[byte][byte_of(item.key, byte)];
  }
  std::vector<RankedScore> other(items.size());
  for (size_t byte = 0; byte < kKeyBytes; ++byte) {
    std::array<size_t, 256>& places = counts[byte];
    if (places[byte_of(items[0].key, byte)] == items.size()) continue;
    size_t before = 0;
    for (size_t& place : places) {
      const size_t count = place;
      place = before;
      before += count;
    }
    for (const RankedScore& item : items) other[places[byte_of(item.key, byte)]++] = item;
    items.swap(other);
  }
}

}  // namespace redoubt
