#include "sim/trace/run_recorder.h"

#include <algorithm>
#include <limits>

#include "net/assert.h"

namespace redoubt::sim {

namespace {

constexpr size_t kHostsMax = kNowhere;

uint32_t low(uint64_t value) {
  return static_cast<uint32_t>(value);
}

uint32_t high(uint64_t value) {
  return static_cast<uint32_t>(value >> 32);
}

uint32_t saturated(int64_t value) {
  return static_cast<uint32_t>(std::clamp<int64_t>(value, 0, std::numeric_limits<uint32_t>::max()));
}

// Says how things are, until something else says otherwise.
bool lasts(TraceKind kind) {
  switch (kind) {
    case TraceKind::host:
    case TraceKind::boot:
    case TraceKind::stop:
    case TraceKind::pause:
    case TraceKind::resume:
    case TraceKind::speed:
    case TraceKind::clock:
    case TraceKind::role:
    case TraceKind::fault_begin:
    case TraceKind::fault_joins:
    case TraceKind::fault_end: return true;
    default: return false;
  }
}

// Appends a record and, where the delta is too long for it, a gap.
TraceRecord* append(std::vector<TraceRecord>& records, Instant& end, Instant at,
                    TraceRecord record) {
  const int64_t delta = at.ns - end.ns;
  ASSERT(delta >= 0);
  end = at;
  if (delta > std::numeric_limits<uint32_t>::max()) {
    const auto ns = static_cast<uint64_t>(delta);
    records.push_back({0, static_cast<uint8_t>(TraceKind::gap), 0, kNowhere, low(ns), high(ns)});
    record.delta_ns = 0;
  } else {
    record.delta_ns = static_cast<uint32_t>(delta);
  }
  records.push_back(record);
  return &records.back();
}

// A text is its length, one byte, and its bytes.
void append_text(std::string& texts, std::string_view text) {
  static_assert(RunRecorder::kTextMax < 256);
  texts += static_cast<char>(text.size());
  texts += text;
}

}  // namespace

RunRecorder::RunRecorder(const RecorderLimits& limits) : limits_(limits) {
  ASSERT(limits.blocks_max >= 2 && limits.records_per_block >= 2);
}

RunRecorder::Block& RunRecorder::begin_block(Instant at) {
  if (blocks_.size() == limits_.blocks_max) drop_oldest();
  Block& block = blocks_.emplace_back();
  block.start = block.end = at;
  // A gap may come on top. It never grows: the turn under way is pointed to.
  block.records.reserve(limits_.records_per_block + 1);
  return block;
}

TraceRecord* RunRecorder::put(const What& what, std::string_view text) {
  if (now_ == nullptr) return nullptr;
  ++counts_[static_cast<size_t>(what.kind)];
  const bool full = blocks_.empty() || blocks_.back().records.size() >= limits_.records_per_block;
  Block& block = full ? begin_block(*now_) : blocks_.back();
  TraceRecord record = {0,           static_cast<uint8_t>(what.kind),
                        what.detail, static_cast<uint16_t>(std::min<HostId>(what.host, kNowhere)),
                        what.a,      what.b};
  text = text.substr(0, kTextMax);
  const bool room = block.texts.size() + 1 + text.size() <= limits_.text_bytes_per_block;
  if (!text.empty() && (room || lasts(what.kind))) {
    record.kind |= kTextBit;
    append_text(block.texts, text);
  }
  return append(block.records, block.end, *now_, record);
}

void RunRecorder::drop_oldest() {
  const Block& block = blocks_.front();
  Instant at = block.start;
  size_t text_at = 0;
  for (const TraceRecord& record : block.records) {
    const auto kind = static_cast<TraceKind>(record.kind & ~kTextBit);
    if (kind == TraceKind::gap) {
      at.ns += static_cast<int64_t>(record.a | (uint64_t{record.b} << 32));
      continue;
    }
    at.ns += record.delta_ns;
    std::string_view text;
    if ((record.kind & kTextBit) != 0) {
      const auto size = static_cast<uint8_t>(block.texts[text_at]);
      text = std::string_view(block.texts).substr(text_at + 1, size);
      text_at += 1 + size;
    }
    if (!lasts(kind)) {
      ++dropped_;
      continue;
    }
    append(lasting_.records, lasting_.end, at, record);
    if (!text.empty()) append_text(lasting_.texts, text);
  }
  open_turn_ = nullptr;
  blocks_.pop_front();
}

RunRecorder::HostState& RunRecorder::state(HostId id) {
  ASSERT(id < kHostsMax);
  if (hosts_.size() <= id) hosts_.resize(id + 1);
  return hosts_[id];
}

void RunRecorder::stop(HostId id, uint8_t kind, int status) {
  put({TraceKind::stop, kind, id, static_cast<uint32_t>(status), 0});
}

void RunRecorder::pause(HostId id, bool on) {
  put({on ? TraceKind::pause : TraceKind::resume, 0, id, 0, 0});
}

void RunRecorder::speed(HostId id, int64_t factor) {
  put({TraceKind::speed, 0, id, saturated(factor), 0});
}

void RunRecorder::clock(HostId id, Duration offset, int64_t drift_ppm) {
  constexpr int64_t kMost = (int64_t{1} << 47) - 1;
  const auto us = static_cast<uint64_t>(std::clamp(offset.us(), -kMost, kMost)) & 0xffffffffffff;
  const auto drift = static_cast<uint16_t>(std::clamp<int64_t>(drift_ppm, -32'767, 32'767));
  const uint64_t both = us | (uint64_t{drift} << 48);
  put({TraceKind::clock, 0, id, low(both), high(both)});
}

void RunRecorder::turn_begins(HostId id) {
  open_turn_ = put({TraceKind::turn, 0, id, 0, 0});
}

void RunRecorder::turn_ends(Duration busy) {
  if (open_turn_ != nullptr) open_turn_->a = saturated(busy.ns);
  open_turn_ = nullptr;
}

void RunRecorder::role(HostId id, std::string_view role, uint64_t epoch) {
  HostState& host = state(id);
  if (host.role == role && host.epoch == epoch) return;
  host.role = role;
  host.epoch = epoch;
  put({TraceKind::role, 0, id, low(epoch), high(epoch)}, role);
}

void RunRecorder::offset(HostId id, uint64_t offset) {
  HostState& host = state(id);
  if (host.offset == offset) return;
  host.offset = offset;
  put({TraceKind::offset, 0, id, low(offset), high(offset)});
}

void RunRecorder::fault_begins(HostId id, uint8_t fault, uint32_t window, std::string_view more,
                               Duration length) {
  put({TraceKind::fault_begin, fault, id, window, saturated(length.us())}, more);
}

void RunRecorder::sent(HostId from, HostId to, uint64_t message, MessageKind kind, uint64_t bytes,
                       std::string_view begins_with) {
  const auto target = static_cast<uint16_t>(std::min<HostId>(to, kNowhere));
  const auto size = static_cast<uint16_t>(std::min<uint64_t>(bytes, 0xffff));
  put({TraceKind::sent, static_cast<uint8_t>(kind), from, low(message),
       target | (uint32_t{size} << 16)},
      begins_with);
}

void RunRecorder::arrived(HostId at, uint64_t message, uint32_t connection, bool lost) {
  put({TraceKind::arrived, static_cast<uint8_t>(lost), at, low(message), connection});
}

void RunRecorder::called(HostId client, std::span<const std::string_view> words, bool silent) {
  std::string text;
  for (const std::string_view word : words) {
    if (text.size() > kTextMax) break;
    if (!text.empty()) text += ' ';
    text += word.empty() ? "\"\"" : word.substr(0, kTextMax);
  }
  const uint32_t number = next_operation_++;
  if (!silent) state(client).unanswered.push_back(number);
  put({TraceKind::called, static_cast<uint8_t>(silent), client, number, 0}, text);
}

void RunRecorder::returned(HostId client, std::string_view reply) {
  std::deque<uint32_t>& unanswered = state(client).unanswered;
  if (unanswered.empty()) return;
  put({TraceKind::returned, 0, client, unanswered.front(), 0}, reply);
  unanswered.pop_front();
}

void RunRecorder::abandoned(HostId client) {
  for (const uint32_t number : state(client).unanswered) {
    put({TraceKind::returned, 1, client, number, 0});
  }
  state(client).unanswered.clear();
}

size_t RunRecorder::record_count() const {
  size_t count = lasting_.records.size();
  for (const Block& block : blocks_) count += block.records.size();
  return count;
}

size_t RunRecorder::text_bytes() const {
  size_t bytes = lasting_.texts.size();
  for (const Block& block : blocks_) bytes += block.texts.size();
  return bytes;
}

}  // namespace redoubt::sim
