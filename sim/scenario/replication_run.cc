#include "sim/scenario/replication_run.h"

#include <algorithm>
#include <charconv>

#include "sim/model/resp_value.h"
#include "sim/places.h"
#include "sim/replication/client.h"
#include "sim/replication/history_checker.h"
#include "sim/replication/planted.h"
#include "sim/replication/replica_tree.h"
#include "sim/scenario/draw.h"

namespace redoubt::sim {

namespace {

constexpr Duration kOperatorLooks = Duration::milliseconds(100);
// In which everything that has expired has to go, and is gone on all nodes.
constexpr Duration kReplicasSettle = Duration::seconds(12);

class ReplicationRun final : public WorldObserver {
 public:
  ReplicationRun(const ScenarioSpec& spec, const RunOptions& options, bool details);

  RunResult run();

  void host_stopping(HostId id, StopKind kind, int status) override {
    tree_.stopping(id, kind, status);
  }

 private:
  TreePlan tree_plan() const;
  void add_clients();
  void load();
  void synchronise_under_load();
  std::string roles_text();
  void heal();
  void compare();
  bool ok() const { return !checker_.violation(); }
  RunResult result();

  const ScenarioSpec& spec_;
  const RunOptions& options_;
  const Plants plants_;
  const RunDraw draw_;
  PlacesOfRun places_;
  World world_;
  HistoryChecker checker_;
  ReplicaTree tree_;
  ReplicationLoad plan_;
  bool appends_ = false;  // nothing flushes: what is appended stays
};

size_t members_of(const RunDraw& draw) {
  return static_cast<size_t>(draw.numbers.topology_replicas) + 1;
}

ReplicationRun::ReplicationRun(const ScenarioSpec& spec, const RunOptions& options, bool details)
    : spec_(spec),
      options_(options),
      plants_(options.plant),
      draw_(draw_run(spec, options, plants_)),
      places_(options.seed, draw_.unlucky),
      world_(options.seed, world_of_run(spec, options, draw_.faults)),
      checker_(world_, members_of(draw_), details),
      tree_(world_, checker_, tree_plan()) {
  world_.set_observer(this);
  places_.enter(world_);
  add_clients();
}

TreePlan ReplicationRun::tree_plan() const {
  const ScenarioNumbers& numbers = draw_.numbers;
  return {.members = members_of(draw_),
          .arguments = draw_.arguments,
          .roles_ppm = numbers.workload_roles_ppm,
          .failover_percent = numbers.workload_failover_percent,
          .links_ppm = numbers.workload_links_ppm,
          .settings_ppm = numbers.workload_replica_settings_ppm,
          .cuts_ppm = numbers.workload_cuts_ppm,
          .ballast_bytes = numbers.workload_ballast_bytes,
          .some_are_newer = numbers.workload_newer_ppm > 0,
          .spare_bytes = numbers.memory_spare_bytes,
          .plants = planted(options_.plant)};
}

void ReplicationRun::add_clients() {
  const LoadPlan load = load_plan(draw_, spec_, plants_);
  Random random = world_.random("clients");
  plan_.primary = [this] { return tree_.address(tree_.primary()); };
  plan_.any = [this](Random& drawn) {
    return tree_.address(static_cast<size_t>(drawn.below(tree_.size())));
  };
  plan_.checker = &checker_;
  plan_.generator = load.generator;
  plan_.generator.waiting = false;
  appends_ = random.below(4) > 0;
  plan_.generator.flush = !appends_;
  plan_.pipeline_max = load.pipeline_max;
  plan_.think_us = load.think_us;
  plan_.transaction_ppm = draw_.numbers.workload_transaction_ppm;
  plan_.acks_ppm = draw_.numbers.workload_acks_ppm;
  plan_.newer_ppm = draw_.numbers.workload_newer_ppm;
  plan_.hang_up_ppm = draw_.numbers.workload_hang_up_ppm;
  plan_.commands_max = load.commands_max;
  for (int64_t i = 0; i < draw_.numbers.topology_clients; ++i) {
    ReplicationClient::Kind kind = ReplicationClient::Kind::traffic;
    if (appends_ && i % 3 == 1) kind = ReplicationClient::Kind::appender;
    if (i % 4 == 3) kind = ReplicationClient::Kind::reader;
    const auto number = static_cast<uint32_t>(i);
    world_.add_host({.name = "client" + std::to_string(i)}, [this, kind, number](Env& env) {
      return std::make_unique<ReplicationClient>(env, plan_, kind, number,
                                                 world_.random("client", number));
    });
  }
}

void ReplicationRun::load() {
  for (HostId id = 0; id < world_.host_count(); ++id) world_.boot(id);
  world_.start_faults();
  const Instant end = Instant() + Duration::seconds(draw_.numbers.length_seconds);
  const Instant least = Instant() + Duration::milliseconds(draw_.numbers.length_least_ms);
  while (ok() && (!plan_.load_is_over() || world_.now() < least) && world_.now() < end) {
    const Instant looks = world_.now() + kOperatorLooks;
    while (ok() && world_.step(looks)) tree_.cut_short();
    world_.run_until(looks);
    if (ok()) tree_.operate();
    tree_.record();
  }
  synchronise_under_load();
  plan_.over = true;
}

// Links stay as slow as they are, and clients go on; each replica has to be synchronised.
void ReplicationRun::synchronise_under_load() {
  if (draw_.numbers.length_liveness == 0 || !ok()) return;
  world_.stop_faults();
  world_.heal();
  FaultOptions slow;
  slow.net_slow = draw_.faults.net_slow;
  world_.faults() = slow;
  plan_.commands_max = UINT64_MAX;
  plan_.think_us /= 4;
  const Duration patience = Duration::seconds(draw_.numbers.length_quiet_seconds);
  const Instant end = world_.now() + patience;
  Instant insists = world_.now();
  // Those that were down come back first.
  world_.run_for(Duration::seconds(10));
  tree_.put_ballast();
  tree_.return_together();
  tree_.forget_links();
  while (ok() && !tree_.all_were_connected() && world_.now() < end) {
    if (world_.now() >= insists) {
      tree_.insist();
      insists = world_.now() + Duration::seconds(5);
    }
    world_.run_for(kOperatorLooks);
    tree_.record();
  }
  if (!ok() || tree_.all_were_connected()) return;
  checker_.violate("convergence", tree_.primary(),
                   "each replica is synchronised within " + std::to_string(patience.s()) +
                       " s, while clients write",
                   roles_text());
}

// No more faults; the operator says once more who follows whom; then all have to become equal.
void ReplicationRun::heal() {
  if (!ok()) return;
  world_.stop_faults();
  world_.heal();
  world_.faults() = FaultOptions();
  const Duration patience = Duration::seconds(draw_.numbers.length_quiet_seconds);
  const Instant end = world_.now() + patience;
  const Instant settled = world_.now() + kReplicasSettle;
  Instant insists = world_.now();
  while (ok() && world_.now() < end) {
    world_.run_for(kOperatorLooks);
    tree_.record();
    if (ok() && world_.now() >= insists) {
      tree_.insist();
      insists = world_.now() + Duration::seconds(5);
    }
    if (world_.now() >= settled && checker_.converged(tree_.nodes())) return;
  }
  if (!ok()) return;
  checker_.violate("convergence", tree_.primary(),
                   "all nodes are at the same offset of the same history within " +
                       std::to_string(patience.s()) + " s after the last fault",
                   roles_text());
}

std::string ReplicationRun::roles_text() {
  std::string text;
  for (size_t i = 0; i < tree_.size(); ++i) {
    text += (i == 0 ? "" : "; ") + std::string("node") + std::to_string(i) + " ";
    const std::string reply = tree_.execute(i, {"ROLE"});
    text += reply.empty() ? "is down" : describe_reply(reply);
  }
  return text;
}

void ReplicationRun::compare() {
  if (!ok()) return;
  checker_.compare_all(tree_.nodes());
  if (!ok() || !appends_) return;
  std::map<uint32_t, std::vector<uint64_t>> lists;
  for (int64_t i = 0; i < draw_.numbers.topology_clients; ++i) {
    const auto number = static_cast<uint32_t>(i);
    const std::string reply =
        tree_.execute(tree_.primary(), {"LRANGE", ReplicationClient::list_name(number), "0", "-1"});
    RespValue value;
    if (!parse_resp_exactly(reply, value) || value.is_error()) continue;
    for (const RespValue& item : value.items) {
      uint64_t appended = 0;
      std::from_chars(item.text.data(), item.text.data() + item.text.size(), appended);
      lists[number].push_back(appended);
    }
  }
  checker_.compare_lists(*tree_.node(tree_.primary()), lists);
}

RunResult ReplicationRun::result() {
  RunResult result = told_by_world(world_, draw_, places_);
  result.violation = checker_.violation();
  result.commands = checker_.claims();
  if (options_.record) {
    if (!spec_.strikes) result.fixed.strikes = world_.strikes();
    if (!spec_.windows) result.fixed.windows = whole_run(draw_.faults);
    result.fixed.script.emplace();
    result.fixed.number(&ScenarioNumbers::length_least_ms) =
        Choice(static_cast<int64_t>(world_.now().ns / 1'000'000));
  }
  for (const auto& [why, count] : checker_.excused()) {
    result.remarks.push_back(std::to_string(count) +
                             " acknowledged writes are gone, excused by: " + why);
  }
  if (!result.violation) return result;
  result.fixed.fails = result.violation->checker;
  for (size_t i = 0; i < tree_.size(); ++i) {
    const auto& lines = world_.host(tree_.host(i)).log_lines();
    result.log.insert(result.log.end(), lines.begin(), lines.end());
  }
  return result;
}

RunResult ReplicationRun::run() {
  load();
  heal();
  compare();
  places_.leave();
  return result();
}

}  // namespace

RunResult replicate(const ScenarioSpec& spec, const RunOptions& options) {
  RunResult result = ReplicationRun(spec, options, false).run();
  if (!result.violation || result.violation->checker != "history") return result;
  // The same once more, with an eye on each key.
  RunOptions again = options;
  again.trace = nullptr;
  again.sink = nullptr;
  again.recorder = nullptr;
  again.log = nullptr;
  const RunResult closer = ReplicationRun(spec, again, true).run();
  if (closer.violation && closer.violation->checker == "history") {
    result.violation = closer.violation;
  }
  return result;
}

}  // namespace redoubt::sim
