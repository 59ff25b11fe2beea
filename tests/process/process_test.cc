// What belongs to the process: stop signals, the log, several worlds.
#include "server/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "net/env.h"
#include "server/log.h"
#include "server/system.h"
#include "server/title.h"

namespace redoubt {
namespace {

// Runs `work` in a child and gives its exit status; -signal when one ended it.
int in_child(const std::function<int()>& work) {
  fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) _exit(work());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

class Directory {
 public:
  Directory() {
    char name[] = "/tmp/process_test_XXXXXX";
    EXPECT_NE(mkdtemp(name), nullptr);
    path_ = name;
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// --- stop signals

// A world that ends with a status of its own when it is asked to stop.
struct Stopping {
  std::unique_ptr<UringBackend> backend;
  int status = 0;
  bool stuck = false;
  std::thread::id asked_on;

  static void on_stop(void* owner, int signal) {
    auto& self = *static_cast<Stopping*>(owner);
    self.asked_on = std::this_thread::get_id();
    if (self.stuck) {
      raise(SIGINT);
      self.backend->stall(Duration::seconds(20));
    }
    self.backend->request_exit(signal == SIGTERM ? self.status : self.status + 1);
  }
};

int stopped_by_signals(int signal, bool stuck) {
  char name[] = "test";
  char* argv[] = {name};
  Process process(0, argv);
  Config config;
  std::string why;
  if (!process.begin(config, &why)) return 90;
  Stopping world;
  world.backend = UringBackend::create({}, &why);
  if (world.backend == nullptr) return 91;
  world.status = 42;
  world.stuck = stuck;
  Env env(*world.backend);
  process.add_world(*world.backend, &Stopping::on_stop, &world);
  raise(SIGHUP);
  raise(SIGPIPE);
  Timer timer;
  timer.owner = &signal;
  timer.on_fire = [](Timer& one) { kill(getpid(), *static_cast<int*>(one.owner)); };
  env.arm_in(timer, Duration::milliseconds(20));
  alarm(10);
  process.remove_world(*world.backend, world.backend->run(env));
  return process.exit_status();
}

TEST(Process, StopsInOrderOnTheFirstSignal) {
  EXPECT_EQ(in_child([] { return stopped_by_signals(SIGTERM, false); }), 42);
  EXPECT_EQ(in_child([] { return stopped_by_signals(SIGINT, false); }), 43);
}

TEST(Process, EndsAtOnceOnTheSecondSignal) {
  EXPECT_EQ(in_child([] { return stopped_by_signals(SIGTERM, true); }), 1);
}

// One signal stops the worlds of all threads, each on its own; the first status that is no success
// is the process's.
int two_worlds() {
  char name[] = "test";
  char* argv[] = {name};
  Process process(0, argv);
  Config config;
  std::string why;
  if (!process.begin(config, &why)) return 90;
  std::atomic<int> running{0};
  std::atomic<int> on_own_thread{0};
  const auto live = [&](int status) {
    std::string reason;
    Stopping world;
    world.backend = UringBackend::create({}, &reason);
    if (world.backend == nullptr) return;
    world.status = status;
    Env env(*world.backend);
    process.add_world(*world.backend, &Stopping::on_stop, &world);
    ++running;
    process.remove_world(*world.backend, world.backend->run(env));
    if (world.asked_on == std::this_thread::get_id()) ++on_own_thread;
  };
  std::thread first(live, 0);
  std::thread second(live, 7);
  alarm(10);
  while (running < 2) usleep(1000);
  kill(getpid(), SIGTERM);
  first.join();
  second.join();
  return on_own_thread == 2 ? process.exit_status() : 92;
}

TEST(Process, StopsAllWorlds) {
  EXPECT_EQ(in_child(two_worlds), 7);
}

// --- the log

TEST(Log, FollowsTheNameOfItsFile) {
  Directory directory;
  const std::string path = directory / "server.log";
  const mode_t mask = umask(027);
  Log log;
  ASSERT_EQ(log.open(path), Error::none);
  umask(mask);
  log.write(Level::notice, "first");
  log.write(Level::notice, "");
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
  std::filesystem::rename(path, path + ".1");
  log.write(Level::warning, "second");
  EXPECT_EQ(contents(path + ".1"), "first\n\n");
  EXPECT_EQ(contents(path), "second\n");
  std::filesystem::remove(path);
  log.write(Level::warning, std::string(5000, 'x'));
  EXPECT_EQ(contents(path), std::string(5000, 'x') + "\n");
}

TEST(Log, KeepsItsFileWhenThereCanBeNoNewOne) {
  Directory directory;
  std::filesystem::create_directory(directory / "logs");
  Log log;
  ASSERT_EQ(log.open(directory / "logs/server.log"), Error::none);
  std::filesystem::rename(directory / "logs", directory / "moved");
  log.write(Level::notice, "kept");
  EXPECT_EQ(contents(directory / "moved/server.log"), "kept\n");
}

TEST(Log, SaysWhyItCannotBeOpened) {
  Log log;
  EXPECT_EQ(log.open("/nowhere/server.log"), Error::not_found);
}

// --- what the kernel is asked

TEST(System, FindsFilesInOrder) {
  Directory directory;
  for (const char* name : {"b.conf", "a.conf", "c.txt"}) std::ofstream(directory / name) << "x";
  const std::vector<std::string> expected = {directory / "a.conf", directory / "b.conf"};
  EXPECT_EQ(find_files(directory / "*.conf"), expected);
  EXPECT_EQ(find_files(directory / "*.none"), std::vector<std::string>());
}

TEST(System, BindsToProcessors) {
  const int status = in_child([] {
    if (!use_cpus("0")) return 1;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 2;
    if (CPU_COUNT(&set) != 1 || !CPU_ISSET(0, &set)) return 3;
    return use_cpus("4000") ? 4 : 0;  // there is no such processor
  });
  EXPECT_EQ(status, 0);
}

TEST(Title, FillsInItsFields) {
  Config config;
  std::string error;
  const auto title = [&](const std::vector<std::string>& arguments) {
    EXPECT_TRUE(config.parse_arguments(arguments, &error)) << error;
    return title_text(config, "redoubt-server");
  };
  EXPECT_EQ(title({}), "redoubt-server *:6379");
  EXPECT_EQ(title({"--port", "7000", "--bind", "10.0.0.1", "::1"}), "redoubt-server 10.0.0.1:7000");
  EXPECT_EQ(title({"--port", "0", "--unixsocket", "/run/r.sock"}), "redoubt-server /run/r.sock");
  EXPECT_EQ(title({"--proc-title-template", "a{server-mode}b {port}/{tls-port} {config-file}"}),
            "ab 0/0");
}

}  // namespace
}  // namespace redoubt
