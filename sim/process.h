// A program that a simulated host runs: a node, a client, a test's echo. It is made anew at each
// boot and destroyed at each end, and knows the world only through its Env.
#pragma once

#include <functional>
#include <memory>

#include "net/env.h"
#include "sim/core.h"

namespace redoubt::sim {

class Process {
 public:
  virtual ~Process() = default;
  // The operator asks it to stop (SIGTERM); it is through when it calls request_exit().
  virtual void stop(Env& env) { env.backend().request_exit(0); }
};

// Called in the first turn of a boot, with an Env that outlives the process.
using ProcessFactory = std::function<std::unique_ptr<Process>(Env&)>;

enum class StopKind : uint8_t {
  exit,        // request_exit()
  kill,        // the kernel closes its streams; the page cache survives
  power_loss,  // streams vanish without a word; the disk keeps what was synced
};

// Whoever runs a scenario hears of lives and deaths here. Called outside of turns.
class WorldObserver {
 public:
  virtual ~WorldObserver() = default;
  virtual void host_booted(HostId) {}
  // The process and its Env still exist.
  virtual void host_stopping(HostId, StopKind, int /*status*/) {}
};

}  // namespace redoubt::sim
