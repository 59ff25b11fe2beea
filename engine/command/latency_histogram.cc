#include "engine/command/latency_histogram.h"

namespace redoubt {

void LatencyHistogram::add(Duration time, uint64_t count) {
  const uint64_t ns = std::min(static_cast<uint64_t>(std::max(time.ns, int64_t{0})), kLongest);
  const size_t step = step_of(ns);
  auto& block = blocks_[step >> kBlockBits];
  if (block == nullptr) block = std::make_unique<std::array<uint64_t, kBlockSize>>();
  (*block)[step & (kBlockSize - 1)] += count;
  count_ += count;
}

void LatencyHistogram::clear() {
  for (auto& block : blocks_) block.reset();
  count_ = 0;
}

uint64_t LatencyHistogram::calls_up_to(size_t step) const {
  uint64_t calls = 0;
  for (size_t b = 0; b < kBlocks && b <= step >> kBlockBits; ++b) {
    if (blocks_[b] == nullptr) continue;
    const size_t end = b == step >> kBlockBits ? (step & (kBlockSize - 1)) + 1 : kBlockSize;
    for (size_t i = 0; i < end; ++i) calls += (*blocks_[b])[i];
  }
  return calls;
}

Duration LatencyHistogram::percentile(double percent) const {
  const double wanted = std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(count_);
  const uint64_t rank = std::max<uint64_t>(1, static_cast<uint64_t>(wanted + 0.5));
  uint64_t calls = 0;
  for (size_t b = 0; b < kBlocks; ++b) {
    if (blocks_[b] == nullptr) continue;
    for (size_t i = 0; i < kBlockSize; ++i) {
      calls += (*blocks_[b])[i];
      if (calls < rank || (*blocks_[b])[i] == 0) continue;
      return Duration::nanoseconds(static_cast<int64_t>(step_end((b << kBlockBits) + i)));
    }
  }
  return {};
}

}  // namespace redoubt
