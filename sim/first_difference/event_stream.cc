#include "sim/first_difference/event_stream.h"

#include <cstring>

#include "sim/host.h"

namespace redoubt::sim {
namespace {

constexpr std::string_view kFormat = "redoubt events 1";
constexpr size_t kLengthBytes = 4;
constexpr size_t kBufferBytes = 65'536;
constexpr size_t kTextBytes = 160;
// No record is longer; what says so is no stream of events.
constexpr size_t kRecordBytesMax = 4'096;
constexpr size_t kEventNumbers = 6;

uint64_t number_at(std::string_view record, size_t index) {
  uint64_t number = 0;
  std::memcpy(&number, record.data() + 1 + index * sizeof number, sizeof number);
  return number;
}

uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    hash = (hash ^ word) * 0x9fb21c651e98df25;
    hash ^= hash >> 29;
  }
  for (; at < text.size(); ++at) {
    hash = (hash ^ static_cast<unsigned char>(text[at])) * 0x100000001b3;
  }
  return hash;
}

}  // namespace

EventWriter::EventWriter(Write write) : write_(std::move(write)) {
  buffer_.reserve(kBufferBytes + kRecordBytesMax);
  begin_record('!');
  buffer_ += kFormat;
  end_record();
}

void EventWriter::begin_record(char tag) {
  record_at_ = buffer_.size();
  buffer_.append(kLengthBytes, '\0');
  buffer_ += tag;
}

void EventWriter::end_record() {
  const auto size = static_cast<uint32_t>(buffer_.size() - record_at_ - kLengthBytes);
  static_assert(sizeof size == kLengthBytes);
  std::memcpy(buffer_.data() + record_at_, &size, sizeof size);
  if (buffer_.size() >= kBufferBytes) flush();
}

void EventWriter::add(uint64_t number) {
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  buffer_.append(bytes, sizeof bytes);
}

void EventWriter::flush() {
  write_(buffer_);
  buffer_.clear();
}

void EventWriter::name_host(const Core& core, HostId id) {
  if (id >= named_.size()) named_.resize(size_t{id} + 1);
  named_[id] = true;
  begin_record('h');
  add(id);
  buffer_ += core.hosts[id]->name().substr(0, kTextBytes);
  end_record();
}

void EventWriter::on_event(const Core& core, What what, HostId id, uint64_t detail, uint64_t value,
                           std::string_view text) {
  if (id != kNoHost && (id >= named_.size() || !named_[id])) name_host(core, id);
  begin_record('e');
  add(static_cast<uint64_t>(core.now.ns));
  add(core.event_count);
  add((static_cast<uint64_t>(what) << 56) | (detail << 32) | id);
  add(value);
  add(text.size());
  add(hash_of(text));
  buffer_ += text.substr(0, kTextBytes);
  end_record();
}

void EventWriter::finish(std::string_view outcome) {
  begin_record('z');
  buffer_ += outcome.substr(0, kRecordBytesMax / 2);
  end_record();
  flush();
}

EventReader::EventReader(Read read) : read_(std::move(read)) {}

// Whether so many bytes from at_ on are there.
bool EventReader::fill(size_t size) {
  if (buffer_.size() - at_ >= size) return true;
  buffer_.erase(0, at_);
  at_ = 0;
  while (buffer_.size() < size) {
    const size_t before = buffer_.size();
    buffer_.resize(before + kBufferBytes);
    const size_t got = read_(std::span(buffer_).subspan(before));
    buffer_.resize(before + got);
    if (got == 0) return false;
  }
  return true;
}

std::string_view EventReader::next_record() {
  if (!fill(kLengthBytes)) return {};
  uint32_t size = 0;
  std::memcpy(&size, buffer_.data() + at_, sizeof size);
  if (size == 0 || size > kRecordBytesMax || !fill(kLengthBytes + size)) return {};
  const std::string_view record = std::string_view(buffer_).substr(at_ + kLengthBytes, size);
  at_ += kLengthBytes + size;
  return record;
}

std::string_view EventReader::next() {
  if (!right_format_) {
    const std::string_view first = next_record();
    if (!first.starts_with('!') || first.substr(1) != kFormat) return {};
    right_format_ = true;
  }
  for (;;) {
    const std::string_view record = next_record();
    if (!record.starts_with('h')) return record;
    if (record.size() < 1 + sizeof(uint64_t)) return {};
    const uint64_t id = number_at(record, 0);
    if (id > UINT16_MAX) return {};
    if (id >= hosts_.size()) hosts_.resize(id + 1);
    hosts_[id] = record.substr(1 + sizeof(uint64_t));
  }
}

std::string EventReader::describe(std::string_view record) const {
  if (record.empty()) return "the run breaks off";
  if (is_end(record)) return "the run ends: " + std::string(outcome(record));
  if (record.size() < 1 + kEventNumbers * sizeof(uint64_t)) return "an event in pieces";
  const Instant at{static_cast<int64_t>(number_at(record, 0))};
  const uint64_t number = number_at(record, 1);
  const uint64_t word = number_at(record, 2);
  const auto id = static_cast<HostId>(word);
  const std::string host = id == kNoHost ? "world" : id < hosts_.size() ? hosts_[id] : "?";
  const std::string_view text = record.substr(1 + kEventNumbers * sizeof(uint64_t));
  std::string line = event_text(at, host, static_cast<What>(word >> 56), word >> 32 & 0xffffff,
                                number_at(record, 3), text);
  if (number_at(record, 4) > text.size()) {
    line += "... " + std::to_string(number_at(record, 4)) + " bytes";
  }
  return line + " (event " + std::to_string(number) + ")";
}

}  // namespace redoubt::sim
