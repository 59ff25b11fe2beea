// The door's side of the network: listening, connecting, closing; and links. What happens inside a
// stream is in network_stream.cc.
#include "sim/network.h"

#include <algorithm>

#include "sim/host.h"

namespace redoubt::sim {

namespace {

constexpr uint16_t kFirstPort = 32'768;
constexpr uint16_t kLastPort = 60'999;
constexpr int64_t kLoopbackNs = 5'000;
constexpr Duration kSynRetry = Duration::seconds(1);

bool is_any(const std::string& host) {
  return host.empty() || host == "0.0.0.0" || host == "::" || host == "*";
}

bool is_loopback(const std::string& host) {
  return host.starts_with("127.") || host == "::1";
}

bool is_numeric(const std::string& host) {
  return !host.empty() && host.find_first_not_of("0123456789abcdefABCDEF.:") == std::string::npos;
}

}  // namespace

uint32_t Network::new_connection() {
  uint32_t index = 0;
  if (free_connections_.empty()) {
    index = static_cast<uint32_t>(connections_.size());
    connections_.emplace_back();
  } else {
    index = free_connections_.back();
    free_connections_.pop_back();
  }
  ++connections_[index].generation;
  ++live_connections_;
  return index;
}

void Network::free_if_over(uint32_t index) {
  Connection& connection = live(index);
  for (const Side& side : connection.sides) {
    const bool over = side.state == SideState::none || side.state == SideState::closed ||
                      side.state == SideState::gone;
    if (!over) return;
  }
  // The rings are kept for the next connection here.
  const uint32_t generation = connection.generation + 1;
  std::vector<std::byte> rings[2] = {std::move(connection.sides[0].out.ring),
                                     std::move(connection.sides[1].out.ring)};
  connection = Connection();
  connection.generation = generation;
  for (int side = 0; side < 2; ++side) connection.sides[side].out.ring = std::move(rings[side]);
  free_connections_.push_back(index);
  --live_connections_;
}

void Network::push(Instant at, EventKind kind, uint32_t index, int side, uint32_t extra) {
  Event event;
  event.at = at;
  event.kind = kind;
  event.side = static_cast<uint8_t>(side);
  event.epoch = live(index).sides[side].out.epoch;
  event.index = index;
  event.generation = live(index).generation;
  event.extra = extra;
  core_.events.push(event);
  if (core_.recorder != nullptr) record_message(event);
}

void Network::finish(HostId host, uint32_t& slot, Error error) {
  const uint32_t done = slot;
  slot = kNoSlot;
  core_.host(host).backend().finish(done, error);
}

Expected<uint32_t> Network::listen(HostId host, const Address& address, int backlog) {
  const Host& machine = core_.host(host);
  const bool own = address.unix_socket || is_any(address.host) || is_loopback(address.host) ||
                   address.host == machine.address() || address.host == machine.address6();
  if (!own) return is_numeric(address.host) ? Error::address_not_found : Error::invalid;
  if (next_port_.size() <= host) next_port_.resize(host + 1, kFirstPort);
  Address bound = address;
  if (!address.unix_socket && address.port == 0) bound.port = next_port_[host]++;
  for (const Listener& other : listeners_) {
    if (!other.live || other.host != host || other.address.unix_socket != bound.unix_socket) {
      continue;
    }
    const bool same_place =
        other.address.host == bound.host ||
        (!bound.unix_socket && is_any(bound.host) && is_any(other.address.host) &&
         bound.host.find(':') == other.address.host.find(':'));
    if (same_place && other.address.port == bound.port) return Error::address_in_use;
  }
  size_t index = 0;
  while (index < listeners_.size() && listeners_[index].live) ++index;
  if (index == listeners_.size()) listeners_.emplace_back();
  listeners_[index].live = true;
  listeners_[index].host = host;
  listeners_[index].address = bound;
  listeners_[index].backlog = static_cast<size_t>(std::max(backlog, 1));
  return static_cast<uint32_t>(index);
}

Address Network::stream_address(uint32_t index, int side) const {
  const Connection& connection = connections_[index];
  if (connection.unix_socket || side == 1) return connection.target;
  const Host& host = core_.host(connection.sides[0].host);
  const std::string& target = connection.target.host;
  const uint16_t port = connection.sides[0].port;
  if (is_loopback(target)) return Address::tcp(target, port);
  return Address::tcp(target.find(':') == std::string::npos ? host.address() : host.address6(),
                      port);
}

void Network::start_accept(HostId, uint32_t slot, uint32_t listener) {
  listeners_[listener].accepts.push_back(slot);
  match_accepts(listeners_[listener]);
}

void Network::match_accepts(Listener& listener) {
  SimBackend& backend = core_.host(listener.host).backend();
  while (!listener.accepts.empty() && !listener.waiting.empty()) {
    uint32_t slot = listener.accepts.front();
    listener.accepts.pop_front();
    if (!backend.has_room()) {
      finish(listener.host, slot, Error::too_many_files);
      continue;
    }
    const uint32_t index = listener.waiting.front();
    listener.waiting.pop_front();
    Side& side = live(index).sides[1];
    ASSERT(side.state == SideState::backlog);
    side.state = SideState::open;
    side.handle = backend.open_row(RowType::stream, index, 1);
    Op& op = backend.op(slot);
    op.result.handle = side.handle;
    op.address = stream_address(index, 0);
    finish(listener.host, slot, Error::none);
  }
}

HostId Network::host_of(HostId from, const Address& address) const {
  if (address.unix_socket || is_loopback(address.host)) return from;
  for (const auto& host : core_.hosts) {
    if (host->address() == address.host || host->address6() == address.host) return host->id();
  }
  return kNoHost;
}

Listener* Network::find_listener(const Connection& connection, HostId host) {
  const Address& target = connection.target;
  for (Listener& listener : listeners_) {
    const Address& bound = listener.address;
    if (!listener.live || listener.host != host) continue;
    if (bound.unix_socket != target.unix_socket || bound.port != target.port) continue;
    if (bound.host == target.host) return &listener;
    if (target.unix_socket || !is_any(bound.host)) continue;
    const bool target_is_v6 = target.host.find(':') != std::string::npos;
    if (!target_is_v6 || bound.host != "0.0.0.0") return &listener;
  }
  return nullptr;
}

void Network::start_connect(HostId host, uint32_t slot) {
  SimBackend& backend = core_.host(host).backend();
  const Op& op = backend.op(slot);
  if (!op.address.unix_socket && !is_numeric(op.address.host)) {
    return finish(host, slot, Error::invalid);
  }
  if (!backend.has_room()) return finish(host, slot, Error::too_many_files);
  if (next_port_.size() <= host) next_port_.resize(host + 1, kFirstPort);
  const uint32_t index = new_connection();
  Connection& connection = live(index);
  connection.unix_socket = op.address.unix_socket;
  connection.target = op.address;
  connection.started = core_.host(host).local_now();
  Side& side = connection.sides[0];
  side.state = SideState::connecting;
  side.host = host;
  if (!connection.unix_socket) {
    side.port = next_port_[host];
    next_port_[host] = side.port >= kLastPort ? kFirstPort : static_cast<uint16_t>(side.port + 1);
  }
  side.connect_slot = slot;
  backend.progress(slot) = index;

  const HostId to = host_of(host, connection.target);
  const Duration wait = delay(host, to == kNoHost ? host : to, 0);
  if (to == kNoHost) {
    return push(connection.started + wait, EventKind::refused, index, 0,
                static_cast<uint32_t>(Error::unreachable));
  }
  if (core_.happens_between(Fault::net_hang, host, to)) {
    return push(connection.started + core_.options.connect_timeout, EventKind::refused, index, 0,
                static_cast<uint32_t>(Error::timed_out));
  }
  push(connection.started + wait, EventKind::syn, index, 0);
}

void Network::retry_syn(uint32_t index, EventKind kind) {
  Connection& connection = live(index);
  const Instant end = connection.started + core_.options.connect_timeout;
  const Instant next =
      core_.now + kSynRetry * (int64_t{1} << std::min<int>(connection.attempts, 6));
  ++connection.attempts;
  if (next < end) return push(next, kind, index, 0);
  push(std::max(end, core_.now), EventKind::refused, index, 0,
       static_cast<uint32_t>(Error::timed_out));
}

void Network::on_syn(uint32_t index) {
  Connection& connection = live(index);
  const HostId from = connection.sides[0].host;
  const HostId to = host_of(from, connection.target);
  if (!core_.host(to).powered() || !passes(connection, from, to)) {
    return retry_syn(index, EventKind::syn);
  }
  Listener* listener = find_listener(connection, to);
  const bool refuse = core_.happens_between(Fault::net_refuse, to, from);
  if (listener == nullptr || refuse) {
    const Error error = connection.unix_socket && !refuse ? Error::not_found : Error::refused;
    return push(core_.now + delay(to, from, 0), EventKind::refused, index, 0,
                static_cast<uint32_t>(error));
  }
  if (listener->waiting.size() >= listener->backlog) return retry_syn(index, EventKind::syn);
  Side& side = connection.sides[1];
  side.state = SideState::backlog;
  side.host = to;
  side.port = connection.target.port;
  side.last_heard = core_.now;
  listener->waiting.push_back(index);
  match_accepts(*listener);
  push(core_.now + delay(to, from, 0), EventKind::syn_ack, index, 0);
}

void Network::on_syn_ack(uint32_t index) {
  Connection& connection = live(index);
  Side& side = connection.sides[0];
  if (!passes(connection, connection.sides[1].host, side.host)) {
    return retry_syn(index, EventKind::syn_ack);
  }
  SimBackend& backend = core_.host(side.host).backend();
  side.state = SideState::open;
  side.last_heard = core_.now;
  side.handle = backend.open_row(RowType::stream, index, 0);
  backend.op(side.connect_slot).result.handle = side.handle;
  finish(side.host, side.connect_slot, Error::none);
}

void Network::fail_connect(uint32_t index, Error error) {
  Side& side = live(index).sides[0];
  side.state = SideState::gone;
  if (side.connect_slot != kNoSlot) finish(side.host, side.connect_slot, error);
  free_if_over(index);
}

void Network::give_up_connect(uint32_t index, bool silently) {
  Connection& connection = live(index);
  connection.sides[0].connect_slot = kNoSlot;
  connection.sides[0].state = SideState::gone;
  if (connection.sides[1].state != SideState::none && !silently) send_reset(index, 1);
  free_if_over(index);
}

void Network::forget_connects(HostId host, bool silently) {
  for (uint32_t index = 0; index < connections_.size(); ++index) {
    const Side& side = live(index).sides[0];
    if (side.host == host && side.state == SideState::connecting) give_up_connect(index, silently);
  }
}

bool Network::withdraw(HostId host, uint32_t slot, const Op& op) {
  SimBackend& backend = core_.host(host).backend();
  if (op.kind == OpKind::connect) {
    const auto index = static_cast<uint32_t>(backend.progress(slot));
    if (live(index).sides[0].connect_slot != slot) return false;
    give_up_connect(index, false);
    return true;
  }
  const Row* row = backend.find(op.handle);
  if (row == nullptr) return false;
  if (op.kind == OpKind::accept) {
    return std::erase(listeners_[row->index].accepts, slot) > 0;
  }
  Side& side = live(row->index).sides[row->side];
  if (op.kind == OpKind::receive && side.receive_slot == slot) {
    side.receive_slot = kNoSlot;
    side.waits_for_chunk = false;
    return true;
  }
  if (op.kind == OpKind::send && side.send_slot == slot) {
    side.send_slot = kNoSlot;
    return true;
  }
  return false;
}

void Network::close_listener(uint32_t index, bool forgotten) {
  Listener& listener = listeners_[index];
  for (uint32_t slot : listener.accepts) {
    if (!forgotten) finish(listener.host, slot, Error::cancelled);
  }
  for (const uint32_t waiting : listener.waiting) {
    live(waiting).sides[1].state = SideState::gone;
    if (core_.host(listener.host).powered()) send_reset(waiting, 0);
    free_if_over(waiting);
  }
  listener = Listener();
}

void Network::on_event(const Event& event) {
  if (core_.recorder != nullptr) record_arrival(event);
  if (!current(event)) return;
  const uint32_t index = event.index;
  Connection& connection = live(index);
  const bool connecting = connection.sides[0].state == SideState::connecting;
  switch (event.kind) {
    case EventKind::syn:
      if (connecting && event.epoch == connection.sides[0].out.epoch) on_syn(index);
      return;
    case EventKind::syn_ack:
      if (connecting && event.epoch == connection.sides[0].out.epoch) on_syn_ack(index);
      return;
    case EventKind::refused:
      if (connecting) fail_connect(index, static_cast<Error>(event.extra));
      return;
    case EventKind::segment: return on_segment(index, event.side, event);
    case EventKind::fin: return on_fin(index, event.side, event);
    case EventKind::reset: return on_reset(index, event.side);
    case EventKind::retransmit: return on_retransmit(index, event.side);
    case EventKind::keepalive: return on_keepalive(index, event.side);
    default: ASSERT(false);
  }
}

// A heavy tail: one segment in fifty is ten times as late as others, one in a thousand a hundred
// times. The mean is the link's own, and as often small as large.
int64_t Network::jitter_ns(HostId from, HostId to, int64_t most_us) {
  const uint64_t link = (uint64_t{from} << 32) | to;
  const uint64_t halvings = mix64(~core_.run_seed ^ mix64(link)) % 8;
  Random& random = core_.fault_random(Fault::net_jitter, to);
  const uint64_t luck = random.below(1'000);
  const int64_t times = luck == 0 ? 100 : luck <= 20 ? 10 : 1;
  core_.count(Fault::net_jitter, to);
  return random.exponential((most_us * 1'000) >> halvings) * times;
}

Duration Network::delay(HostId from, HostId to, uint64_t bytes) {
  Random& random = core_.network_random;
  int64_t ns = kLoopbackNs;
  if (from != to) {
    const auto span = static_cast<uint64_t>(core_.options.link_max_ns - core_.options.link_min_ns);
    const uint64_t pair = (uint64_t{from} << 32) | to;
    ns = core_.options.link_min_ns +
         static_cast<int64_t>(mix64(core_.run_seed ^ mix64(pair)) % (span + 1));
  }
  ns += static_cast<int64_t>(random.below(static_cast<uint64_t>(ns / 4) + 1));
  ns += core_.extra_between(Fault::net_delay, to, from).ns;
  if (const int64_t most_us = core_.level_between(Fault::net_jitter, to, from); most_us > 0) {
    ns += jitter_ns(from, to, most_us);
  }
  if (const int64_t slow = core_.level_between(Fault::net_slow, to, from); slow > 0 && bytes > 0) {
    ns += static_cast<int64_t>(bytes) * 1'000'000 / slow;
    core_.count(Fault::net_slow, to);
  }
  return {ns};
}

const Network::Cut* Network::find_cut(HostId from, HostId to) const {
  if (core_.is_well(from) && core_.is_well(to)) return nullptr;
  for (const Cut& cut : cuts_) {
    const bool from_inside = from < cut.inside.size() && cut.inside[from];
    const bool to_inside = to < cut.inside.size() && cut.inside[to];
    if (from_inside != to_inside && (from_inside ? cut.out : cut.in)) return &cut;
  }
  return nullptr;
}

bool Network::passes(const Connection& connection, HostId from, HostId to) const {
  return !connection.dead_link && (cuts_.empty() || find_cut(from, to) == nullptr);
}

uint32_t Network::cut(std::vector<HostId> inside, bool out, bool in, CutKind kind) {
  Cut cut = {next_cut_++, out, in, kind, std::vector<bool>(core_.hosts.size())};
  for (const HostId host : inside) cut.inside[host] = true;
  cuts_.push_back(std::move(cut));
  return cuts_.back().number;
}

void Network::heal(uint32_t number) {
  const bool held = std::any_of(cuts_.begin(), cuts_.end(), [number](const Cut& cut) {
    return cut.number == number && cut.kind == CutKind::held;
  });
  std::erase_if(cuts_, [number](const Cut& cut) { return cut.number == number; });
  // What was held moves at once; what was lost waits for its next attempt.
  if (held) release();
}

void Network::release() {
  for (uint32_t index = 0; index < connections_.size(); ++index) {
    for (int side = 0; side < 2; ++side) {
      if (live(index).sides[side].out.stalled && reachable(index, side)) {
        on_retransmit(index, side);
      }
    }
    release_attempt(index);
  }
}

// An attempt to connect that waits for its next try makes it now.
void Network::release_attempt(uint32_t index) {
  Connection& connection = live(index);
  Side& side = connection.sides[0];
  if (side.state != SideState::connecting || connection.attempts == 0) return;
  ++side.out.epoch;
  connection.attempts = 0;
  const bool answered = connection.sides[1].state != SideState::none;
  push(core_.now, answered ? EventKind::syn_ack : EventKind::syn, index, 0);
}

std::vector<uint32_t> Network::streams_of(HostId host) const {
  std::vector<uint32_t> streams;
  for (uint32_t index = 0; index < connections_.size(); ++index) {
    const Connection& connection = connections_[index];
    const Side& a = connection.sides[0];
    const Side& b = connection.sides[1];
    if (connection.dead_link || (a.host != host && b.host != host)) continue;
    if (a.state == SideState::open && b.state == SideState::open) streams.push_back(index);
  }
  return streams;
}

void Network::kill_link(HostId host, uint64_t choice) {
  const std::vector<uint32_t> streams = streams_of(host);
  ASSERT(!streams.empty());
  live(streams[choice % streams.size()]).dead_link = true;
}

}  // namespace redoubt::sim
