// The events of a run as a stream of bytes, for comparing runs of different processes. What the
// digest is made of is written down event by event: the first record in which two streams differ is
// the first event that differs.
//
// A stream is a sequence of records: four bytes of length, a byte that says what it is, and
//   '!'  the format's name; the first record
//   'h'  host, name                        before its first event
//   'e'  time, number of the world's event, kind and detail and host, value, size of the text, a
//        hash of all of it, its first 160 bytes
//   'z'  how the run ended: its digest and its result; the last record
// Numbers are as wide as in Core::record() and as the machine has them: both streams come from the
// same one.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core.h"

namespace redoubt::sim {

// Writes the events of a run. Bytes go to `write`, many at a time.
class EventWriter final : public EventSink {
 public:
  using Write = std::function<void(std::string_view bytes)>;

  explicit EventWriter(Write write);

  void on_event(const Core& core, What what, HostId id, uint64_t detail, uint64_t value,
                std::string_view text) override;
  // The run is over; everything is written.
  void finish(std::string_view outcome);
  // What is held back goes out. Allocates nothing.
  void flush();

 private:
  void name_host(const Core& core, HostId id);
  void begin_record(char tag);
  void end_record();
  void add(uint64_t number);

  Write write_;
  std::string buffer_;
  size_t record_at_ = 0;
  std::vector<bool> named_;
};

// Reads a stream, record by record. `read` gives up to so many bytes, 0 at the end.
class EventReader {
 public:
  using Read = std::function<size_t(std::span<char> into)>;

  explicit EventReader(Read read);

  // The next event, or the end: its bytes, which live until the next call. Names of hosts are taken
  // from the stream on the way. Empty: the stream breaks off here, or is none.
  std::string_view next();
  bool is_end(std::string_view record) const { return record.starts_with('z'); }

  // A line about a record of this stream: "12.345678901 node note 3 text".
  std::string describe(std::string_view record) const;
  // Of an end: what finish() was told.
  static std::string_view outcome(std::string_view record) { return record.substr(1); }

 private:
  std::string_view next_record();
  bool fill(size_t size);

  Read read_;
  std::string buffer_;
  size_t at_ = 0;
  bool right_format_ = false;
  std::vector<std::string> hosts_;
};

}  // namespace redoubt::sim
