#include "sim/scenario/draw.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "sim/scenario/limits.h"

namespace redoubt::sim {

namespace {

// A stream of random numbers of its own for each name.
Random stream(const RunOptions& options, std::string_view kind, std::string_view name) {
  return {options.seed, std::string(kind) + " " + std::string(name)};
}

// Where a planted bug needs an occasion that most seeds do not give.
void suit(ScenarioNumbers& numbers, const Plants& plants) {
  if (plants.is_about_messages()) {
    numbers.topology_subscribers = 3;
    numbers.workload_connection_ppm += 50'000;
  }
  if (plants.is_about_transactions()) numbers.workload_transaction_ppm = 40'000;
  if (plants.is_about_waiting()) {
    numbers.topology_clients = 12;
    numbers.workload_queue_ppm = 400'000;
    numbers.workload_pipeline = 16;
    numbers.workload_queue_wait_ms = 100;
  }
  if (plants.is("stray_eviction")) numbers.memory_spare_bytes = 0;
  if (plants.is_about_files()) numbers.topology_operators = 1;
  if (plants.is("deaf_to_policy")) numbers.workload_upkeep_percent = 90;
  // Others would see a bug that is for another checker first.
  if (plants.any() && !plants.is_about_keys()) {
    numbers.topology_listeners = 0;
    numbers.workload_tracking_ppm = 0;
  }
  if (plants.is_about_keys()) {
    numbers.topology_listeners = 1;
    numbers.workload_tracking_ppm = 20'000;
    numbers.workload_connection_ppm += 200'000;
  }
  if (plants.is("blind_scan")) numbers.workload_walk_ppm = 500'000;
}

void draw_numbers(const ScenarioSpec& spec, const RunOptions& options, const Plants& plants,
                  RunDraw& draw) {
  for (size_t i = 0; i < kNumberCount; ++i) {
    const NumberRow& row = number_rows()[i];
    Random random = stream(options, row.table, row.name);
    draw.numbers.*row.field = spec.numbers[i].draw(random);
  }
  if (options.commands > 0) {
    draw.numbers.workload_commands = static_cast<int64_t>(options.commands);
  }
  if (!spec.script) suit(draw.numbers, plants);
  for (size_t i = 0; i < kNumberCount; ++i) {
    const NumberRow& row = number_rows()[i];
    const int64_t number = draw.numbers.*row.field;
    draw.fixed.numbers[i] = Choice(number);
    if (spec.numbers[i].fixed()) continue;
    draw.text +=
        (draw.text.empty() ? "" : " ") + std::string(row.name) + "=" + std::to_string(number);
  }
}

// What the scenario says of the configuration, and the limits of which it says nothing: a scenario
// that says whatever happens, a script, has them all.
std::vector<std::pair<std::string, Choice>> config_choices(const ScenarioSpec& spec) {
  std::vector<std::pair<std::string, Choice>> all = spec.config;
  if (spec.script) return all;
  for (const LimitRow& row : limit_rows()) {
    const bool said = std::any_of(all.begin(), all.end(),
                                  [&](const auto& one) { return one.first == row.directive; });
    if (!said) all.emplace_back(row.directive, Choice::of(row.choice));
  }
  return all;
}

void draw_config(const ScenarioSpec& spec, const RunOptions& options, const Plants& plants,
                 RunDraw& draw) {
  draw.fixed.config.clear();
  std::vector<std::pair<std::string, Choice>> choices = config_choices(spec);
  if (draw.numbers.topology_listeners > 0) {
    std::erase_if(choices, [](const auto& one) { return one.first == "notify-keyspace-events"; });
    choices.emplace_back("notify-keyspace-events", Choice::of("KEA"));
  }
  for (const auto& [name, choice] : choices) {
    Random random = stream(options, "config", name);
    std::string value = choice.draw_text(random);
    if (name == "transaction-on-error") {
      if (plants.is("torn_rollback")) value = "rollback";
      draw.rollback = value == "rollback";
    }
    const auto number = [&](int64_t& to) {
      std::from_chars(value.data(), value.data() + value.size(), to);
    };
    if (name == "stream-node-max-entries") number(draw.stream_node_entries_max);
    if (name == "hll-sparse-max-bytes") number(draw.hll_sparse_bytes_max);
    if (name == "appendonly") draw.keeps_log = value == "yes";
    if (name == "maxmemory-policy") draw.lfu = value.ends_with("-lfu");
    draw.arguments.push_back("--" + name);
    draw.arguments.push_back(value);
    draw.fixed.config.emplace_back(name, Choice::of(value));
    if (!choice.fixed()) draw.text += " " + name + "=" + value;
  }
  if (draw.numbers.topology_password == 0) return;
  draw.password = "a secret";
  draw.arguments.emplace_back("--requirepass");
  draw.arguments.push_back(draw.password);
}

void draw_all_faults(const ScenarioSpec& spec, const RunOptions& options, const Plants& plants,
                     RunDraw& draw) {
  if (!plants.calm()) {
    std::vector<Fault> eligible;
    eligible.reserve(spec.swarm.size());
    for (const FaultRow* row : spec.swarm) {
      eligible.push_back(static_cast<Fault>(row - fault_rows().data()));
    }
    if (!eligible.empty()) {
      Random random(options.seed, "swarm");
      draw.faults = draw_faults(random, eligible);
    }
    for (const FaultChoice& fault : spec.faults) {
      Random random = stream(options, "fault", fault.row->name);
      draw.faults.*fault.row->field = fault.choice.draw(random);
    }
  }
  for (const std::string& fault : options.faults) {
    const std::string error = set_fault(draw.faults, fault);
    ASSERT(error.empty());  // the caller has looked
  }
  draw.fixed.swarm.clear();
  draw.fixed.faults.clear();
  for (const FaultRow& row : fault_rows()) {
    const int64_t value = draw.faults.*row.field;
    if (value != row.initial) draw.fixed.faults.push_back({&row, Choice(value)});
  }
}

}  // namespace

RunDraw draw_run(const ScenarioSpec& spec, const RunOptions& options, const Plants& plants) {
  RunDraw draw;
  draw.fixed = spec;
  draw.fixed.seed = options.seed;
  draw.fixed.plant = options.plant;
  draw_numbers(spec, options, plants, draw);
  draw_config(spec, options, plants, draw);
  draw_all_faults(spec, options, plants, draw);
  draw.unlucky = spec.unlucky ? *spec.unlucky : draw_unlucky(options.seed);
  draw.fixed.unlucky = draw.unlucky;
  return draw;
}

WorldOptions world_of_run(const ScenarioSpec& spec, const RunOptions& options,
                          const FaultOptions& faults) {
  WorldOptions world;
  world.faults = faults;
  world.trace = options.trace;
  world.sink = options.sink;
  world.recorder = options.recorder;
  world.schedule = spec.strikes;
  world.windows = spec.windows;
  return world;
}

RunResult told_by_world(const World& world, const RunDraw& draw, const PlacesOfRun& places) {
  RunResult result;
  result.digest = world.digest_text();
  result.events = world.event_count();
  result.simulated = world.now() - Instant();
  result.faults = draw.faults;
  result.fired = world.fired();
  result.marks = places.marks();
  result.unlucky = draw.unlucky;
  result.drawn = draw.text;
  result.fixed = draw.fixed;
  return result;
}

LoadPlan load_plan(const RunDraw& draw, const ScenarioSpec& spec, const Plants& plants) {
  const ScenarioNumbers& numbers = draw.numbers;
  LoadPlan plan;
  plan.clients = static_cast<uint32_t>(numbers.topology_clients);
  plan.pipeline_max = numbers.workload_pipeline;
  plan.commands_max = static_cast<uint64_t>(numbers.workload_commands);
  // So that all of them are sent in this time.
  const auto bits = static_cast<int64_t>(std::bit_width(static_cast<uint64_t>(plan.pipeline_max)));
  const int64_t pipeline_mean = 1 + plan.pipeline_max * 3 / (4 * bits);
  plan.think_us = numbers.workload_seconds * 1'000'000 * numbers.topology_clients * pipeline_mean /
                  std::max<int64_t>(numbers.workload_commands, 1);
  plan.hang_up_ppm = numbers.workload_hang_up_ppm;
  plan.connection_ppm = numbers.workload_connection_ppm;
  plan.table_ppm = numbers.workload_table_ppm;
  plan.unknown_ppm = numbers.workload_unknown_ppm;
  plan.tracking_ppm = numbers.workload_tracking_ppm;
  plan.walk_ppm = numbers.workload_walk_ppm;
  plan.settings_ppm = numbers.workload_settings_ppm;
  plan.pause_ppm = numbers.workload_pause_ppm;
  plan.quiet_ppm = numbers.workload_quiet_ppm;
  plan.evicts = numbers.memory_spare_bytes > 0;
  plan.inline_ppm = numbers.workload_inline_ppm;
  plan.password = draw.password;
  plan.slow_readers_percent = numbers.workload_slow_readers_percent;
  plan.registers_ppm = numbers.workload_registers_ppm;
  plan.registers = static_cast<uint64_t>(numbers.workload_registers);
  plan.read_pause_us = numbers.workload_read_pause_us;
  plan.upkeep_percent = numbers.workload_upkeep_percent;
  const bool may_keep_log =
      draw.keeps_log || (numbers.topology_operators > 0 && plan.upkeep_percent > 0);
  plan.mutes = numbers.memory_spare_bytes == 0 && !may_keep_log;
  plan.bursts.transaction_ppm = numbers.workload_transaction_ppm;
  plan.bursts.queue_ppm = numbers.workload_queue_ppm;
  plan.bursts.wait_ms_max = numbers.workload_queue_wait_ms;
  if (plants.is_about_waiting()) plan.bursts.wait_ms_min = plan.bursts.wait_ms_max;
  GeneratorConfig& generator = plan.generator;
  generator.growth_per_mille = static_cast<unsigned>(numbers.workload_growth_per_mille);
  generator.ladder_per_mille = static_cast<unsigned>(numbers.workload_ladder_per_mille);
  generator.waiting = true;
  generator.wait_ms_max = static_cast<unsigned>(numbers.workload_wait_ms);
  generator.keys = static_cast<size_t>(numbers.workload_keys);
  generator.zipf = numbers.workload_zipf == 1;
  generator.ttl_ms_max = numbers.workload_ttl_ms;
  generator.value_bytes_max = static_cast<size_t>(numbers.workload_value_bytes);
  generator.deadline_per_mille = static_cast<unsigned>(numbers.workload_deadline_per_mille);
  if (!spec.families.empty()) {
    for (unsigned& weight : generator.weights) weight = 0;
    for (const auto& [name, weight] : spec.families) {
      const auto known = family_names();
      const auto at = std::find(known.begin(), known.end(), name) - known.begin();
      generator.weights[at] = static_cast<unsigned>(weight);
    }
  }
  plan.lose_command = plants.is("lost_command");
  plan.drop_reply = plants.is("dropped_reply");
  plan.swap_replies = plants.is("swapped_replies");
  plan.drop_message = plants.is("lost_message");
  plan.swap_messages = plants.is("swapped_messages");
  plan.keep_connection = plants.is("kept_connection");
  return plan;
}

}  // namespace redoubt::sim
