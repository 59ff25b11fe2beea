#include "sim/scenario/choice.h"

#include <charconv>
#include <optional>

#include "net/assert.h"

namespace redoubt::sim {

namespace {

std::optional<int64_t> number_of(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

bool Choice::add_text(std::string_view text) {
  constexpr std::string_view kLog = " log";
  if (const auto number = number_of(text)) {
    add(*number);
    return true;
  }
  const bool log = text.ends_with(kLog);
  const std::string_view range = log ? text.substr(0, text.size() - kLog.size()) : text;
  const size_t dots = range.find("..");
  const auto low = number_of(range.substr(0, std::min(dots, range.size())));
  const auto high =
      dots == std::string_view::npos ? std::nullopt : number_of(range.substr(dots + 2));
  if (!low || !high) {
    alternatives_.push_back({std::string(text), 0, 0, false, false});
    return true;
  }
  if (*low > *high || (log && *low < 1)) return false;
  alternatives_.push_back({{}, *low, *high, true, log});
  return true;
}

Choice Choice::of(std::string_view text) {
  constexpr std::string_view kBar = " | ";
  Choice choice;
  for (;;) {
    const size_t bar = text.find(kBar);
    const bool well = choice.add_text(text.substr(0, bar));
    ASSERT(well);
    if (bar == std::string_view::npos) return choice;
    text.remove_prefix(bar + kBar.size());
  }
}

bool Choice::within(int64_t least, int64_t most) const {
  for (const Alternative& one : alternatives_) {
    if (!one.number || one.low < least || one.high > most) return false;
  }
  return !alternatives_.empty();
}

bool Choice::fixed() const {
  return alternatives_.size() == 1 && alternatives_[0].low == alternatives_[0].high;
}

int64_t Choice::draw(Random& random) const {
  ASSERT(!alternatives_.empty());
  const Alternative& one = alternatives_[random.below(alternatives_.size())];
  ASSERT(one.number);
  return one.log ? random.between_log(one.low, one.high) : random.between(one.low, one.high);
}

std::string Choice::draw_text(Random& random) const {
  ASSERT(!alternatives_.empty());
  const Alternative& one = alternatives_[random.below(alternatives_.size())];
  if (!one.number) return one.text;
  return std::to_string(one.log ? random.between_log(one.low, one.high)
                                : random.between(one.low, one.high));
}

std::string Choice::text() const {
  std::string text;
  for (const Alternative& one : alternatives_) {
    if (!text.empty()) text += " | ";
    if (!one.number) {
      text += one.text;
    } else {
      text += std::to_string(one.low);
      if (one.high != one.low) text += ".." + std::to_string(one.high);
      if (one.log) text += " log";
    }
  }
  return text;
}

}  // namespace redoubt::sim
