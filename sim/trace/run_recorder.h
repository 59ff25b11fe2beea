// The recorder of a run: the world, the faults and the clients of a scenario say here what happens,
// and TraceReader (trace_reader.h) says it again afterwards. A world without one pays for a test of
// a null pointer.
//
//   RunRecorder recorder;
//   world_options.recorder = &recorder;  // the world tells of hosts, messages, turns and faults
//   if (auto* r = world.recorder()) r->called(client, words, false);   // and a scenario of the
//   rest
//
// Memory is bounded: records lie in blocks, and when there are too many, the oldest goes; what it
// said of things that last (who is there, runs, is paused; faults that have not ended; clocks;
// roles) is kept. The end of a long run is what one looks at. Texts are cut after kTextMax bytes.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/time.h"
#include "sim/trace/trace_record.h"

namespace redoubt::sim {

struct RecorderLimits {
  // Together 4 million records and 192 MB of texts.
  size_t blocks_max = 64;
  size_t records_per_block = 65'536;
  size_t text_bytes_per_block = 3 << 20;
};

class RunRecorder {
 public:
  static constexpr size_t kTextMax = 200;
  using HostId = uint32_t;

  RunRecorder() : RunRecorder(RecorderLimits()) {}
  explicit RunRecorder(const RecorderLimits& limits);
  RunRecorder(const RunRecorder&) = delete;
  RunRecorder& operator=(const RunRecorder&) = delete;

  // What happens, happens at *now. Null when the world ends; nothing is recorded without.
  void follow(const Instant* now) { now_ = now; }

  // --- machines. Ids count from 0, in the order of add_host().
  void add_host(HostId id, std::string_view name) { put({TraceKind::host, 0, id, 0, 0}, name); }
  void boot(HostId id, uint32_t boots) { put({TraceKind::boot, 0, id, boots, 0}); }
  void stop(HostId id, uint8_t kind, int status);
  void pause(HostId id, bool on);
  void speed(HostId id, int64_t factor);
  void clock(HostId id, Duration offset, int64_t drift_ppm);
  // A turn of the processor; whatever is recorded between the two belongs to it.
  void turn_begins(HostId id);
  void turn_ends(Duration busy);
  void log(HostId id, std::string_view line) { put({TraceKind::log, 0, id, 0, 0}, line); }
  void remark(HostId id, std::string_view text) { put({TraceKind::remark, 0, id, 0, 0}, text); }

  // --- what a node is to others. Said again as often as one likes: only changes are recorded.
  void role(HostId id, std::string_view role, uint64_t epoch);
  void offset(HostId id, uint64_t offset);

  // --- faults
  void fault(HostId id, uint8_t fault) { put({TraceKind::fault, fault, id, 0, 0}); }
  // `length`: when it is known from the start; otherwise fault_ends() follows.
  void fault_begins(HostId id, uint8_t fault, uint32_t window, std::string_view more,
                    Duration length = {});
  void fault_joins(HostId id, uint32_t window) { put({TraceKind::fault_joins, 0, id, window, 0}); }
  void fault_ends(uint32_t window) { put({TraceKind::fault_end, 0, kNowhere, window, 0}); }

  // --- messages. `message` is the same number at both ends, and no other's meanwhile.
  void sent(HostId from, HostId to, uint64_t message, MessageKind kind, uint64_t bytes,
            std::string_view begins_with = {});
  void arrived(HostId at, uint64_t message, uint32_t connection, bool lost);

  // --- operations of clients. A client's replies come in the order of its calls.
  void called(HostId client, std::span<const std::string_view> words, bool silent);
  void returned(HostId client, std::string_view reply);
  // Its connection has ended: what has not been answered yet never will be.
  void abandoned(HostId client);

  // A checker has found something, in what is going on now.
  void violation(HostId id) { put({TraceKind::violation, 0, id, 0, 0}); }

  // How many records and bytes of texts there are; how many records were dropped; how many of each
  // kind there have been at all.
  size_t record_count() const;
  size_t text_bytes() const;
  uint64_t dropped() const { return dropped_; }
  uint64_t count(TraceKind kind) const { return counts_[static_cast<size_t>(kind)]; }

 private:
  friend class TraceReader;

  struct What {
    TraceKind kind;
    uint8_t detail;
    HostId host;
    uint32_t a;
    uint32_t b;
  };
  struct Block {
    Instant start;
    Instant end;
    std::vector<TraceRecord> records;
    std::string texts;
  };
  struct HostState {
    std::string role;
    uint64_t epoch = 0;
    uint64_t offset = 0;
    std::deque<uint32_t> unanswered;  // numbers of operations
  };

  TraceRecord* put(const What& what, std::string_view text = {});
  Block& begin_block(Instant at);
  void drop_oldest();
  HostState& state(HostId id);

  const RecorderLimits limits_;
  const Instant* now_ = nullptr;
  std::deque<Block> blocks_;
  Block lasting_;  // what remains of blocks that were dropped
  uint64_t dropped_ = 0;
  std::array<uint64_t, kTraceKinds> counts_{};
  TraceRecord* open_turn_ = nullptr;
  uint32_t next_operation_ = 0;
  std::vector<HostState> hosts_;
};

}  // namespace redoubt::sim
