#include "sim/nemesis.h"

#include <algorithm>

#include "sim/world.h"

namespace redoubt::sim {

namespace {

constexpr Fault kTimed[] = {
    Fault::net_partition, Fault::net_one_way, Fault::net_clog,  Fault::net_half_open,
    Fault::kill,          Fault::power_loss,  Fault::restart,   Fault::pause,
    Fault::slow_cpu,      Fault::disk_stall,  Fault::disk_full, Fault::clock_jump,
};
constexpr uint8_t kBegin = 0;
constexpr uint8_t kEnd = 1;

}  // namespace

void Nemesis::start() {
  running_ = true;
  ++rhythm_;
  for (const Fault fault : kTimed) schedule(fault);
}

void Nemesis::schedule(Fault fault) {
  const int64_t every_ms = core_.faults.*fault_row(fault).field;
  if (every_ms <= 0) return;
  Event event;
  event.at = core_.now + Duration{1 + core_.fault_random.exponential(every_ms * 1'000'000)};
  event.kind = EventKind::fault;
  event.side = kBegin;
  event.index = static_cast<uint32_t>(fault);
  event.generation = rhythm_;
  core_.events.push(event);
}

void Nemesis::on_event(const Event& event) {
  if (event.side == kBegin) {
    if (!running_ || event.generation != rhythm_) return;
    const auto fault = static_cast<Fault>(event.index);
    begin(fault);
    return schedule(fault);
  }
  const auto found = std::find_if(windows_.begin(), windows_.end(), [&](const Window& window) {
    return window.number == event.generation;
  });
  if (found == windows_.end()) return;
  const Window window = *found;
  windows_.erase(found);
  end(window);
}

HostId Nemesis::choose(Fault fault) {
  std::vector<HostId> candidates;
  for (const auto& host : core_.hosts) {
    const bool busy = std::any_of(windows_.begin(), windows_.end(), [&](const Window& window) {
      return window.host == host->id() && window.fault == fault;
    });
    if (host->faultable() && host->running() && !host->paused() && !busy) {
      candidates.push_back(host->id());
    }
  }
  if (candidates.empty()) return kNoHost;
  return candidates[core_.fault_random.below(candidates.size())];
}

void Nemesis::begin(Fault fault) {
  const HostId host = choose(fault);
  if (host == kNoHost) return;
  if (strike(fault, host)) core_.count(fault, host);
}

// The host and some others, at least one of all being left out.
std::vector<HostId> Nemesis::some_with(HostId host) {
  std::vector<HostId> inside = {host};
  if (core_.fault_random.coin()) return inside;
  for (const auto& other : core_.hosts) {
    const bool last = inside.size() + 2 > core_.hosts.size();
    if (other->id() != host && !last && core_.fault_random.coin()) inside.push_back(other->id());
  }
  return inside;
}

bool Nemesis::separate(Fault fault, HostId host, bool out, bool in, CutKind kind) {
  const std::vector<HostId> inside = some_with(host);
  open_window(fault, host, core_.faults.net_cut_off_ms,
              world_.network().cut(inside, out, in, kind));
  if (core_.recorder == nullptr) return true;
  for (const HostId other : inside) {
    if (other != host) core_.recorder->fault_joins(other, windows_.back().number);
  }
  return true;
}

bool Nemesis::strike(Fault fault, HostId host) {
  const FaultOptions& faults = core_.faults;
  switch (fault) {
    case Fault::net_partition: return separate(fault, host, true, true, CutKind::lost);
    case Fault::net_one_way: {
      const bool out = core_.fault_random.coin();
      return separate(fault, host, out, !out, CutKind::lost);
    }
    case Fault::net_clog: return separate(fault, host, true, true, CutKind::held);
    case Fault::net_half_open: return world_.network().kill_link(host);
    case Fault::kill:
    case Fault::power_loss:
      world_.crash(host, fault == Fault::kill ? StopKind::kill : StopKind::power_loss);
      open_window(fault, host, faults.down_ms);
      return true;
    case Fault::restart:
      world_.host(host).ask_to_stop();
      open_window(fault, host, faults.down_ms);
      return true;
    case Fault::pause:
      world_.host(host).set_paused(true);
      open_window(fault, host, faults.pause_ms);
      return true;
    case Fault::slow_cpu:
      world_.host(host).set_slow(faults.slow_cpu_factor);
      open_window(fault, host, faults.slow_cpu_ms);
      return true;
    case Fault::disk_stall: {
      const int64_t ns = core_.fault_random.exponential(faults.disk_stall_ms * 1'000'000);
      world_.host(host).files().stall_until(core_.now + Duration{ns});
      const uint32_t window = next_window_++;
      if (core_.recorder != nullptr) {
        core_.recorder->fault_begins(host, static_cast<uint8_t>(fault), window, "", Duration{ns});
      }
      return true;
    }
    case Fault::disk_full:
      world_.host(host).files().set_full(true);
      open_window(fault, host, faults.disk_full_ms);
      return false;  // counted when a write meets it
    case Fault::clock_jump: {
      const int64_t most = faults.clock_jump_ms;
      const int64_t by = core_.fault_random.between_log(1, most);
      world_.host(host).jump_clock(Duration::milliseconds(core_.fault_random.coin() ? by : -by));
      return true;
    }
    default: ASSERT(false);
  }
  return false;
}

void Nemesis::open_window(Fault fault, HostId host, int64_t mean_ms, uint32_t cut) {
  windows_.push_back({next_window_++, fault, host, cut});
  Event event;
  event.at = core_.now + Duration{1 + core_.fault_random.exponential(mean_ms * 1'000'000)};
  event.kind = EventKind::fault;
  event.side = kEnd;
  event.generation = windows_.back().number;
  core_.events.push(event);
  if (core_.recorder == nullptr) return;
  std::string more;
  if (fault == Fault::slow_cpu)
    more = std::to_string(core_.faults.slow_cpu_factor) + " times slower";
  core_.recorder->fault_begins(host, static_cast<uint8_t>(fault), event.generation, more);
}

void Nemesis::end(const Window& window) {
  if (core_.recorder != nullptr) core_.recorder->fault_ends(window.number);
  switch (window.fault) {
    case Fault::net_partition:
    case Fault::net_one_way:
    case Fault::net_clog: return world_.network().heal(window.cut);
    case Fault::kill:
    case Fault::power_loss: return world_.boot(window.host);
    case Fault::restart:
      // It may take longer to stop than it was given: then it is killed, as service managers do.
      if (world_.host(window.host).running()) world_.crash(window.host, StopKind::kill);
      return world_.boot(window.host);
    case Fault::pause: return world_.host(window.host).set_paused(false);
    case Fault::slow_cpu: return world_.host(window.host).set_slow(1);
    case Fault::disk_full: return world_.host(window.host).files().set_full(false);
    default: ASSERT(false);
  }
}

void Nemesis::heal() {
  std::vector<Window> windows;
  std::swap(windows, windows_);
  for (const Window& window : windows) end(window);
}

}  // namespace redoubt::sim
