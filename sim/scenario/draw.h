// What a run is, after everything that its scenario leaves open has been drawn.
#pragma once

#include <string>
#include <vector>

#include "sim/load/plan.h"
#include "sim/places.h"
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

// The world of a run, as its scenario, options and draw have it.
WorldOptions world_of_run(const ScenarioSpec& spec, const RunOptions& options,
                          const FaultOptions& faults);

// What there is to tell of any run that is over; what was found is not part of it.
RunResult told_by_world(const World& world, const RunDraw& draw, const PlacesOfRun& places);

// The plan of the clients of one node.
LoadPlan load_plan(const RunDraw& draw, const ScenarioSpec& spec, const Plants& plants);

}  // namespace redoubt::sim
