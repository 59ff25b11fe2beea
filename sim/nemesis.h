// Faults that come and go by themselves: every `every ...` row of the table of faults has its own
// rhythm. A fault chooses a faultable host, begins, and after a while ends.
#pragma once

#include <vector>

#include "sim/core.h"
#include "sim/network.h"

namespace redoubt::sim {

class World;

class Nemesis {
 public:
  Nemesis(World& world, Core& core) : world_(world), core_(core) {}

  // Faults begin to come, in the rhythm that Core::faults says.
  void start();
  // No new ones come; those that last end when they would have.
  void stop() { running_ = false; }
  // Whatever lasts ends now: links heal, hosts boot, resume and are quick again.
  void heal();
  void on_event(const Event& event);

 private:
  struct Window {
    uint32_t number;
    Fault fault;
    HostId host;
    uint32_t cut;
  };

  void schedule(Fault fault);
  void begin(Fault fault);
  bool strike(Fault fault, HostId host);
  void open_window(Fault fault, HostId host, int64_t mean_ms, uint32_t cut = 0);
  bool separate(Fault fault, HostId host, bool out, bool in, CutKind kind);
  void end(const Window& window);
  HostId choose(Fault fault);
  std::vector<HostId> some_with(HostId host);

  World& world_;
  Core& core_;
  bool running_ = false;
  uint32_t rhythm_ = 0;
  uint32_t next_window_ = 1;
  std::vector<Window> windows_;
};

}  // namespace redoubt::sim
