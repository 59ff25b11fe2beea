// The simulated world: machines with processes, a network between them, a clock that stands still
// while they work, and everything that can go wrong, from one seed.
//
//   World world(seed, options);
//   HostId node = world.add_host({.name = "node"}, [](Env& env) { return make_unique<...>(env); });
//   world.boot(node);
//   world.start_faults();            // kills, partitions, ...: FaultOptions in options.faults
//   world.run_for(Duration::seconds(60));
//   world.digest_text();             // the same for the same seed, anywhere
//
// A process is anything that lives behind an Env: a node, a client, a test's echo. It runs in turns
// (net/env.h) on its host. Everything runs in one thread and one heap of (time, sequence) events;
// time jumps from event to event, so that an idle hour costs nothing. An event costs about a
// tenth of a microsecond in the world itself, and nothing is allocated for it.
//
// The parts: core.h what they share; event.h the heap; random.h, digest.h; faults.h the table of
// faults, nemesis.h those that come and go, strikes.h these as data; backend.h a machine's door,
// host.h its life and turns, clock.h, disk.h and files.h; network.h and network_stream.cc its
// streams; process.h what it runs.
//
// Not a fault, but so: what is submitted while the host works takes place at the moment within the
// turn, as Env::work() has it; file operations in flight together are carried out in any order; the
// link between each pair of hosts has a delay of its own.
#pragma once

#include <span>
#include <string>

#include "sim/core.h"
#include "sim/host.h"
#include "sim/nemesis.h"
#include "sim/network.h"
#include "sim/process.h"

namespace redoubt::sim {

class World {
 public:
  World(uint64_t seed, const WorldOptions& options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // A machine, switched on, on which nothing runs yet. Ids count from 0.
  HostId add_host(HostOptions options, ProcessFactory factory);
  Host& host(HostId id) { return core_.host(id); }
  size_t host_count() const { return core_.hosts.size(); }
  void set_observer(WorldObserver* observer) { observer_ = observer; }

  // A stream of random numbers for a workload or a scenario, by name.
  Random random(std::string_view name, uint64_t index = 0) const {
    return Random(core_.run_seed, name, index);
  }

  // Starts the host's process; switches the host on if it is off. Nothing happens if it runs.
  void boot(HostId id);
  // Its process ends at once. Nothing happens if none runs.
  void crash(HostId id, StopKind kind);
  // Asks the process to stop (SIGTERM).
  void stop(HostId id) { host(id).ask_to_stop(); }

  // A turn of the host's process in which only `body` runs, now: for checkers that make it do
  // something.
  void visit(HostId id, void (*body)(Host&, void*), void* context);

  // Timed faults begin to come; stop coming (windows of other faults stop moving, too); end.
  void start_faults() { nemesis_.start(); }
  void stop_faults() { nemesis_.stop(); }
  void heal() { nemesis_.heal(); }
  // The phase in which the system has to converge: a majority of the faultable hosts, chosen by the
  // seed and returned, is healed for good, and every other fault stays as it is. Instead of
  // stop_faults() and heal(); once.
  std::vector<HostId> begin_liveness() { return nemesis_.begin_liveness(); }
  // What has struck, for WorldOptions::schedule of another run.
  const std::vector<FaultStrike>& strikes() const { return nemesis_.strikes(); }
  // Hosts that timed faults have robbed of what they had synced, each once: whether a copy of
  // something can be left is for checkers to say.
  const std::vector<HostId>& disks_lost() const { return nemesis_.disks_lost(); }
  // The faults as they are now. Changes take effect from the next occasion.
  FaultOptions& faults() { return core_.faults; }
  const FaultCounts& fired() const { return core_.fired; }
  Network& network() { return network_; }

  // Runs until this time, or until nothing is left to happen. Within a call of halt() from an
  // observer or a checker, not longer than the event under way.
  void run_until(Instant end);
  void run_for(Duration duration) { run_until(now() + duration); }
  // One event, or one turn. False when nothing is left, or the next is after `end`.
  bool step(Instant end = Instant::never());
  void halt() { halted_ = true; }
  bool halted() const { return halted_; }

  Instant now() const { return core_.now; }
  uint64_t event_count() const { return core_.event_count; }
  // A checker or a workload makes something part of the digest and the trace.
  void note(HostId id, uint64_t value, std::string_view text = {}) {
    core_.record(What::note, id, 0, value, text);
  }
  bool traced() const { return core_.options.trace != nullptr || recorder() != nullptr; }
  void remark(HostId id, std::string_view text) { core_.remark(id, text); }
  // Null unless somebody wants a report.
  RunRecorder* recorder() const { return core_.recorder; }
  // 32 hexadecimal digits over everything that has happened, the number of events and of draws. The
  // draws of timed faults do not count, but what came of them: a schedule says the same.
  std::string digest_text() const;

 private:
  void handle(const Event& event);
  void end_if_asked(Host& host);

  Core core_;
  Network network_;
  Nemesis nemesis_;
  WorldObserver* observer_ = nullptr;
  size_t next_due_ = 0;
  bool halted_ = false;
};

}  // namespace redoubt::sim
