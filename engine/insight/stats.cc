#include "engine/insight/stats.h"

namespace redoubt {

void RateMeter::sample(uint64_t total, int64_t elapsed_ns) {
  if (elapsed_ns <= 0) return;
  const uint64_t difference = total >= last_total_ ? total - last_total_ : 0;
  rates_[next_] = difference * 1'000'000'000 / static_cast<uint64_t>(elapsed_ns);
  next_ = (next_ + 1) % kSamples;
  last_total_ = total;
}

uint64_t RateMeter::per_second() const {
  uint64_t sum = 0;
  for (const uint64_t rate : rates_) sum += rate;
  return sum / kSamples;
}

void Stats::count_error(std::string_view text) {
  constexpr size_t kCodesMax = 128;
  ++error_replies;
  const std::string_view code = text.substr(0, text.find(' '));
  const auto found = errors.find(code);
  if (found != errors.end()) {
    ++found->second;
  } else if (errors.size() < kCodesMax) {
    errors.emplace(code, 1);
  } else {
    // Scripts can make up codes without end.
    ++errors["ERRORSTATS_OVERFLOW"];
  }
}

}  // namespace redoubt
