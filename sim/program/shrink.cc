// redoubt-sim shrink: a run that fails is recorded as a scenario that leaves nothing open, with
// every blow of a fault and every pipeline of a client in it. Then whatever it fails without is
// left out: faults, clients, pipelines, commands, pauses, by turns until nothing more goes. What
// counts as the same failure is that the same checker finds it, or that the process dies in the
// same place: then the record is what it left in memory that it shared (black_box.h).
#include "sim/program/shrink.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>

#include "sim/program/black_box.h"
#include "sim/program/child.h"
#include "sim/program/commands.h"
#include "sim/scenario/spec_file.h"

namespace redoubt::sim {

namespace {

constexpr double kSeconds = 60;

// A command of a script by its place.
struct Place {
  size_t step;
  size_t command;
};

class Shrinker {
 public:
  Shrinker(const Arguments& arguments, double time_s) : arguments_(arguments), time_s_(time_s) {}

  // The run as it is. False: it does not fail, or not again when it is played from its record.
  bool record(const ScenarioSpec& spec, const RunOptions& options);
  void shrink();

  const ScenarioSpec& best() const { return best_; }
  const ChildResult& failure() const { return failure_; }
  size_t runs() const { return runs_; }
  size_t fault_count() const { return best_.strikes->size() + best_.windows->size(); }
  size_t operation_count() const;
  const std::string& problem() const { return problem_; }

 private:
  ChildResult run(const ScenarioSpec& spec, const RunOptions& options, bool with_fixed);
  // Whether it still fails; then it is the best.
  bool try_spec(const ScenarioSpec& spec);
  bool time_is_over() const { return seconds_since(began_) > time_s_; }

  void cut_after_violation();
  void settle_places();
  void drop_faults();
  void narrow_windows();
  void drop_clients();
  void drop_steps();
  void drop_commands();
  void shrink_topology();
  bool drop_all_pauses();
  void drop_pauses();
  void drop_strengths();

  const Arguments& arguments_;
  const double time_s_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  ScenarioSpec best_;
  ChildResult failure_;
  size_t runs_ = 0;
  std::string problem_;
};

ChildResult Shrinker::run(const ScenarioSpec& spec, const RunOptions& options, bool with_fixed) {
  ++runs_;
  Children children;
  if (!start_run(children, spec, arguments_, options, with_fixed)) return {};
  for (;;) {
    std::vector<ChildResult> results = children.wait(1'000);
    if (!results.empty()) return std::move(results[0]);
  }
}

bool Shrinker::record(const ScenarioSpec& spec, const RunOptions& wanted) {
  RunOptions options = wanted;
  BlackBox box;
  options.record = true;
  options.log = &box;
  options.sink = &box;
  failure_ = run(spec, options, true);
  if (failure_.ok) {
    problem_ = fmt::format("seed {} does not fail: there is nothing to shrink", options.seed);
    return false;
  }
  std::string error;
  std::optional<ScenarioSpec> fixed =
      failure_.ended ? parse_scenario("record", failure_.fixed, &error) : box.scenario(&error);
  if (!fixed) {
    problem_ = error;
    return false;
  }
  if (!failure_.ended) failure_.violated_ns = box.last().ns;
  best_ = *fixed;
  if (try_spec(*fixed)) return true;
  problem_ = fmt::format("seed {} fails, but its record does not: please report this, with {}",
                         options.seed, arguments_.out);
  return false;
}

bool Shrinker::try_spec(const ScenarioSpec& spec) {
  if (time_is_over()) return false;
  RunOptions options;
  options.seed = *spec.seed;
  options.plant = spec.plant;
  ChildResult result = run(spec, options, false);
  if (result.ok || result.checker != failure_.checker) return false;
  if (!result.ended) {
    if (result.place != failure_.place) return false;
    result.violated_ns = failure_.violated_ns;
  }
  best_ = spec;
  failure_ = std::move(result);
  return true;
}

size_t Shrinker::operation_count() const {
  size_t count = 0;
  for (const ScriptStep& step : *best_.script) count += step.commands.size();
  return count;
}

void Shrinker::cut_after_violation() {
  ScenarioSpec spec = best_;
  const Instant at{failure_.violated_ns};
  std::erase_if(*spec.script, [&](const ScriptStep& step) { return step.at > at; });
  std::erase_if(*spec.strikes, [&](const FaultStrike& strike) { return strike.at > at; });
  try_spec(spec);
}

// A place that is unlucky now and then is so elsewhere as soon as something is left out: it is
// never unlucky, or always, where that does as well.
void Shrinker::settle_places() {
  if (!best_.unlucky) return;
  for (size_t i = 0; i < kUnluckyCount; ++i) {
    for (const int64_t ppm : {0, 1'000'000}) {
      if ((*best_.unlucky)[i] == 0 || (*best_.unlucky)[i] == ppm) continue;
      ScenarioSpec spec = best_;
      (*spec.unlucky)[i] = ppm;
      try_spec(spec);
    }
  }
}

void Shrinker::drop_faults() {
  const auto over = [this] { return time_is_over(); };
  if (fault_count() == 0) return;
  ScenarioSpec spec = best_;
  spec.strikes->clear();
  spec.windows->clear();
  if (try_spec(spec)) return;
  minimise(
      *best_.strikes,
      [&](const std::vector<FaultStrike>& left) {
        spec = best_;
        spec.strikes = left;
        return try_spec(spec);
      },
      over);
  minimise(
      *best_.windows,
      [&](const std::vector<FaultWindow>& left) {
        spec = best_;
        spec.windows = left;
        return try_spec(spec);
      },
      over);
}

// What is on during the whole run is on for less of it, from the end and from the beginning.
void Shrinker::narrow_windows() {
  for (size_t i = 0; i < best_.windows->size(); ++i) {
    for (const bool late : {true, false}) {
      for (int tries = 0; tries < 12; ++tries) {
        ScenarioSpec spec = best_;
        FaultWindow& window = (*spec.windows)[i];
        const Instant end{std::min(window.until.ns, failure_.violated_ns + 1)};
        const Instant middle{window.from.ns + (end.ns - window.from.ns) / 2};
        if (late) {
          window.until = tries == 0 ? end : middle;
        } else {
          window.from = middle;
        }
        if (window.until <= window.from || !try_spec(spec)) break;
      }
    }
  }
}

void Shrinker::drop_clients() {
  const auto over = [this] { return time_is_over(); };
  std::set<std::pair<uint32_t, uint32_t>> all;
  for (const ScriptStep& step : *best_.script) all.insert({step.node, step.client});
  const std::vector<std::pair<uint32_t, uint32_t>> clients(all.begin(), all.end());
  minimise(
      clients,
      [&](const auto& left) {
        ScenarioSpec spec = best_;
        std::erase_if(*spec.script, [&](const ScriptStep& step) {
          return std::find(left.begin(), left.end(), std::pair(step.node, step.client)) ==
                 left.end();
        });
        return try_spec(spec);
      },
      over);
}

void Shrinker::drop_steps() {
  const auto over = [this] { return time_is_over(); };
  minimise(
      *best_.script,
      [&](const Script& left) {
        ScenarioSpec spec = best_;
        spec.script = left;
        return try_spec(spec);
      },
      over);
}

void Shrinker::drop_commands() {
  const auto over = [this] { return time_is_over(); };
  const Script script = *best_.script;
  std::vector<Place> places;
  for (size_t i = 0; i < script.size(); ++i) {
    for (size_t j = 0; j < script[i].commands.size(); ++j) places.push_back({i, j});
  }
  minimise(
      places,
      [&](const std::vector<Place>& left) {
        ScenarioSpec spec = best_;
        spec.script->clear();
        for (size_t at = 0; at < left.size();) {
          const size_t number = left[at].step;
          ScriptStep step = script[number];
          step.commands.clear();
          step.inline_form.clear();
          for (; at < left.size() && left[at].step == number; ++at) {
            step.commands.push_back(script[number].commands[left[at].command]);
            step.inline_form.push_back(script[number].inline_form[left[at].command]);
          }
          spec.script->push_back(std::move(step));
        }
        return try_spec(spec);
      },
      over);
}

// Nobody takes part who does nothing.
void Shrinker::shrink_topology() {
  for (const auto field :
       {&ScenarioNumbers::topology_subscribers, &ScenarioNumbers::topology_hostile,
        &ScenarioNumbers::topology_operators, &ScenarioNumbers::topology_password,
        &ScenarioNumbers::memory_spare_bytes, &ScenarioNumbers::length_least_ms,
        &ScenarioNumbers::workload_history}) {
    ScenarioSpec spec = best_;
    if (spec.number(field).text() == "0") continue;
    spec.number(field) = Choice(0);
    try_spec(spec);
  }
  ScenarioSpec spec = best_;
  int64_t clients = 0;
  for (const ScriptStep& step : *spec.script) {
    clients = std::max<int64_t>(clients, step.client + int64_t{1});
  }
  spec.number(&ScenarioNumbers::topology_clients) = Choice(clients);
  try_spec(spec);
  for (size_t i = 0; i < best_.config.size();) {
    spec = best_;
    spec.config.erase(spec.config.begin() + static_cast<std::ptrdiff_t>(i));
    if (!try_spec(spec)) ++i;
  }
}

// Without any of them what is left out later does not shift the rest.
bool Shrinker::drop_all_pauses() {
  ScenarioSpec spec = best_;
  for (ScriptStep& step : *spec.script) {
    step.pauses.clear();
    step.cut = 0;
    step.hangs_up = false;
  }
  std::erase_if(*spec.script, [](const ScriptStep& step) { return step.commands.empty(); });
  return try_spec(spec);
}

void Shrinker::drop_pauses() {
  if (drop_all_pauses()) return;
  const auto over = [this] { return time_is_over(); };
  const Script script = *best_.script;
  std::vector<size_t> with_pauses;
  for (size_t i = 0; i < script.size(); ++i) {
    if (!script[i].pauses.empty()) with_pauses.push_back(i);
  }
  minimise(
      with_pauses,
      [&](const std::vector<size_t>& left) {
        ScenarioSpec spec = best_;
        spec.script = script;
        for (size_t i = 0; i < script.size(); ++i) {
          const bool keeps = std::binary_search(left.begin(), left.end(), i);
          if (!keeps) (*spec.script)[i].pauses.clear();
        }
        std::erase_if(*spec.script, [](const ScriptStep& step) {
          return step.commands.empty() && step.pauses.empty();
        });
        return try_spec(spec);
      },
      over);
}

void Shrinker::drop_strengths() {
  ScenarioSpec spec = best_;
  spec.faults.clear();
  for (const auto field :
       {&ScenarioNumbers::workload_read_pause_us, &ScenarioNumbers::workload_commands,
        &ScenarioNumbers::workload_seconds}) {
    spec.number(field) = ScenarioSpec().number(field);
  }
  try_spec(spec);
}

void Shrinker::shrink() {
  cut_after_violation();
  drop_all_pauses();
  settle_places();
  for (size_t before = SIZE_MAX; !time_is_over();) {
    drop_faults();
    drop_clients();
    drop_steps();
    drop_commands();
    shrink_topology();
    settle_places();
    drop_pauses();
    const size_t now = fault_count() + operation_count();
    if (now == before) break;
    before = now;
  }
  narrow_windows();
  drop_strengths();
  best_.digest = failure_.digest;
  best_.fails = failure_.checker;
}

bool write_text(std::FILE* file, const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), file) == text.size();
}

std::string indented(const std::string& text) {
  std::string out;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    const std::string line = text.substr(from, end - from);
    if (line.starts_with("violation") || line.starts_with("  expected") ||
        line.starts_with("  seen") || line.starts_with("crash") ||
        line.find("assertion failed") != std::string::npos || line.starts_with("SUMMARY: ")) {
      out += line + "\n";
    }
    from = end + 1;
  }
  return out;
}

}  // namespace

int shrink_command(const Arguments& arguments) {
  RunOptions options = arguments.run;
  double time_s = 0;
  if (!parse_time(arguments.time, &time_s)) {
    return bad_usage("--time takes a number with s, m or h, such as 10m");
  }
  std::string error;
  const std::optional<ScenarioSpec> spec = load_scenario(arguments.scenario, options, &error);
  if (!spec) return bad_usage(error);
  options.seed = arguments.run.seed;
  std::FILE* file = std::fopen(arguments.out.c_str(), "we");
  if (file == nullptr) return bad_usage(fmt::format("{}: {}", arguments.out, std::strerror(errno)));
  const auto began = std::chrono::steady_clock::now();
  Shrinker shrinker(arguments, time_s > 0 ? time_s : kSeconds);
  if (!shrinker.record(*spec, options)) {
    // A record that does not fail, if there is one.
    const bool kept =
        !shrinker.best().script || write_text(file, scenario_text(shrinker.best(), {}));
    std::fclose(file);
    return bad_usage(shrinker.problem() + (kept ? "" : ", which cannot be written"));
  }
  const size_t faults = shrinker.fault_count();
  const size_t operations = shrinker.operation_count();
  shrinker.shrink();
  const std::string comment = fmt::format(
      "A failure of the scenario {}, seed {}, cut down to what it takes.\n{}"
      "Run it: redoubt-sim replay FILE, with --trace or --report to look at it.",
      spec->name, options.seed, indented(shrinker.failure().text));
  const std::string text = scenario_text(shrinker.best(), comment);
  const bool whole = write_text(file, text);
  if (std::fclose(file) != 0 || !whole) return bad_usage(arguments.out + " cannot be written");
  fmt::print(
      "{}shrunk seed {} violation {} faults {} from {} operations {} from {} runs {} wall "
      "{:.1f}s file {}\n",
      indented(shrinker.failure().text), options.seed, shrinker.failure().checker,
      shrinker.fault_count(), faults, shrinker.operation_count(), operations, shrinker.runs(),
      seconds_since(began), arguments.out);
  return kViolated;
}

}  // namespace redoubt::sim
