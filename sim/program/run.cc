// One run, in this process or in a child.
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sim/program/canary.h"
#include "sim/program/child.h"
#include "sim/program/commands.h"
#include "sim/program/report_file.h"
#include "sim/program/sandbox.h"
#include "sim/scenario/spec_file.h"

namespace redoubt::sim {

namespace {

// What a violation is about, without its numbers: for grouping.
std::string place_of(const Violation& violation) {
  std::string place;
  for (const char c : violation.expected) {
    if (place.size() == 60) break;
    const bool digit = c >= '0' && c <= '9';
    if (!digit) {
      place += c;
    } else if (place.empty() || place.back() != '#') {
      place += '#';
    }
  }
  return place;
}

int run_spec(const ScenarioSpec& spec, const Arguments& arguments, const RunOptions& wanted) {
  RunOptions options = wanted;
  if (!arguments.trace.empty()) {
    options.trace = std::fopen(arguments.trace.c_str(), "we");
    if (options.trace == nullptr) {
      return bad_usage(fmt::format("{}: {}", arguments.trace, std::strerror(errno)));
    }
  }
  ReportFile report;
  if (!report.open(arguments.report)) {
    return bad_usage(fmt::format("{}: {}", arguments.report, std::strerror(errno)));
  }
  options.recorder = report.recorder();
  const auto began = std::chrono::steady_clock::now();
  lock_the_door();
  const RunResult result = run_any(spec, options);
  const double wall_s = seconds_since(began);
  if (options.trace != nullptr) std::fclose(options.trace);
  if (!report.write(
          {spec.name, options.seed, replay_line(arguments, spec, options.seed), result})) {
    return bad_usage("the report cannot be written");
  }
  fmt::print("{}", report_text(arguments, spec, options.seed, result));
  if (!spec.digest.empty() && spec.digest != result.digest) {
    fmt::print("not the run that was recorded: its digest was {}\n", spec.digest);
  }
  fmt::print("{}", last_line(options.seed, result, wall_s));
  return result.violation ? kViolated : kOk;
}

}  // namespace

int run_command(const Arguments& arguments) {
  RunOptions options = arguments.run;
  std::string error;
  const std::optional<ScenarioSpec> spec = load_scenario(arguments.scenario, options, &error);
  if (!spec) return bad_usage(error);
  options.seed = arguments.run.seed;
  return run_spec(*spec, arguments, options);
}

int replay_command(const Arguments& arguments) {
  RunOptions options = arguments.run;
  std::string error;
  const std::optional<ScenarioSpec> spec = load_scenario(arguments.scenario, options, &error);
  if (!spec) return bad_usage(error);
  if (!spec->seed) {
    return bad_usage(fmt::format("{} has no seed: it is a scenario, for redoubt-sim run or sweep",
                                 arguments.scenario));
  }
  return run_spec(*spec, arguments, options);
}

bool start_run(Children& children, const ScenarioSpec& spec, const Arguments& arguments,
               const RunOptions& options, bool with_fixed) {
  return children.start(options.seed, [&, options, with_fixed] {
    const auto began = std::chrono::steady_clock::now();
    RunResult result = run_any(spec, options);
    if (arguments.twice && !result.violation) {
      const std::string again = run_any(spec, options).digest;
      if (again != result.digest) {
        result.violation = {"determinism", Instant(), "", result.digest, again};
      }
    }
    ChildResult told;
    told.wall_s = seconds_since(began);
    told.ok = !result.violation;
    told.digest = result.digest;
    told.events = result.events;
    told.commands = result.commands;
    told.simulated_ns = result.simulated.ns;
    told.fired = result.fired;
    told.marks = result.marks;
    told.faults = result.faults;
    if (result.violation) {
      told.checker = result.violation->checker;
      told.place = place_of(*result.violation);
      told.violated_ns = result.violation->at.ns;
      told.violated_ns = result.violation->at.ns;
      told.text = report_text(arguments, spec, options.seed, result);
    }
    if (with_fixed) told.fixed = scenario_text(result.fixed, {});
    return told;
  });
}

}  // namespace redoubt::sim
