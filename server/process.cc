#include "server/process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "net/assert.h"
#include "net/uring/errors.h"
#include "net/uring/process_facts.h"
#include "server/allocator.h"
#include "server/signals.h"
#include "server/system.h"

namespace redoubt {
namespace {

// Descriptors that are not clients': listeners, log, files.
constexpr uint64_t kReservedFiles = 32;
constexpr std::string_view kDefaultPidfile = "/var/run/redis.pid";
constexpr int kOomScoreMax = 1000;

constexpr std::string_view kOomScoreDirectives[] = {"oom-score-adj", "oom-score-adj-values"};
constexpr std::string_view kTitleDirectives[] = {"proc-title-template"};

// Relative paths of the process are seen from the node's directory, as in Redis, which changes to
// it.
std::string below_directory(const std::string& path, const Settings& settings) {
  if (path.empty() || path.front() == '/') return path;
  return absolute(settings.dir) + "/" + path;
}

}  // namespace

struct Process::World {
  UringBackend* backend;
  OnStop on_stop;
  void* owner;
  bool told = false;
};

Process::Process(int argc, char** argv) : title_(argc, argv) {}

Process::~Process() {
  release_stop_signals();
  remove_pidfile();
}

bool Process::begin(Config& config, std::string* why) {
  ASSERT(config_ == nullptr);
  config_ = &config;
  const Settings& settings = config.settings();
  supervisor_.emplace(settings.supervision);
  if (settings.daemonize && !supervisor_->exists() && !detached_.detach(why)) return false;
  ignore_signals();
  catch_stop_signals();
  if (access(settings.dir.c_str(), W_OK | X_OK) != 0) {
    *why = fmt::format("dir {}: {}", settings.dir, describe(error_from_errno(errno)));
    return false;
  }
  const std::string log_path = below_directory(settings.logfile, settings);
  const Error error = log_.open(log_path);
  if (error != Error::none) {
    *why = fmt::format("cannot open the log file '{}': {}", log_path, describe(error));
    return false;
  }
  if (settings.syslog_enabled) log_.open_syslog(settings.syslog_ident, settings.syslog_facility);
  if (!supervisor_->missing_variable().empty()) {
    notes_.push_back(fmt::format(
        "supervised: expected {} in the environment, which the supervisor sets (systemd "
        "for services of Type=notify). Nobody is told when this server is ready.",
        supervisor_->missing_variable()));
  }
  write_pidfile(settings.pidfile);
  background_cpus_ = settings.background_cpus;
  if (!settings.server_cpus.empty() && !use_cpus(settings.server_cpus)) {
    notes_.push_back(fmt::format("server-cpulist {}: the kernel refuses it", settings.server_cpus));
  }
  oom_score_before_ = oom_score_adj();
  std::string problem;
  if (settings.oom_score_adj != OomScoreAdj::no && !apply_oom_score(&problem)) {
    notes_.push_back(problem);
  }
  fit_descriptors(config);
  show_title();
  config.add_listener({kOomScoreDirectives,
                       [](void* owner, std::string* reason) {
                         return static_cast<Process*>(owner)->apply_oom_score(reason);
                       },
                       this});
  config.add_listener({kTitleDirectives,
                       [](void* owner, std::string*) {
                         static_cast<Process*>(owner)->show_title();
                         return true;
                       },
                       this});
  return true;
}

// As many clients as file descriptors allow.
void Process::fit_descriptors(Config& config) {
  const uint64_t wanted = config.settings().maxclients;
  const uint64_t files = raise_file_limit(wanted + kReservedFiles);
  if (files >= wanted + kReservedFiles) return;
  const uint64_t possible = files > 2 * kReservedFiles ? files - kReservedFiles : kReservedFiles;
  const std::string value = std::to_string(possible);
  const std::string_view pair[] = {"maxclients", value};
  std::string error;
  if (!config.set(pair, &error)) return;
  notes_.push_back(
      fmt::format("maxclients is {} instead of {}: the process may open {} files. Raise the limit "
                  "(ulimit -n) to serve more.",
                  possible, wanted, files));
}

void Process::write_pidfile(const std::string& path) {
  std::string wanted = path;
  if (wanted.empty()) {
    if (!config_->settings().daemonize) return;
    wanted = kDefaultPidfile;
  }
  wanted = below_directory(wanted, config_->settings());
  std::FILE* file = std::fopen(wanted.c_str(), "we");
  const bool written = file != nullptr && std::fprintf(file, "%d\n", getpid()) > 0;
  const int code = errno;
  if (file == nullptr || std::fclose(file) != 0 || !written) {
    notes_.push_back(
        fmt::format("cannot write the pid file {}: {}", wanted, describe(error_from_errno(code))));
    return;
  }
  pidfile_ = wanted;
}

// Unless another process has written it meanwhile.
void Process::remove_pidfile() {
  if (pidfile_.empty()) return;
  std::FILE* file = std::fopen(pidfile_.c_str(), "re");
  int pid = 0;
  const bool ours = file != nullptr && std::fscanf(file, "%d", &pid) == 1 && pid == getpid();
  if (file != nullptr) std::fclose(file);
  if (ours) unlink(pidfile_.c_str());
  pidfile_.clear();
}

bool Process::apply_oom_score(std::string* why) {
  const Settings& settings = config_->settings();
  int score = oom_score_before_.value_or(0);
  const int value = settings.oom_score_of_primary;
  switch (settings.oom_score_adj) {
    case OomScoreAdj::no: break;
    case OomScoreAdj::yes:
    case OomScoreAdj::relative: score += value; break;
    case OomScoreAdj::absolute: score = value; break;
  }
  score = std::clamp(score, -kOomScoreMax, kOomScoreMax);
  if (oom_score_adj() == score || set_oom_score_adj(score)) return true;
  *why = fmt::format(
      "Failed to apply new oom_score_adj configuration: the kernel refuses {}. A score below the "
      "one that the process was started with needs CAP_SYS_RESOURCE.",
      score);
  return false;
}

void Process::show_title() {
  if (config_->settings().set_process_title) title_.set(title_text(*config_, title_.program()));
}

bool Process::world_options(const Settings& settings, UringOptions* options, std::string* why) {
  options->directory = settings.dir;
  options->host = this;
  options->socket_mark = settings.socket_mark_id;
  if (settings.unixsocketgroup.empty()) return true;
  const std::optional<int64_t> group = group_number(settings.unixsocketgroup);
  if (!group) {
    *why = fmt::format("unixsocketgroup: expected a group of this system, got \"{}\"",
                       settings.unixsocketgroup);
    return false;
  }
  options->unix_socket_group = *group;
  return true;
}

void Process::add_world(UringBackend& world, OnStop on_stop, void* owner) {
  const std::lock_guard lock(mutex_);
  worlds_.push_back(std::make_unique<World>(World{&world, on_stop, owner}));
  world.set_wake_handler(&Process::on_wake, worlds_.back().get());
  add_stop_descriptor(world.wake_descriptor());
}

void Process::remove_world(UringBackend& world, int status) {
  remove_stop_descriptor(world.wake_descriptor());
  world.set_wake_handler(nullptr, nullptr);
  const std::lock_guard lock(mutex_);
  if (exit_status_ == 0) exit_status_ = status;
  std::erase_if(worlds_, [&world](const auto& one) { return one->backend == &world; });
}

void Process::on_wake(void* world) {
  World& self = *static_cast<World*>(world);
  const int signal = stop_signal();
  if (signal == 0 || self.told) return;
  self.told = true;
  self.on_stop(self.owner, signal);
}

void Process::end(int status) {
  remove_pidfile();
  std::fflush(nullptr);
  _exit(status);
}

void Process::log(Level level, std::string_view line) {
  log_.write(level, line);
}

void Process::report(ServiceState state, std::string_view status) {
  {
    const std::lock_guard lock(mutex_);
    if (state == ServiceState::ready && ++ready_ != worlds_.size()) return;
    if (state == ServiceState::stopping && std::exchange(stopping_, true)) return;
  }
  if (state == ServiceState::ready) detached_.ready();
  if (supervisor_) supervisor_->report(state, status);
}

std::string Process::supervised() const {
  return supervisor_ ? std::string(supervisor_->name()) : "no";
}

AllocatorFacts Process::allocator_facts() const {
  return read_allocator_facts();
}

std::string Process::allocator_report() const {
  return read_allocator_report();
}

void Process::on_helper_thread() {
  if (!background_cpus_.empty()) use_cpus(background_cpus_);
}

}  // namespace redoubt
