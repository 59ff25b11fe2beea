// redoubt-sim: runs scenarios in the simulated world. Everything in here is outside of it: this is
// the only file of sim/ that may look at a clock, make processes or write files.
#include <fmt/format.h>
#include <poll.h>
#include <seccomp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "sim/report/report.h"
#include "sim/scenario.h"
#include "sim/trace/run_recorder.h"

namespace redoubt::sim {
namespace {

constexpr int kOk = 0;
constexpr int kViolated = 1;
constexpr int kUsage = 2;

// What a seed of a sweep may take, in real time.
constexpr unsigned kChildSeconds = 600;

struct Arguments {
  std::string scenario;
  RunOptions run;
  std::string trace;
  std::string report;
  std::string seeds;
  int jobs = 1;
  std::string time;
  bool twice = false;
  std::string digests;
};

int bad_usage(std::string_view text) {
  fmt::print(stderr, "redoubt-sim: {}\n", text);
  return kUsage;
}

double seconds_since(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

// The command line that replays a run.
std::string replay_line(const Arguments& arguments, uint64_t seed) {
  std::string line =
      fmt::format("redoubt-sim run --scenario {} --seed {}", arguments.scenario, seed);
  for (const std::string& fault : arguments.run.faults) line += " --fault " + fault;
  if (arguments.run.commands > 0) line += fmt::format(" --commands {}", arguments.run.commands);
  if (!arguments.run.plant.empty()) line += " --plant " + arguments.run.plant;
  return line;
}

std::string report_text(const Arguments& arguments, uint64_t seed, const RunResult& result) {
  const std::string faults = faults_text(result.faults);
  std::string text =
      fmt::format("scenario {} seed {}\n  faults: {}\n  drawn:  {}\n", arguments.scenario, seed,
                  faults.empty() ? "none" : faults, result.drawn);
  if (!result.violation) return text;
  const Violation& violation = *result.violation;
  for (const std::string& line : result.log) text += fmt::format("  log: {}\n", line);
  text += fmt::format("violation of {} at {:.9f}s on {}\n  expected: {}\n  seen:     {}\n",
                      violation.checker, static_cast<double>(violation.at.ns) / 1e9, violation.node,
                      violation.expected, violation.seen);
  return text + "  replay:   " + replay_line(arguments, seed) + "\n";
}

std::string last_line(uint64_t seed, const RunResult& result, double wall_s) {
  return fmt::format("seed {} {} digest {} events {} sim {:.1f}s wall {:.2f}s commands {}\n", seed,
                     result.violation ? "failed" : "ok", result.digest, result.events,
                     static_cast<double>(result.simulated.ns) / 1e9, wall_s, result.commands);
}

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

// From here on a system call that a simulation does not need kills the process: whatever looks at
// the real world does not go unseen. Sanitizers need more than that, and some kernels forbid it;
// then there is no filter.
void lock_the_door() {
  if (kSanitized) return;
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (filter == nullptr) return;
  constexpr int kNeeded[] = {
      // memory
      SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
      SCMP_SYS(mprotect),
      // what was opened before, and the report
      SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(lseek),
      SCMP_SYS(ioctl), SCMP_SYS(clock_gettime),
      // the end, also that of a failed assertion
      SCMP_SYS(exit_group), SCMP_SYS(exit), SCMP_SYS(futex), SCMP_SYS(gettid), SCMP_SYS(getpid),
      SCMP_SYS(tgkill), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn)};
  for (const int call : kNeeded) seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
  seccomp_load(filter);
  seccomp_release(filter);
}

// --- list

int list() {
  fmt::print("Scenarios\n");
  for (const Scenario& scenario : scenarios()) {
    fmt::print("  {:<18} {}\n", scenario.name, scenario.description);
    fmt::print("    checkers\n");
    for (const Named& row : scenario.checkers) {
      fmt::print("      {:<16} {}\n", row.name, row.description);
    }
    fmt::print("    bugs to plant (--plant), and the checkers that find them\n");
    for (const Plant& row : scenario.plants) {
      fmt::print("      {:<16} {:<12} {}\n", row.name, row.found_by, row.description);
    }
  }
  for (const bool strength : {false, true}) {
    fmt::print("{}\n", strength ? "Strengths of faults" : "Faults (0: off)");
    for (const FaultRow& row : fault_rows()) {
      if (row.strength != strength) continue;
      const std::string range = fmt::format("{}..{} {}", row.low, row.high, row.unit);
      fmt::print("  {:<18} {:<20} {}\n", row.name, range, row.description);
    }
  }
  return kOk;
}

// --- run

int run(const Scenario& scenario, const Arguments& arguments) {
  RunOptions options = arguments.run;
  if (!arguments.trace.empty()) {
    options.trace = std::fopen(arguments.trace.c_str(), "we");
    if (options.trace == nullptr) {
      return bad_usage(fmt::format("{}: {}", arguments.trace, std::strerror(errno)));
    }
  }
  RunRecorder recorder;
  std::FILE* report = nullptr;
  if (!arguments.report.empty()) {
    report = std::fopen(arguments.report.c_str(), "we");
    if (report == nullptr) {
      return bad_usage(fmt::format("{}: {}", arguments.report, std::strerror(errno)));
    }
    options.recorder = &recorder;
  }
  const auto began = std::chrono::steady_clock::now();
  lock_the_door();
  const RunResult result = scenario.run(options);
  const double wall_s = seconds_since(began);
  if (options.trace != nullptr) std::fclose(options.trace);
  if (report != nullptr) {
    const std::string replay = replay_line(arguments, options.seed);
    const std::string page = make_report(recorder, {scenario.name, options.seed, replay, result});
    const bool whole = std::fwrite(page.data(), 1, page.size(), report) == page.size();
    if (std::fclose(report) != 0 || !whole) return bad_usage("the report cannot be written");
  }
  fmt::print("{}{}", report_text(arguments, options.seed, result),
             last_line(options.seed, result, wall_s));
  return result.violation ? kViolated : kOk;
}

// --- sweep

// What a child tells its parent about its seed, after whatever text there is.
struct ChildResult {
  char digest[33];
  bool ok;
  uint64_t events;
  uint64_t commands;
  int64_t simulated_ns;
  uint64_t fired[kFaultCount];
  bool on[kFaultCount];
};

struct Child {
  pid_t pid = 0;
  int pipe = -1;
  uint64_t seed = 0;
  std::string output;
};

struct SweepTotals {
  uint64_t seeds = 0;
  uint64_t failed = 0;
  uint64_t commands = 0;
  uint64_t events = 0;
  int64_t simulated_ns = 0;
  uint64_t fired[kFaultCount] = {};
  uint64_t on[kFaultCount] = {};
};

void write_all(int file, const void* data, size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = write(file, at, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) _exit(kUsage);
    at += written;
    size -= static_cast<size_t>(written);
  }
}

// In the child: one seed, or twice the same.
[[noreturn]] void run_child(const Scenario& scenario, const Arguments& arguments, uint64_t seed,
                            int out) {
  dup2(out, STDERR_FILENO);  // the last words of a failed assertion
  alarm(kChildSeconds);      // one that hangs is a crash, too
  lock_the_door();
  RunOptions options = arguments.run;
  options.seed = seed;
  RunResult result = scenario.run(options);
  std::string text;
  if (arguments.twice && !result.violation) {
    const std::string again = scenario.run(options).digest;
    if (again != result.digest) {
      result.violation = {"determinism", Instant(), "", result.digest, again};
    }
  }
  if (result.violation) text = report_text(arguments, seed, result);
  ChildResult told = {};
  std::memcpy(told.digest, result.digest.data(), std::min<size_t>(result.digest.size(), 32));
  told.ok = !result.violation;
  told.events = result.events;
  told.commands = result.commands;
  told.simulated_ns = result.simulated.ns;
  for (size_t i = 0; i < kFaultCount; ++i) {
    told.fired[i] = result.fired.fired[i];
    told.on[i] = result.faults.*fault_rows()[i].field > 0;
  }
  write_all(out, text.data(), text.size());
  write_all(out, &told, sizeof told);
  _exit(kOk);
}

class Sweep {
 public:
  Sweep(const Scenario& scenario, const Arguments& arguments, uint64_t first, uint64_t last,
        double time_s)
      : scenario_(scenario),
        arguments_(arguments),
        next_(first),
        first_(first),
        last_(last),
        time_s_(time_s) {}

  int run();

 private:
  bool start_child();
  void wait_for_some();
  void finish(Child& child);
  void show_progress(bool end);
  int summary();
  bool more() const {
    return next_ <= last_ && (time_s_ <= 0 || seconds_since(began_) < time_s_) && !out_of_means_;
  }

  const Scenario& scenario_;
  const Arguments& arguments_;
  uint64_t next_;
  const uint64_t first_;
  const uint64_t last_;
  const double time_s_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::vector<Child> children_;
  SweepTotals totals_;
  std::FILE* digests_ = nullptr;
  bool out_of_means_ = false;
};

bool Sweep::start_child() {
  int ends[2];
  if (pipe(ends) != 0) return false;
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid < 0) {
    close(ends[0]);
    close(ends[1]);
    return false;
  }
  if (pid == 0) {
    for (const Child& other : children_) close(other.pipe);
    close(ends[0]);
    run_child(scenario_, arguments_, next_, ends[1]);
  }
  close(ends[1]);
  children_.push_back({pid, ends[0], next_++, {}});
  return true;
}

void Sweep::wait_for_some() {
  std::vector<pollfd> polled;
  polled.reserve(children_.size());
  for (const Child& child : children_) polled.push_back({child.pipe, POLLIN, 0});
  if (poll(polled.data(), polled.size(), 1'000) <= 0) return;
  for (size_t i = polled.size(); i-- > 0;) {
    if (polled[i].revents == 0) continue;
    char buffer[65'536];
    const ssize_t got = read(children_[i].pipe, buffer, sizeof buffer);
    if (got > 0) {
      children_[i].output.append(buffer, static_cast<size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      finish(children_[i]);
      children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

void Sweep::finish(Child& child) {
  close(child.pipe);
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  ++totals_.seeds;
  ChildResult told = {};
  const bool ended =
      WIFEXITED(status) && WEXITSTATUS(status) == kOk && child.output.size() >= sizeof told;
  if (ended) {
    const size_t text = child.output.size() - sizeof told;
    std::memcpy(&told, child.output.data() + text, sizeof told);
    child.output.resize(text);
    totals_.commands += told.commands;
    totals_.events += told.events;
    totals_.simulated_ns += told.simulated_ns;
    for (size_t i = 0; i < kFaultCount; ++i) {
      totals_.fired[i] += told.fired[i];
      totals_.on[i] += told.on[i] ? 1 : 0;
    }
    if (digests_ != nullptr) fmt::print(digests_, "{} {}\n", child.seed, told.digest);
  } else {
    const std::string how = WIFSIGNALED(status) ? std::string(strsignal(WTERMSIG(status)))
                                                : std::string("it ended without a result");
    child.output +=
        fmt::format("crash: {}\n  replay:   {}\n", how, replay_line(arguments_, child.seed));
  }
  if (ended && told.ok) return;
  ++totals_.failed;
  show_progress(true);
  fmt::print("seed {} failed\n{}", child.seed, child.output);
}

void Sweep::show_progress(bool end) {
  if (isatty(STDERR_FILENO) == 0) return;
  const uint64_t all = last_ - first_ + 1;
  fmt::print(stderr, "\r{}/{} seeds, {} failed, {:.0f} commands/s {}", totals_.seeds, all,
             totals_.failed, static_cast<double>(totals_.commands) / seconds_since(began_),
             end ? "\n" : "");
}

int Sweep::run() {
  if (!arguments_.digests.empty()) {
    digests_ = std::fopen(arguments_.digests.c_str(), "we");
    if (digests_ == nullptr) {
      return bad_usage(fmt::format("{}: {}", arguments_.digests, std::strerror(errno)));
    }
  }
  while (more() || !children_.empty()) {
    while (more() && children_.size() < static_cast<size_t>(arguments_.jobs)) {
      if (start_child()) continue;
      out_of_means_ = children_.empty();
      break;
    }
    if (!children_.empty()) wait_for_some();
    show_progress(false);
  }
  if (digests_ != nullptr) std::fclose(digests_);
  show_progress(true);
  if (out_of_means_) return bad_usage("no process can be started");
  return summary();
}

int Sweep::summary() {
  const double wall_s = seconds_since(began_);
  std::string silent;
  fmt::print("{:<18} {:>8} {:>14}\n", "fault", "on in", "fired");
  for (size_t i = 0; i < kFaultCount; ++i) {
    if (totals_.on[i] == 0) continue;
    const FaultRow& row = fault_rows()[i];
    fmt::print("{:<18} {:>8} {:>14}\n", row.name, totals_.on[i], totals_.fired[i]);
    if (totals_.fired[i] == 0) silent += " " + std::string(row.name);
  }
  if (!silent.empty()) fmt::print("on, but never fired:{}\n", silent);
  const bool ok = totals_.failed == 0 && silent.empty();
  fmt::print(
      "sweep {} seeds {} failed {} commands {} events {} sim {:.1f}s wall {:.2f}s "
      "commands/s {:.0f}\n",
      ok ? "ok" : "failed", totals_.seeds, totals_.failed, totals_.commands, totals_.events,
      static_cast<double>(totals_.simulated_ns) / 1e9, wall_s,
      static_cast<double>(totals_.commands) / wall_s);
  return ok ? kOk : kViolated;
}

// "A..B", both included. False when it is something else.
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

// "90s", "10m", "2h"; empty is no limit.
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

int sweep(const Scenario& scenario, const Arguments& arguments) {
  uint64_t first = 0;
  uint64_t last = 0;
  double time_s = 0;
  if (!parse_seeds(arguments.seeds, &first, &last)) {
    return bad_usage("--seeds takes A..B, the first and the last seed");
  }
  if (!parse_time(arguments.time, &time_s)) {
    return bad_usage("--time takes a number with s, m or h, such as 10m");
  }
  return Sweep(scenario, arguments, first, last, time_s).run();
}

// What both run and sweep take, checked before anything starts.
int check(const Scenario* scenario, const Arguments& arguments) {
  if (scenario == nullptr) {
    return bad_usage(
        fmt::format("there is no scenario '{}'; see redoubt-sim list", arguments.scenario));
  }
  for (const std::string& fault : arguments.run.faults) {
    FaultOptions ignored;
    const std::string error = set_fault(ignored, fault);
    if (!error.empty()) return bad_usage(error);
  }
  bool known = arguments.run.plant.empty();
  for (const Plant& row : scenario->plants) known = known || row.name == arguments.run.plant;
  if (known) return kOk;
  return bad_usage(
      fmt::format("there is no planted bug '{}'; see redoubt-sim list", arguments.run.plant));
}

void add_common(CLI::App* command, Arguments& arguments) {
  command->add_option("--scenario", arguments.scenario, "see redoubt-sim list")->required();
  command->add_option("--fault", arguments.run.faults, "name=value, instead of what the seed drew");
  command->add_option("--commands", arguments.run.commands, "how many the clients send, roughly");
  command->add_option("--plant", arguments.run.plant, "a bug that a checker must find");
}

int main_program(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("redoubt-sim: Redoubt in a simulated world that fails, from a seed");
  app.require_subcommand(1);
  CLI::App* list_command = app.add_subcommand("list", "scenarios, checkers and faults");
  CLI::App* run_command = app.add_subcommand("run", "one run; the same seed is the same run");
  add_common(run_command, arguments);
  run_command->add_option("--seed", arguments.run.seed, "any number")->required();
  run_command->add_option("--trace", arguments.trace, "a file for one line an event");
  run_command->add_option("--report", arguments.report, "a file for an HTML page of what happened");
  CLI::App* sweep_command = app.add_subcommand("sweep", "many seeds");
  add_common(sweep_command, arguments);
  sweep_command->add_option("--seeds", arguments.seeds, "A..B")->required();
  sweep_command->add_option("--jobs", arguments.jobs, "how many at once")
      ->check(CLI::Range(1, 1'000));
  sweep_command->add_option("--time", arguments.time, "start no seed after so long: 90s, 10m, 2h");
  sweep_command->add_flag("--twice", arguments.twice, "each seed twice; the digests must be equal");
  sweep_command->add_option("--digests", arguments.digests,
                            "a file for seed and digest, a line each");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  if (list_command->parsed()) return list();
  const Scenario* scenario = find_scenario(arguments.scenario);
  if (const int wrong = check(scenario, arguments); wrong != kOk) return wrong;
  return run_command->parsed() ? run(*scenario, arguments) : sweep(*scenario, arguments);
}

}  // namespace
}  // namespace redoubt::sim

int main(int argc, char** argv) {
  return redoubt::sim::main_program(argc, argv);
}
