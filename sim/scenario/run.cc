// A run of a scenario: faults and load; then quiet, in which everybody has to be served; then what
// is left is compared with what should be there.
#include <algorithm>

#include "sim/scenario/config_save.h"
#include "sim/scenario/damaged_data.h"
#include "sim/scenario/draw.h"
#include "sim/scenario/kept_data.h"
#include "sim/scenario/node_group.h"
#include "sim/scenario/replication_run.h"

namespace redoubt::sim {

namespace {

// A dead link is found by keepalive: 300 s and three probes.
constexpr Duration kGoodbye = Duration::seconds(1'200);
constexpr Duration kFreeing = Duration::seconds(10);
// In which everything that has expired has to go.
constexpr Duration kSettling = Duration::seconds(30);

class ScenarioRun final : public WorldObserver {
 public:
  ScenarioRun(const ScenarioSpec& spec, const RunOptions& options);

  RunResult run();

  void host_stopping(HostId id, StopKind kind, int status) override;

 private:
  void load_phase();
  void liveness_phase();
  void quiet_phase();
  void await_service(std::span<NodeGroup* const> groups, const std::string& since);
  void check_end();
  // True when all of the groups are as `what` says.
  template <typename What>
  bool all(What what) {
    return std::all_of(groups_.begin(), groups_.end(), [&](auto& group) { return what(*group); });
  }
  bool ok() const { return violated() == nullptr; }
  const Violation* violated() const;
  ScenarioSpec said_by_the_record(ScenarioSpec fixed) const;
  RunResult result();

  const ScenarioSpec& spec_;
  const RunOptions& options_;
  const Plants plants_;
  const RunDraw draw_;
  PlacesOfRun places_;
  World world_;
  Recording record_;
  int64_t load_ms_ = 0;  // how long it was
  std::vector<std::unique_ptr<NodeGroup>> groups_;
};

ScenarioRun::ScenarioRun(const ScenarioSpec& spec, const RunOptions& options)
    : spec_(spec),
      options_(options),
      plants_(options.plant),
      draw_(draw_run(spec, options, plants_)),
      places_(options.seed, draw_.unlucky),
      world_(options.seed, world_of_run(spec, options, draw_.faults)),
      record_(options.log) {
  world_.set_observer(this);
  places_.enter(world_);
  for (int64_t i = 0; i < draw_.numbers.topology_nodes; ++i) {
    groups_.push_back(std::make_unique<NodeGroup>(world_, static_cast<uint32_t>(i), spec_, draw_,
                                                  options_, options.record ? &record_ : nullptr));
  }
}

const Violation* ScenarioRun::violated() const {
  for (const auto& group : groups_) {
    if (group->checker().violation()) return &*group->checker().violation();
  }
  return nullptr;
}

void ScenarioRun::host_stopping(HostId id, StopKind kind, int status) {
  for (const auto& group : groups_) {
    if (group->host() == id) group->stopping(kind, status);
  }
}

void ScenarioRun::load_phase() {
  for (HostId id = 0; id < world_.host_count(); ++id) world_.boot(id);
  world_.start_faults();
  const Instant end = Instant() + Duration::seconds(draw_.numbers.length_seconds);
  const auto over = [](NodeGroup& group) { return group.plan().load_is_over(); };
  const Instant least = Instant() + Duration::milliseconds(draw_.numbers.length_least_ms);
  while (ok() && (!all(over) || world_.now() < least) && world_.now() < end) {
    // Short steps only where somebody looks between them.
    world_.run_for(plants_.any() ? Duration::milliseconds(1) : Duration::seconds(1));
    for (const auto& group : groups_) {
      if (ok()) group->look();
    }
  }
  load_ms_ = world_.now().ns / 1'000'000;
  if (!ok()) ++load_ms_;  // the run ends in the middle of a step
  if (ok() && options_.log != nullptr) options_.log->on_farewell(world_.now());
}

// The clients of these nodes connect anew and get their replies.
void ScenarioRun::await_service(std::span<NodeGroup* const> groups, const std::string& since) {
  for (NodeGroup* group : groups) group->say_farewell();
  const Duration patience = Duration::seconds(draw_.numbers.length_quiet_seconds);
  const Instant end = world_.now() + patience;
  const auto served = [](const NodeGroup* group) { return group->served(); };
  while (ok() && !std::all_of(groups.begin(), groups.end(), served) && world_.now() < end) {
    world_.run_for(Duration::seconds(1));
  }
  for (NodeGroup* group : groups) {
    if (!ok() || group->served()) continue;
    const Duration time_out = group->plan().patience;
    group->checker().violate(
        "progress",
        "all clients are served within " + std::to_string(patience.s()) + " s (" +
            std::to_string(patience.s() / time_out.s()) + " time-outs) after " + since,
        std::to_string(group->plan().active.size()) + " are not, the first is client " +
            std::to_string(*group->plan().active.begin()));
  }
}

// A majority of the nodes is healed for good and serves; who is broken among the rest stays so, and
// owes nothing.
void ScenarioRun::liveness_phase() {
  if (!ok() || draw_.numbers.length_liveness == 0) return;
  const std::vector<HostId> well = world_.begin_liveness();
  std::vector<NodeGroup*> healed;
  bool all_up = true;
  for (const auto& group : groups_) {
    const HostId host = group->host();
    if (std::find(well.begin(), well.end(), host) != well.end()) {
      healed.push_back(group.get());
    } else {
      all_up = all_up && world_.host(host).running() && !world_.host(host).paused();
    }
  }
  if (plants_.is("waits_for_all") && !all_up) {
    for (const NodeGroup* group : healed) world_.host(group->host()).set_paused(true);
  }
  await_service(healed, "a majority was healed");
}

// No more faults, and what lasts of them ends. Then each client connects anew and gets its replies.
void ScenarioRun::quiet_phase() {
  if (!ok()) return;
  world_.stop_faults();
  world_.heal();
  world_.faults() = FaultOptions();
  std::vector<NodeGroup*> rest;
  for (const auto& group : groups_) {
    if (!group->plan().farewell) rest.push_back(group.get());
  }
  await_service(rest, "the last fault");
}

void ScenarioRun::check_end() {
  if (!ok()) return;
  const Instant end = world_.now() + kGoodbye;
  const auto quiet = [](NodeGroup& group) { return group.quiet(); };
  const auto running = [](NodeGroup& group) { return group.running(); };
  while (ok() && all(running) && !all(quiet) && world_.now() < end) {
    world_.run_for(Duration::seconds(10));
  }
  if (ok()) world_.run_for(kSettling);
  for (const auto& group : groups_) {
    if (ok()) group->compare_end();
  }
  if (!ok()) return;
  world_.run_for(kFreeing);
  for (const auto& group : groups_) {
    if (ok()) group->check_leaks();
  }
}

// What the script, strikes and windows say already is not said twice: what is left of the faults is
// how strong those in windows are.
void leave_out_what_is_said(ScenarioSpec& fixed) {
  for (size_t i = 0; i < kNumberCount; ++i) {
    const NumberRow& row = number_rows()[i];
    // Not said by the steps of clients: how much there is, and what a node and operators do.
    static constexpr std::string_view kKept[] = {
        "commands",    "seconds",  "history",    "slow_readers_percent", "read_pause_us",
        "rewrite_ppm", "save_ppm", "switch_ppm", "upkeep_percent"};
    const bool kept = std::find(std::begin(kKept), std::end(kKept), row.name) != std::end(kKept);
    if (row.table == "workload" && !kept) fixed.numbers[i] = Choice::of(row.initial);
  }
  fixed.families.clear();
  std::erase_if(fixed.faults, [&](const FaultChoice& choice) {
    if (!choice.row->strength) return true;
    return std::none_of(fixed.windows->begin(), fixed.windows->end(), [&](const FaultWindow& w) {
      return is_strength_of(*choice.row, fault_row(w.fault));
    });
  });
}

RunResult ScenarioRun::result() {
  RunResult result = told_by_world(world_, draw_, places_);
  if (const Violation* violation = violated()) result.violation = *violation;
  if (options_.record) {
    if (!spec_.strikes) result.fixed.strikes = world_.strikes();
    result.fixed = said_by_the_record(result.fixed);
    if (!spec_.script) result.fixed.script = record_.take(world_.now());
    // What was not sent by then is not in the script's load.
    result.fixed.number(&ScenarioNumbers::length_least_ms) = Choice(load_ms_);
  }
  if (result.violation) result.fixed.fails = result.violation->checker;
  for (const auto& group : groups_) {
    result.commands += group->checker().commands();
    const auto& remarks = group->checker().remarks();
    result.remarks.insert(result.remarks.end(), remarks.begin(), remarks.end());
    if (!result.violation) continue;
    const auto& lines = world_.host(group->host()).log_lines();
    result.log.insert(result.log.end(), lines.begin(), lines.end());
  }
  return result;
}

// The run as its script and windows will have it.
ScenarioSpec ScenarioRun::said_by_the_record(ScenarioSpec fixed) const {
  if (!spec_.windows) fixed.windows = whole_run(draw_.faults);
  leave_out_what_is_said(fixed);
  return fixed;
}

RunResult ScenarioRun::run() {
  if (options_.log != nullptr) options_.log->on_begin(said_by_the_record(draw_.fixed));
  load_phase();
  liveness_phase();
  quiet_phase();
  check_end();
  places_.leave();
  return result();
}

}  // namespace

RunResult run_scenario(const ScenarioSpec& spec, const RunOptions& options) {
  if (spec.story == "config_save") return save_config_everywhere(spec, options);
  if (spec.story == "kept_data") return keep_data_everywhere(spec, options);
  if (spec.story == "replication") return replicate(spec, options);
  if (spec.story == "damaged_data") return damage_data(spec, options);
  return ScenarioRun(spec, options).run();
}

}  // namespace redoubt::sim
