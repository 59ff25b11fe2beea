#include "sim/program/arguments.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "sim/program/canary.h"
#include "sim/scenario/spec_file.h"

namespace redoubt::sim {

int bad_usage(std::string_view text) {
  fmt::print(stderr, "redoubt-sim: {}\n", text);
  return kUsage;
}

double seconds_since(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

namespace {

std::optional<std::string> read_file(const std::string& path, std::string* error) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  std::string text;
  char buffer[65'536];
  for (size_t got = 0; file != nullptr; text.append(buffer, got)) {
    got = std::fread(buffer, 1, sizeof buffer, file);
    if (got == 0) break;
  }
  const bool ok = file != nullptr && std::ferror(file) == 0;
  if (!ok) *error = fmt::format("{}: {}", path, std::strerror(errno));
  if (file != nullptr) std::fclose(file);
  if (!ok) return std::nullopt;
  return text;
}

}  // namespace

std::optional<ScenarioSpec> load_scenario(const std::string& name, RunOptions& options,
                                          std::string* error) {
  std::optional<ScenarioSpec> spec;
  if (name == kCanary) {
    spec.emplace().name = kCanary;
    return spec;
  }
  if (!name.ends_with(".toml")) {
    const ScenarioSpec* known = find_scenario(name);
    if (known == nullptr) {
      *error = fmt::format("there is no scenario '{}'; see redoubt-sim list", name);
      return std::nullopt;
    }
    return *known;
  }
  const std::optional<std::string> text = read_file(name, error);
  if (!text) return std::nullopt;
  spec = parse_scenario(name, *text, error);
  if (!spec) return std::nullopt;
  if (spec->seed) options.seed = *spec->seed;
  if (!spec->plant.empty() && options.plant.empty()) options.plant = spec->plant;
  return spec;
}

std::string check_options(const RunOptions& options) {
  for (const std::string& fault : options.faults) {
    FaultOptions ignored;
    std::string error = set_fault(ignored, fault);
    if (!error.empty()) return error;
  }
  if (options.plant.empty() || find_plant(options.plant) != nullptr) return {};
  for (const Plant& plant : canary_plants()) {
    if (plant.name == options.plant) return {};
  }
  return fmt::format("there is no planted bug '{}'; see redoubt-sim list", options.plant);
}

std::string replay_line(const Arguments& arguments, const ScenarioSpec& spec, uint64_t seed) {
  if (spec.script) return fmt::format("redoubt-sim replay {}", arguments.scenario);
  std::string line =
      fmt::format("redoubt-sim run --scenario {} --seed {}", arguments.scenario, seed);
  for (const std::string& fault : arguments.run.faults) line += " --fault " + fault;
  if (arguments.run.commands > 0) line += fmt::format(" --commands {}", arguments.run.commands);
  if (!arguments.run.plant.empty()) line += " --bug " + arguments.run.plant;
  return line;
}

std::string report_text(const Arguments& arguments, const ScenarioSpec& spec, uint64_t seed,
                        const RunResult& result) {
  const std::string faults = faults_text(result.faults);
  std::string text = fmt::format("scenario {} seed {}\n  faults: {}\n  drawn:  {}\n", spec.name,
                                 seed, faults.empty() ? "none" : faults,
                                 result.drawn.empty() ? "nothing" : result.drawn);
  if (const std::string unlucky = unlucky_text(result.unlucky); !unlucky.empty()) {
    text += fmt::format("  unlucky: {}\n", unlucky);
  }
  for (const std::string& remark : result.remarks) text += fmt::format("  note:   {}\n", remark);
  if (!result.violation) return text;
  const Violation& violation = *result.violation;
  for (const std::string& line : result.log) text += fmt::format("  log: {}\n", line);
  text += fmt::format("violation of {} at {:.9f}s on {}\n  expected: {}\n  seen:     {}\n",
                      violation.checker, static_cast<double>(violation.at.ns) / 1e9, violation.node,
                      violation.expected, violation.seen);
  return text + "  replay:   " + replay_line(arguments, spec, seed) + "\n";
}

std::string last_line(uint64_t seed, const RunResult& result, double wall_s) {
  return fmt::format("seed {} {} digest {} events {} sim {:.1f}s wall {:.2f}s commands {}\n", seed,
                     result.violation ? "failed" : "ok", result.digest, result.events,
                     static_cast<double>(result.simulated.ns) / 1e9, wall_s, result.commands);
}

bool parse_seeds(const std::string& text, uint64_t* first, uint64_t* last) {
  const size_t dots = text.find("..");
  if (dots == std::string::npos) return false;
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto low = std::from_chars(begin, begin + dots, *first);
  const auto high = std::from_chars(begin + dots + 2, end, *last);
  return low.ec == std::errc() && low.ptr == begin + dots && high.ec == std::errc() &&
         high.ptr == end && *first <= *last && *last - *first < UINT64_MAX;
}

bool parse_time(const std::string& text, double* seconds) {
  *seconds = 0;
  if (text.empty()) return true;
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || at + 1 != end || number == 0) return false;
  const double unit = *at == 's' ? 1 : *at == 'm' ? 60 : *at == 'h' ? 3600 : 0;
  *seconds = static_cast<double>(number) * unit;
  return unit > 0;
}

}  // namespace redoubt::sim
