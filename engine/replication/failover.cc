#include "engine/replication/failover.h"

#include <fmt/format.h>

#include "engine/dispatch/dispatcher.h"
#include "engine/effects/effect_log.h"
#include "engine/insight/logger.h"
#include "engine/replication/replication.h"
#include "net/env.h"
#include "net/places.h"

namespace redoubt {

std::string_view Failover::state_name() const {
  switch (state_) {
    case State::none: return "no-failover";
    case State::waiting_for_sync: return "waiting-for-sync";
    case State::in_progress: return "failover-in-progress";
  }
  UNREACHABLE();
}

void Failover::begin(const Request& request) {
  ASSERT(state_ == State::none);
  request_ = request;
  state_ = State::waiting_for_sync;
  deadline_ = request.timeout ? services_.env.now() + *request.timeout : Instant::never();
  services_.logger.log(LogLevel::notice, "FAILOVER requested");
  services_.dispatcher.pause().begin(PauseMode::write, Instant::never());
  replication_.replicas().set_silent(true);
  replication_.replicas().ask_for_acks();
}

void Failover::step() {
  if (state_ != State::waiting_for_sync) return;
  const bool impatient = kSimulation && replication_.settings().plants->failover_impatient;
  const uint64_t end = impatient ? 0 : services_.effects.end_offset();
  Replicas& replicas = replication_.replicas();
  if (!request_.host.empty()) {
    const ReplicaLink* target = replicas.find(request_.host, request_.port);
    if (target != nullptr && target->acked() >= end) {
      return hand_over(request_.host, request_.port);
    }
  } else {
    for (const auto& link : replicas.all()) {
      const bool online = !link->closed() && link->state() == ReplicaLink::State::online;
      // A tool that reads the stream listens nowhere.
      if (online && link->port() != 0 && link->acked() >= end)
        return hand_over(link->host(), link->port());
    }
  }
  if (services_.env.now() < deadline_) return;
  if (request_.force) {
    services_.logger.log(LogLevel::notice,
                         "FAILOVER: the replica has not everything; it takes over all the same");
    return hand_over(request_.host, request_.port);
  }
  abort("the replica did not get everything in time");
}

void Failover::hand_over(std::string host, uint16_t port) {
  state_ = State::in_progress;
  services_.logger.log(LogLevel::notice,
                       fmt::format("FAILOVER: {}:{} is to take over", host, port));
  replication_.follow(std::move(host), port, true);
}

void Failover::on_answer(bool accepted, std::string_view answer) {
  if (state_ != State::in_progress) return;
  if (accepted) {
    services_.logger.log(LogLevel::notice, "FAILOVER: the roles have changed");
    return end();
  }
  abort(fmt::format("the replica refuses: {}", answer));
}

void Failover::abort(std::string_view why) {
  if (state_ == State::none) return;
  services_.logger.log(LogLevel::notice, fmt::format("FAILOVER is given up: {}", why));
  const bool handed_over = state_ == State::in_progress;
  end();
  if (handed_over) replication_.promote();
}

void Failover::end() {
  state_ = State::none;
  replication_.replicas().set_silent(false);
  services_.dispatcher.pause().end();
}

}  // namespace redoubt
