#include "sim/scenario/node_group.h"

#include "engine/persist/persist.h"
#include "sim/load/client.h"
#include "sim/load/hostile.h"
#include "sim/load/operator.h"
#include "sim/load/subscriber.h"
#include "sim/node_process.h"

namespace redoubt::sim {

namespace {

constexpr std::string_view kConfigFile = "redoubt.conf";

ModelConfig model_config(const RunDraw& draw) {
  ModelConfig config;
  config.hll_sparse_bytes_max = draw.hll_sparse_bytes_max;
  config.stream_node_entries_max = draw.stream_node_entries_max;
  config.expiry_is_reported = true;
  config.lfu = draw.lfu;
  return config;
}

std::string numbered(const char* name, int64_t number, uint32_t node) {
  const std::string text = name + std::to_string(number);
  return node == 0 ? text : text + "of" + std::to_string(node);
}

}  // namespace

NodeGroup::NodeGroup(World& world, uint32_t number, const ScenarioSpec& spec, const RunDraw& draw,
                     const RunOptions& options, Recording* record)
    : world_(world),
      draw_(draw),
      plants_(options.plant),
      files_random_(world.random("files", number)),
      checker_(
          std::make_unique<NodeChecker>(world, model_config(draw), draw.password, draw.rollback)),
      plan_(load_plan(draw, spec, plants_)) {
  plan_.node = number;
  plan_.record = record;
  checker_->keep_history(static_cast<uint64_t>(draw.numbers.workload_history));
  if (spec.script) {
    plan_.script = &*spec.script;
    for (const ScriptStep& step : *spec.script) {
      plan_.steps_left += step.node == number && step.loads() ? 1 : 0;
    }
  }
  checker_->only(spec.checkers);
  NodeStart start;
  // Snapshots at save points are for scenarios that ask for them.
  start.arguments = {"--bind",           "0.0.0.0", "--port", std::to_string(kNodePort),
                     "--protected-mode", "no",      "--save", ""};
  start.arguments.insert(start.arguments.end(), draw.arguments.begin(), draw.arguments.end());
  if (draw.numbers.topology_operators > 0) start.config_file = kConfigFile;
  start.observer = checker_.get();
  start.made = [this](Node& node) { plants_.plant_in(node); };
  start.ready = [this](Node& node) { ready(node); };
  const std::string name = number == 0 ? "node" : "node" + std::to_string(number);
  host_ = world_.add_host({.name = name, .faultable = true},
                          [start](Env& env) { return std::make_unique<NodeProcess>(env, start); });
  if (const auto skipped = plants_.skipped_sync()) world_.host(host_).files().skip(*skipped);
  plan_.server = Address::tcp(world_.host(host_).address(), kNodePort);
  add_clients();
}

void NodeGroup::add_clients() {
  const ScenarioNumbers& numbers = draw_.numbers;
  uint32_t number = 0;
  const auto add = [&](int64_t count, const char* name, auto make) {
    for (int64_t i = 0; i < count; ++i, ++number) {
      const Random random = world_.random(name, plan_.node * 100'000 + static_cast<uint64_t>(i));
      world_.add_host({.name = numbered(name, i, plan_.node)},
                      [this, make, random, mine = number](Env& env) -> std::unique_ptr<Process> {
                        return make(*this, env, mine, random);
                      });
    }
  };
  add(numbers.topology_clients, "client",
      [](NodeGroup& group, Env& env, uint32_t mine, Random random) {
        return std::make_unique<LoadClient>(env, group.plan_, *group.checker_, mine, random);
      });
  add(numbers.topology_subscribers, "subscriber",
      [](NodeGroup& group, Env& env, uint32_t mine, Random random) {
        return std::make_unique<Subscriber>(env, group.plan_, *group.checker_, mine, random);
      });
  add(numbers.topology_listeners, "listener",
      [](NodeGroup& group, Env& env, uint32_t mine, Random random) {
        return std::make_unique<Subscriber>(env, group.plan_, *group.checker_, mine, random, true);
      });
  add(numbers.topology_hostile, "hostile",
      [](NodeGroup& group, Env& env, uint32_t mine, Random random) {
        return std::make_unique<HostileClient>(env, group.plan_, *group.checker_, mine, random);
      });
  add(numbers.topology_operators, "operator",
      [](NodeGroup& group, Env& env, uint32_t mine, Random random) {
        return std::make_unique<Operator>(env, group.plan_, *group.checker_, mine, random);
      });
}

// A turn of the node in which `body` does something with it.
template <typename Body>
void NodeGroup::visit(Body body) {
  struct Context {
    Node* node;
    Body* body;
  } context = {node_, &body};
  const auto turn = [](Host&, void* pointer) {
    auto* in = static_cast<Context*>(pointer);
    (*in->body)(*in->node);
  };
  world_.visit(host_, turn, &context);
}

void NodeGroup::ready(Node& node) {
  node_ = &node;
  base_memory_ = node.used_memory();
  const int64_t spare = draw_.numbers.memory_spare_bytes;
  if (spare > 0) {
    // What connections take is counted too; their share is not what is to be scarce.
    const std::string text = std::to_string(base_memory_ + static_cast<uint64_t>(spare));
    const std::string_view pair[] = {"maxmemory", text};
    std::string error;
    ASSERT(node.config().set(pair, &error));
    node.settings_changed();
  }
  checker_->node_started(node, host_, spare > 0);
  if (!plants_.any() || plants_.is("missed_entry")) {
    checker_->take_snapshots(world_.random("snapshots", plan_.node));
  }
  if (plants_.is("blind_scan")) checker_->side_checkers().overlook_pages(3);
  if (plants_.is("lost_effect")) checker_->lose_effects(plan_.script != nullptr ? 2 : 50);
}

void NodeGroup::stopping(StopKind kind, int status) {
  if (plants_.is("forgotten_file"))
    static_cast<void>(world_.host(host_).disk().remove(kConfigFile));
  const bool asked = world_.fired()[Fault::restart] > 0 && status == 0;
  if (kind == StopKind::exit && !asked) {
    checker_->violate("process", "the node runs", "it exits with status " + std::to_string(status));
  }
  node_ = nullptr;
  Duration stalled = world_.host(host_).files().longest_stall();
  if (world_.fired()[Fault::io_late] > 0) {
    stalled = stalled + Duration::microseconds(2 * draw_.faults.io_late_us);
  }
  checker_->node_ended(kind, stalled);
}

// Rewrites, saves, and the log switched off and on.
void NodeGroup::operate_files(Node& node) {
  const ScenarioNumbers& numbers = draw_.numbers;
  if (numbers.workload_rewrite_ppm + numbers.workload_save_ppm + numbers.workload_switch_ppm == 0) {
    return;
  }
  auto& persistence = static_cast<Persistence&>(*node.parts().find(Persistence::kKind));
  const auto comes = [&](int64_t ppm) {
    return static_cast<int64_t>(files_random_.below(1'000'000)) < ppm;
  };
  if (comes(numbers.workload_rewrite_ppm)) persistence.aof().schedule_rewrite();
  if (comes(numbers.workload_save_ppm) && !persistence.saver().saving()) persistence.saver().save();
  if (!comes(numbers.workload_switch_ppm)) return;
  const std::string_view pair[] = {"appendonly", persistence.settings().append_only ? "no" : "yes"};
  std::string error;
  ASSERT(node.config().set(pair, &error));
  node.settings_changed();
}

void NodeGroup::look() {
  if (!running()) return;
  visit([this](Node& visited) {
    if (plants_.any()) plants_.strike(visited, *checker_, plan_.script != nullptr);
    if (!plants_.any() || plants_.is("lost_effect")) checker_->compare_replay();
    checker_->look_inside();
    operate_files(visited);
  });
}

void NodeGroup::say_farewell() {
  plan_.farewell = true;
  checker_->farewell();
  if (plants_.is("deaf_node")) world_.host(host_).set_paused(true);
  if (plants_.is("no_handles")) world_.faults().io_few_handles = 1;
}

bool NodeGroup::quiet() const {
  const size_t kept = plants_.is("kept_connection") ? 1 : 0;
  return node_ != nullptr && node_->clients().sessions().count() <= kept;
}

void NodeGroup::compare_end() {
  if (!running()) return checker_->violate("process", "the node runs", "it does not");
  checker_->check_history();
  visit([this](Node& visited) {
    plants_.strike_late(visited, *checker_);
    checker_->finish_snapshots();
    checker_->look_after_quiet();
    checker_->look_inside();
    checker_->compare_state();
    checker_->compare_replay();
    Session& session = visited.clients().make_local();
    visited.dispatcher().execute(session, std::vector<std::string_view>{"FLUSHALL", "SYNC"});
    visited.clients().drop_local(session);
  });
}

void NodeGroup::check_leaks() {
  SimBackend& door = world_.host(host_).backend();
  const auto none = [&](std::string_view what, size_t seen, size_t expected) {
    if (seen == expected) return;
    checker_->violate("leaks", std::to_string(expected) + " " + std::string(what),
                      std::to_string(seen));
  };
  none("connections", node_->clients().sessions().count(), 0);
  none("lent chunks", door.lent_count(), 0);
  auto& persistence = static_cast<Persistence&>(*node_->parts().find(Persistence::kKind));
  none("open handles", door.open_count(), 1 + persistence.open_files());
  none("operations in flight", door.in_flight_count(), 1);
  // An operator's settings have a size of their own, and so has what waits to be written to a log.
  if (draw_.numbers.topology_operators == 0 && persistence.aof().state() == Aof::State::off) {
    none("bytes of memory", node_->used_memory(), base_memory_);
  }
}

}  // namespace redoubt::sim
