#include "sim/report/thin.h"

#include <algorithm>

namespace redoubt::sim {

namespace {

constexpr size_t kChainMax = 2'000;

bool item_lasts(const Item& item) {
  switch (item.kind) {
    case ItemKind::boot:
    case ItemKind::stop:
    case ItemKind::fault_span:
    case ItemKind::clock:
    case ItemKind::role: return true;
    default: return false;
  }
}

// What tells most of a run when little can be told.
int interest(const Item& item) {
  switch (item.kind) {
    case ItemKind::operation:
      return item.detail == static_cast<uint8_t>(OperationState::unknown) ? 6 : 3;
    case ItemKind::message: return item.lost ? 5 : 2;
    case ItemKind::log: return 4;
    case ItemKind::remark: return 1;
    default: return 0;
  }
}

class Thinner {
 public:
  Thinner(const Timeline& timeline, size_t room)
      : timeline_(timeline),
        items_(timeline.items),
        room_(std::max<size_t>(room, 16)),
        keep_(items_.size(), 0),
        focus_(timeline.violation != kNoItem ? timeline.violation
                                             : static_cast<uint32_t>(items_.size())) {}

  Thinned run();

 private:
  static constexpr uint8_t kFar = 1;
  static constexpr uint8_t kNear = 2;

  void keep_chain();
  uint32_t distance(uint32_t item) const { return item < focus_ ? focus_ - item : item - focus_; }
  // All sorts.
  void keep_within(uint32_t distance);
  void keep_some(bool lasting, size_t room);
  void keep_of_stretch(const std::vector<uint32_t>& candidates, size_t from, size_t to,
                       size_t count);
  std::vector<uint32_t> by_distance(bool lasting) const;
  Thinned collect() const;

  const Timeline& timeline_;
  const std::vector<Item>& items_;
  const size_t room_;
  std::vector<uint8_t> keep_;
  const uint32_t focus_;
};

void Thinner::keep_chain() {
  uint32_t at = timeline_.violation;
  for (size_t steps = 0; at != kNoItem && steps < std::min(kChainMax, room_ / 4); ++steps) {
    keep_[at] = kNear;
    at = items_[at].cause;
  }
}

// Those of one sort, the nearest to the focus first.
std::vector<uint32_t> Thinner::by_distance(bool lasting) const {
  std::vector<uint32_t> sorted;
  sorted.reserve(items_.size());
  uint32_t before = focus_;
  auto after = static_cast<size_t>(focus_) + 1;
  const auto take = [&](size_t index) {
    if (item_lasts(items_[index]) == lasting) sorted.push_back(static_cast<uint32_t>(index));
  };
  if (focus_ < items_.size()) take(focus_);
  while (before > 0 || after < items_.size()) {
    if (before > 0) take(--before);
    if (after < items_.size()) take(after++);
  }
  return sorted;
}

void Thinner::keep_within(uint32_t distance) {
  const uint32_t first = focus_ > distance ? focus_ - distance : 0;
  const size_t end = std::min(items_.size(), size_t{focus_} + distance + 1);
  std::fill(keep_.begin() + first, keep_.begin() + static_cast<std::ptrdiff_t>(end), kNear);
}

void Thinner::keep_of_stretch(const std::vector<uint32_t>& candidates, size_t from, size_t to,
                              size_t count) {
  const size_t size = to - from;
  for (size_t i = 0; i < count; ++i) {
    const size_t begin = from + size * i / count;
    const size_t end = from + size * (i + 1) / count;
    if (begin == end) continue;
    size_t best = begin;
    for (size_t other = begin; other < end; ++other) {
      if (interest(items_[candidates[other]]) > interest(items_[candidates[best]])) best = other;
    }
    keep_[candidates[best]] = std::max(keep_[candidates[best]], kFar);
  }
}

void Thinner::keep_some(bool lasting, size_t room) {
  const std::vector<uint32_t> candidates = by_distance(lasting);
  const size_t near = candidates.size() <= room ? candidates.size() : room / 2;
  for (size_t i = 0; i < near; ++i) keep_[candidates[i]] = kNear;
  if (!lasting && near > 0) keep_within(distance(candidates[near - 1]));
  size_t stretches = 0;
  for (size_t end = near; end < candidates.size(); end += std::max<size_t>(end, 1)) ++stretches;
  for (size_t begin = near; begin < candidates.size();) {
    const size_t end = std::min(candidates.size(), begin + std::max<size_t>(begin, 1));
    keep_of_stretch(candidates, begin, end, (room - near) / stretches);
    begin = end;
  }
}

Thinned Thinner::collect() const {
  Thinned thinned;
  // By item: itself or the nearest kept one that led to it, and how many steps that is away.
  std::vector<uint32_t> nearest(items_.size(), kNoItem);
  std::vector<uint32_t> steps(items_.size(), 0);
  uint32_t left_out = 0;
  for (uint32_t i = 0; i < items_.size(); ++i) {
    const uint32_t cause = items_[i].cause;
    const uint32_t led = cause == kNoItem ? kNoItem : nearest[cause];
    const uint32_t led_steps = led == kNoItem ? 0 : steps[cause];
    if (keep_[i] == 0) {
      nearest[i] = led;
      steps[i] = led_steps + 1;
      ++left_out;
      ++thinned.left_out;
      continue;
    }
    nearest[i] = static_cast<uint32_t>(thinned.kept.size());
    thinned.kept.push_back({i, led, kNoItem, led_steps, left_out, keep_[i] == kNear});
    left_out = 0;
  }
  for (Kept& kept : thinned.kept) {
    const uint32_t result = items_[kept.item].result;
    if (result != kNoItem) kept.result = nearest[result];
  }
  thinned.left_out_behind = left_out;
  return thinned;
}

Thinned Thinner::run() {
  if (items_.size() <= room_) {
    std::fill(keep_.begin(), keep_.end(), kNear);
    return collect();
  }
  keep_chain();
  const auto lasting = static_cast<size_t>(std::count_if(items_.begin(), items_.end(), item_lasts));
  const size_t for_lasting = std::min(lasting, room_ / 4);
  keep_some(true, for_lasting);
  keep_some(false, room_ - for_lasting);
  return collect();
}

}  // namespace

Thinned thin(const Timeline& timeline, size_t room) {
  return Thinner(timeline, room).run();
}

}  // namespace redoubt::sim
