// What each timed fault draws, does, and undoes when it ends.
#include <algorithm>

#include "sim/nemesis.h"
#include "sim/world.h"

namespace redoubt::sim {

namespace {

// Where something is to be chosen that is known only when it strikes, any number chooses it.
constexpr int64_t kPlaces = 1'000'000'000;

bool takes_down(Fault fault) {
  return fault == Fault::kill || fault == Fault::power_loss || fault == Fault::restart;
}

bool cuts_links(Fault fault) {
  return fault == Fault::net_partition || fault == Fault::net_one_way || fault == Fault::net_clog;
}

int64_t FaultOptions::* length_of(Fault fault) {
  switch (fault) {
    case Fault::net_partition:
    case Fault::net_one_way:
    case Fault::net_clog: return &FaultOptions::net_cut_off_ms;
    case Fault::kill:
    case Fault::power_loss:
    case Fault::restart: return &FaultOptions::down_ms;
    case Fault::pause: return &FaultOptions::pause_ms;
    case Fault::slow_cpu: return &FaultOptions::slow_cpu_ms;
    case Fault::disk_stall: return &FaultOptions::disk_stall_ms;
    case Fault::disk_full: return &FaultOptions::disk_full_ms;
    default: return nullptr;
  }
}

// Counted where something meets it, not when it begins.
bool counts_later(Fault fault) {
  return fault == Fault::disk_full || fault == Fault::disk_stall;
}

}  // namespace

bool Nemesis::busy(Fault fault, HostId host) const {
  return std::any_of(lasting_.begin(), lasting_.end(), [&](const Lasting& lasting) {
    return lasting.host == host && lasting.strike.fault == fault;
  });
}

HostId Nemesis::choose(Fault fault) {
  FaultStrike strike;
  strike.fault = fault;
  std::vector<HostId> candidates;
  for (const auto& host : core_.hosts) {
    if (possible(strike, host->id())) candidates.push_back(host->id());
  }
  if (candidates.empty()) return kNoHost;
  return candidates[randoms_[fault].below(candidates.size())];
}

// Some others, so that at least one is left out.
std::vector<std::string> Nemesis::some_with(Fault fault, HostId host) {
  std::vector<std::string> others;
  if (randoms_[fault].coin()) return others;
  for (const auto& other : core_.hosts) {
    const bool last = others.size() + 3 > core_.hosts.size();
    if (other->id() != host && !last && randoms_[fault].coin()) others.push_back(other->name());
  }
  return others;
}

Duration Nemesis::draw_length(Fault fault) {
  const int64_t mean_ms = core_.faults.*length_of(fault);
  return {1 + randoms_[fault].exponential(mean_ms * 1'000'000)};
}

void Nemesis::draw(FaultStrike& strike, HostId host) {
  Random& random = randoms_[strike.fault];
  if (cuts_links(strike.fault)) strike.others = some_with(strike.fault, host);
  if (lasts(strike.fault)) strike.lasts = draw_length(strike.fault);
  switch (strike.fault) {
    case Fault::net_one_way: strike.amount = random.coin() ? 1 : -1; return;
    case Fault::net_half_open: strike.amount = static_cast<int64_t>(random.below(kPlaces)); return;
    case Fault::slow_cpu: strike.amount = core_.faults.slow_cpu_factor; return;
    case Fault::clock_jump: {
      const int64_t by = random.between_log(1, core_.faults.clock_jump_ms);
      strike.amount = random.coin() ? by : -by;
      return;
    }
    default: return;
  }
}

bool Nemesis::draw_and_strike(Fault fault) {
  const HostId host = choose(fault);
  if (host == kNoHost) return false;
  FaultStrike drawn;
  drawn.fault = fault;
  drawn.host = core_.host(host).name();
  draw(drawn, host);
  return strike(std::move(drawn));
}

// Whether the budget allows that these go down beside those that already are.
bool Nemesis::may_go_down(const FaultStrike& strike, HostId host) const {
  std::vector<bool> down(core_.hosts.size());
  for (const auto& other : core_.hosts) {
    down[other->id()] = other->faultable() && !other->running();
  }
  for (const Lasting& lasting : lasting_) {
    if (takes_down(lasting.strike.fault)) down[lasting.host] = true;
  }
  down[host] = true;
  for (const std::string& name : strike.others) {
    if (const HostId other = find(name); other != kNoHost) down[other] = true;
  }
  return std::count(down.begin(), down.end(), true) <=
         static_cast<int64_t>(core_.options.budget.down_max);
}

bool Nemesis::possible(const FaultStrike& strike, HostId id) const {
  const Host& host = core_.host(id);
  const bool fit = host.faultable() && host.running() && !host.paused();
  if (!fit || core_.liveness || busy(strike.fault, id)) return false;
  if (strike.fault == Fault::net_half_open) return world_.network().open_streams(id) > 0;
  return !takes_down(strike.fault) || may_go_down(strike, id);
}

uint32_t Nemesis::begin(const FaultStrike& strike, HostId host) {
  if (!counts_later(strike.fault)) core_.count(strike.fault, host);
  if (cuts_links(strike.fault)) {
    std::vector<HostId> inside = {host};
    for (const std::string& name : strike.others) {
      if (const HostId other = find(name); other != kNoHost) inside.push_back(other);
    }
    const bool one_way = strike.fault == Fault::net_one_way;
    return world_.network().cut(std::move(inside), !one_way || strike.amount > 0,
                                !one_way || strike.amount < 0,
                                strike.fault == Fault::net_clog ? CutKind::held : CutKind::lost);
  }
  Host& struck = world_.host(host);
  switch (strike.fault) {
    case Fault::net_half_open:
      world_.network().kill_link(host, static_cast<uint64_t>(strike.amount));
      break;
    case Fault::kill: world_.crash(host, StopKind::kill); break;
    case Fault::power_loss: world_.crash(host, StopKind::power_loss); break;
    case Fault::restart: struck.ask_to_stop(); break;
    case Fault::pause: struck.set_paused(true); break;
    case Fault::slow_cpu: struck.set_slow(std::max<int64_t>(strike.amount, 1)); break;
    case Fault::disk_stall: struck.files().set_stalled(true); break;
    case Fault::disk_full: struck.files().set_full(true); break;
    case Fault::clock_jump: struck.clock().jump(Duration::milliseconds(strike.amount)); break;
    default: ASSERT(false);
  }
  return 0;
}

void Nemesis::end(const Lasting& lasting) {
  Host& host = world_.host(lasting.host);
  switch (lasting.strike.fault) {
    case Fault::net_partition:
    case Fault::net_one_way:
    case Fault::net_clog: return world_.network().heal(lasting.cut);
    case Fault::kill:
    case Fault::power_loss: return world_.boot(lasting.host);
    case Fault::restart:
      // It may take longer to stop than it was given: then it is killed, as service managers do.
      if (host.running()) world_.crash(lasting.host, StopKind::kill);
      return world_.boot(lasting.host);
    case Fault::pause: return host.set_paused(false);
    case Fault::slow_cpu: return host.set_slow(1);
    case Fault::disk_stall: return host.files().set_stalled(false);
    case Fault::disk_full: return host.files().set_full(false);
    default: ASSERT(false);
  }
}

void Nemesis::free(HostId host) {
  for (const Lasting& lasting : lasting_) {
    // A cut stays for those who are not well; what is well does not meet it (Network::find_cut).
    if (lasting.host == host && !cuts_links(lasting.strike.fault)) end(lasting);
  }
  std::erase_if(lasting_, [&](const Lasting& lasting) {
    return lasting.host == host && !cuts_links(lasting.strike.fault);
  });
  world_.boot(host);
}

}  // namespace redoubt::sim
