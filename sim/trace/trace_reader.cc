#include "sim/trace/trace_reader.h"

#include "net/assert.h"

namespace redoubt::sim {

Duration TraceEvent::clock_offset() const {
  // The sign of 48 bits.
  return Duration::microseconds(static_cast<int64_t>(number() << 16) >> 16);
}

const RunRecorder::Block* TraceReader::block() const {
  if (block_ == 0) return &recorder_.lasting_;
  return block_ <= recorder_.blocks_.size() ? &recorder_.blocks_[block_ - 1] : nullptr;
}

bool TraceReader::next(TraceEvent& event) {
  for (;;) {
    const RunRecorder::Block* from = block();
    if (from == nullptr) return false;
    if (record_ == from->records.size()) {
      ++block_;
      record_ = text_ = 0;
      if (const RunRecorder::Block* next = block(); next != nullptr) at_ = next->start;
      continue;
    }
    const TraceRecord& record = from->records[record_++];
    const auto kind = static_cast<TraceKind>(record.kind & ~kTextBit);
    if (kind == TraceKind::gap) {
      at_.ns += static_cast<int64_t>(record.a | (uint64_t{record.b} << 32));
      continue;
    }
    at_.ns += record.delta_ns;
    event = {at_, kind, record.detail, record.host, record.a, record.b, {}};
    if ((record.kind & kTextBit) != 0) {
      ASSERT(text_ < from->texts.size());
      const auto size = static_cast<uint8_t>(from->texts[text_]);
      event.text = std::string_view(from->texts).substr(text_ + 1, size);
      text_ += 1 + size;
    }
    return true;
  }
}

}  // namespace redoubt::sim
