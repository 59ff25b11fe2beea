// What each timed fault draws, does, and undoes when it ends.
#include <algorithm>

#include "sim/nemesis.h"
#include "sim/world.h"

namespace redoubt::sim {

namespace {

// Where something is to be chosen that is known only when it strikes, any number chooses it.
constexpr int64_t kPlaces = 1'000'000'000;

bool takes_down(Fault fault) {
  return fault == Fault::kill || fault == Fault::power_loss || fault == Fault::restart ||
         fault == Fault::power_loss_io || fault == Fault::rack || fault == Fault::replace ||
         fault == Fault::disk_wipe;
}

// What was synced is not there any more, or not as it was.
bool loses_disk(Fault fault) {
  return fault == Fault::replace || fault == Fault::disk_wipe || fault == Fault::disk_old ||
         fault == Fault::disk_rot;
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
    case Fault::power_loss_io:
    case Fault::restart:
    case Fault::rack:
    case Fault::replace:
    case Fault::disk_wipe: return &FaultOptions::down_ms;
    case Fault::disk_old: return &FaultOptions::disk_old_ms;
    case Fault::pause: return &FaultOptions::pause_ms;
    case Fault::slow_cpu: return &FaultOptions::slow_cpu_ms;
    case Fault::disk_stall: return &FaultOptions::disk_stall_ms;
    case Fault::disk_full: return &FaultOptions::disk_full_ms;
    default: return nullptr;
  }
}

// Counted where something meets it, not when it begins.
bool counts_later(Fault fault) {
  return fault == Fault::disk_full || fault == Fault::disk_stall || fault == Fault::disk_old;
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

std::vector<HostId> Nemesis::racked_with(HostId host) const {
  std::vector<HostId> others;
  for (const auto& other : core_.hosts) {
    if (other->id() != host && other->faultable() && other->running())
      others.push_back(other->id());
  }
  return others;
}

// At least one other goes down too, and about half of all, as far as the budget goes.
void Nemesis::draw_rack(FaultStrike& strike, HostId host) {
  Random& random = randoms_[Fault::rack];
  const std::vector<HostId> others = racked_with(host);
  const HostId sure = others[random.below(others.size())];
  strike.others.push_back(core_.host(sure).name());
  for (const HostId other : others) {
    if (other == sure || !random.coin()) continue;
    strike.others.push_back(core_.host(other).name());
    if (!may_go_down(strike, host)) strike.others.pop_back();
  }
}

bool Nemesis::draw_and_strike(Fault fault) {
  const HostId host = choose(fault);
  if (host == kNoHost) return false;
  FaultStrike drawn;
  drawn.fault = fault;
  drawn.host = core_.host(host).name();
  draw(drawn, host);
  if (fault == Fault::power_loss_io) {
    arm(std::move(drawn), host);
    return false;
  }
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

bool Nemesis::may_lose_disk(HostId host) const {
  return std::find(disks_lost_.begin(), disks_lost_.end(), host) != disks_lost_.end() ||
         disks_lost_.size() < core_.options.budget.disks_lost_max;
}

bool Nemesis::possible(const FaultStrike& strike, HostId id) const {
  Host& host = core_.host(id);
  const bool fit = host.faultable() && host.running() && !host.paused();
  if (!fit || core_.liveness || busy(strike.fault, id)) return false;
  if (takes_down(strike.fault) && !may_go_down(strike, id)) return false;
  if (loses_disk(strike.fault) && !may_lose_disk(id)) return false;
  switch (strike.fault) {
    case Fault::net_half_open: return world_.network().open_streams(id) > 0;
    case Fault::disk_rot: return host.disk().can_rot();
    case Fault::rack: {
      // Before the others are drawn, there must be one, and room for one.
      const std::vector<HostId> others = racked_with(id);
      if (others.empty() || !strike.others.empty()) return !others.empty();
      FaultStrike least = strike;
      least.others = {core_.host(others.front()).name()};
      return may_go_down(least, id);
    }
    default: return true;
  }
}

void Nemesis::cut_links(const FaultStrike& strike, HostId host, Lasting& lasting) {
  std::vector<HostId> inside = {host};
  for (const std::string& name : strike.others) {
    if (const HostId other = find(name); other != kNoHost) inside.push_back(other);
  }
  const bool one_way = strike.fault == Fault::net_one_way;
  const CutKind kind = strike.fault == Fault::net_clog ? CutKind::held : CutKind::lost;
  lasting.cut = world_.network().cut(std::move(inside), !one_way || strike.amount > 0,
                                     !one_way || strike.amount < 0, kind);
}

void Nemesis::begin(const FaultStrike& strike, HostId host, Lasting& lasting) {
  if (!counts_later(strike.fault)) core_.count(strike.fault, host);
  if (loses_disk(strike.fault) &&
      std::find(disks_lost_.begin(), disks_lost_.end(), host) == disks_lost_.end()) {
    disks_lost_.push_back(host);
  }
  if (cuts_links(strike.fault)) return cut_links(strike, host, lasting);
  Host& struck = world_.host(host);
  if (strike.fault == Fault::disk_old) {
    lasting.image = std::make_shared<const DiskImage>(struck.disk().image());
    return;
  }
  begin_at(strike, struck);
}

void Nemesis::begin_at(const FaultStrike& strike, Host& host) {
  switch (strike.fault) {
    case Fault::net_half_open:
      return world_.network().kill_link(host.id(), static_cast<uint64_t>(strike.amount));
    case Fault::kill: return world_.crash(host.id(), StopKind::kill);
    case Fault::power_loss:
    case Fault::power_loss_io: return world_.crash(host.id(), StopKind::power_loss);
    case Fault::rack:
      world_.crash(host.id(), StopKind::power_loss);
      for (const std::string& name : strike.others) {
        const HostId other = find(name);
        if (other != kNoHost && core_.host(other).faultable()) {
          world_.crash(other, StopKind::power_loss);
        }
      }
      return;
    case Fault::replace: world_.crash(host.id(), StopKind::power_loss); return host.replace();
    case Fault::disk_wipe: world_.crash(host.id(), StopKind::kill); return host.disk().wipe();
    case Fault::disk_rot: {
      Random random(static_cast<uint64_t>(strike.amount));
      const bool rotted = host.disk().rot(random);
      ASSERT(rotted);
      return;
    }
    case Fault::restart: return host.ask_to_stop();
    case Fault::pause: return host.set_paused(true);
    case Fault::slow_cpu: return host.set_slow(std::max<int64_t>(strike.amount, 1));
    case Fault::disk_stall: return host.files().set_stalled(true);
    case Fault::disk_full: return host.files().set_full(true);
    case Fault::clock_jump: return host.jump_clock(Duration::milliseconds(strike.amount));
    default: ASSERT(false);
  }
}

void Nemesis::end(const Lasting& lasting) {
  if (lasting.strike.fault == Fault::disk_old) return bring_back(lasting);
  undo(lasting);
}

// The disk is what it was when this began. Whoever runs on it loses power for a moment, and does
// not if that were one too many.
void Nemesis::bring_back(const Lasting& lasting) {
  if (core_.recorder != nullptr) record_end(lasting);
  Host& host = core_.host(lasting.host);
  const bool ran = host.running();
  if (ran && !may_go_down(lasting.strike, lasting.host)) return;
  core_.count(Fault::disk_old, lasting.host);
  world_.crash(lasting.host, StopKind::power_loss);
  host.disk().restore(*lasting.image);
  if (ran) world_.boot(lasting.host);
}

void Nemesis::undo(const Lasting& lasting) {
  if (core_.recorder != nullptr) record_end(lasting);
  Host& host = world_.host(lasting.host);
  switch (lasting.strike.fault) {
    case Fault::net_partition:
    case Fault::net_one_way:
    case Fault::net_clog: return world_.network().heal(lasting.cut);
    case Fault::kill:
    case Fault::power_loss:
    case Fault::power_loss_io:
    case Fault::replace:
    case Fault::disk_wipe: return world_.boot(lasting.host);
    case Fault::rack:
      world_.boot(lasting.host);
      for (const std::string& name : lasting.strike.others) {
        const HostId other = find(name);
        if (other != kNoHost && core_.host(other).faultable()) world_.boot(other);
      }
      return;
    case Fault::restart:
      // It may take longer to stop than it was given: then it is killed, as service managers do.
      if (host.running()) world_.crash(lasting.host, StopKind::kill);
      return world_.boot(lasting.host);
    case Fault::pause: return host.set_paused(false);
    case Fault::slow_cpu: return host.set_slow(1);
    case Fault::disk_stall: return host.files().set_stalled(false);
    case Fault::disk_full: return host.files().set_full(false);
    case Fault::disk_old: return;
    default: ASSERT(false);
  }
}

void Nemesis::free(HostId host) {
  // A cut stays for those who are not well; what is well does not meet it (Network::find_cut). Of a
  // rack, the others stay down.
  const auto its_own = [&](const Lasting& lasting) {
    return lasting.host == host && !cuts_links(lasting.strike.fault) &&
           lasting.strike.fault != Fault::rack;
  };
  for (const Lasting& lasting : lasting_) {
    if (its_own(lasting)) undo(lasting);
  }
  std::erase_if(lasting_, its_own);
  world_.boot(host);
}

}  // namespace redoubt::sim
