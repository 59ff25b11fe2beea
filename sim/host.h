// A simulated machine: its clocks, its processor, its disk, and the process that runs on it, if one
// does. The machine outlives its processes.
//
// A process runs in turns. What becomes ready at one instant is delivered in one turn. A turn takes
// processor time, by what Env::work() has counted; until it is over, what becomes ready waits.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "sim/backend.h"
#include "sim/clock.h"
#include "sim/disk.h"
#include "sim/files.h"
#include "sim/process.h"

namespace redoubt::sim {

struct HostOptions {
  std::string name = {};
  // Timed faults (kill, partition, clock jump, ...) may choose it.
  bool faultable = false;
  // Its processor: how many times slower than WorldOptions says.
  int64_t cpu_factor = 1;
};

class Host {
 public:
  Host(Core& core, Network& network, HostId id, HostOptions options, ProcessFactory factory);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // Skew and drift, as the faults say; once, when the world has this host.
  void draw_clock();

  HostId id() const { return id_; }
  const std::string& name() const { return options_.name; }
  bool faultable() const { return options_.faultable; }
  // "10.0.0.1" and so on, by id; and the same machine's IPv6 address.
  const std::string& address() const { return address_; }
  const std::string& address6() const { return address6_; }

  bool powered() const { return powered_; }
  bool running() const { return process_ != nullptr; }
  bool paused() const { return paused_; }
  // How often it has started; the status of its last exit.
  uint32_t boots() const { return boots_; }
  int exit_status() const { return exit_status_; }
  Process* process() { return process_.get(); }
  Env* env() { return env_.get(); }
  Disk& disk() { return disk_; }
  Files& files() { return files_; }
  SimBackend& backend() { return backend_; }
  SimClock& clock() { return clock_; }
  // The stream of what a fault does to this machine and its links.
  Random& fault_random(Fault fault) { return fault_randoms_[fault]; }
  // From all of its streams of random numbers.
  uint64_t draws() const;
  // The last lines of its log.
  const std::deque<std::string>& log_lines() const { return log_lines_; }

  // Life and death; never from within a turn of this host.
  void boot(WorldObserver* observer);
  void end_life(StopKind kind, WorldObserver* observer);
  void ask_to_stop();
  // The world ends; nobody is told.
  void end_world();
  void set_paused(bool paused);
  void set_slow(int64_t factor);
  // The wall clock jumps by so much.
  void jump_clock(Duration by);
  // Another machine takes the place of this one, which does not run: an empty disk, other clocks.
  void replace();
  bool end_requested() const { return end_requested_; }

  // A turn in which only `body` runs, now: for checkers that ask the process something.
  void visit(void (*body)(Host&, void*), void* context);

  // For the world's loop.
  void on_wake(uint32_t generation);
  void on_turn_event();
  void take_turn();

  // For the door.
  bool in_turn() const { return in_turn_; }
  bool dying() const { return dying_; }
  // The time of the world as this process sees it: within a turn, the work done so far has passed.
  Instant local_now() const;
  void add_stall(Duration duration) { stalled_ns_ += duration.ns; }
  void exit_with(int status);
  void keep_log(std::string_view line);
  // It has something to do at this instant.
  void make_due();

 private:
  int64_t work_cost() const;
  void lose_unsynced();
  void run_turn(void (*body)(Host&, void*), void* context);
  void schedule_wake();
  void record_clock();

  Core& core_;
  const HostId id_;
  const HostOptions options_;
  const ProcessFactory factory_;
  std::string address_;
  std::string address6_;

  SimClock clock_;
  FaultRandoms fault_randoms_;
  Disk disk_;
  Files files_;
  SimBackend backend_;

  std::unique_ptr<Env> env_;
  std::unique_ptr<Process> process_;
  bool powered_ = true;
  bool paused_ = false;
  bool dying_ = false;
  bool in_turn_ = false;
  bool due_ = false;  // in Core::due
  bool turn_wanted_ = false;
  bool turn_scheduled_ = false;
  bool stop_asked_ = false;
  bool end_requested_ = false;
  int exit_status_ = 0;
  uint32_t boots_ = 0;

  int64_t slow_factor_ = 1;
  uint64_t work_before_ = 0;
  int64_t stalled_ns_ = 0;
  Instant busy_until_;
  bool wake_armed_ = false;
  uint32_t wake_generation_ = 0;
  Instant wake_at_;
  std::deque<std::string> log_lines_;
};

}  // namespace redoubt::sim
