#include "sim/scenarios/single.h"

#include <bit>

#include "sim/scenarios/node_process.h"
#include "sim/scenarios/single_checker.h"
#include "sim/scenarios/single_client.h"
#include "sim/scenarios/single_plants.h"
#include "sim/scenarios/single_subscriber.h"
#include "sim/world.h"

namespace redoubt::sim {

namespace {

constexpr Fault kFaults[] = {
    Fault::net_delay,      Fault::net_cut,         Fault::net_reset,      Fault::net_small_buffers,
    Fault::net_slow,       Fault::net_partition,   Fault::net_one_way,    Fault::net_clog,
    Fault::net_half_open,  Fault::net_refuse,      Fault::net_hang,       Fault::kill,
    Fault::power_loss,     Fault::restart,         Fault::pause,          Fault::slow_cpu,
    Fault::clock_skew,     Fault::clock_drift,     Fault::clock_jump,     Fault::timer_jitter,
    Fault::io_reorder,     Fault::io_late,         Fault::io_cancel_late, Fault::io_few_chunks,
    Fault::io_few_handles, Fault::io_short_receive};

constexpr Named kCheckers[] = {
    {"model", "each reply is what a naive model of the commands answers"},
    {"order", "what a connection sends is executed once, whole, in order"},
    {"replies", "clients receive what the node wrote, byte for byte, a reply for each command"},
    {"messages", "each subscriber gets what was published to its channels, once, in order"},
    {"transactions", "EXEC executes all that was queued, or nothing, for the right reason"},
    {"blocking", "who waits is served as soon as may be, first come first served, or told in time"},
    {"expiry", "no key expires before its time"},
    {"eviction", "no key is evicted without maxmemory"},
    {"connection", "no connection fails without a fault that explains it"},
    {"process", "the node ends only when something ends it"},
    {"progress", "after the faults, every client is served in time"},
    {"replay", "the effects of the node, applied to an empty one, give the same data"},
    {"state", "in the end the node's data is the model's"},
    {"leaks", "in the end nothing is left: connections, buffers, operations, memory"},
};

constexpr std::string_view kPolicies[] = {"noeviction",      "allkeys-lru",  "allkeys-lfu",
                                          "allkeys-random",  "volatile-lru", "volatile-lfu",
                                          "volatile-random", "volatile-ttl"};

ModelConfig model_config(std::string_view policy) {
  ModelConfig config;
  config.expiry_is_reported = true;
  config.lfu = policy.ends_with("-lfu");
  return config;
}

constexpr uint16_t kPort = 6379;
constexpr uint64_t kCommands = 30'000;
constexpr Duration kLongest = Duration::seconds(600);
constexpr Duration kProgress = Duration::seconds(60);
// A dead link is found by keepalive: 300 s and three probes.
constexpr Duration kGoodbye = Duration::seconds(1'200);

class SingleRun final : public WorldObserver {
 public:
  explicit SingleRun(const RunOptions& options);

  RunResult run();

  void host_booted(HostId id) override;
  void host_stopping(HostId id, StopKind kind, int status) override;

 private:
  static WorldOptions world_options(const RunOptions& options);
  void draw();
  void draw_bursts();
  void describe_draw();
  void add_hosts();
  template <typename Body>
  void visit_node(Body body);
  void load_phase();
  void quiet_phase();
  void check_end();
  Node& node() { return static_cast<NodeProcess*>(world_.host(node_).process())->node(); }
  bool ok() const { return !checker_.violation(); }

  const RunOptions options_;
  World world_;
  Random random_;
  const std::string policy_;
  const std::string password_;
  const bool rollback_;
  SingleChecker checker_;
  ClientPlan plan_;
  std::vector<std::string> arguments_;
  int64_t clients_ = 0;
  int64_t subscribers_ = 0;
  int64_t spare_bytes_ = 0;  // maxmemory above what an empty node takes; 0 for none
  std::string drawn_;
  HostId node_ = 0;
  size_t base_memory_ = 0;
  SinglePlants plants_;
};

// A turn of the node in which `body` does something with it.
template <typename Body>
void SingleRun::visit_node(Body body) {
  const auto turn = [](Host& host, void* context) {
    (*static_cast<Body*>(context))(static_cast<NodeProcess*>(host.process())->node());
  };
  world_.visit(node_, turn, &body);
}

WorldOptions SingleRun::world_options(const RunOptions& options) {
  WorldOptions world;
  Random random(options.seed, "swarm");
  if (!SinglePlants(options.plant).calm()) world.faults = draw_faults(random, kFaults);
  for (const std::string& fault : options.faults) {
    const std::string error = set_fault(world.faults, fault);
    ASSERT(error.empty());  // the caller has looked
  }
  world.trace = options.trace;
  world.recorder = options.recorder;
  return world;
}

SingleRun::SingleRun(const RunOptions& options)
    : options_(options),
      world_(options.seed, world_options(options)),
      random_(world_.random("scenario")),
      policy_(kPolicies[random_.below(std::size(kPolicies))]),
      password_(random_.below(4) == 0 ? "a secret" : ""),
      rollback_(world_.random("rollback").coin() || options.plant == "torn_rollback"),
      checker_(world_, model_config(policy_), password_, rollback_),
      plants_(options.plant) {
  world_.set_observer(this);
  draw();
  add_hosts();
}

void SingleRun::draw() {
  clients_ = random_.between(1, 12);
  subscribers_ = random_.between(0, 3);
  if (plants_.is("lost_message") || plants_.is("swapped_messages") ||
      plants_.is("lost_subscription")) {
    subscribers_ = 3;
  }
  plan_.pipeline_max = random_.between_log(8, 512);
  // The load is spread over this time, so that faults have time to happen.
  const int64_t length_s = random_.between_log(1, 60);
  const auto pipeline_bits =
      static_cast<int64_t>(std::bit_width(static_cast<uint64_t>(plan_.pipeline_max)));
  const int64_t pipeline_mean = 1 + plan_.pipeline_max * 3 / (4 * pipeline_bits);
  plan_.think_us =
      length_s * 1'000'000 * clients_ * pipeline_mean / static_cast<int64_t>(kCommands);
  plan_.hang_up_ppm = random_.coin() ? 0 : random_.between_log(100, 20'000);
  plan_.connection_ppm = random_.between_log(100, 50'000);
  if (subscribers_ == 3) plan_.connection_ppm += 50'000;  // news, in a third of these
  plan_.inline_ppm = random_.coin() ? 0 : random_.between_log(100, 500'000);
  plan_.password = password_;
  plan_.generator.keys = static_cast<size_t>(random_.between_log(4, 400));
  plan_.generator.ttl_ms_max = random_.between_log(10, 100'000);
  plan_.generator.value_bytes_max = static_cast<size_t>(random_.between_log(10, 1'000));
  plan_.generator.deadline_per_mille = static_cast<unsigned>(random_.between(0, 300));
  draw_bursts();
  plan_.commands_max = options_.commands > 0 ? options_.commands : kCommands;
  const int64_t spare = random_.between_log(2'000, 200'000);
  if (random_.below(3) == 0 && !plants_.is("stray_eviction")) spare_bytes_ = spare;
  plan_.mutes = spare_bytes_ == 0;
  const std::string effort = std::to_string(random_.between(1, 10));
  const std::string hz = std::to_string(random_.between_log(1, 500));
  arguments_ = {"--bind",
                "0.0.0.0",
                "--port",
                std::to_string(kPort),
                "--protected-mode",
                "no",
                "--hz",
                hz,
                "--active-expire-effort",
                effort,
                "--maxmemory-policy",
                policy_,
                "--transaction-on-error",
                rollback_ ? "rollback" : "continue"};
  for (const char* lazy : {"eviction", "expire", "server-del", "user-del", "user-flush"}) {
    arguments_.push_back("--lazyfree-lazy-" + std::string(lazy));
    arguments_.push_back(random_.coin() ? "yes" : "no");
  }
  if (!password_.empty()) {
    arguments_.push_back("--requirepass");
    arguments_.push_back(password_);
  }
  plan_.lose_command = plants_.is("lost_command");
  plan_.drop_reply = plants_.is("dropped_reply");
  plan_.swap_replies = plants_.is("swapped_replies");
  plan_.drop_message = plants_.is("lost_message");
  plan_.swap_messages = plants_.is("swapped_messages");
  plan_.keep_connection = plants_.is("kept_connection");
  describe_draw();
}

void SingleRun::describe_draw() {
  drawn_ = "clients=" + std::to_string(clients_) + " subscribers=" + std::to_string(subscribers_) +
           " pipeline=" + std::to_string(plan_.pipeline_max) +
           " think_us=" + std::to_string(plan_.think_us) +
           " keys=" + std::to_string(plan_.generator.keys) +
           " value_bytes=" + std::to_string(plan_.generator.value_bytes_max) +
           " transaction_ppm=" + std::to_string(plan_.bursts.transaction_ppm) +
           " queue_ppm=" + std::to_string(plan_.bursts.queue_ppm) +
           " ttl_ms=" + std::to_string(plan_.generator.ttl_ms_max) +
           " spare_bytes=" + std::to_string(spare_bytes_);
  for (size_t i = 6; i < arguments_.size(); i += 2) {
    drawn_ += " " + arguments_[i].substr(2) + "=" + arguments_[i + 1];
  }
}

// From a stream of their own: what is drawn for all else does not depend on them.
void SingleRun::draw_bursts() {
  Random random = world_.random("bursts");
  plan_.generator.waiting = true;
  plan_.generator.wait_ms_max = static_cast<unsigned>(random.between_log(1, 50));
  plan_.bursts.transaction_ppm = random.between_log(100, 40'000);
  plan_.bursts.queue_ppm = random.between_log(100, 200'000);
  plan_.bursts.wait_ms_max = random.between_log(1, 100);
  if (plants_.is_about_transactions()) plan_.bursts.transaction_ppm = 40'000;
  if (plants_.is_about_waiting()) {
    clients_ = 12;
    plan_.bursts.queue_ppm = 400'000;
    plan_.pipeline_max = 16;
    plan_.bursts.wait_ms_min = plan_.bursts.wait_ms_max = 100;
  }
}

void SingleRun::add_hosts() {
  node_ = world_.add_host({.name = "node", .faultable = true}, [this](Env& env) {
    return std::make_unique<NodeProcess>(env, arguments_, &checker_);
  });
  plan_.server = Address::tcp(world_.host(node_).address(), kPort);
  for (int64_t i = 0; i < clients_; ++i) {
    const auto number = static_cast<uint32_t>(i);
    world_.add_host({.name = "client" + std::to_string(i)}, [this, number](Env& env) {
      return std::make_unique<SingleClient>(env, plan_, checker_, number,
                                            world_.random("client", number));
    });
  }
  for (int64_t i = 0; i < subscribers_; ++i) {
    const auto number = static_cast<uint32_t>(i);
    world_.add_host({.name = "subscriber" + std::to_string(i)}, [this, number](Env& env) {
      return std::make_unique<SingleSubscriber>(env, plan_, checker_,
                                                static_cast<uint32_t>(clients_) + number,
                                                world_.random("subscriber", number));
    });
  }
}

void SingleRun::host_booted(HostId id) {
  if (id != node_) return;
  Node& started = node();
  base_memory_ = started.used_memory();
  if (spare_bytes_ > 0) {
    // What connections take is counted too; their share is not what is to be scarce.
    const uint64_t limit = base_memory_ + static_cast<uint64_t>(spare_bytes_);
    const std::string text = std::to_string(limit);
    const std::string_view pair[] = {"maxmemory", text};
    std::string error;
    ASSERT(started.config().set(pair, &error));
    started.settings_changed();
  }
  checker_.node_started(started, id, spare_bytes_ > 0);
  if (plants_.is("lost_effect")) checker_.lose_effects();
}

void SingleRun::host_stopping(HostId id, StopKind kind, int status) {
  if (id != node_) return;
  const bool asked = world_.fired()[Fault::restart] > 0 && status == 0;
  if (kind == StopKind::exit && !asked) {
    checker_.violate("process", "the node runs", "it exits with status " + std::to_string(status));
  }
  checker_.node_ended();
}

void SingleRun::load_phase() {
  for (HostId id = 0; id < world_.host_count(); ++id) world_.boot(id);
  world_.start_faults();
  while (ok() && !plan_.load_is_over() && world_.now().ns < kLongest.ns) {
    // Short steps only where somebody looks between them.
    world_.run_for(plants_.any() ? Duration::milliseconds(1) : Duration::seconds(1));
    if (!ok() || !world_.host(node_).running()) continue;
    visit_node([this](Node& visited) {
      if (plants_.any()) plants_.strike(visited, checker_);
      if (!plants_.any() || plants_.is("lost_effect")) checker_.compare_replay();
    });
  }
}

// No more faults, and what lasts of them ends. Then each client connects anew and gets its replies.
void SingleRun::quiet_phase() {
  if (!ok()) return;
  world_.stop_faults();
  world_.heal();
  world_.faults() = FaultOptions();
  plan_.farewell = true;
  checker_.farewell();
  if (plants_.is("deaf_node")) world_.host(node_).set_paused(true);
  if (plants_.is("no_handles")) world_.faults().io_few_handles = 1;
  const Instant end = world_.now() + kProgress;
  while (ok() && plan_.active > 0 && world_.now() < end) world_.run_for(Duration::seconds(1));
  if (ok() && plan_.active > 0) {
    checker_.violate("progress",
                     "all clients are served within " + std::to_string(kProgress.s()) +
                         " s after the last fault",
                     std::to_string(plan_.active) + " are not");
  }
}

void SingleRun::check_end() {
  if (!ok()) return;
  if (!world_.host(node_).running()) {
    return checker_.violate("process", "the node runs", "it does not");
  }
  const Instant end = world_.now() + kGoodbye;
  const size_t kept = plants_.is("kept_connection") ? 1 : 0;
  while (ok() && node().session_count() > kept && world_.now() < end) {
    world_.run_for(Duration::seconds(10));
  }
  if (!ok()) return;
  visit_node([this](Node& visited) {
    plants_.strike_late(visited, checker_);
    checker_.compare_state();
    checker_.compare_replay();
    Session& session = visited.make_local_session();
    visited.execute(session, std::vector<std::string_view>{"FLUSHALL", "SYNC"});
    visited.drop_local_session(session);
  });
  world_.run_for(Duration::seconds(10));
  if (!ok()) return;
  SimBackend& door = world_.host(node_).backend();
  const auto none = [&](std::string_view what, size_t seen, size_t expected) {
    if (seen == expected || !ok()) return;
    checker_.violate("leaks", std::to_string(expected) + " " + std::string(what),
                     std::to_string(seen));
  };
  none("connections", node().session_count(), 0);
  none("lent chunks", door.lent_count(), 0);
  none("open handles", door.open_count(), 1);
  none("operations in flight", door.in_flight_count(), 1);
  none("bytes of memory", node().used_memory(), base_memory_);
}

RunResult SingleRun::run() {
  load_phase();
  quiet_phase();
  check_end();
  RunResult result;
  result.violation = checker_.violation();
  result.digest = world_.digest_text();
  result.events = world_.event_count();
  result.commands = checker_.commands();
  result.simulated = world_.now() - Instant();
  result.faults = world_options(options_).faults;
  result.fired = world_.fired();
  result.drawn = drawn_;
  if (result.violation) {
    const auto& lines = world_.host(node_).log_lines();
    result.log.assign(lines.begin(), lines.end());
  }
  return result;
}

RunResult run_single(const RunOptions& options) {
  return SingleRun(options).run();
}

}  // namespace

Scenario single_scenario() {
  return {
      "single",
      "one node, several clients: random commands, transactions, commands that wait, subscribers",
      kFaults,
      kCheckers,
      SinglePlants::rows(),
      run_single};
}

}  // namespace redoubt::sim
