// What the commands of redoubt-sim are asked for, and the lines that they have in common.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "sim/scenario/scenario.h"

namespace redoubt::sim {

constexpr int kOk = 0;
constexpr int kViolated = 1;
constexpr int kUsage = 2;

struct Arguments {
  // The name of a built-in scenario, or a file that ends in .toml.
  std::string scenario;
  RunOptions run;
  std::string trace;
  std::string report;
  std::string seeds;
  int jobs = 0;  // 0: one a core
  std::string time;
  bool twice = false;
  std::string digests;
  std::string out;
};

// One line to stderr; returns kUsage.
int bad_usage(std::string_view text);

double seconds_since(std::chrono::steady_clock::time_point since);

// The scenario that is meant, with what it fixes (seed, planted bug) put into `options`. Nothing:
// *error is a line for the user.
std::optional<ScenarioSpec> load_scenario(const std::string& name, RunOptions& options,
                                          std::string* error);
// What both run and sweep take, checked before anything starts. Empty when all is well.
std::string check_options(const RunOptions& options);

// The command line that replays a run.
std::string replay_line(const Arguments& arguments, const ScenarioSpec& spec, uint64_t seed);
// The banner of a run, and its violation if there is one.
std::string report_text(const Arguments& arguments, const ScenarioSpec& spec, uint64_t seed,
                        const RunResult& result);
// The last line, which programs read.
std::string last_line(uint64_t seed, const RunResult& result, double wall_s);

// "A..B", both included. False when it is something else.
bool parse_seeds(const std::string& text, uint64_t* first, uint64_t* last);
// "90s", "10m", "2h"; empty is no limit.
bool parse_time(const std::string& text, double* seconds);

}  // namespace redoubt::sim
