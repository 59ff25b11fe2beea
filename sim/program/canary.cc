#include "sim/program/canary.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "sim/world.h"

namespace redoubt::sim {
namespace {

constexpr Plant kPlants[] = {
    {"address_order", "compare", "a set in the order of addresses is walked through", "canary"},
    {"real_clock", "compare", "the time of the real world is looked at", "canary"},
    {"uninitialised_byte", "compare", "bytes are read that nobody has written", "canary"},
    {"unordered_argument", "compare", "two draws are arguments of one call: compilers differ",
     "canary"},
    {"first_argument_first", "compare", "the same with one order, whatever the compiler", "canary"},
    {"last_argument_first", "compare", "the same with the other order", "canary"},
    {"locale", "compare", "the locale decides about characters and numbers", "canary"},
    {"time_zone", "compare", "a time is written in the local zone", "canary"},
    {"environment", "compare", "an environment variable is looked at", "canary"},
    {"draw_too_many", "compare", "a number is drawn, now and then, that nothing depends on",
     "canary"},
    {"thread", "walls", "a thread is started", "canary"},
    {"new_process", "walls", "a process is started", "canary"},
    {"open_file", "walls", "a file is opened", "canary"},
    {"open_socket", "walls", "a socket is made", "canary"},
};

constexpr int kTicks = 200;
constexpr int kLeakAt = 100;  // the tick

// Draws and notes something ten times a second; half way through, what is planted happens.
class Canary final : public Process {
 public:
  Canary(Env& env, World& world, HostId id, std::string_view plant)
      : env_(env), world_(world), id_(id), plant_(plant), random_(world.random("canary")) {
    timer_.owner = this;
    timer_.on_fire = [](Timer& timer) { static_cast<Canary*>(timer.owner)->tick(); };
    env_.arm_in(timer_, kPause);
  }
  ~Canary() override { env_.disarm(timer_); }

 private:
  static constexpr Duration kPause = Duration::milliseconds(100);

  void tick() {
    note(random_.below(1'000'000), "tick " + std::to_string(ticks_));
    if (ticks_ == kLeakAt) leak();
    if (++ticks_ < kTicks) env_.arm_in(timer_, kPause);
  }

  void note(uint64_t value, std::string_view text) { world_.note(id_, value, text); }
  void leak();
  void walk_by_address();
  void look_at_clock();
  void read_unwritten();
  void note_two(uint64_t first, uint64_t second) { note(first, "and " + std::to_string(second)); }
  void note_in_order(bool first_first);
  void print_number();
  void print_time();
  void look_outside();

  Env& env_;
  World& world_;
  const HostId id_;
  const std::string_view plant_;
  Random random_;
  Timer timer_;
  int ticks_ = 0;
};

void Canary::leak() {
  const auto is = [&](std::string_view name) { return plant_ == name; };
  if (is("address_order")) return walk_by_address();
  if (is("real_clock")) return look_at_clock();
  if (is("uninitialised_byte")) return read_unwritten();
  if (is("unordered_argument")) return note_two(random_.below(1'000), random_.below(1'000));
  if (is("first_argument_first")) return note_in_order(true);
  if (is("last_argument_first")) return note_in_order(false);
  if (is("locale")) return print_number();
  if (is("time_zone")) return print_time();
  if (is("environment")) return note(std::getenv("PADDING") != nullptr ? 1 : 0, "environment");
  if (is("draw_too_many") && std::getenv("PADDING") != nullptr) {
    world_.host(id_).disk().random().next();
  }
  look_outside();
}

void Canary::walk_by_address() {
  std::vector<std::unique_ptr<uint64_t>> numbers;
  std::set<const uint64_t*> by_address;
  for (uint64_t i = 0; i < 50; ++i) {
    numbers.push_back(std::make_unique<uint64_t>(i));
    by_address.insert(numbers.back().get());
  }
  for (const uint64_t* number : by_address) note(*number, "by address");
}

void Canary::look_at_clock() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  note(static_cast<uint64_t>(now.count()), "real clock");
}

void Canary::read_unwritten() {
  constexpr size_t kBlockBytes = 3'000;
  // Through volatile, so that the compiler does not make something else of it.
  void* volatile place = std::malloc(kBlockBytes);
  const auto* const bytes = static_cast<const volatile unsigned char*>(place);
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlockBytes; ++i) sum = sum * 31 + bytes[i];
  std::free(place);
  note(sum, "unwritten bytes");
}

void Canary::note_in_order(bool first_first) {
  const uint64_t one = random_.below(1'000);
  const uint64_t other = random_.below(1'000);
  first_first ? note_two(one, other) : note_two(other, one);
}

void Canary::print_number() {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", 1.5);
  note(MB_CUR_MAX, text);
}

void Canary::print_time() {
  const time_t when = 1'000'000'000;
  struct tm parts = {};
  localtime_r(&when, &parts);
  note(static_cast<uint64_t>(parts.tm_hour * 60 + parts.tm_min), "local time");
}

void Canary::look_outside() {
  if (plant_ == "thread") {
    std::thread([] {}).join();
  } else if (plant_ == "new_process") {
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
  } else if (plant_ == "open_file") {
    const int file = open("/etc/hostname", O_RDONLY | O_CLOEXEC);
    if (file >= 0) close(file);
  } else if (plant_ == "open_socket") {
    const int stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (stream >= 0) close(stream);
  }
}

RunResult run_canary(const RunOptions& options) {
  WorldOptions world_options;
  for (const std::string& fault : options.faults) {
    const std::string error = set_fault(world_options.faults, fault);
    ASSERT(error.empty());  // the caller has looked
  }
  world_options.trace = options.trace;
  world_options.sink = options.sink;
  World world(options.seed, world_options);
  const HostId id = world.add_host({.name = "canary"}, [&](Env& env) {
    return std::make_unique<Canary>(env, world, 0, options.plant);
  });
  world.boot(id);
  world.run_for(Duration::seconds(60));
  RunResult result;
  result.digest = world.digest_text();
  result.events = world.event_count();
  result.simulated = world.now() - Instant();
  result.faults = world_options.faults;
  result.fired = world.fired();
  return result;
}

}  // namespace

std::span<const Plant> canary_plants() {
  return kPlants;
}

RunResult run_any(const ScenarioSpec& spec, const RunOptions& options) {
  return spec.name == kCanary ? run_canary(options) : run_scenario(spec, options);
}

}  // namespace redoubt::sim
