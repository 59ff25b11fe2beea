// What a report hears of the network: each message when it departs, and when it arrives or is lost.
#include <algorithm>

#include "sim/host.h"
#include "sim/network.h"

namespace redoubt::sim {

namespace {

MessageKind message_kind(EventKind kind) {
  switch (kind) {
    case EventKind::syn: return MessageKind::connect;
    case EventKind::syn_ack: return MessageKind::accept;
    case EventKind::refused: return MessageKind::refuse;
    case EventKind::fin: return MessageKind::close;
    case EventKind::reset: return MessageKind::reset;
    default: return MessageKind::data;
  }
}

// Timers of the streams are events, too.
bool is_message(EventKind kind) {
  return kind != EventKind::retransmit && kind != EventKind::keepalive;
}

}  // namespace

// All but segments, which record_segment() tells of. An attempt that is repeated departs when it
// arrives, and that time is up is no message.
void Network::record_message(const Event& event) {
  if (event.kind == EventKind::segment || !is_message(event.kind)) return;
  if (is_repeated(event) || is_time_up(event)) return;
  record_departure(event, core_.events.last_sequence());
}

bool Network::is_repeated(const Event& event) const {
  const bool dials = event.kind == EventKind::syn || event.kind == EventKind::syn_ack;
  return dials && connections_[event.index].attempts > 0;
}

bool Network::is_time_up(const Event& event) {
  return event.kind == EventKind::refused && event.extra == static_cast<uint32_t>(Error::timed_out);
}

void Network::record_departure(const Event& event, uint64_t sequence) {
  const Connection& connection = live(event.index);
  const HostId dialling = connection.sides[0].host;
  const HostId dialled = host_of(dialling, connection.target);
  // Side 0 of a syn is whom it is from; of what answers it, and of a reset, whom it is for.
  const bool outward = (event.kind == EventKind::reset) == (event.side == 1);
  const bool answer = event.kind == EventKind::syn_ack || event.kind == EventKind::refused;
  const bool from_dialling = outward && !answer;
  core_.recorder->sent(from_dialling ? dialling : dialled, from_dialling ? dialled : dialling,
                       sequence, message_kind(event.kind), 0);
}

// A segment that ends where the pipe has departed to.
void Network::record_segment(uint32_t index, int side, uint64_t size) {
  const Connection& connection = live(index);
  const Pipe& pipe = connection.sides[side].out;
  char begins_with[RunRecorder::kTextMax];
  const uint64_t shown = std::min<uint64_t>(size, sizeof begins_with);
  for (uint64_t i = 0; i < shown; ++i) {
    const uint64_t at = (pipe.departed - size + i) & (pipe.ring.size() - 1);
    begins_with[i] = static_cast<char>(pipe.ring[at]);
  }
  core_.recorder->sent(connection.sides[side].host, connection.sides[1 - side].host,
                       core_.events.last_sequence(), MessageKind::data, size,
                       {begins_with, static_cast<size_t>(shown)});
}

void Network::record_arrival(const Event& event) {
  if (!is_message(event.kind)) return;
  if (current(event) && is_repeated(event)) record_departure(event, event.sequence);
  HostId at = kNoHost;
  if (current(event)) {
    const Connection& connection = live(event.index);
    const bool dialled =
        event.kind == EventKind::syn ||
        (event.kind == EventKind::reset                                     ? event.side == 1
         : event.kind == EventKind::segment || event.kind == EventKind::fin ? event.side == 0
                                                                            : false);
    at = dialled ? host_of(connection.sides[0].host, connection.target) : connection.sides[0].host;
  }
  core_.recorder->arrived(at, event.sequence, event.index, gets_lost(event));
}

bool Network::gets_lost(const Event& event) {
  if (!current(event)) return true;
  const Connection& connection = live(event.index);
  const HostId dialling = connection.sides[0].host;
  const HostId dialled = host_of(dialling, connection.target);
  const bool connecting = connection.sides[0].state == SideState::connecting;
  switch (event.kind) {
    case EventKind::syn:
      return !connecting || !core_.host(dialled).powered() ||
             !passes(connection, dialling, dialled);
    case EventKind::syn_ack: return !connecting || !passes(connection, dialled, dialling);
    case EventKind::refused: return !connecting;
    default: break;
  }
  const bool reset = event.kind == EventKind::reset;
  const int to_side = reset ? event.side : 1 - event.side;
  if (!reset && event.epoch != connection.sides[event.side].out.epoch) return true;
  const HostId from = connection.sides[1 - to_side].host;
  const HostId to = connection.sides[to_side].host;
  return !core_.host(to).powered() || !passes(connection, from, to);
}

}  // namespace redoubt::sim
