// A node of a scenario with all who belong to it: its clients, subscribers and others, and the
// checker that watches them. Nodes of a scenario are independent of each other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/checkers/node_checker.h"
#include "sim/load/plan.h"
#include "sim/scenario/draw.h"
#include "sim/world.h"

namespace redoubt::sim {

class NodeGroup {
 public:
  // Adds the hosts. `spec` and `draw` outlive this; `record` may be null.
  NodeGroup(World& world, uint32_t number, const ScenarioSpec& spec, const RunDraw& draw,
            const RunOptions& options, Recording* record);

  HostId host() const { return host_; }
  NodeChecker& checker() { return *checker_; }
  const LoadPlan& plan() const { return plan_; }
  bool running() { return world_.host(host_).running() && node_ != nullptr; }

  void stopping(StopKind kind, int status);
  // Plants a bug and compares what can be compared, between two steps of the load.
  void look();
  // The faults are over: each client has to be served once more.
  void say_farewell();
  bool served() const { return plan_.active.empty(); }
  // All clients are gone: what is left is compared with the model, then removed; it may still be
  // freed for a while.
  bool quiet() const;
  void compare_end();
  // Nothing may be left.
  void check_leaks();

 private:
  template <typename Body>
  void visit(Body body);
  void add_clients();
  void ready(Node& node);
  void operate_files(Node& node);

  World& world_;
  const RunDraw& draw_;
  Plants plants_;
  Random files_random_;
  std::unique_ptr<NodeChecker> checker_;
  LoadPlan plan_;
  HostId host_ = 0;
  Node* node_ = nullptr;
  size_t base_memory_ = 0;
};

}  // namespace redoubt::sim
