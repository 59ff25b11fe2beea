// What a run is, after everything that its scenario leaves open has been drawn.
#pragma once

#include <string>
#include <vector>

#include "sim/load/plan.h"
#include "sim/scenario/plants.h"
#include "sim/scenario/scenario.h"
#include "sim/world.h"

namespace redoubt::sim {

struct RunDraw {
  ScenarioNumbers numbers;
  // Directives of the nodes as on a command line: "--hz", "10", ...
  std::vector<std::string> arguments;
  bool lfu = false;
  bool keeps_log = false;  // writes may be refused
  bool rollback = false;
  int64_t stream_node_entries_max = 100;
  int64_t hll_sparse_bytes_max = 3000;
  std::string password;
  FaultOptions faults;
  Unlucky unlucky;
  // For a banner: "clients=5 ...".
  std::string text;
  // The scenario with nothing left open.
  ScenarioSpec fixed;
};

RunDraw draw_run(const ScenarioSpec& spec, const RunOptions& options, const Plants& plants);

// The plan of the clients of one node.
LoadPlan load_plan(const RunDraw& draw, const ScenarioSpec& spec, const Plants& plants);

}  // namespace redoubt::sim
