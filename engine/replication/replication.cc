#include "engine/replication/replication.h"

#include <fmt/format.h>

#include <utility>

#include "engine/clients/clients.h"
#include "engine/config/config.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/effects/effect_log.h"
#include "engine/effects/reply_gate.h"
#include "engine/insight/logger.h"
#include "engine/keyspace/keyspace.h"
#include "engine/node/node.h"
#include "engine/persist/persist.h"
#include "net/places.h"

namespace redoubt {

namespace {

Persistence& persistence_of(Node& node) {
  Part* part = node.parts().find(Persistence::kKind);
  ASSERT(part != nullptr);
  return static_cast<Persistence&>(*part);
}

}  // namespace

constinit const PartKind Replication::kKind = {.name = "replication",
                                               .commands = kReplicationCommands,
                                               .directives = kReplicationDirectives,
                                               .make = [](Node& node) -> std::unique_ptr<Part> {
                                                 return std::make_unique<Replication>(node);
                                               }};

Replication::Replication(Node& node)
    : node_(node),
      env_(node.env()),
      services_(node.services()),
      settings_(node.settings().part<ReplicationSettings>()),
      persistence_(persistence_of(node)),
      replicas_({.env = env_,
                 .services = services_,
                 .settings = settings_,
                 .persist = persistence_.settings(),
                 .functions = services_.keys.functions().all(),
                 .changed = [this] { on_replicas_changed(); }}),
      primary_({.env = env_,
                .services = services_,
                .settings = settings_,
                .persistence = persistence_,
                .owner = *this}),
      failover_(*this, services_),
      local_deadlines_(services_) {}

Replication::~Replication() {
  local_deadlines_.set_active(false);
}

void Replication::log(LogLevel level, std::string_view text) const {
  services_.logger.log(level, text);
}

// --- start and stop

Task<Error> Replication::start() {
  EffectLog& effects = services_.effects;
  const bool known = !effects.history().id.empty() && effects.follows_data();
  started_ = true;
  if (!settings_.primary_host.empty()) {
    primary_.set_has_history(known);
    become_replica();
    primary_.follow(settings_.primary_host, settings_.primary_port, false);
  } else if (known) {
    // What this history had further than the files is lost, so it goes on as another one. A replica
    // that is not ahead of it can follow.
    if (!(kSimulation && plants_.id_kept_at_restart)) effects.continue_history();
    replicas_.backlog().start();
  }
  update_admission();
  co_return Error::none;
}

// Replicas get what they lack before the process ends.
Task<Error> Replication::before_stop(const StopRequest& request) {
  stop_aborted_ = false;
  if (request.now || replicas_.online() == 0) co_return Error::none;
  services_.dispatcher.pause().begin(PauseMode::write, Instant::never());
  const Instant deadline = env_.now() + Duration::seconds(settings_.shutdown_timeout_s);
  const auto all_have_it = [this] {
    return replicas_.count_acked(services_.effects.end_offset()) >= replicas_.online();
  };
  replicas_.set_silent(true);
  replicas_.ask_for_acks();
  // The question itself is to arrive, too.
  co_await Sleep(env_, Duration::milliseconds(1));
  while (!all_have_it()) {
    if (stop_aborted_) {
      replicas_.set_silent(false);
      co_return Error::cancelled;
    }
    if (env_.now() >= deadline) {
      log(LogLevel::warning, "Replicas have not got everything within shutdown-timeout");
      break;
    }
    co_await Sleep(env_, Duration::milliseconds(10));
  }
  replicas_.set_silent(false);
  co_return Error::none;
}

void Replication::settings_changed() {
  settings_ = node_.settings().part<ReplicationSettings>();
  settings_.plants = &plants_;
  if (!started_) return;
  replicas_.backlog().set_size(settings_.backlog_bytes);
  update_admission();
}

void Replication::cron() {
  if (!started_) return;
  primary_.cron();
  replicas_.cron(!is_replica_);
  if (!services_.dispatcher.suspension().active()) {
    failover_.step();
    local_deadlines_.cron();
  }
  update_admission();
}

size_t Replication::memory_bytes() const {
  return replicas_.memory_bytes() + primary_.memory_bytes();
}

// --- roles

void Replication::become_replica() {
  is_replica_ = true;
  replicas_.drop_all();
  // The stream is the primary's from now on. What this node has of its own goes on there.
  services_.effects.set_foreign(true);
  if (services_.effects.follows_data()) replicas_.backlog().start();
  services_.dispatcher.blocked().unblock_all(
      "UNBLOCKED force unblock from blocking operation, instance state changed (master -> "
      "replica?)");
}

void Replication::follow(std::string host, uint16_t port, bool takes_over) {
  // What the same command or transaction has changed is still this role's.
  services_.effects.after_group(
      [this, host = std::move(host), port, takes_over] { go_follow(host, port, takes_over); });
}

void Replication::promote() {
  services_.effects.after_group([this] { go_lead(); });
}

void Replication::go_follow(const std::string& host, uint16_t port, bool takes_over) {
  if (!is_replica_) {
    const EffectLog& effects = services_.effects;
    primary_.set_has_history(effects.active() && effects.follows_data());
    // The first command of the new stream selects its database.
    services_.effects.set_foreign_db(0);
    become_replica();
  } else {
    replicas_.drop_all();
  }
  log(LogLevel::notice, fmt::format("REPLICAOF {}:{} enabled", host, port));
  settings_.primary_host = host;
  settings_.primary_port = port;
  note_primary_in_config();
  primary_.follow(host, port, takes_over);
  update_admission();
}

void Replication::go_lead() {
  if (!is_replica_) return;
  log(LogLevel::notice, "MASTER MODE enabled");
  primary_.stop();
  is_replica_ = false;
  settings_.primary_host.clear();
  note_primary_in_config();
  services_.effects.set_foreign(false);
  if (!(kSimulation && plants_.id_kept)) services_.effects.continue_history();
  // They learn of the new history, and go on.
  replicas_.drop_all();
  update_admission();
  keep_data_again();
}

void Replication::note_primary_in_config() {
  const std::string value =
      settings_.primary_host.empty()
          ? std::string()
          : fmt::format("{} {}", settings_.primary_host, settings_.primary_port);
  services_.config.note("replicaof", value);
}

void Replication::update_admission() {
  Admission& admission = services_.dispatcher.admission();
  const auto set = [&](Alert alert, bool on) {
    if (admission.is_set(alert) != on) admission.set(alert, on);
  };
  set(Alert::read_only, is_replica_ && settings_.read_only && !(kSimulation && plants_.writable));
  set(Alert::stale, is_replica_ && !settings_.serve_stale_data && !primary_.connected() &&
                        !(kSimulation && plants_.stale_served));
  set(Alert::few_replicas, !is_replica_ && settings_.replicas_to_write > 0 &&
                               settings_.replicas_lag_s > 0 &&
                               replicas_.good() < settings_.replicas_to_write);
  services_.logger.set_replica(is_replica_);
  services_.keys.removal().set_replica(is_replica_ && !(kSimulation && plants_.decides),
                                       !settings_.read_only);
  local_deadlines_.set_active(is_replica_ && !settings_.read_only);
}

void Replication::on_replicas_changed() {
  if (!started_) return;
  failover_.step();
  services_.dispatcher.blocked().retry_keyless();
  update_admission();
}

// --- from the link to the primary

void Replication::on_link_changed() {
  if (!started_) return;
  // Its own replicas have nothing to follow.
  update_admission();
  keep_data_again();
}

// A snapshot that was given up has switched the files off.
void Replication::keep_data_again() {
  if (is_replica_ || primary_.trying() || !persistence_.has_left_data()) return;
  persistence_.keep_data_again();
}

Task<Error> Replication::leave_history() {
  replicas_.drop_all();
  while (!replicas_.quiet()) co_await Sleep(env_, Duration::milliseconds(1));
  const Error left = co_await persistence_.leave_data();
  replicas_.backlog().stop();
  services_.effects.end_history();
  co_return left;
}

void Replication::enter_history(std::string_view id, uint64_t offset, int stream_db) {
  ASSERT(is_replica_);
  services_.effects.adopt_history({std::string(id), {}, History::kNoSecond}, offset);
  services_.gate.begin_stream(offset);
  // What clients have written before is nowhere in this history, so nobody can have it (WAIT).
  for (Session* s = services_.clients.sessions().first(); s != nullptr; s = s->next) {
    if (s->written_offset != 0) s->written_offset = UINT64_MAX;
  }
  services_.effects.set_foreign_db(stream_db);
  replicas_.backlog().start();
  if (NodeObserver* observer = services_.dispatcher.observer()) observer->on_stream_position();
}

void Replication::rename_history(std::string_view id) {
  log(LogLevel::warning, fmt::format("The primary has changed its replication id to {}", id));
  if (!(kSimulation && plants_.new_id_ignored)) services_.effects.continue_history(id);
  replicas_.drop_all();
}

void Replication::on_takeover(bool accepted, std::string_view answer) {
  failover_.on_answer(accepted, answer);
}

}  // namespace redoubt
