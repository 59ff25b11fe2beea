// Process: what belongs to the process and not to one of the nodes that it holds: signals, the log,
// descriptors, the pid file, the supervisor, the title, the exit status. One in a process.
//
// Order: begin(), before there are threads and rings; worlds are made with world_options() and
// added; each runs on a thread of its own, or the only one on the main thread; end().
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config/config.h"
#include "net/uring/uring_backend.h"
#include "server/detach.h"
#include "server/log.h"
#include "server/supervisor.h"
#include "server/title.h"

namespace redoubt {

class Process final : public WorldHost {
 public:
  Process(int argc, char** argv);
  ~Process() override;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Does what the settings say of the process: goes to the background, opens the log, writes the
  // pid file and so on. `config` may get fewer clients than it says, as the descriptors allow. The
  // config lives as long as the process: its CONFIG SET reaches here. False: *why is one line.
  bool begin(Config& config, std::string* why);
  // What went other than the settings say, for the log once a node writes it.
  const std::vector<std::string>& notes() const { return notes_; }

  // How to make a world for a node with these settings. False: *why is one line.
  bool world_options(const Settings& settings, UringOptions* options, std::string* why);
  // The first stop signal calls on_stop(owner, signal) once, on the thread that runs the world. Add
  // all before the first is ready: the process is ready when all of them are.
  using OnStop = void (*)(void* owner, int signal);
  void add_world(UringBackend& world, OnStop on_stop, void* owner);
  // The world has run and ended with this status.
  void remove_world(UringBackend& world, int status);
  // That of the first world that ended with another status than 0.
  int exit_status() const { return exit_status_; }

  // Ends the process. Nothing is destroyed on the way: memory goes back to the kernel whole, which
  // takes a thousandth of the time that freeing it key by key would.
  [[noreturn]] void end(int status);

  // For worlds.
  void log(Level level, std::string_view line) override;
  void report(ServiceState state, std::string_view status) override;
  std::string supervised() const override;
  AllocatorFacts allocator_facts() const override;
  std::string allocator_report() const override;
  void on_helper_thread() override;

 private:
  struct World;

  void write_pidfile(const std::string& path);
  void remove_pidfile();
  void fit_descriptors(Config& config);
  bool apply_oom_score(std::string* why);
  void show_title();
  static void on_wake(void* world);

  ProcessTitle title_;
  Detached detached_;
  std::optional<Supervisor> supervisor_;
  Log log_;
  const Config* config_ = nullptr;
  std::vector<std::string> notes_;
  std::string pidfile_;  // absolute; empty: none was written
  std::optional<int> oom_score_before_;
  std::string background_cpus_;

  std::mutex mutex_;  // guards what follows
  std::vector<std::unique_ptr<World>> worlds_;
  size_t ready_ = 0;  // worlds
  bool stopping_ = false;
  int exit_status_ = 0;
};

}  // namespace redoubt
