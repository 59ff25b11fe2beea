// Node: one server. It is made from one Env and holds everything that a server knows; there are no
// globals, so that a process can hold thirty of them.
//
// It is put together here and does little itself: the Dispatcher executes what Clients ask, on the
// Keyspace; Upkeep removes what is due; Parts (part.h) add what has a room of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/clients/clients.h"
#include "engine/command/command_table.h"
#include "engine/config/config.h"
#include "engine/dispatch/context.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/dispatch/part.h"
#include "engine/dispatch/services.h"
#include "engine/effects/effect_log.h"
#include "engine/effects/reply_gate.h"
#include "engine/insight/instrumentation.h"
#include "engine/insight/logger.h"
#include "engine/insight/stats.h"
#include "engine/keyspace/eviction.h"
#include "engine/keyspace/keyspace.h"
#include "engine/node/jobs.h"
#include "engine/node/upkeep.h"
#include "engine/store/random.h"
#include "net/env.h"

namespace redoubt {

class NodeInfo;

// What a node is made of besides its world and its configuration.
struct NodeMake {
  std::span<const std::span<const Command>> families;  // the commands that are no part's
  std::span<const PartKind* const> parts{};
};

class Node {
 public:
  // `config` holds the values to start with.
  Node(Env& env, std::unique_ptr<Config> config, const NodeMake& make);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  // Closes what is open. The world has forgotten, or will deliver to nobody, what was in flight.
  ~Node();

  // Opens the listeners that the configuration asks for, now and after CONFIG SET. Once. False: one
  // could not be opened, and `why` says which and the reason in one line.
  bool listen(std::string* why);
  // Starts the parts; clients are answered LOADING until all have started. Then `on_started` is
  // called, with the error of the part that has failed or Error::none; maybe within this call.
  void start(void (*on_started)(void* owner, Error error), void* owner);
  // The port that clients reach this node on, 0 for none (with port 0 in tests: the one it got).
  int tcp_port() const { return clients_.acceptor().listeners().tcp_port(); }
  // SIGTERM, SHUTDOWN: stops accepting, lets parts and jobs end and replies leave, and ends the
  // process with status 0. When a part could not do what has to be done, and the request does not
  // force it, the node goes on; then `on_failure`, which may be empty, is called.
  void stop(StopRequest request, std::function<void()> on_failure = {});
  // The stop that goes on is to be given up. False: there is none, or it is too late.
  bool abort_stop();
  bool stopping() const { return stopping_; }

  Env& env() { return env_; }
  const Services& services() { return services_; }
  Config& config() { return *config_; }
  const Settings& settings() const { return config_->settings(); }
  // Settings changed that are cached elsewhere.
  void settings_changed();
  CommandTable& commands() { return commands_; }
  Stats& stats() { return stats_; }
  Instrumentation& instrumentation() { return instrumentation_; }
  EffectLog& effects() { return effects_; }
  const EffectLog& effects() const { return effects_; }
  ReplyGate& gate() { return gate_; }
  Random& random() { return random_; }
  Keyspace& keyspace() { return keyspace_; }
  const Keyspace& keyspace() const { return keyspace_; }
  Clients& clients() { return clients_; }
  const Clients& clients() const { return clients_; }
  Dispatcher& dispatcher() { return dispatcher_; }
  const Dispatcher& dispatcher() const { return dispatcher_; }
  Upkeep& upkeep() { return upkeep_; }
  const Upkeep& upkeep() const { return upkeep_; }
  size_t used_memory() const { return upkeep_.used_memory(); }
  Jobs& jobs() { return jobs_; }
  Parts& parts() { return parts_; }
  const Parts& parts() const { return parts_; }
  void log(LogLevel level, std::string_view message) const { logger_.log(level, message); }

  // What INFO and MEMORY show.
  NodeInfo& info() { return *info_; }
  const std::string& run_id() const { return run_id_; }
  Instant started() const { return started_; }
  WallTime started_wall() const { return started_wall_; }

 private:
  bool listen_elsewhere(std::string* reason);
  void on_parts_started();
  void on_parts_stopped();
  void go_on();
  void let_clients_go();
  void end_when_quiet();
  void cron();

  Env& env_;
  std::unique_ptr<Config> config_;
  CommandTable commands_;
  Stats stats_;
  Logger logger_;
  Instrumentation instrumentation_;
  EffectLog effects_;
  ReplyGate gate_;
  Random random_;
  Keyspace keyspace_;
  Parts parts_;
  const Services services_;
  Upkeep upkeep_;
  Eviction eviction_;
  Dispatcher dispatcher_;
  Clients clients_;
  Jobs jobs_;

  std::string run_id_;
  const Instant started_;
  const WallTime started_wall_;
  Instant last_cron_;
  Timer cron_timer_;

  Task<Error> starting_;  // the parts
  void (*on_started_)(void* owner, Error error) = nullptr;
  void* started_owner_ = nullptr;
  bool stopping_ = false;
  bool letting_go_ = false;  // it cannot be given up any more
  StopRequest stop_request_;
  std::function<void()> on_stop_failure_;
  Task<Error> ending_;  // the parts
  Timer stop_timer_;    // armed while replies may still leave
  TurnHook quiet_hook_;
  std::unique_ptr<NodeInfo> info_;  // points to all of these
};

}  // namespace redoubt
