// StreamId: the id of a stream's entry: a time in ms and a sequence number within it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <limits>
#include <string_view>

#include "engine/store/number.h"

namespace redoubt {

struct StreamId {
  static constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

  uint64_t ms = 0;
  uint64_t seq = 0;

  static constexpr StreamId largest() { return {kMax, kMax}; }
  auto operator<=>(const StreamId&) const = default;
  bool is_zero() const { return ms == 0 && seq == 0; }

  // The next id, the previous one. False, and nothing changes, when there is none.
  bool increment() {
    if (seq != kMax) {
      ++seq;
      return true;
    }
    if (ms == kMax) return false;
    ++ms;
    seq = 0;
    return true;
  }
  bool decrement() {
    if (seq != 0) {
      --seq;
      return true;
    }
    if (ms == 0) return false;
    --ms;
    seq = kMax;
    return true;
  }
};

// "1526919030474-55", in a buffer of its own.
class StreamIdText {
 public:
  explicit StreamIdText(StreamId id) {
    put(id.seq);
    text_[--start_] = '-';
    put(id.ms);
  }
  std::string_view view() const { return {text_.data() + start_, text_.size() - start_}; }

 private:
  void put(uint64_t number) {
    do {
      text_[--start_] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
  }

  std::array<char, 41> text_;
  size_t start_ = 41;
};

}  // namespace redoubt
