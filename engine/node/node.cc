#include "engine/node/node.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/node/log_format.h"
#include "engine/node/node_info.h"
#include "engine/node/node_state.h"

namespace redoubt {

namespace {

// How long a stop waits for replies to leave.
constexpr Duration kStopPatience = Duration::seconds(2);

std::string random_id(Env& env) {
  std::string id;
  for (int i = 0; i < 3; ++i) id += fmt::format("{:016x}", env.entropy());
  id.resize(40);
  return id;
}

}  // namespace

Node::Node(Env& env, std::unique_ptr<Config> config,
           std::span<const std::span<const Command>> families)
    : env_(env),
      config_(std::move(config)),
      commands_(families),
      effects_(env),
      random_(env.entropy()),
      keyspace_({.env = env,
                 .settings = config_->settings(),
                 .stats = stats_,
                 .latency = instrumentation_.latency,
                 .effects = effects_,
                 .gate = gate_,
                 .random = random_}),
      run_id_(random_id(env)),
      started_(env.now()),
      started_wall_(env.wall()),
      pid_(env.backend().process_facts().pid),
      expiry_(env, *this, config_->settings(), stats_),
      eviction_(env, *this, keyspace_.clock(), random_, config_->settings()),
      clients_(env, config_->settings(), stats_, *this),
      last_cron_(env.now()) {
  std::string error;
  const bool renamed = commands_.rename(config_->renamed_commands(), &error);
  ASSERT(renamed);  // who starts a node from a configuration file has looked
  keyspace_.events().publish_to(clients_.pubsub());

  cron_timer_.owner = this;
  cron_timer_.on_fire = [](Timer& timer) { static_cast<Node*>(timer.owner)->cron(); };
  pause_timer_.owner = this;
  pause_timer_.on_fire = [](Timer& timer) { static_cast<Node*>(timer.owner)->unpause(); };
  stop_timer_.owner = this;
  stop_timer_.on_fire = [](Timer& timer) {
    static_cast<Node*>(timer.owner)->env_.backend().request_exit(0);
  };
  batch_hook_.owner = this;
  batch_hook_.run = [](TurnHook& hook) { static_cast<Node*>(hook.owner)->run_batch(); };

  settings_changed();
  info_ = std::make_unique<NodeInfo>(*this);
  env_.arm_in(cron_timer_, Duration::milliseconds(1000 / settings().hz));
}

Node::~Node() {
  for (Timer* timer : {&cron_timer_, &pause_timer_, &stop_timer_}) env_.disarm(*timer);
  env_.withdraw(batch_hook_);
  for (Session* session = clients_.first(); session != nullptr; session = session->next) {
    forget_wait(*session);
    forget_transaction(*session);
  }
}

void Node::settings_changed() {
  clients_.settings_changed();
  keyspace_.settings_changed();
  eviction_.settings_changed();
  update_special();
  update_instrumentation();
}

void Node::cron() {
  const Instant now = env_.now();
  const int64_t elapsed = (now - last_cron_).ns;
  last_cron_ = now;
  stats_.commands_rate.sample(stats_.commands_processed, elapsed);
  stats_.input_rate.sample(stats_.net_input_bytes, elapsed);
  stats_.output_rate.sample(stats_.net_output_bytes, elapsed);
  info_->sample_loop(elapsed);
  keyspace_.cron();
  clients_.cron();
  stats_.peak_memory = std::max<uint64_t>(stats_.peak_memory, used_memory());
  eviction_.cron();
  expiry_.step();
  keyspace_.reclaim().cron();
  env_.arm_in(cron_timer_, Duration::milliseconds(1000 / settings().hz));
}

void Node::stop(std::string_view reason) {
  if (stopping_) return;
  stopping_ = true;
  log(LogLevel::warning, reason);
  env_.backend().report(ServiceState::stopping, reason);
  clients_.listeners().close_all();
  unpause();
  for (Session* session = clients_.first(); session != nullptr; session = session->next) {
    clients_.close(*session, true);
  }
  env_.arm_in(stop_timer_, kStopPatience);
  end_when_quiet();
}

// The process ends when the last reply has left.
void Node::end_when_quiet() {
  if (!stopping_ || !stop_timer_.armed()) return;
  if (clients_.any_connected()) return;
  env_.disarm(stop_timer_);
  log(LogLevel::notice, "Bye.");
  env_.backend().request_exit(0);
}

void Node::log(LogLevel level, std::string_view message) {
  if (level < settings().loglevel || level == LogLevel::nothing) return;
  const std::string line =
      format_log_line({settings().log_format, env_.wall(), pid_, 'M', level}, message);
  env_.backend().log(static_cast<Level>(level), line);
}

void Node::count_error(std::string_view text) {
  constexpr size_t kCodesMax = 128;
  ++stats_.error_replies;
  const std::string_view code = text.substr(0, text.find(' '));
  const auto found = stats_.errors.find(code);
  if (found != stats_.errors.end()) {
    ++found->second;
  } else if (stats_.errors.size() < kCodesMax) {
    stats_.errors.emplace(code, 1);
  } else {
    // Scripts can make up codes without end.
    ++stats_.errors["ERRORSTATS_OVERFLOW"];
  }
}

}  // namespace redoubt
