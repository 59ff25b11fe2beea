#include "sim/nemesis.h"

#include <algorithm>

#include "sim/world.h"

namespace redoubt::sim {

namespace {

// What a fault event is about. Of several at one instant, these come in this order.
constexpr uint8_t kEdge = 0;   // of the window of a fault
constexpr uint8_t kEnd = 1;    // of what lasts
constexpr uint8_t kBegin = 2;  // of a fault that is drawn, or of a row of the schedule
constexpr uint8_t kArmed = 3;  // of one that has waited for its moment

}  // namespace

Nemesis::Nemesis(World& world, Core& core)
    : world_(world), core_(core), randoms_(core.run_seed, "nemesis") {
  open_windows();
}

void Nemesis::push(Instant at, uint8_t what, uint32_t index, uint32_t generation) {
  Event event;
  event.at = at;
  event.kind = EventKind::fault;
  event.side = what;
  event.index = index;
  event.generation = generation;
  core_.events.push_first(event, what);
}

void Nemesis::open_windows() {
  if (!core_.options.windows) return;
  for (size_t i = 0; i < kFaultCount; ++i) {
    if (fault_rows()[i].kind != FaultKind::timed) set_to_window(static_cast<Fault>(i));
  }
  for (const FaultWindow& window : *core_.options.windows) {
    for (const Instant edge : {window.from, window.until}) {
      if (edge == Instant::never() || edge <= core_.now) continue;
      push(edge, kEdge, static_cast<uint32_t>(window.fault), 0);
    }
  }
}

void Nemesis::set_to_window(Fault fault) {
  int64_t value = 0;
  for (const FaultWindow& window : *core_.options.windows) {
    const bool open = window.from <= core_.now && core_.now < window.until;
    if (window.fault == fault && open) value = window.value;
  }
  core_.faults.*fault_row(fault).field = value;
}

void Nemesis::start() {
  running_ = true;
  ++rhythm_;
  if (core_.options.schedule) {
    const std::vector<FaultStrike>& strikes = *core_.options.schedule;
    for (uint32_t i = 0; i < strikes.size(); ++i) {
      if (strikes[i].at >= core_.now) push(strikes[i].at, kBegin, i, rhythm_);
    }
    return;
  }
  for (size_t i = 0; i < kFaultCount; ++i) {
    if (fault_rows()[i].kind == FaultKind::timed) schedule(static_cast<Fault>(i));
  }
}

void Nemesis::stop() {
  running_ = false;
  windows_move_ = false;
}

void Nemesis::schedule(Fault fault) {
  const int64_t every_ms = value_of(core_.faults, fault);
  if (every_ms <= 0) return;
  const int64_t wait_ns = 1 + randoms_[fault].exponential(every_ms * 1'000'000);
  push(core_.now + Duration{wait_ns}, kBegin, static_cast<uint32_t>(fault), rhythm_);
}

bool Nemesis::on_event(const Event& event) {
  if (event.side == kEdge) {
    if (windows_move_) set_to_window(static_cast<Fault>(event.index));
    return false;
  }
  if (event.side == kEnd) return on_end(event.generation);
  if (!running_ || event.generation != rhythm_) return false;
  if (event.side == kArmed) return strike(armed_[event.index]);
  if (core_.options.schedule) return strike((*core_.options.schedule)[event.index]);
  const auto fault = static_cast<Fault>(event.index);
  const bool happened = draw_and_strike(fault);
  schedule(fault);
  return happened;
}

void Nemesis::arm(FaultStrike strike, HostId host) {
  const int64_t operations = randoms_[strike.fault].between_log(1, 16);
  armed_[host] = std::move(strike);
  Event event;
  event.kind = EventKind::fault;
  event.side = kArmed;
  event.index = host;
  event.generation = rhythm_;
  core_.host(host).files().arm(static_cast<uint32_t>(operations), event);
}

bool Nemesis::on_end(uint32_t number) {
  if (core_.liveness) return false;
  const auto found =
      std::find_if(lasting_.begin(), lasting_.end(),
                   [number](const Lasting& lasting) { return lasting.number == number; });
  if (found == lasting_.end()) return false;
  const Lasting lasting = std::move(*found);
  lasting_.erase(found);
  end(lasting);
  return true;
}

HostId Nemesis::find(const std::string& name) const {
  for (const auto& host : core_.hosts) {
    if (host->name() == name) return host->id();
  }
  return kNoHost;
}

// Strikes it, and lets it end in its time.
bool Nemesis::strike(FaultStrike strike) {
  const HostId host = find(strike.host);
  if (host == kNoHost || !possible(strike, host)) return false;
  strike.at = core_.now;
  core_.record(What::strike, host, static_cast<uint64_t>(strike.fault),
               static_cast<uint64_t>(strike.lasts.ns), strike_text(strike));
  strikes_.push_back(strike);
  Lasting lasting = {next_number_++, strike, host, 0, nullptr};
  if (core_.recorder != nullptr) record_begin(lasting);
  begin(strike, host, lasting);
  if (!lasts(strike.fault)) return true;
  push(core_.now + strike.lasts, kEnd, 0, lasting.number);
  lasting_.push_back(std::move(lasting));
  return true;
}

void Nemesis::heal() {
  std::vector<Lasting> over;
  std::swap(over, lasting_);
  for (const Lasting& lasting : over) undo(lasting);
}

std::vector<HostId> Nemesis::begin_liveness() {
  ASSERT(!core_.liveness);
  stop();
  std::vector<HostId> faultable;
  for (const auto& host : core_.hosts) {
    if (host->faultable()) faultable.push_back(host->id());
  }
  // From a stream of its own: a run with a schedule draws the same majority.
  Random random(core_.run_seed, "liveness");
  for (size_t left = faultable.size(); left > 1; --left) {
    std::swap(faultable[left - 1], faultable[random.below(left)]);
  }
  faultable.resize(faultable.empty() ? 0 : faultable.size() / 2 + 1);
  std::sort(faultable.begin(), faultable.end());

  core_.well.assign(core_.hosts.size(), false);
  for (const auto& host : core_.hosts) core_.well[host->id()] = !host->faultable();
  for (const HostId host : faultable) core_.well[host] = true;
  core_.liveness = true;
  for (const HostId host : faultable) free(host);
  world_.network().release();
  return faultable;
}

}  // namespace redoubt::sim
