// The loop itself: time, background jobs, signals, and a start that fails.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <set>
#include <sstream>

#include "net/uring/process_facts.h"
#include "tests/uring/support.h"

namespace redoubt {
namespace {

TEST(Loop, FiresTimersInOrder) {
  World world;
  Env& env = world.env();
  struct Fired {
    Timer timer;
    Instant at;
    std::vector<int>* order = nullptr;
    Env* env = nullptr;
    int number = 0;
  };
  std::vector<int> order;
  std::vector<Fired> timers(20);
  const Instant start = env.now();
  for (int i = 0; i < 20; ++i) {
    Fired& one = timers[static_cast<size_t>(i)];
    one.number = (i * 7) % 20;
    one.order = &order;
    one.env = &env;
    one.timer.owner = &one;
    one.timer.on_fire = [](Timer& timer) {
      auto& fired = *static_cast<Fired*>(timer.owner);
      fired.at = fired.env->now();
      fired.order->push_back(fired.number);
    };
    env.arm(one.timer, start + Duration::milliseconds(3 * one.number));
  }
  world.run([&] { return order.size() == 20; });
  for (int i = 0; i < 20; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
  for (const Fired& one : timers) {
    EXPECT_GE(one.at, one.timer.deadline);
    EXPECT_LT(one.at - one.timer.deadline, Duration::milliseconds(500));
  }
}

TEST(Loop, SleepsWithoutWork) {
  World world;
  Timer timer;
  bool fired = false;
  timer.owner = &fired;
  timer.on_fire = [](Timer& one) { *static_cast<bool*>(one.owner) = true; };
  world.env().arm_in(timer, Duration::milliseconds(400));
  const ProcessFacts before = read_process_facts();
  world.run([&] { return fired; });
  const ProcessFacts after = read_process_facts();
  const uint64_t used_us = after.main_thread_user_cpu_us + after.main_thread_system_cpu_us -
                           before.main_thread_user_cpu_us - before.main_thread_system_cpu_us;
  EXPECT_LT(used_us, 100'000u);
}

TEST(Loop, RunsBackgroundJobs) {
  World world;
  struct Job : PlainOp {
    std::thread::id ran_on;
    int value = 0;
    int square = 0;
    Job() : PlainOp(OpKind::background) {
      work = [](Op& op) {
        auto& job = static_cast<Job&>(static_cast<PlainOp&>(op));
        job.ran_on = std::this_thread::get_id();
        job.square = job.value * job.value;
      };
    }
  };
  std::vector<std::unique_ptr<Job>> jobs;
  int finished = 0;
  for (int i = 0; i < 200; ++i) {
    jobs.push_back(std::make_unique<Job>());
    jobs.back()->value = i;
    jobs.back()->then = [&finished] { ++finished; };
    world.env().submit(*jobs.back());
    EXPECT_FALSE(jobs.back()->done);
  }
  world.run([&] { return finished == 200; });
  for (const auto& job : jobs) {
    EXPECT_EQ(job->square, job->value * job->value);
    EXPECT_EQ(job->times, 1);
    EXPECT_NE(job->ran_on, std::this_thread::get_id());
  }
}

TEST(Loop, WithdrawsABackgroundJobThatHasNotBegun) {
  World world;
  static std::atomic<bool> let_go{false};
  let_go = false;
  PlainOp first(OpKind::background);
  first.work = [](Op&) {
    while (!let_go) std::this_thread::yield();
  };
  PlainOp second(OpKind::background);
  second.work = [](Op&) { FAIL() << "was withdrawn"; };
  world.env().submit(first);
  world.env().submit(second);
  world.env().cancel(second);
  second.then = [&] {
    EXPECT_FALSE(first.done);
    let_go = true;
  };
  world.run([&] { return first.done && second.done; });
  EXPECT_TRUE(first.result.ok());
  EXPECT_EQ(second.result.error, Error::cancelled);
}

TEST(Loop, ResolvesNames) {
  World world;
  PlainOp found(OpKind::resolve);
  found.path = "localhost";
  PlainOp missing(OpKind::resolve);
  missing.path = "does-not-exist.invalid";
  world.env().submit(found);
  world.env().submit(missing);
  world.run([&] { return found.done && missing.done; });
  ASSERT_TRUE(found.result.ok()) << describe(found.result.error);
  const std::set<std::string> names(found.result.names.begin(), found.result.names.end());
  EXPECT_TRUE(names.contains("127.0.0.1") || names.contains("::1"));
  EXPECT_FALSE(missing.result.ok());
}

TEST(Loop, DrawsEntropy) {
  World world;
  std::set<uint64_t> drawn;
  for (int i = 0; i < 1000; ++i) drawn.insert(world.backend().entropy());
  EXPECT_EQ(drawn.size(), 1000u);
}

TEST(Loop, KnowsTheTime) {
  World world;
  const auto wall = std::chrono::system_clock::now().time_since_epoch() / std::chrono::seconds(1);
  EXPECT_NEAR(static_cast<double>(world.backend().wall().unix_s()), static_cast<double>(wall), 2);
  const Instant before = world.backend().now();
  world.backend().stall(Duration::milliseconds(30));
  const Duration stalled = world.backend().now() - before;
  EXPECT_GE(stalled, Duration::milliseconds(30));
  EXPECT_LT(stalled, Duration::seconds(2));
}

TEST(Loop, KnowsItsProcess) {
  World world;
  const ProcessFacts facts = world.backend().process_facts();
  EXPECT_EQ(facts.pid, getpid());
  EXPECT_GT(facts.resident_bytes, 1u << 20);
  EXPECT_GT(facts.total_memory_bytes, facts.resident_bytes);
  EXPECT_TRUE(facts.os.starts_with("Linux ")) << facts.os;
  EXPECT_TRUE(facts.executable.ends_with("uring_test")) << facts.executable;
  const volatile auto spin = [] {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
    while (std::chrono::steady_clock::now() < end) {
    }
    return 0;
  }();
  EXPECT_EQ(spin, 0);
  const ProcessFacts later = world.backend().process_facts();
  EXPECT_GT(later.main_thread_user_cpu_us + later.main_thread_system_cpu_us,
            facts.main_thread_user_cpu_us + facts.main_thread_system_cpu_us);
  EXPECT_GT(later.user_cpu_us + later.system_cpu_us, facts.user_cpu_us + facts.system_cpu_us);
}

// What a world tells its process.
struct Host : WorldHost {
  std::vector<std::string> said;
  std::atomic<int> threads{0};

  void log(Level, std::string_view line) override { said.emplace_back(line); }
  void report(ServiceState state, std::string_view status) override {
    said.push_back(std::to_string(static_cast<int>(state)) + " " + std::string(status));
  }
  std::string supervised() const override { return "systemd"; }
  void on_helper_thread() override { ++threads; }
};

TEST(Loop, TellsItsHost) {
  Host host;
  UringOptions options;
  options.host = &host;
  World world(options);
  world.backend().log(Level::notice, "first");
  world.backend().report(ServiceState::ready, "serving");
  EXPECT_EQ(host.said, (std::vector<std::string>{"first", "1 serving"}));
  EXPECT_EQ(world.backend().process_facts().supervised, "systemd");
  world.tell([](Env& env) -> Task<Error> {
    IoOp io(env);
    io.op.kind = OpKind::resolve;
    io.op.path = "127.0.0.1";
    co_return (co_await io).error;
  }(world.env()));
  world.run();
  EXPECT_EQ(host.threads, 1);
}

TEST(Loop, SaysWhyItCannotStart) {
  std::string why;
  UringOptions options;
  options.directory = "/nowhere";
  EXPECT_EQ(UringBackend::create(options, &why), nullptr);
  EXPECT_NE(why.find("/nowhere"), std::string::npos) << why;
  EXPECT_NE(why.find("No such file"), std::string::npos) << why;
}

// Runs `work` in a child and gives its exit status; -signal when one ended it.
int in_child(const std::function<int()>& work) {
  fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) _exit(work());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// From now on io_uring_setup fails with this error number.
bool forbid_io_uring(uint32_t code) {
  sock_filter filter[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_io_uring_setup},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | code},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  const sock_fprog program{4, filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(Loop, SaysWhatIoUringLacks) {
  const std::pair<uint32_t, const char*> cases[] = {{ENOSYS, "CONFIG_IO_URING"},
                                                    {EPERM, "sandbox"},
                                                    {EINVAL, "Linux 6.1"},
                                                    {ENOMEM, "ulimit -l"}};
  for (const auto& [code, hint] : cases) {
    const int status = in_child([&] {
      if (!forbid_io_uring(code)) return 2;
      std::string why;
      if (UringBackend::create({}, &why) != nullptr) return 3;
      std::fprintf(stderr, "  %s\n", why.c_str());
      const bool one_line = why.find('\n') == std::string::npos;
      return why.find(hint) != std::string::npos && one_line ? 0 : 4;
    });
    EXPECT_EQ(status, 0) << hint;
  }
}

// Another thread wakes the world.
TEST(Loop, IsWokenByItsDescriptor) {
  std::string why;
  auto backend = UringBackend::create({}, &why);
  ASSERT_NE(backend, nullptr);
  Env env(*backend);
  backend->set_wake_handler([](void* owner) { static_cast<UringBackend*>(owner)->request_exit(5); },
                            backend.get());
  std::thread other([&] {
    usleep(20'000);
    const uint64_t one = 1;
    EXPECT_EQ(::write(backend->wake_descriptor(), &one, sizeof one), ssize_t{sizeof one});
  });
  EXPECT_EQ(backend->run(env), 5);
  other.join();
}

TEST(Loop, RaisesTheLimitOfDescriptors) {
  const int status = in_child([] {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit low{64, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
    if (raise_file_limit(32) != 64) return 1;
    if (raise_file_limit(200) != 200) return 2;
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur == 200 ? 0 : 3;
  });
  EXPECT_EQ(status, 0);
}

// What is sent in the last turn leaves, and nothing completes afterwards.
TEST(Loop, EndsAfterTheTurn) {
  std::string why;
  auto backend = UringBackend::create({}, &why);
  ASSERT_NE(backend, nullptr);
  Env env(*backend);
  PlainOp accepting(OpKind::accept, *backend->listen(Address::tcp("127.0.0.1", 0), 10, 0));
  PlainOp sending(OpKind::send);
  PlainOp receiving(OpKind::receive);
  const Slice last_words = as_slice("last words");
  accepting.then = [&] {
    sending.handle = receiving.handle = accepting.result.handle;
    sending.gather = {&last_words, 1};
    env.submit(sending);
    env.submit(receiving);
    backend->request_exit(3);
  };
  env.submit(accepting);
  const int peer = peer_connect(backend->local_address(accepting.handle));
  EXPECT_EQ(backend->run(env), 3);
  EXPECT_FALSE(receiving.done);
  env.close(accepting.result.handle);
  env.cancel(receiving);
  EXPECT_FALSE(receiving.done);
  backend.reset();
  EXPECT_EQ(peer_read_all(peer), "last words");
  close(peer);
}

// Waits for what never comes, in every way in which one can wait.
Task<Error> wait_for(Env& env, OpKind kind, Handle handle) {
  IoOp io(env);
  io.op.kind = kind;
  io.op.handle = handle;
  io.op.work = [](Op&) { usleep(100'000); };
  io.op.lengthy = true;
  co_return (co_await io).error;
}

// The world's end lets go of what is in flight: who waits for it can be destroyed. A task that
// waits would end the process otherwise (~IoOp).
TEST(Loop, EndForgetsWhatIsInFlight) {
  std::string why;
  auto backend = UringBackend::create({}, &why);
  ASSERT_NE(backend, nullptr);
  Env env(*backend);
  const Handle listener = *backend->listen(Address::tcp("127.0.0.1", 0), 10, 0);
  const int peer = peer_connect(backend->local_address(listener));
  std::vector<Task<Error>> tasks;
  const auto start = [&](OpKind kind, Handle handle) {
    tasks.push_back(wait_for(env, kind, handle));
    tasks.back().start([](void*) { ADD_FAILURE() << "told after the end"; }, nullptr);
  };
  PlainOp accepting(OpKind::accept, listener);
  std::string huge(64 << 20, 'x');
  const Slice slice = as_slice(huge);
  PlainOp sending(OpKind::send);
  accepting.then = [&] {
    sending.handle = accepting.result.handle;
    sending.gather = {&slice, 1};
    env.submit(sending);
    start(OpKind::receive, accepting.result.handle);
    start(OpKind::accept, listener);
    start(OpKind::background, {});  // runs
    start(OpKind::background, {});  // waits for it
    backend->request_exit(0);
  };
  env.submit(accepting);
  EXPECT_EQ(backend->run(env), 0);
  EXPECT_FALSE(sending.in_flight);
  start(OpKind::receive, accepting.result.handle);  // too late: nothing begins any more
  tasks.clear();
  backend.reset();
  close(peer);
}

// A job of seconds does not hold up the others.
TEST(Loop, LengthyJobsHaveALaneOfTheirOwn) {
  World world;
  std::string order;
  const auto job = [&](bool lengthy, char name) -> Task<Error> {
    return [](Env& env, bool is_lengthy, char sign, std::string* log) -> Task<Error> {
      IoOp io(env);
      io.op.kind = OpKind::background;
      io.op.lengthy = is_lengthy;
      io.op.work = is_lengthy ? +[](Op&) { usleep(300'000); } : +[](Op&) {};
      const Error error = (co_await io).error;
      *log += sign;
      co_return error;
    }(world.env(), lengthy, name, &order);
  };
  world.tell(job(true, 'l'));
  world.tell(job(false, 'a'));
  world.tell(job(false, 'b'));
  world.run();
  EXPECT_EQ(order, "abl");
}

}  // namespace
}  // namespace redoubt
