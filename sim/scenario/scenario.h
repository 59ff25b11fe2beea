// A scenario: who takes part, what they do, and which checkers watch. A file says so
// (sim/scenarios, docs/simulator.md); what it leaves open is drawn from the seed.
#pragma once

#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/time.h"
#include "sim/faults.h"
#include "sim/load/recording.h"
#include "sim/scenario/spec.h"
#include "sim/violation.h"

namespace redoubt::sim {

class EventSink;
class RunRecorder;

// A line of `redoubt-sim list`.
struct Named {
  std::string_view name;
  std::string_view description;
};

// A bug that can be planted, and the checker that has to find it.
struct Plant {
  std::string_view name;
  std::string_view found_by;
  std::string_view description;
  // The built-in scenario in which it shows.
  std::string_view scenario = "single";
};

// Hears at once what a run is, and what its clients send, for when its process does not live to
// tell it.
class RunLog : public StepListener {
 public:
  // The run with nothing left open, except for its script and its strikes.
  virtual void on_begin(const ScenarioSpec& fixed) = 0;
  // The load is over.
  virtual void on_farewell(Instant now) = 0;
};

struct RunOptions {
  uint64_t seed = 0;
  // --fault name=value, after the draw.
  std::vector<std::string> faults;
  // How many commands clients send, roughly; 0 for what the scenario says.
  uint64_t commands = 0;
  // A bug of all_plants(), to see its checker find it.
  std::string plant;
  // What clients send is written down, and comes back in RunResult::fixed.
  bool record = false;
  // Hears of it, too; not owned.
  RunLog* log = nullptr;
  FILE* trace = nullptr;
  // Is told of every event (WorldOptions::sink).
  EventSink* sink = nullptr;
  // For a report (WorldOptions::recorder).
  RunRecorder* recorder = nullptr;
};

struct RunResult {
  std::optional<Violation> violation;
  std::string digest;
  uint64_t events = 0;
  uint64_t commands = 0;  // that were executed and checked
  Duration simulated;
  // How long it was what the recorder has seen, where that is not the same.
  std::optional<Duration> recorded;
  FaultOptions faults;
  FaultCounts fired;
  MarkCounts marks{};
  Unlucky unlucky{};
  // What people should know of it although it is no violation.
  std::vector<std::string> remarks;
  // What was drawn: "clients=5 spare_bytes=81920 ...".
  std::string drawn;
  // The same run as a scenario that leaves nothing open.
  ScenarioSpec fixed;
  // The last lines of the nodes' logs, when there was a violation.
  std::vector<std::string> log;
};

// All that watch, and all bugs that can be planted.
std::span<const Named> all_checkers();
std::span<const Plant> all_plants();
const Plant* find_plant(std::string_view name);

// The built-in scenarios, in the order of their names.
std::span<const ScenarioSpec> scenarios();
const ScenarioSpec* find_scenario(std::string_view name);

// Scenarios that are not nodes under load (`story = "..."` in a file).
std::span<const std::string_view> story_names();

// One run. The same spec and options give the same run.
RunResult run_scenario(const ScenarioSpec& spec, const RunOptions& options);

}  // namespace redoubt::sim
