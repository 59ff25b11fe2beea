#include "sim/report/timeline.h"

#include <algorithm>
#include <map>
#include <utility>

#include "sim/faults.h"
#include "sim/process.h"

namespace redoubt::sim {

namespace {

class Builder {
 public:
  Builder(const RunRecorder& recorder, Instant end) : recorder_(recorder) {
    timeline_.end = end;
    timeline_.dropped = recorder.dropped();
  }

  Timeline build(const std::optional<Found>& found);

 private:
  struct Life {
    uint32_t boot = kNoItem;
    uint32_t turn = kNoItem;     // the last one
    uint32_t arrival = kNoItem;  // the last message since then
    bool running = false;
    bool powered = true;
    bool paused = false;
    bool slow = false;
  };

  uint32_t add(const TraceEvent& event, ItemKind kind, uint32_t cause);
  // What is going on right now on this host, or has just reached it.
  uint32_t context(const TraceEvent& event) const;
  Life& life(uint16_t host);
  bool concerns(uint32_t fault, uint16_t host) const;
  // The fault that made room for a boot; the one that asks for a stop.
  uint32_t ended_just_now(const TraceEvent& event) const;
  uint32_t reason_to_stop(const TraceEvent& event) const;
  void set_state(const TraceEvent& event);
  void on_machine(const TraceEvent& event);
  void on_fault(const TraceEvent& event);
  void on_message(const TraceEvent& event);
  void on_operation(const TraceEvent& event);
  void on_word(const TraceEvent& event);
  void finish(const std::optional<Found>& found);

  const RunRecorder& recorder_;
  Timeline timeline_;
  std::vector<Life> lives_;
  std::map<uint32_t, uint32_t> in_flight_;   // messages
  std::map<uint32_t, uint32_t> operations_;  // that have no outcome yet
  std::map<uint32_t, uint32_t> windows_;     // of faults
  uint32_t last_ = kNoItem;                  // what the world is at
  uint32_t last_remark_ = kNoItem;
  uint32_t ended_ = kNoItem;  // the fault that ended last
};

Builder::Life& Builder::life(uint16_t host) {
  if (lives_.size() <= host) lives_.resize(size_t{host} + 1);
  return lives_[host];
}

uint32_t Builder::add(const TraceEvent& event, ItemKind kind, uint32_t cause) {
  Item item;
  item.begin = item.end = event.at;
  item.kind = kind;
  item.detail = event.detail;
  item.host = event.host;
  item.cause = cause;
  item.text = event.text;
  timeline_.items.push_back(item);
  return static_cast<uint32_t>(timeline_.items.size() - 1);
}

uint32_t Builder::context(const TraceEvent& event) const {
  if (last_ == kNoItem) return kNoItem;
  const Item& item = timeline_.items[last_];
  const bool message = item.kind == ItemKind::message;
  if ((message ? item.end : item.begin) != event.at) return kNoItem;
  return (message ? item.to : item.host) == event.host ? last_ : kNoItem;
}

bool Builder::concerns(uint32_t fault, uint16_t host) const {
  if (timeline_.items[fault].host == host) return true;
  const auto& joined = timeline_.joined;
  return std::find(joined.rbegin(), joined.rend(), std::pair(fault, host)) != joined.rend();
}

uint32_t Builder::ended_just_now(const TraceEvent& event) const {
  if (ended_ == kNoItem || timeline_.items[ended_].end != event.at) return kNoItem;
  return concerns(ended_, event.host) ? ended_ : kNoItem;
}

uint32_t Builder::reason_to_stop(const TraceEvent& event) const {
  for (const auto& [number, item] : windows_) {
    const Item& fault = timeline_.items[item];
    const bool asks = fault.detail == static_cast<uint8_t>(Fault::restart);
    if ((asks || fault.begin == event.at) && concerns(item, event.host)) return item;
  }
  const uint32_t restart = ended_just_now(event);
  return restart != kNoItem ? restart : context(event);
}

void Builder::set_state(const TraceEvent& event) {
  const Life& now = life(event.host);
  const HostState state = !now.powered   ? HostState::off
                          : !now.running ? HostState::down
                          : now.paused   ? HostState::paused
                          : now.slow     ? HostState::slow
                                         : HostState::running;
  timeline_.hosts[event.host].states.push_back({event.at, state});
}

void Builder::on_machine(const TraceEvent& event) {
  Life& now = life(event.host);
  switch (event.kind) {
    case TraceKind::boot: {
      const uint32_t item = add(event, ItemKind::boot, ended_just_now(event));
      timeline_.items[item].number = event.a;
      timeline_.hosts[event.host].boots = event.a;
      timeline_.hosts[event.host].offsets.push_back({event.at, 0});
      const bool slow = now.slow;  // of the machine, not of the process
      now = Life();
      now.slow = slow;
      now.boot = item;
      now.running = true;
      break;
    }
    case TraceKind::stop: {
      const uint32_t item = add(event, ItemKind::stop, reason_to_stop(event));
      timeline_.items[item].number = static_cast<int32_t>(event.a);
      now.running = now.paused = false;
      now.powered = event.detail != static_cast<uint8_t>(StopKind::power_loss);
      last_ = item;
      break;
    }
    case TraceKind::pause: now.paused = true; break;
    case TraceKind::resume: now.paused = false; break;
    default: now.slow = event.a > 1; break;
  }
  set_state(event);
}

void Builder::on_fault(const TraceEvent& event) {
  std::vector<Item>& items = timeline_.items;
  switch (event.kind) {
    case TraceKind::fault_begin: {
      const uint32_t item = add(event, ItemKind::fault_span, kNoItem);
      items[item].end = event.b > 0 ? event.at + Duration::microseconds(event.b) : timeline_.end;
      items[item].open = event.b == 0;
      if (event.b == 0) windows_[event.a] = item;
      last_ = item;  // what it does comes next
      return;
    }
    case TraceKind::fault_joins: {
      const auto window = windows_.find(event.a);
      if (window != windows_.end()) timeline_.joined.push_back({window->second, event.host});
      return;
    }
    case TraceKind::fault_end: {
      const auto window = windows_.find(event.a);
      if (window == windows_.end()) return;
      items[window->second].end = event.at;
      items[window->second].open = false;
      ended_ = window->second;
      windows_.erase(window);
      return;
    }
    default: add(event, ItemKind::fault, context(event));
  }
}

void Builder::on_message(const TraceEvent& event) {
  std::vector<Item>& items = timeline_.items;
  if (event.kind == TraceKind::sent) {
    // Without a reason of this moment, bytes have waited: the sender's last turn is as near as any.
    uint32_t cause = context(event);
    if (cause == kNoItem && event.host != kNowhere) cause = life(event.host).turn;
    const uint32_t item = add(event, ItemKind::message, cause);
    items[item].to = event.to();
    items[item].number = event.bytes();
    items[item].end = timeline_.end;
    items[item].open = true;
    in_flight_[event.a] = item;
    return;
  }
  const auto message = in_flight_.find(event.a);
  if (message == in_flight_.end()) return;
  Item& item = items[message->second];
  item.end = event.at;
  item.open = false;
  item.lost = event.detail != 0;
  last_ = message->second;
  if (!item.lost && item.to != kNowhere) life(item.to).arrival = last_;
  in_flight_.erase(message);
}

void Builder::on_operation(const TraceEvent& event) {
  std::vector<Item>& items = timeline_.items;
  if (event.kind == TraceKind::called) {
    const uint32_t item = add(event, ItemKind::operation, context(event));
    items[item].detail =
        static_cast<uint8_t>(event.detail != 0 ? OperationState::silent : OperationState::open);
    if (event.detail != 0) return;
    items[item].end = timeline_.end;
    items[item].open = true;
    operations_[event.a] = item;
    return;
  }
  const auto operation = operations_.find(event.a);
  if (operation == operations_.end()) return;
  Item& item = items[operation->second];
  item.end = event.at;
  item.open = false;
  item.detail =
      static_cast<uint8_t>(event.detail != 0 ? OperationState::unknown : OperationState::replied);
  item.result = context(event);
  item.reply = event.text;
  operations_.erase(operation);
}

void Builder::on_word(const TraceEvent& event) {
  switch (event.kind) {
    case TraceKind::turn: {
      Life& now = life(event.host);
      const uint32_t before = now.turn != kNoItem ? now.turn : now.boot;
      last_ = add(event, ItemKind::turn, now.arrival != kNoItem ? now.arrival : before);
      timeline_.items[last_].end = event.at + Duration{event.a};
      now.turn = last_;
      now.arrival = kNoItem;
      return;
    }
    case TraceKind::clock: {
      const uint32_t item = add(event, ItemKind::clock, kNoItem);
      timeline_.items[item].number = event.clock_offset().us();
      timeline_.items[item].drift_ppm = static_cast<int32_t>(event.clock_drift_ppm());
      return;
    }
    case TraceKind::role:
      timeline_.items[add(event, ItemKind::role, context(event))].number =
          static_cast<int64_t>(event.number());
      return;
    case TraceKind::offset:
      timeline_.hosts[event.host].offsets.push_back({event.at, event.number()});
      return;
    case TraceKind::log: add(event, ItemKind::log, context(event)); return;
    case TraceKind::violation:
      // Whatever the last thing was: a turn's remark, or a reply that a client has got.
      if (timeline_.violation != kNoItem) return;
      timeline_.violation = add(event, ItemKind::violation, kNoItem);
      // Of a turn, what was seen of it last says more.
      timeline_.items[timeline_.violation].cause =
          last_remark_ != kNoItem && timeline_.items[last_remark_].cause == last_ ? last_remark_
                                                                                  : last_;
      return;
    default: last_remark_ = add(event, ItemKind::remark, context(event));
  }
}

void Builder::finish(const std::optional<Found>& found) {
  std::vector<Item>& items = timeline_.items;
  for (Item& item : items) {
    if (item.open) item.end = timeline_.end;
  }
  if (!found || timeline_.violation != kNoItem) return;
  // Nobody has told when: behind everything that had begun by then.
  const auto behind =
      std::upper_bound(items.begin(), items.end(), found->at,
                       [](Instant at, const Item& item) { return at < item.begin; });
  const auto index = static_cast<uint32_t>(behind - items.begin());
  Item item;
  item.begin = item.end = found->at;
  item.kind = ItemKind::violation;
  for (size_t host = 0; host < timeline_.hosts.size(); ++host) {
    if (timeline_.hosts[host].name == found->node) item.host = static_cast<uint16_t>(host);
  }
  for (uint32_t before = index; before-- > 0 && item.cause == kNoItem;) {
    if (items[before].kind == ItemKind::turn && items[before].host == item.host)
      item.cause = before;
  }
  for (Item& later : items) {
    if (later.cause != kNoItem && later.cause >= index) ++later.cause;
    if (later.result != kNoItem && later.result >= index) ++later.result;
  }
  for (auto& [span, host] : timeline_.joined) span += span >= index;
  items.insert(behind, item);
  timeline_.violation = index;
}

Timeline Builder::build(const std::optional<Found>& found) {
  TraceReader reader(recorder_);
  for (TraceEvent event; reader.next(event);) {
    if (event.at > timeline_.end) timeline_.end = event.at;
    if (event.host != kNowhere && timeline_.hosts.size() <= event.host) {
      timeline_.hosts.resize(size_t{event.host} + 1);
    }
    switch (event.kind) {
      case TraceKind::gap: break;
      case TraceKind::host: timeline_.hosts[event.host].name = event.text; break;
      case TraceKind::boot:
      case TraceKind::stop:
      case TraceKind::pause:
      case TraceKind::resume:
      case TraceKind::speed: on_machine(event); break;
      case TraceKind::fault:
      case TraceKind::fault_begin:
      case TraceKind::fault_joins:
      case TraceKind::fault_end: on_fault(event); break;
      case TraceKind::sent:
      case TraceKind::arrived: on_message(event); break;
      case TraceKind::called:
      case TraceKind::returned: on_operation(event); break;
      default: on_word(event);
    }
  }
  finish(found);
  return std::move(timeline_);
}

}  // namespace

Timeline make_timeline(const RunRecorder& recorder, Instant end,
                       const std::optional<Found>& found) {
  return Builder(recorder, end).build(found);
}

}  // namespace redoubt::sim
