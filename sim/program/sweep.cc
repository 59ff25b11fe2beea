// Many seeds, as many at a time as there are cores.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <thread>

#include "sim/program/child.h"
#include "sim/program/commands.h"

namespace redoubt::sim {

namespace {

struct Totals {
  uint64_t seeds = 0;
  uint64_t failed = 0;
  uint64_t commands = 0;
  uint64_t events = 0;
  int64_t simulated_ns = 0;
  uint64_t fired[kFaultCount] = {};
  uint64_t on[kFaultCount] = {};
  MarkCounts marks{};
  MarkCounts marked_seeds{};
};

// Failures of one kind: how many, and the one that is quickest to look at.
struct Kind {
  uint64_t count = 0;
  uint64_t quickest = 0;
  double wall_s = 0;
};

class Sweep {
 public:
  Sweep(const ScenarioSpec& spec, const Arguments& arguments, const RunOptions& options,
        uint64_t first, uint64_t last, double time_s)
      : spec_(spec),
        arguments_(arguments),
        options_(options),
        next_(first),
        first_(first),
        last_(last),
        time_s_(time_s) {}

  int run();

 private:
  bool start();
  void take(const ChildResult& result);
  void show_progress(bool end);
  void show_faults(std::string* silent) const;
  void show_marks() const;
  void show_failures() const;
  int summary();
  bool more() const {
    return next_ <= last_ && (time_s_ <= 0 || seconds_since(began_) < time_s_) && !out_of_means_;
  }

  const ScenarioSpec& spec_;
  const Arguments& arguments_;
  const RunOptions& options_;
  uint64_t next_;
  const uint64_t first_;
  const uint64_t last_;
  const double time_s_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  Children children_;
  Totals totals_;
  std::map<std::pair<std::string, std::string>, Kind> failures_;  // by checker and place
  std::FILE* digests_ = nullptr;
  bool out_of_means_ = false;
};

bool Sweep::start() {
  RunOptions options = options_;
  options.seed = next_;
  if (!start_run(children_, spec_, arguments_, options, false)) return false;
  ++next_;
  return true;
}

void Sweep::take(const ChildResult& result) {
  ++totals_.seeds;
  totals_.commands += result.commands;
  totals_.events += result.events;
  totals_.simulated_ns += result.simulated_ns;
  for (size_t i = 0; i < kFaultCount; ++i) {
    totals_.fired[i] += result.fired.fired[i];
    totals_.on[i] += result.faults.*fault_rows()[i].field > 0 ? 1 : 0;
  }
  for (size_t i = 0; i < kMarkCount; ++i) {
    totals_.marks[i] += result.marks[i];
    totals_.marked_seeds[i] += result.marks[i] > 0 ? 1 : 0;
  }
  if (result.ended && digests_ != nullptr) {
    fmt::print(digests_, "{} {}\n", result.seed, result.digest);
  }
  if (result.ok) return;
  ++totals_.failed;
  Kind& kind = failures_[{result.checker, result.place}];
  if (kind.count++ == 0 || result.wall_s < kind.wall_s) {
    kind.quickest = result.seed;
    kind.wall_s = result.wall_s;
  }
  show_progress(true);
  fmt::print("seed {} failed\n{}", result.seed, result.text);
  if (!result.ended) fmt::print("  replay:   {}\n", replay_line(arguments_, spec_, result.seed));
  std::fflush(stdout);
}

void Sweep::show_progress(bool end) {
  if (isatty(STDERR_FILENO) == 0) return;
  const uint64_t all = last_ - first_ + 1;
  constexpr uint64_t kWidth = 30;
  const uint64_t filled = totals_.seeds * kWidth / all;
  fmt::print(stderr, "\r[{:<{}}] {}/{} seeds, {} failed, {:.0f} commands/s {}",
             std::string(filled, '='), kWidth, totals_.seeds, all, totals_.failed,
             static_cast<double>(totals_.commands) / seconds_since(began_), end ? "\n" : "");
}

int Sweep::run() {
  if (!arguments_.digests.empty()) {
    digests_ = std::fopen(arguments_.digests.c_str(), "we");
    if (digests_ == nullptr) {
      return bad_usage(fmt::format("{}: {}", arguments_.digests, std::strerror(errno)));
    }
  }
  const size_t jobs = arguments_.jobs > 0 ? static_cast<size_t>(arguments_.jobs)
                                          : std::max(1u, std::thread::hardware_concurrency());
  while (more() || children_.count() > 0) {
    while (more() && children_.count() < jobs) {
      if (start()) continue;
      out_of_means_ = children_.count() == 0;
      break;
    }
    if (children_.count() > 0) {
      for (const ChildResult& result : children_.wait(1'000)) take(result);
    }
    show_progress(false);
  }
  if (digests_ != nullptr) std::fclose(digests_);
  show_progress(true);
  if (out_of_means_) return bad_usage("no process can be started");
  return summary();
}

void Sweep::show_faults(std::string* silent) const {
  fmt::print("{:<18} {:>8} {:>14}\n", "fault", "on in", "fired");
  for (size_t i = 0; i < kFaultCount; ++i) {
    if (totals_.on[i] == 0) continue;
    const FaultRow& row = fault_rows()[i];
    fmt::print("{:<18} {:>8} {:>14}\n", row.name, totals_.on[i], totals_.fired[i]);
    if (totals_.fired[i] == 0) *silent += " " + std::string(row.name);
  }
  if (!silent->empty()) fmt::print("on, but never fired:{}\n", *silent);
}

void Sweep::show_marks() const {
  fmt::print("{:<22} {:>4} {:>14}\n", "mark", "in", "reached");
  std::string missing;
  for (size_t i = 0; i < kMarkCount; ++i) {
    const std::string_view name = mark_rows()[i].name;
    fmt::print("{:<22} {:>4} {:>14}\n", name, totals_.marked_seeds[i], totals_.marks[i]);
    if (totals_.marks[i] == 0) missing += " " + std::string(name);
  }
  if (!missing.empty()) fmt::print("never reached:{}\n", missing);
}

void Sweep::show_failures() const {
  if (failures_.empty()) return;
  fmt::print("\n{:<16} {:>8}  {:<20} {}\n", "failures of", "count", "quickest seed", "expected");
  for (const auto& [name, kind] : failures_) {
    fmt::print("{:<16} {:>8}  {:<20} {}\n", name.first, kind.count,
               fmt::format("{} ({:.2f}s)", kind.quickest, kind.wall_s), name.second);
  }
  fmt::print("\n");
}

int Sweep::summary() {
  const double wall_s = seconds_since(began_);
  std::string silent;
  show_faults(&silent);
  show_marks();
  show_failures();
  const bool ok = totals_.failed == 0 && silent.empty();
  const double simulated_s = static_cast<double>(totals_.simulated_ns) / 1e9;
  fmt::print(
      "sweep {} seeds {} failed {} commands {} events {} sim {:.1f}s wall {:.2f}s commands/s "
      "{:.0f} "
      "sim/s {:.0f}\n",
      ok ? "ok" : "failed", totals_.seeds, totals_.failed, totals_.commands, totals_.events,
      simulated_s, wall_s, static_cast<double>(totals_.commands) / wall_s, simulated_s / wall_s);
  return ok ? kOk : kViolated;
}

}  // namespace

int sweep_command(const Arguments& arguments) {
  RunOptions options = arguments.run;
  uint64_t first = 0;
  uint64_t last = 0;
  double time_s = 0;
  if (!parse_seeds(arguments.seeds, &first, &last)) {
    return bad_usage("--seeds takes A..B, the first and the last seed");
  }
  if (!parse_time(arguments.time, &time_s)) {
    return bad_usage("--time takes a number with s, m or h, such as 10m");
  }
  std::string error;
  const std::optional<ScenarioSpec> spec = load_scenario(arguments.scenario, options, &error);
  if (!spec) return bad_usage(error);
  return Sweep(*spec, arguments, options, first, last, time_s).run();
}

}  // namespace redoubt::sim
