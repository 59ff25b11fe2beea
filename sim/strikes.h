// The faults of a run as plain data: what struck whom and when, with all that was drawn for it, and
// when faults of chance and levels hold. A run can be given both instead of drawing; then it can be
// cut down, written to a file, read and edited by a person, and run again.
//
// A strike as text, in this order, parts that say nothing left out:
//
//     kill node at 1.234567s for 200ms
//     net_partition node with client1 client2 at 2s for 1500ms
//     net_one_way node deaf at 2s for 300ms          (it does not hear; mute: it is not heard)
//     clock_jump node by -60000ms at 3s
//     slow_cpu node by 10 at 3s for 1s               (ten times slower)
//     net_half_open node by 3 at 4s                  (one of its streams; any number names one)
//     rack node1 with node2 node3 at 5s for 800ms
//     disk_old node at 6s for 3s                     (at 9s it has the disk of the sixth second)
//
// A window as text: `net_cut=5000 from 0s until 12.5s`, or `until end`.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/time.h"
#include "sim/faults.h"

namespace redoubt::sim {

// One blow of a timed fault. Hosts are named, so that the list outlives a change of the topology.
struct FaultStrike {
  Instant at;
  Fault fault = Fault::kill;
  std::string host;
  // Who is on its side of a cut, or loses power with it.
  std::vector<std::string> others;
  // From its beginning to its end; zero for what has no end.
  Duration lasts;
  // clock_jump: milliseconds. slow_cpu: how many times slower. net_one_way: below zero when the
  // host does not hear, above when it is not heard. What chooses a place: any number from zero.
  int64_t amount = 0;

  bool operator==(const FaultStrike&) const = default;
};

// From `from` on and before `until`, a fault of chance or a level has this value.
struct FaultWindow {
  Fault fault = Fault::net_delay;
  int64_t value = 0;
  Instant from;
  Instant until = Instant::never();

  bool operator==(const FaultWindow&) const = default;
};

// What must be left of a cluster for its promises to hold.
struct FaultBudget {
  // So many faultable hosts at most do not run at the same time, as far as timed faults go.
  uint32_t down_max = 0xffffffff;
  // So many faultable hosts at most ever lose what they had synced.
  uint32_t disks_lost_max = 0xffffffff;
};

// Whether the strikes of a timed fault have an end.
bool lasts(Fault fault);

std::string strike_text(const FaultStrike& strike);
std::string window_text(const FaultWindow& window);
// The error is a sentence for people; empty when all is well, and then `*strike` is what was read.
std::string parse_strike(std::string_view text, FaultStrike* strike);
std::string parse_window(std::string_view text, FaultWindow* window);

// The faults of chance and the levels that are on, each in a window that is the whole run.
std::vector<FaultWindow> whole_run(const FaultOptions& options);

}  // namespace redoubt::sim
