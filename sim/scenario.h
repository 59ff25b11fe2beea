// A scenario: who takes part, what they do, and which checkers watch. Everything that it leaves
// open is drawn from the seed.
#pragma once

#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/time.h"
#include "sim/faults.h"

namespace redoubt::sim {

class RunRecorder;

// What a checker found. `expected` and `seen` are for people.
struct Violation {
  std::string checker;
  Instant at;
  std::string node;
  std::string expected;
  std::string seen;
};

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
};

struct RunOptions {
  uint64_t seed = 0;
  // --fault name=value, after the draw.
  std::vector<std::string> faults;
  // How many commands clients send, roughly; 0 for what the scenario thinks right.
  uint64_t commands = 0;
  // A bug of Scenario::plants, to see its checker find it.
  std::string plant;
  FILE* trace = nullptr;
  // For a report; see sim/trace/run_recorder.h.
  RunRecorder* recorder = nullptr;
};

struct RunResult {
  std::optional<Violation> violation;
  std::string digest;
  uint64_t events = 0;
  uint64_t commands = 0;  // that were executed and checked
  Duration simulated;
  FaultOptions faults;
  FaultCounts fired;
  // What was drawn: "clients=5 maxmemory=81920 ...".
  std::string drawn;
  // The last lines of the nodes' logs, when there was a violation.
  std::vector<std::string> log;
};

struct Scenario {
  std::string_view name;
  std::string_view description;
  std::span<const Fault> faults;  // that may be drawn
  std::span<const Named> checkers;
  std::span<const Plant> plants;
  RunResult (*run)(const RunOptions& options);
};

std::span<const Scenario> scenarios();
const Scenario* find_scenario(std::string_view name);

}  // namespace redoubt::sim
