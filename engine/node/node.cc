#include "engine/node/node.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "engine/node/node_info.h"

namespace redoubt {

namespace {

// How long a stop waits for jobs, and for replies to leave.
constexpr Duration kStopPatience = Duration::seconds(2);

std::string random_id(Env& env) {
  std::string id;
  for (int i = 0; i < 3; ++i) id += fmt::format("{:016x}", env.entropy());
  id.resize(40);
  return id;
}

std::vector<std::span<const Command>> all_commands(const NodeMake& make) {
  std::vector<std::span<const Command>> all(make.families.begin(), make.families.end());
  for (const PartKind* part : make.parts) all.push_back(part->commands);
  return all;
}

}  // namespace

Node::Node(Env& env, std::unique_ptr<Config> config, const NodeMake& make)
    : env_(env),
      config_(std::move(config)),
      commands_(all_commands(make)),
      logger_(env, config_->settings()),
      instrumentation_(env, config_->settings()),
      effects_(env),
      random_(env.entropy()),
      keyspace_({.env = env,
                 .settings = config_->settings(),
                 .stats = stats_,
                 .latency = instrumentation_.latency(),
                 .effects = effects_,
                 .gate = gate_,
                 .random = random_}),
      services_{.env = env,
                .config = *config_,
                .settings = config_->settings(),
                .commands = commands_,
                .stats = stats_,
                .instrumentation = instrumentation_,
                .logger = logger_,
                .effects = effects_,
                .gate = gate_,
                .random = random_,
                .keys = keyspace_,
                .eviction = eviction_,
                .clients = clients_,
                .dispatcher = dispatcher_,
                .parts = parts_,
                .node = *this},
      upkeep_(services_, parts_),
      eviction_(env, upkeep_.remover(), keyspace_.clock(), random_, config_->settings()),
      dispatcher_(services_),
      clients_(env, config_->settings(), stats_, logger_, dispatcher_.sink()),
      run_id_(random_id(env)),
      started_(env.now()),
      started_wall_(env.wall()),
      last_cron_(env.now()) {
  std::string error;
  const bool renamed = commands_.rename(config_->renamed_commands(), &error);
  ASSERT(renamed);  // who starts a node from a configuration file has looked
  keyspace_.feed().events().publish_to(clients_.pubsub());

  cron_timer_.owner = this;
  cron_timer_.on_fire = [](Timer& timer) { static_cast<Node*>(timer.owner)->cron(); };
  stop_timer_.owner = this;
  stop_timer_.on_fire = [](Timer& timer) {
    static_cast<Node*>(timer.owner)->env_.backend().request_exit(0);
  };
  quiet_hook_.owner = this;
  quiet_hook_.run = [](TurnHook& hook) { static_cast<Node*>(hook.owner)->end_when_quiet(); };

  parts_.make(make.parts, *this);
  upkeep_.measure_startup();
  settings_changed();
  info_ = std::make_unique<NodeInfo>(*this);
  env_.arm_in(cron_timer_, Duration::milliseconds(1000 / settings().hz));
}

Node::~Node() {
  env_.disarm(cron_timer_);
  env_.disarm(stop_timer_);
  env_.withdraw(quiet_hook_);
  for (Session* session = clients_.sessions().first(); session != nullptr;
       session = session->next) {
    dispatcher_.blocked().forget(*session);
    dispatcher_.transactions().forget(*session);
  }
  parts_.end();
}

void Node::settings_changed() {
  clients_.limits().settings_changed();
  keyspace_.settings_changed();
  eviction_.settings_changed();
  instrumentation_.settings_changed();
  parts_.settings_changed();
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
  upkeep_.cron();
  parts_.cron();
  env_.arm_in(cron_timer_, Duration::milliseconds(1000 / settings().hz));
}

// --- start

bool Node::listen(std::string* why) {
  if (!clients_.acceptor().listen(why)) return false;
  if (!clients_.acceptor().listens()) {
    *why = "nothing to listen on: give a port, or a unixsocket";
    return false;
  }
  static constexpr std::string_view kDirectives[] = {"port", "bind"};
  config_->add_listener({kDirectives,
                         [](void* owner, std::string* reason) {
                           return static_cast<Node*>(owner)->listen_elsewhere(reason);
                         },
                         this});
  return true;
}

// After CONFIG SET.
bool Node::listen_elsewhere(std::string* reason) {
  std::string why;
  if (clients_.acceptor().listen(&why)) return true;
  log(LogLevel::warning, why);
  *reason = settings().port == tcp_port() ? "Failed to bind to specified addresses."
                                          : "Unable to listen on this port. Check server logs.";
  return false;
}

void Node::start(void (*on_started)(void* owner, Error error), void* owner) {
  ASSERT(!starting_.started());
  on_started_ = on_started;
  started_owner_ = owner;
  dispatcher_.admission().set(Alert::loading, true);
  keyspace_.removal().set_loading(true);
  starting_ = parts_.start();
  starting_.start([](void* node) { static_cast<Node*>(node)->on_parts_started(); }, this);
}

void Node::on_parts_started() {
  if (starting_.result() == Error::none) {
    dispatcher_.admission().set(Alert::loading, false);
    keyspace_.removal().set_loading(false);
  }
  on_started_(started_owner_, starting_.result());
}

// --- stop

void Node::stop(StopRequest request, std::function<void()> on_failure) {
  if (stopping_) return;
  stopping_ = true;
  stop_request_ = std::move(request);
  on_stop_failure_ = std::move(on_failure);
  log(LogLevel::warning, stop_request_.reason);
  env_.backend().report(ServiceState::stopping, stop_request_.reason);
  clients_.acceptor().stop_listening();
  ending_ = parts_.before_stop(stop_request_);
  ending_.start([](void* node) { static_cast<Node*>(node)->on_parts_stopped(); }, this);
}

bool Node::abort_stop() {
  if (!stopping_ || letting_go_) return false;
  parts_.abort_stop();
  return true;
}

void Node::on_parts_stopped() {
  if (ending_.result() == Error::none || stop_request_.force) return let_clients_go();
  log(LogLevel::warning,
      "Errors trying to shut down the server. Check the logs for more information.");
  go_on();
}

// The stop is given up.
void Node::go_on() {
  ending_ = {};
  stopping_ = false;
  std::string why;
  if (!clients_.acceptor().listen(&why)) log(LogLevel::warning, why);
  dispatcher_.pause().end();
  env_.backend().report(ServiceState::ready, "Ready to accept connections");
  if (on_stop_failure_) std::exchange(on_stop_failure_, {})();
}

// Requests that wait for the end of a pause are not executed any more: they might not be kept.
void Node::let_clients_go() {
  letting_go_ = true;
  for (Session* session = clients_.sessions().first(); session != nullptr;
       session = session->next) {
    const bool waits = session->has(kSessionPaused) || session->deferred != nullptr;
    clients_.close(*session, !waits);
  }
  env_.arm_in(stop_timer_, kStopPatience);
  dispatcher_.set_freed_hook(&quiet_hook_);
  jobs_.set_idle_listener([this] { env_.request(quiet_hook_); });
  end_when_quiet();
}

// The process ends when the last reply has left.
void Node::end_when_quiet() {
  if (!stop_timer_.armed() || clients_.sessions().any_connected() || !jobs_.idle()) return;
  env_.disarm(stop_timer_);
  log(LogLevel::notice, "Bye.");
  env_.backend().request_exit(0);
}

}  // namespace redoubt
