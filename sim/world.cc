#include "sim/world.h"

namespace redoubt::sim {

World::World(uint64_t seed, const WorldOptions& options)
    : core_(seed, options), network_(core_), nemesis_(*this, core_) {
  ASSERT(options.kernel_ns > 0 && options.turn_ns > 0);
  ASSERT(0 < options.link_min_ns && options.link_min_ns <= options.link_max_ns);
}

World::~World() {
  for (const auto& host : core_.hosts) host->end_world();
}

HostId World::add_host(HostOptions options, ProcessFactory factory) {
  const auto id = static_cast<HostId>(core_.hosts.size());
  if (options.name.empty()) options.name = "host" + std::to_string(id);
  core_.hosts.push_back(
      std::make_unique<Host>(core_, network_, id, std::move(options), std::move(factory)));
  if (core_.liveness) core_.well.push_back(!host(id).faultable());
  if (core_.recorder != nullptr) core_.recorder->add_host(id, host(id).name());
  host(id).draw_clock();
  return id;
}

void World::boot(HostId id) {
  Host& starting = host(id);
  if (starting.running()) return;
  starting.boot(observer_);
  end_if_asked(starting);
}

void World::crash(HostId id, StopKind kind) {
  host(id).end_life(kind, observer_);
}

void World::visit(HostId id, void (*body)(Host&, void*), void* context) {
  host(id).visit(body, context);
  end_if_asked(host(id));
}

void World::end_if_asked(Host& host) {
  if (host.end_requested()) host.end_life(StopKind::exit, observer_);
}

void World::run_until(Instant end) {
  halted_ = false;
  while (!halted_ && step(end)) {
  }
  if (!halted_ && core_.now < end && end != Instant::never()) core_.now = end;
}

bool World::step(Instant end) {
  // What is due at this instant runs when all events of the instant have happened, so that one
  // turn gets all of them.
  const bool more_now = !core_.events.empty() && core_.events.top().at <= core_.now;
  if (!more_now && next_due_ < core_.due.size()) {
    Host& due = core_.host(core_.due[next_due_++]);
    if (next_due_ == core_.due.size()) {
      core_.due.clear();
      next_due_ = 0;
    }
    ++core_.event_count;
    due.take_turn();
    end_if_asked(due);
    return true;
  }
  if (core_.events.empty() || core_.events.top().at > end) return false;
  const Event event = core_.events.pop();
  ASSERT(event.at >= core_.now);
  core_.now = event.at;
  ++core_.event_count;
  handle(event);
  return true;
}

void World::handle(const Event& event) {
  switch (event.kind) {
    case EventKind::wake: return host(event.index).on_wake(event.generation);
    case EventKind::turn: return host(event.index).on_turn_event();
    case EventKind::op_done:
      return host(event.extra).backend().make_ready(event.index, event.generation);
    case EventKind::op_step: {
      SimBackend& backend = host(event.extra).backend();
      if (backend.op(event.index, event.generation) != nullptr) backend.step(event.index);
      return;
    }
    case EventKind::fault:
      // One of which nothing comes is no event: a schedule does not hold it.
      if (!nemesis_.on_event(event)) --core_.event_count;
      return;
    case EventKind::boot: return boot(event.index);
    default: return network_.on_event(event);
  }
}

std::string World::digest_text() const {
  Digest digest = core_.digest;
  uint64_t draws = core_.network_random.draws();
  for (const auto& host : core_.hosts) draws += host->draws();
  digest.add(core_.event_count, draws);
  return digest.text();
}

}  // namespace redoubt::sim
