#include "sim/program/compare.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "sim/first_difference/first_difference.h"
#include "sim/program/arguments.h"
#include "sim/program/canary.h"
#include "sim/program/child.h"
#include "sim/program/sandbox.h"
#include "sim/program/surroundings.h"

namespace redoubt::sim {
namespace {

constexpr int kSame = 0;
constexpr int kDifferent = 1;
constexpr int kNotKnown = 2;

int not_known(std::string_view text) {
  fmt::print(stderr, "redoubt-sim: {}\n", text);
  return kNotKnown;
}

int not_known_of(const std::string& name) {
  return not_known(fmt::format("{}: {}", name, std::strerror(errno)));
}

// --- recording

// The writer of this process, for those who end it in the midst of a run.
EventWriter* writing = nullptr;

void write_out() {
  if (writing != nullptr) writing->flush();
}

void on_crash(int) {
  write_out();  // and then back to what has crashed
}

std::string outcome_text(const RunResult& result) {
  std::string text = fmt::format("digest {}", result.digest);
  if (result.violation) {
    text += fmt::format(", a violation of {} at {}", result.violation->checker,
                        time_text(result.violation->at));
  }
  return text + fmt::format(", events {}", result.events);
}

// --- comparing

EventReader::Read read_from(int file) {
  return [file](std::span<char> into) -> size_t {
    for (;;) {
      const ssize_t got = read(file, into.data(), into.size());
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) return 0;
    }
  };
}

int report(const Comparison& comparison) {
  if (!comparison.difference) {
    fmt::print("same: {}, {} of them compared\n", comparison.outcome, comparison.events);
    return kSame;
  }
  const FirstDifference& difference = *comparison.difference;
  const bool both_break_off = difference.left == difference.right;
  fmt::print("{} behind {} events that are the same\n",
             both_break_off ? "both runs break off" : "different", difference.place);
  for (const std::string& line : difference.before) fmt::print("  same   {}\n", line);
  fmt::print("  left   {}\n  right  {}\n", difference.left, difference.right);
  return kDifferent;
}

// A process that runs the seed and writes its events into a pipe.
class ComparedProcess {
 public:
  ComparedProcess() = default;
  ComparedProcess(const ComparedProcess&) = delete;
  ComparedProcess& operator=(const ComparedProcess&) = delete;
  ~ComparedProcess() { end(); }

  // False with errno when there cannot be one. `arguments` are completed by where to write.
  bool start(const std::string& program, std::vector<std::string> arguments,
             const Surroundings& surroundings);
  int events() const { return events_; }
  // Stops it if it still runs.
  void end();
  // After end(): how it ended, and its last words; empty when there is nothing to say.
  std::string ending() const;

 private:
  [[noreturn]] void become(const std::string& program, std::vector<std::string>& arguments,
                           const Surroundings& surroundings, int out) const;

  pid_t pid_ = -1;
  int events_ = -1;
  int words_ = -1;
  int status_ = 0;
};

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

bool ComparedProcess::start(const std::string& program, std::vector<std::string> arguments,
                            const Surroundings& surroundings) {
  int ends[2];
  words_ = memfd_create("words", MFD_CLOEXEC);
  if (words_ < 0 || pipe2(ends, O_CLOEXEC) != 0) return false;
  events_ = ends[0];
  arguments.push_back("--record");
  arguments.push_back(fmt::format("/proc/self/fd/{}", ends[1]));
  std::fflush(nullptr);
  pid_ = fork();
  if (pid_ == 0) become(program, arguments, surroundings, ends[1]);
  close(ends[1]);
  return pid_ > 0;
}

// In the new process.
void ComparedProcess::become(const std::string& program, std::vector<std::string>& arguments,
                             const Surroundings& surroundings, int out) const {
  const int kept = personality(0xffffffff);
  if (kept >= 0) {
    const auto bits =
        static_cast<unsigned long>(kept) & ~static_cast<unsigned long>(ADDR_NO_RANDOMIZE);
    personality(surroundings.randomised ? bits : bits | ADDR_NO_RANDOMIZE);
  }
  fcntl(out, F_SETFD, 0);
  dup2(words_, STDOUT_FILENO);
  dup2(words_, STDERR_FILENO);
  std::vector<std::string> environment = environment_in(surroundings);
  execve(program.c_str(), pointers_to(arguments).data(), pointers_to(environment).data());
  fmt::print(stderr, "{}: {}\n", program, std::strerror(errno));
  std::fflush(nullptr);
  _exit(kNotKnown);
}

void ComparedProcess::end() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }
  if (events_ >= 0) close(events_);
  events_ = -1;
}

std::string ComparedProcess::ending() const {
  std::string text;
  std::array<char, 4'096> words;
  const ssize_t got = words_ < 0 ? 0 : pread(words_, words.data(), words.size(), 0);
  if (got > 0) text.assign(words.data(), static_cast<size_t>(got));
  while (text.ends_with('\n')) text.pop_back();
  const bool stopped = WIFSIGNALED(status_) && WTERMSIG(status_) == SIGKILL;
  if (WIFSIGNALED(status_) && !stopped) {
    if (!text.empty()) text += "; ";
    text += strsignal(WTERMSIG(status_));
  }
  return text;
}

}  // namespace

CompareCommand::CompareCommand(CLI::App& app)
    : app_(app.add_subcommand("compare",
                              "one seed in two processes with different surroundings; names the "
                              "first event that differs")) {
  app_->add_option("--scenario", scenario_, "see redoubt-sim list; or canary, which has leaks");
  app_->add_option("--seed", options_.seed, "any number");
  app_->add_option("--fault", options_.faults, "name=value, instead of what the seed drew");
  app_->add_option("--commands", options_.commands, "how many the clients send, roughly");
  app_->add_option("--bug", options_.plant, "a bug that a checker must find");
  app_->add_option("--against", against_, "another redoubt-sim for the second run");
  app_->add_option("--record", record_, "run once and write the events to this file");
  app_->add_option("--files", files_, "compare what two runs have recorded")->expected(2);
  app_->add_option("--surroundings", surroundings_, "plain or foreign: of --record");
}

bool CompareCommand::asked() const {
  return app_->parsed();
}

int CompareCommand::run() {
  if (!files_.empty()) return compare_files();
  if (const int wrong = check(); wrong != 0) return wrong;
  return record_.empty() ? compare_processes() : record();
}

int CompareCommand::check() {
  std::string error = check_options(options_);
  if (error.empty()) {
    const uint64_t seed = options_.seed;
    spec_ = load_scenario(scenario_, options_, &error);
    options_.seed = seed;
  }
  return error.empty() ? 0 : not_known(error);
}

int CompareCommand::record() {
  const int file = open(record_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return not_known_of(record_);
  EventWriter writer([file](std::string_view bytes) { write_or_exit(file, bytes, kNotKnown); });
  writing = &writer;
  struct sigaction action = {};
  action.sa_handler = on_crash;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int crash : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    sigaction(crash, &action, nullptr);
  }
  enter_surroundings(surroundings_);
  lock_the_door(write_out);
  options_.sink = &writer;
  const RunResult result = run_any(*spec_, options_);
  writer.finish(outcome_text(result));
  writing = nullptr;
  return kSame;
}

int CompareCommand::compare_files() {
  std::array<int, 2> files = {-1, -1};
  for (size_t i = 0; i < files.size(); ++i) {
    files[i] = open(files_[i].c_str(), O_RDONLY | O_CLOEXEC);
    if (files[i] < 0) return not_known_of(files_[i]);
  }
  EventReader left(read_from(files[0]));
  EventReader right(read_from(files[1]));
  return report(compare_events(left, right));
}

std::vector<std::string> CompareCommand::child_arguments(std::string_view surroundings) const {
  std::vector<std::string> arguments = {"redoubt-sim", "compare", "--scenario",
                                        scenario_,     "--seed",  std::to_string(options_.seed)};
  const auto add = [&](std::string_view name, std::string_view value) {
    arguments.emplace_back(name);
    arguments.emplace_back(value);
  };
  for (const std::string& fault : options_.faults) add("--fault", fault);
  if (options_.commands > 0) add("--commands", std::to_string(options_.commands));
  if (!options_.plant.empty()) add("--bug", options_.plant);
  add("--surroundings", surroundings);
  return arguments;
}

int CompareCommand::compare_processes() {
  const std::string program = "/proc/self/exe";
  const std::string second = against_.empty() ? program : against_;
  const Surroundings plain = plain_surroundings();
  const Surroundings foreign = foreign_surroundings();
  ComparedProcess left;
  ComparedProcess right;
  if (!left.start(program, child_arguments(plain.name), plain) ||
      !right.start(second, child_arguments(foreign.name), foreign)) {
    return not_known_of(program);
  }
  EventReader left_events(read_from(left.events()));
  EventReader right_events(read_from(right.events()));
  const Comparison comparison = compare_events(left_events, right_events);
  left.end();
  right.end();
  const int status = report(comparison);
  if (status == kSame) return status;
  fmt::print("  left   is {}\n  right  is {}\n", plain.description, foreign.description);
  if (const std::string ending = left.ending(); !ending.empty()) {
    fmt::print("  left   said: {}\n", ending);
  }
  if (const std::string ending = right.ending(); !ending.empty()) {
    fmt::print("  right  said: {}\n", ending);
  }
  fmt::print("  repeat: {}\n", replay_line());
  return status;
}

std::string CompareCommand::replay_line() const {
  std::string line =
      fmt::format("redoubt-sim compare --scenario {} --seed {}", scenario_, options_.seed);
  for (const std::string& fault : options_.faults) line += " --fault " + fault;
  if (options_.commands > 0) line += fmt::format(" --commands {}", options_.commands);
  if (!options_.plant.empty()) line += " --bug " + options_.plant;
  if (!against_.empty()) line += " --against " + against_;
  return line;
}

}  // namespace redoubt::sim
