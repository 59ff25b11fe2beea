// What all parts of the simulated world share: the time, the heap of events, the digest, the
// faults, the streams of random numbers, the hosts.
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/op.h"
#include "net/time.h"
#include "sim/digest.h"
#include "sim/event.h"
#include "sim/faults.h"
#include "sim/random.h"
#include "sim/strikes.h"
#include "sim/trace/run_recorder.h"

namespace redoubt::sim {

class Host;
struct Core;

using HostId = uint32_t;
constexpr HostId kNoHost = 0xffffffff;

// What the digest and the trace say of an event.
enum class What : uint8_t { boot, stop, done, sent, log, fault, note, strike };

// Who is told of every event that enters the digest (sim/first_difference).
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on_event(const Core& core, What what, HostId id, uint64_t detail, uint64_t value,
                        std::string_view text) = 0;
};

struct WorldOptions {
  FaultOptions faults;
  // When given: timed faults are these strikes instead of what the seed draws in the rhythm of
  // `faults`. One that is impossible in its moment (a kill of what does not run) does not happen.
  std::optional<std::vector<FaultStrike>> schedule = {};
  // When given: faults of chance and levels hold in these windows, and nowhere else. Of windows of
  // one fault that overlap, the last in the list counts.
  std::optional<std::vector<FaultWindow>> windows = {};
  FaultBudget budget = {};

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
  // Is told of every event; not owned.
  EventSink* sink = nullptr;
  // Is told of everything for a report; not owned.
  RunRecorder* recorder = nullptr;
};

struct Core {
  Core(uint64_t seed, const WorldOptions& world_options);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  const WorldOptions options;
  RunRecorder* const recorder;
  FaultOptions faults;  // as they are now: a quiet phase switches them off
  FaultCounts fired;
  Random network_random;  // of what the network does without faults
  const uint64_t run_seed;
  const bool is_watched;  // by a trace or a sink

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
    if (is_watched) [[unlikely]]
      tell(what, id, detail, value, text);
  }
  // A line of the trace that is no event.
  void remark(HostId id, std::string_view text);
  void count(Fault fault, HostId id, uint64_t times = 1) {
    fired[fault] += times;
    record(What::fault, id, static_cast<uint64_t>(fault), fired[fault]);
    if (recorder != nullptr) [[unlikely]]
      recorder->fault(id, static_cast<uint8_t>(fault));
  }

  // Whether a fault of chance happens now to this host; counted if so. A fault that is off costs
  // one comparison.
  bool happens(Fault fault, HostId id) {
    const int64_t ppm = value_of(faults, fault);
    return ppm > 0 && !is_well(id) && happens_now(fault, ppm, id);
  }
  // The same of a link, on behalf of its host `id`.
  bool happens_between(Fault fault, HostId id, HostId other) {
    const int64_t ppm = value_of(faults, fault);
    return ppm > 0 && !(is_well(id) && is_well(other)) && happens_now(fault, ppm, id);
  }
  // How much longer something takes under a level in microseconds; zero when it is off.
  Duration extra(Fault fault, HostId id) {
    const int64_t mean_us = value_of(faults, fault);
    return mean_us > 0 && !is_well(id) ? extra_now(fault, mean_us, id) : Duration();
  }
  Duration extra_between(Fault fault, HostId id, HostId other) {
    const int64_t mean_us = level_between(fault, id, other);
    return mean_us > 0 ? extra_now(fault, mean_us, id) : Duration();
  }
  // A level as it holds for this host, 0 when it is off.
  int64_t level(Fault fault, HostId id) const {
    const int64_t value = value_of(faults, fault);
    return value > 0 && !is_well(id) ? value : 0;
  }
  int64_t level_between(Fault fault, HostId id, HostId other) const {
    const int64_t value = value_of(faults, fault);
    return value > 0 && !(is_well(id) && is_well(other)) ? value : 0;
  }
  // The streams of this host's faults.
  Random& fault_random(Fault fault, HostId id);

  // Faults no longer touch this host (World::begin_liveness), nor links between two such.
  bool is_well(HostId id) const { return liveness && well[id]; }
  bool liveness = false;
  std::vector<bool> well;  // by host, once liveness has begun

 private:
  bool happens_now(Fault fault, int64_t ppm, HostId id);
  Duration extra_now(Fault fault, int64_t mean_us, HostId id);
  void tell(What what, HostId id, uint64_t detail, uint64_t value, std::string_view text);
};

std::string_view op_kind_name(OpKind kind);
// "12.345678901", seconds.
std::string time_text(Instant at);
// "12.345678901 node send ok 120": an event as a line.
std::string event_text(Instant at, std::string_view host, What what, uint64_t detail,
                       uint64_t value, std::string_view text);

}  // namespace redoubt::sim
