// Reads a recorded run from its beginning, event by event.
//
//   TraceReader reader(recorder);
//   for (TraceEvent event; reader.next(event);) ...
//
// First comes what remains of blocks that were dropped (run_recorder.h), then the rest; the time
// never goes back.
#pragma once

#include <cstdint>
#include <string_view>

#include "net/time.h"
#include "sim/trace/run_recorder.h"

namespace redoubt::sim {

struct TraceEvent {
  Instant at;
  TraceKind kind = TraceKind::gap;
  uint8_t detail = 0;
  uint16_t host = kNowhere;
  uint32_t a = 0;
  uint32_t b = 0;
  std::string_view text;  // valid as long as the recorder records nothing more

  // The two numbers as one.
  uint64_t number() const { return a | (uint64_t{b} << 32); }
  // Of `sent`.
  uint16_t to() const { return static_cast<uint16_t>(b); }
  uint32_t bytes() const { return b >> 16; }
  // Of `clock`.
  Duration clock_offset() const;
  int64_t clock_drift_ppm() const { return static_cast<int16_t>(b >> 16); }
};

class TraceReader {
 public:
  explicit TraceReader(const RunRecorder& recorder) : recorder_(recorder) {}

  // False at the end.
  bool next(TraceEvent& event);

 private:
  const RunRecorder::Block* block() const;

  const RunRecorder& recorder_;
  size_t block_ = 0;  // 0 is what remains of dropped ones
  size_t record_ = 0;
  size_t text_ = 0;
  Instant at_;
};

}  // namespace redoubt::sim
