// What all parts of the simulated world share: the time, the heap of events, the digest, the
// faults, the streams of random numbers, the hosts.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/op.h"
#include "net/time.h"
#include "sim/digest.h"
#include "sim/event.h"
#include "sim/faults.h"
#include "sim/random.h"
#include "sim/trace/run_recorder.h"

namespace redoubt::sim {

class Host;

using HostId = uint32_t;
constexpr HostId kNoHost = 0xffffffff;

struct WorldOptions {
  FaultOptions faults;

  // Processor time of a turn by itself, and of a unit of Env::work().
  int64_t turn_ns = 1'000;
  int64_t work_ns = 400;
  // From submit() to the earliest completion.
  int64_t kernel_ns = 500;

  // One way without faults: each pair of hosts has its own base, between these.
  int64_t link_min_ns = 20'000;
  int64_t link_max_ns = 200'000;
  // What a stream's send buffer and its receive buffer hold.
  uint32_t socket_buffer_bytes = 131'072;
  // Lost bytes are given up, and the stream with them, after so long.
  Duration tcp_timeout = Duration::seconds(900);
  Duration connect_timeout = Duration::seconds(127);

  // The buffers that a host lends to receives.
  uint32_t chunk_bytes = 16'384;
  uint32_t chunk_count = 1'024;
  // Streams, listeners and files that a process may have open.
  uint32_t handles_max = 100'000;

  int64_t disk_ns = 20'000;        // any operation
  int64_t disk_sync_ns = 500'000;  // and a sync
  int64_t disk_ns_per_kb = 500;
  uint64_t disk_bytes = uint64_t{1} << 40;

  int64_t start_unix_us = 1'700'000'000'000'000;

  // One line an event goes here; not owned.
  FILE* trace = nullptr;
  // Is told of everything for a report; not owned.
  RunRecorder* recorder = nullptr;
};

// What the digest and the trace say of an event.
enum class What : uint8_t { boot, stop, done, sent, log, fault, note };

struct Core {
  Core(uint64_t seed, const WorldOptions& world_options);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  const WorldOptions options;
  RunRecorder* const recorder;
  FaultOptions faults;  // as they are now: a quiet phase switches them off
  FaultCounts fired;
  Random network_random;
  Random fault_random;
  const uint64_t run_seed;

  Instant now;
  EventHeap events;
  uint64_t event_count = 0;
  Digest digest;
  std::vector<std::unique_ptr<Host>> hosts;
  std::vector<HostId> due;  // hosts that have a turn to take at `now`, in order

  Host& host(HostId id) {
    ASSERT(id < hosts.size());
    return *hosts[id];
  }

  // An event becomes part of the digest, and a line of the trace.
  void record(What what, HostId id, uint64_t detail, uint64_t value, std::string_view text = {}) {
    digest.add(static_cast<uint64_t>(now.ns),
               (static_cast<uint64_t>(what) << 56) | (detail << 32) | id);
    digest.add(value, text.size());
    if (!text.empty()) digest.add_bytes(as_slice(text));
    if (options.trace != nullptr) [[unlikely]]
      write_trace(what, id, detail, value, text);
  }
  // A line of the trace that is no event.
  void remark(HostId id, std::string_view text);
  void count(Fault fault, HostId id) {
    ++fired[fault];
    record(What::fault, id, static_cast<uint64_t>(fault), fired[fault]);
    if (recorder != nullptr) [[unlikely]]
      recorder->fault(id, static_cast<uint8_t>(fault));
  }

 private:
  void write_trace(What what, HostId id, uint64_t detail, uint64_t value, std::string_view text);
};

std::string_view op_kind_name(OpKind kind);
// "12.345678901", seconds.
std::string time_text(Instant at);

}  // namespace redoubt::sim
