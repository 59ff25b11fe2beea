#include "tests/commands/checked_node.h"

#include <algorithm>
#include <ostream>

#include "server/assembly/assemble.h"
#include "sim/model/resp_value.h"

namespace redoubt {
namespace {

sim::ModelConfig model_config(const Settings& settings) {
  sim::ModelConfig config;
  config.databases = settings.databases;
  config.lfu = settings.maxmemory_policy == EvictionPolicy::allkeys_lfu ||
               settings.maxmemory_policy == EvictionPolicy::volatile_lfu;
  config.expiry_is_reported = true;
  config.stream_node_entries_max = settings.stream_node_max_entries;
  config.stream_idmp_duration_s = settings.stream_idmp_duration_s;
  config.stream_idmp_maxsize = settings.stream_idmp_maxsize;
  return config;
}

// A comparison walks over all data.
constexpr uint64_t kStepsBetweenReplays = 512;

std::unique_ptr<Config> config_with(const std::vector<std::string_view>& settings) {
  auto config = make_config();
  std::string error;
  // There are no files to save to.
  std::vector<std::string_view> all = {"save", ""};
  all.insert(all.end(), settings.begin(), settings.end());
  const bool right = config->set(all, &error);
  ASSERT(right);
  return config;
}

}  // namespace

std::string describe_step(const TestStep& step) {
  std::string out;
  if (step.advance_ms != 0) {
    out += "(" + std::to_string(step.advance_ms) + " ms later) ";
  }
  if (step.jump_ms != 0) {
    out += "(wall clock jumps " + std::to_string(step.jump_ms) + " ms) ";
  }
  for (const std::string& argument : step.command) {
    out += sim::quote_bytes(argument) + " ";
  }
  return out;
}

void showValue(const TestStep& step, std::ostream& out) {
  out << describe_step(step) << "\n";
}

CheckedNode::CheckedNode(std::vector<std::string_view> settings, uint64_t seed)
    : world_(seed), model_(model_config(config_with(settings)->settings())) {
  world_.turn();
  node_ = make_node(world_.env, config_with(settings));
  node_->dispatcher().set_observer(this);
  replay_ = std::make_unique<sim::ReplayChecker>(*node_);
  session_ = &node_->clients().make_local();
}

CheckedNode::~CheckedNode() {
  world_.turn();  // jobs in flight come home
  replay_.reset();
  node_->clients().drop_local(*session_);
}

void CheckedNode::on_evicted(int db, std::string_view key) {
  evicted_++;
  if (!model_.database(db).contains(key)) {
    wrong_removal_ = "evicted a key that is not there: " + sim::quote_bytes(key);
  }
  model_.forget(db, key);
}

void CheckedNode::on_expired(int db, std::string_view key) {
  if (model_.exists(db, key, wall_ms())) {
    wrong_removal_ = "expired a key whose time has not come: " + sim::quote_bytes(key);
  }
  model_.forget(db, key);
}

void CheckedNode::on_parts_expired(int db, std::string_view key,
                                   std::span<const std::string_view> names) {
  for (std::string_view name : names) {
    if (model_.part_exists(db, key, name, wall_ms())) {
      wrong_removal_ = "expired a part whose time has not come: " + sim::quote_bytes(name);
    }
    model_.forget_part(db, key, name);
  }
}

std::optional<std::string> CheckedNode::run(const TestStep& step) {
  world_.backend.advance(Duration::milliseconds(step.advance_ms));
  world_.backend.jump_wall(Duration::milliseconds(step.jump_ms));
  world_.turn();
  const std::vector<std::string_view> views(step.command.begin(), step.command.end());
  const std::string reply = execute(views);
  if (++steps_ % kStepsBetweenReplays == 0) {
    if (const std::optional<std::string> difference = replay_->compare()) {
      return describe_step(step) + "\n  " + *difference;
    }
  }
  if (!wrong_removal_.empty()) {
    return describe_step(step) + "\n  " + wrong_removal_;
  }
  if (reply.rfind("-OOM ", 0) == 0 && sim::Model::denied_when_out_of_memory(views)) {
    refused_++;
    return std::nullopt;
  }
  const sim::ModelReply expected = model_.apply(model_session_, views, wall_ms());
  if (expected.matches(reply)) {
    model_.learn(model_session_, views, reply, wall_ms());
    return std::nullopt;
  }
  return describe_step(step) + "\n  expected " + expected.expected_text() + "\n  got      " +
         sim::describe_reply(reply);
}

std::string CheckedNode::execute(std::span<const std::string_view> args) {
  return node_->dispatcher().execute(*session_, args);
}

std::string CheckedNode::call(std::initializer_list<std::string_view> arguments) {
  return node_->dispatcher().execute(*session_, std::span(arguments.begin(), arguments.size()));
}

// The whole value of another type, as one command shows it.
std::optional<std::string> CheckedNode::compare_other(int db, const std::string& key,
                                                      sim::ModelType type) {
  std::vector<std::string_view> show;
  switch (type) {
    case sim::ModelType::stream: show = {"XRANGE", key, "-", "+"}; break;
    case sim::ModelType::set: show = {"SMEMBERS", key}; break;
    case sim::ModelType::hash: show = {"HGETALL", key}; break;
    case sim::ModelType::list: show = {"LRANGE", key, "0", "-1"}; break;
    case sim::ModelType::zset: show = {"ZRANGE", key, "0", "-1", "WITHSCORES"}; break;
    default: show = {"TYPE", key};
  }
  for (const std::vector<std::string_view>& command :
       {show, std::vector<std::string_view>{"PEXPIRETIME", key}}) {
    sim::ModelSession session{db, 2};
    const sim::ModelReply expected = model_.apply(session, command, wall_ms());
    const std::string reply = node_->dispatcher().execute(*session_, command);
    if (!expected.matches(reply)) {
      return "database " + std::to_string(db) + ", key " + sim::quote_bytes(key) + ": expected " +
             expected.expected_text() + ", got " + sim::describe_reply(reply);
    }
  }
  return std::nullopt;
}

std::optional<std::string> CheckedNode::compare_key(int db, const std::string& key,
                                                    const sim::ModelEntry& entry) {
  if (entry.type != sim::ModelType::string) {
    return compare_other(db, key, entry.type);
  }
  const std::string value = call({"GET", key});
  const std::string deadline = call({"PEXPIRETIME", key});
  if (value == sim::resp_bulk(entry.text) && deadline == sim::resp_integer(entry.deadline_ms)) {
    return std::nullopt;
  }
  return "database " + std::to_string(db) + ", key " + sim::quote_bytes(key) + ": expected " +
         sim::quote_bytes(entry.text) + " until " + std::to_string(entry.deadline_ms) + ", got " +
         sim::describe_reply(value) + " until " + sim::describe_reply(deadline);
}

std::optional<std::string> CheckedNode::compare_data() {
  if (std::optional<std::string> difference = replay_->compare()) return difference;
  call({"HELLO", "2"});
  for (int db = 0; db < model_.config().databases; db++) {
    call({"SELECT", std::to_string(db)});
    // A copy: looking at an expired key makes the node report it, and the model forget it.
    const sim::Model::Database keys = model_.database(db);
    if (call({"DBSIZE"}) != sim::resp_integer(static_cast<int64_t>(keys.size()))) {
      return "database " + std::to_string(db) + ": expected " + std::to_string(keys.size()) +
             " keys, DBSIZE is " + sim::describe_reply(call({"DBSIZE"}));
    }
    for (const auto& [key, entry] : keys) {
      if (entry.expired_at(wall_ms())) {
        continue;
      }
      if (std::optional<std::string> difference = compare_key(db, key, entry)) {
        return difference;
      }
    }
  }
  return std::nullopt;
}

std::optional<std::string> play_steps(const std::vector<TestStep>& steps,
                                      const std::vector<std::string_view>& settings,
                                      size_t* played) {
  CheckedNode checked(settings);
  for (size_t i = 0; i < steps.size(); i++) {
    if (std::optional<std::string> difference = checked.run(steps[i])) {
      if (played != nullptr) *played = i + 1;
      return "step " + std::to_string(i) + ": " + *difference;
    }
  }
  if (played != nullptr) *played = steps.size();
  return checked.compare_data();
}

std::vector<TestStep> shrink_steps(std::vector<TestStep> steps,
                                   const std::vector<std::string_view>& settings) {
  constexpr int plays_max = 1500;
  size_t played = 0;
  if (!play_steps(steps, settings, &played)) return steps;
  steps.resize(played);
  int plays = 0;
  for (size_t chunk = std::max<size_t>(steps.size() / 2, 1); chunk > 0; chunk /= 2) {
    for (size_t at = 0; at < steps.size() && plays < plays_max; plays++) {
      std::vector<TestStep> fewer = steps;
      const size_t end = std::min(at + chunk, steps.size());
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(at),
                  fewer.begin() + static_cast<std::ptrdiff_t>(end));
      if (play_steps(fewer, settings, &played)) {
        fewer.resize(played);
        steps = std::move(fewer);
      } else {
        at += chunk;
      }
    }
  }
  return steps;
}

}  // namespace redoubt
