// Everything that can go wrong in the simulated world, one row each. From this table come the
// fields, `redoubt-sim list`, the swarm draw, `--fault name=value`, the banner of a run and the
// counters of a sweep. docs/faults.md tells the same in a person's order.
//
// A fault is off at 0. There are three kinds:
//   chance    happens to one occasion of so many; its value is in parts of a million
//   level     holds all the time, as strong as its value
//   timed     comes and goes: once in so many milliseconds of simulated time on average, for all
//             faultable hosts together (sim/nemesis.h)
// A strength says how long or how much of something a fault is; it is always drawn, and does
// nothing by itself.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/expected.h"
#include "sim/random.h"

namespace redoubt::sim {

// X(name, kind, lowest and highest value of the swarm draw, unit, description)
// clang-format off
#define REDOUBT_SIM_FAULTS(X)                                                                      \
  X(net_delay, level, 100, 50'000, "us", "segments take longer, by this much on average")          \
  X(net_jitter, level, 100, 50'000, "us",                                                          \
    "each link is late by a mean of its own up to this, some segments by a hundred times it")      \
  X(net_cut, chance, 1'000, 500'000, "ppm", "bytes sent at once arrive in pieces, cut anywhere")   \
  X(net_reset, chance, 10, 2'000, "ppm", "a segment meets a reset of its connection")              \
  X(net_reset_mid, chance, 10, 2'000, "ppm",                                                       \
    "a segment arrives in part, then a reset of its connection")                                   \
  X(net_reorder, chance, 1'000, 300'000, "ppm",                                                    \
    "a segment and its stream wait while later bytes of other streams overtake them")              \
  X(net_corrupt, chance, 10, 10'000, "ppm",                                                        \
    "a segment arrives with wrong bytes; for protocols with checksums only")                       \
  X(net_small_buffers, level, 64, 16'384, "bytes", "send and receive buffers hold only this much") \
  X(net_slow, level, 10, 10'000, "KB/s", "links carry only this much")                             \
  X(net_partition, timed, 100, 30'000, "ms", "every so often a host and others lose each other")   \
  X(net_one_way, timed, 100, 30'000, "ms",                                                         \
    "every so often a host is heard but does not hear, or the reverse")                            \
  X(net_clog, timed, 100, 30'000, "ms",                                                            \
    "every so often a host's links hold all segments, then release them")                          \
  X(net_half_open, timed, 100, 30'000, "ms",                                                       \
    "every so often a connection dies without a word to either side")                              \
  X(net_refuse, chance, 1'000, 300'000, "ppm", "a connection attempt is refused")                  \
  X(net_hang, chance, 1'000, 300'000, "ppm", "a connection attempt is never answered")             \
  X(kill, timed, 100, 30'000, "ms", "every so often a process is killed and started again")        \
  X(power_loss, timed, 100, 30'000, "ms", "every so often a host loses power and comes back")      \
  X(power_loss_io, timed, 100, 30'000, "ms",                                                       \
    "every so often a host loses power right after one of its next file operations")               \
  X(rack, timed, 100, 30'000, "ms",                                                                \
    "every so often several hosts lose power at once and come back together")                      \
  X(replace, timed, 1'000, 60'000, "ms",                                                           \
    "every so often a new machine with an empty disk and other clocks takes a host's place")       \
  X(restart, timed, 100, 30'000, "ms",                                                             \
    "every so often a process is told to stop, and started again")                                 \
  X(pause, timed, 100, 30'000, "ms", "every so often a process stands still for a while")          \
  X(slow_cpu, timed, 100, 30'000, "ms", "every so often a processor is slow for a while")          \
  X(disk_error, chance, 10, 20'000, "ppm", "a disk operation fails with an input/output error")    \
  X(disk_sync_error, chance, 1'000, 300'000, "ppm",                                                \
    "a sync fails, and what it was to save is not saved")                                          \
  X(disk_short_write, chance, 10, 20'000, "ppm", "a write ends in the middle, with an error")      \
  X(disk_sync_slow, level, 100, 2'000'000, "us", "syncs take longer, by this much on average")     \
  X(disk_slow, level, 100, 100'000, "us", "disk operations take longer, by this much on average")  \
  X(disk_split, chance, 1'000, 500'000, "ppm", "reads and writes are carried out in pieces")       \
  X(disk_stall, timed, 100, 30'000, "ms", "every so often a disk stands still for a while")        \
  X(disk_full, timed, 100, 30'000, "ms", "every so often a disk is full for a while")              \
  X(disk_lost, chance, 10'000, 1'000'000, "ppm",                                                   \
    "a file that is not synced at a power loss is as when it last was")                            \
  X(disk_torn, chance, 10'000, 1'000'000, "ppm",                                                   \
    "a file that is not synced at a power loss has some sectors of 512 bytes new, others old")     \
  X(disk_garbage, chance, 1'000, 300'000, "ppm",                                                   \
    "some sectors of a file that are not synced at a power loss hold garbage")                     \
  X(disk_name_lost, chance, 10'000, 1'000'000, "ppm",                                              \
    "a file created or removed is not, at a power loss before its directory is synced")            \
  X(disk_rename_lost, chance, 10'000, 1'000'000, "ppm",                                            \
    "a file renamed is not, at a power loss before its directory is synced")                       \
  X(disk_rot, timed, 100, 60'000, "ms", "every so often some synced bytes of a disk change")       \
  X(disk_wipe, timed, 1'000, 60'000, "ms",                                                         \
    "every so often a process dies, and its disk is empty when it starts again")                   \
  X(disk_old, timed, 1'000, 60'000, "ms",                                                          \
    "every so often a host comes back with its disk as it was a while ago")                        \
  X(clock_skew, level, 10, 3'600'000, "ms", "wall clocks are wrong by up to this much")            \
  X(clock_drift, level, 1, 500, "ppm", "clocks run fast or slow by up to this much")               \
  X(clock_jump, timed, 100, 30'000, "ms", "every so often a wall clock jumps, either way")         \
  X(timer_jitter, level, 10, 20'000, "us", "timers fire late, by this much on average")            \
  X(io_reorder, chance, 10'000, 1'000'000, "ppm", "what a turn has to deliver comes in any order") \
  X(io_late, chance, 1'000, 300'000, "ppm", "a completion is delivered late")                      \
  X(io_cancel_late, chance, 10'000, 1'000'000, "ppm",                                              \
    "a cancelled operation waits before it ends, or completes")                                    \
  X(io_cancel_missed, chance, 10'000, 1'000'000, "ppm",                                            \
    "a cancelled operation completes all the same, if it can in a tenth of a second")              \
  X(io_unordered, chance, 1'000, 300'000, "ppm",                                                   \
    "a file operation is carried out long after others that were submitted later")                 \
  X(io_few_chunks, level, 1, 16, "chunks", "only so many received chunks are lent at a time")      \
  X(io_few_handles, level, 2, 32, "handles", "a process has only so many streams and files open")  \
  X(io_short_receive, chance, 1'000, 500'000, "ppm", "a receive gives less than there is")

// X(name, of which faults, default, lowest and highest value of the swarm draw, unit, description)
#define REDOUBT_SIM_STRENGTHS(X)                                                                   \
  X(net_cut_off_ms, "net_partition net_one_way net_clog", 1'000, 1, 20'000, "ms",                  \
    "how long partitions and clogs last")                                                          \
  X(net_hold_us, "net_reorder", 5'000, 10, 500'000, "us",                                          \
    "how long net_reorder holds a stream on average")                                              \
  X(down_ms, "kill power_loss power_loss_io rack replace restart disk_wipe", 200, 1, 10'000, "ms", \
    "how long hosts are down that are killed, without power, ...")                                 \
  X(pause_ms, "pause", 1'000, 1, 20'000, "ms", "how long a pause lasts")                           \
  X(slow_cpu_factor, "slow_cpu", 10, 2, 100, "", "how many times slower a slow processor is")      \
  X(slow_cpu_ms, "slow_cpu", 1'000, 1, 20'000, "ms", "how long it is slow")                        \
  X(disk_stall_ms, "disk_stall", 1'000, 1, 20'000, "ms", "how long a disk stands still")           \
  X(disk_full_ms, "disk_full", 1'000, 1, 20'000, "ms", "how long a disk is full")                  \
  X(disk_old_ms, "disk_old", 5'000, 10, 60'000, "ms", "how old a disk is that comes back")         \
  X(clock_jump_ms, "clock_jump", 60'000, 1, 86'400'000, "ms",                                      \
    "how far a wall clock jumps at most")                                                          \
  X(io_late_us, "io_late", 1'000, 1, 100'000, "us", "how late late completions are on average")
// clang-format on

enum class Fault : uint8_t {
#define X(name, ...) name,
  REDOUBT_SIM_FAULTS(X)
#undef X
};

enum class FaultKind : uint8_t { chance, level, timed, strength };

struct FaultOptions {
#define X(name, ...) int64_t name = 0;
  REDOUBT_SIM_FAULTS(X)
#undef X
#define X(name, of, initial, ...) int64_t name = initial;
  REDOUBT_SIM_STRENGTHS(X)
#undef X
};

struct FaultRow {
  std::string_view name;
  int64_t FaultOptions::* field;
  int64_t initial;
  int64_t low;
  int64_t high;
  std::string_view unit;
  std::string_view description;
  bool strength;  // not a fault by itself
  FaultKind kind;
  // Of a strength: names of faults, with blanks between them.
  std::string_view of;
};

// The faults in the order of Fault, then the strengths.
std::span<const FaultRow> fault_rows();
const FaultRow* find_fault(std::string_view name);
bool is_strength_of(const FaultRow& strength, const FaultRow& fault);

#define X(...) +1
constexpr size_t kFaultCount = 0 REDOUBT_SIM_FAULTS(X);
#undef X

inline const FaultRow& fault_row(Fault fault) {
  return fault_rows()[static_cast<size_t>(fault)];
}

// The fields in the order of Fault, for whoever looks at one that is known when compiling.
inline constexpr int64_t FaultOptions::* kFaultFields[] = {
#define X(name, ...) &FaultOptions::name,
    REDOUBT_SIM_FAULTS(X)
#undef X
};

inline int64_t value_of(const FaultOptions& options, Fault fault) {
  return options.*kFaultFields[static_cast<size_t>(fault)];
}

// How often each fault has happened.
struct FaultCounts {
  std::array<uint64_t, kFaultCount> fired{};

  uint64_t& operator[](Fault fault) { return fired[static_cast<size_t>(fault)]; }
  uint64_t operator[](Fault fault) const { return fired[static_cast<size_t>(fault)]; }
};

// The streams of random numbers of one place, one for each fault: what one fault draws leaves all
// others alone, whether it is on, off, or new in the table.
class FaultRandoms {
 public:
  FaultRandoms(uint64_t seed, std::string_view place, uint64_t index = 0);

  Random& operator[](Fault fault) {
    if (streams_.empty()) make();
    return streams_[static_cast<size_t>(fault)];
  }
  uint64_t draws() const;

 private:
  void make();  // most places never draw

  uint64_t base_;
  std::vector<Random> streams_;
};

// Swarm testing: each fault of `eligible` is on in a quarter of the runs, as strong as it happens,
// and one run in sixteen has none at all. Each row draws from a stream of its own.
FaultOptions draw_faults(Random& random, std::span<const Fault> eligible);

// "name=value", as --fault takes it. The value is 0 (off, faults only) or in the row's range. The
// error is a sentence for the user; empty when all is well.
std::string set_fault(FaultOptions& options, std::string_view assignment);

// The faults that are on and their strengths where these are not the usual ones, as arguments of
// --fault: "kill=700 down_ms=20".
std::string faults_text(const FaultOptions& options);

}  // namespace redoubt::sim
