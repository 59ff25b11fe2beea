// Bytes on their way: what a stream does between a send and the receive at its other end.
#include <algorithm>
#include <bit>
#include <cstring>

#include "sim/host.h"
#include "sim/network.h"

namespace redoubt::sim {

namespace {

constexpr uint64_t kSegmentMax = 65'536;
constexpr int kCutsMax = 16;  // of the bytes that depart at once
constexpr Duration kResendFirst = Duration::milliseconds(200);
constexpr Duration kResendMax = Duration::seconds(120);
constexpr int kProbesMax = 3;

Duration resend_wait(int attempts) {
  const Duration wait = kResendFirst * (int64_t{1} << std::min(attempts, 10));
  return std::min(wait, kResendMax);
}

// Makes room for `size` more bytes behind those in the ring.
void reserve(Pipe& pipe, uint64_t size) {
  const uint64_t used = pipe.accepted - pipe.consumed;
  if (used + size <= pipe.ring.size()) return;
  std::vector<std::byte> larger(std::bit_ceil(std::max<uint64_t>(used + size, 512)));
  for (uint64_t at = pipe.consumed; at < pipe.accepted;) {
    const uint64_t from = at & (pipe.ring.size() - 1);
    const uint64_t to = at & (larger.size() - 1);
    const uint64_t piece =
        std::min({pipe.accepted - at, pipe.ring.size() - from, larger.size() - to});
    std::memcpy(larger.data() + to, pipe.ring.data() + from, piece);
    at += piece;
  }
  pipe.ring = std::move(larger);
}

void put(Pipe& pipe, Slice bytes) {
  reserve(pipe, bytes.size());
  const uint64_t at = pipe.accepted & (pipe.ring.size() - 1);
  const uint64_t first = std::min<uint64_t>(bytes.size(), pipe.ring.size() - at);
  std::memcpy(pipe.ring.data() + at, bytes.data(), first);
  std::memcpy(pipe.ring.data(), bytes.data() + first, bytes.size() - first);
  pipe.accepted += bytes.size();
}

void take(Pipe& pipe, std::span<std::byte> into) {
  const uint64_t at = pipe.consumed & (pipe.ring.size() - 1);
  const uint64_t first = std::min<uint64_t>(into.size(), pipe.ring.size() - at);
  std::memcpy(into.data(), pipe.ring.data() + at, first);
  std::memcpy(into.data() + first, pipe.ring.data(), into.size() - first);
  pipe.consumed += into.size();
}

// Nothing more of this pipe will arrive.
void drop_in_flight(Pipe& pipe) {
  ++pipe.epoch;
  pipe.accepted = pipe.departed = pipe.acknowledged = pipe.arrived;
  pipe.fin = pipe.fin_departed = pipe.stalled = false;
}

}  // namespace

uint32_t Network::buffer_bytes(const Connection& connection) const {
  const int64_t small = core_.level_between(Fault::net_small_buffers, connection.sides[0].host,
                                            connection.sides[1].host);
  return small > 0 ? static_cast<uint32_t>(small) : core_.options.socket_buffer_bytes;
}

void Network::start_receive(HostId, uint32_t slot, uint32_t index, int side) {
  Side& me = live(index).sides[side];
  ASSERT(me.receive_slot == kNoSlot);
  me.receive_slot = slot;
  deliver(index, side);
}

void Network::start_send(HostId, uint32_t slot, uint32_t index, int side) {
  Side& me = live(index).sides[side];
  ASSERT(me.send_slot == kNoSlot);
  me.send_slot = slot;
  me.gather_index = 0;
  me.gather_offset = 0;
  accept_bytes(index, side);
}

// Takes as much of the send under way as the send buffer has room for.
void Network::copy_in(uint32_t index, int side) {
  Side& me = live(index).sides[side];
  Op& op = core_.host(me.host).backend().op(me.send_slot);
  const uint64_t unacknowledged = me.out.accepted - me.out.acknowledged;
  const uint64_t buffer = buffer_bytes(live(index));
  uint64_t room = buffer > unacknowledged ? buffer - unacknowledged : 0;
  while (me.gather_index < op.gather.size()) {
    const Slice slice = op.gather[me.gather_index].subspan(me.gather_offset);
    const Slice piece = slice.first(static_cast<size_t>(std::min<uint64_t>(slice.size(), room)));
    if (!piece.empty()) {
      put(me.out, piece);
      core_.record(What::sent, me.host, me.handle.index & 0xffffff, index,
                   {reinterpret_cast<const char*>(piece.data()), piece.size()});
      room -= piece.size();
      op.result.bytes += piece.size();
    }
    if (piece.size() < slice.size()) {
      me.gather_offset += piece.size();
      return;
    }
    ++me.gather_index;
    me.gather_offset = 0;
  }
}

void Network::accept_bytes(uint32_t index, int side) {
  Side& me = live(index).sides[side];
  if (me.send_slot == kNoSlot) return;
  if (me.broken != Error::none) return finish(me.host, me.send_slot, me.broken);
  const Op& op = core_.host(me.host).backend().op(me.send_slot);
  copy_in(index, side);
  if (me.gather_index == op.gather.size()) {
    finish(me.host, me.send_slot, Error::none);
  } else if (buffer_bytes(live(index)) < core_.options.socket_buffer_bytes) {
    core_.count(Fault::net_small_buffers, me.host);
  }
  pump(index, side);
}

// Lets depart what the receiver's window has room for.
void Network::pump(uint32_t index, int side) {
  Connection& connection = live(index);
  Side& me = connection.sides[side];
  Pipe& pipe = me.out;
  if (pipe.stalled || me.broken != Error::none) return;
  const HostId to = connection.sides[1 - side].host;
  const Instant now = core_.host(me.host).local_now();
  const uint64_t in_window = pipe.departed - pipe.consumed;
  const uint64_t buffer = buffer_bytes(connection);
  uint64_t left = buffer > in_window ? buffer - in_window : 0;
  left = std::min(left, pipe.accepted - pipe.departed);
  for (int cuts = 0; left > 0;) {
    uint64_t size = std::min(left, kSegmentMax);
    if (size > 1 && cuts < kCutsMax && core_.happens_between(Fault::net_cut, me.host, to)) {
      size = 1 + core_.fault_random(Fault::net_cut, me.host).below(size - 1);
      ++cuts;
    }
    Duration wait = delay(me.host, to, size);
    if (core_.happens_between(Fault::net_reorder, me.host, to)) {
      Random& random = core_.fault_random(Fault::net_reorder, me.host);
      wait = wait + Duration{random.exponential(core_.faults.net_hold_us * 1'000)};
    }
    pipe.last_arrival = std::max(pipe.last_arrival, now + wait);
    pipe.departed += size;
    left -= size;
    push(pipe.last_arrival, EventKind::segment, index, side, static_cast<uint32_t>(pipe.departed));
    if (core_.recorder != nullptr) record_segment(index, side, size);
  }
  if (pipe.fin && !pipe.fin_departed && pipe.departed == pipe.accepted) {
    pipe.fin_departed = true;
    pipe.last_arrival = std::max(pipe.last_arrival, now + delay(me.host, to, 0));
    push(pipe.last_arrival, EventKind::fin, index, side);
  }
}

// Gives a waiting receive what has arrived.
void Network::deliver(uint32_t index, int side) {
  Connection& connection = live(index);
  Side& me = connection.sides[side];
  if (me.receive_slot == kNoSlot) return;
  Pipe& in = connection.sides[1 - side].out;
  const uint64_t available = in.arrived - in.consumed;
  if (available == 0) {
    if (me.broken != Error::none) return finish(me.host, me.receive_slot, me.broken);
    if (me.ended) return finish(me.host, me.receive_slot, Error::closed);
    return;
  }
  SimBackend& backend = core_.host(me.host).backend();
  Op& op = backend.op(me.receive_slot);
  const bool lent = op.into.empty();
  uint64_t size = std::min<uint64_t>(available, lent ? core_.options.chunk_bytes : op.into.size());
  if (size > 1 && core_.happens(Fault::io_short_receive, me.host)) {
    size = 1 + core_.fault_random(Fault::io_short_receive, me.host).below(size - 1);
  }
  if (lent) {
    op.result.chunk = backend.lend(static_cast<uint32_t>(size));
    if (!op.result.chunk) {
      if (!me.waits_for_chunk) backend.wait_for_chunk(me.handle);
      me.waits_for_chunk = true;
      return;
    }
    take(in, {op.result.chunk.data, static_cast<size_t>(size)});
  } else {
    take(in, op.into.first(static_cast<size_t>(size)));
  }
  op.result.bytes = size;
  finish(me.host, me.receive_slot, Error::none);
  pump(index, 1 - side);
}

void Network::chunk_available(uint32_t index, int side) {
  live(index).sides[side].waits_for_chunk = false;
  deliver(index, side);
}

bool Network::reachable(uint32_t index, int side) {
  const Connection& connection = live(index);
  const HostId from = connection.sides[side].host;
  const HostId to = connection.sides[1 - side].host;
  return core_.host(to).powered() && passes(connection, from, to) && passes(connection, to, from);
}

// What was on the way is lost; it is sent again later.
void Network::lose(uint32_t index, int side) {
  Side& me = live(index).sides[side];
  Pipe& pipe = me.out;
  ++pipe.epoch;
  pipe.departed = pipe.arrived;
  pipe.fin_departed = false;
  if (me.state == SideState::gone || pipe.stalled) return;
  pipe.stalled = true;
  pipe.stalled_since = core_.now;
  pipe.attempts = 0;
  push(core_.now + resend_wait(0), EventKind::retransmit, index, side);
}

void Network::on_retransmit(uint32_t index, int side) {
  Side& me = live(index).sides[side];
  Pipe& pipe = me.out;
  if (!pipe.stalled) return;
  if (me.state == SideState::gone) {
    pipe.stalled = false;
    return;
  }
  if (reachable(index, side)) {
    pipe.stalled = false;
    pipe.acknowledged = pipe.arrived;
    accept_bytes(index, side);
    pump(index, side);
    return;
  }
  if (core_.now - pipe.stalled_since > core_.options.tcp_timeout) {
    return break_side(index, side, Error::timed_out);
  }
  if (pipe.attempts < 255) ++pipe.attempts;
  push(core_.now + resend_wait(pipe.attempts), EventKind::retransmit, index, side);
}

// Whether what `side` has sent gets to somebody.
bool Network::arrives(uint32_t index, int side, const Event& event) {
  Connection& connection = live(index);
  Side& from = connection.sides[side];
  Side& to = connection.sides[1 - side];
  if (event.epoch != from.out.epoch) return false;
  if (!core_.host(to.host).powered() || !passes(connection, from.host, to.host)) {
    lose(index, side);
    return false;
  }
  if (to.state == SideState::closed || to.state == SideState::gone || to.broken != Error::none) {
    drop_in_flight(from.out);
    send_reset(index, side);
    return false;
  }
  to.last_heard = core_.now;
  return true;
}

// One to four bytes of what has just arrived are others.
void Network::corrupt(Pipe& pipe, uint64_t from, Random& random) {
  for (uint64_t left = 1 + random.below(4); left > 0; --left) {
    const uint64_t at = from + random.below(pipe.arrived - from);
    const auto change = static_cast<std::byte>(1 + random.below(255));
    pipe.ring[at & (pipe.ring.size() - 1)] ^= change;
  }
}

// Whether what has just arrived, behind `before`, is the last of its connection.
bool Network::resets(uint32_t index, int side, uint64_t before) {
  Connection& connection = live(index);
  const HostId from = connection.sides[side].host;
  const HostId to = connection.sides[1 - side].host;
  if (core_.happens_between(Fault::net_reset, to, from)) {
    send_reset(index, side);
    break_side(index, 1 - side, Error::reset);
    return true;
  }
  Pipe& pipe = connection.sides[side].out;
  if (pipe.arrived - before < 2 || !core_.happens_between(Fault::net_reset_mid, to, from)) {
    return false;
  }
  const uint64_t size = pipe.arrived - before;
  pipe.arrived = before + 1 + core_.fault_random(Fault::net_reset_mid, to).below(size - 1);
  send_reset(index, side);
  break_side(index, 1 - side, Error::reset, Unread::kept);
  return true;
}

void Network::on_segment(uint32_t index, int side, const Event& event) {
  if (!arrives(index, side, event)) return;
  Connection& connection = live(index);
  Side& from = connection.sides[side];
  Pipe& pipe = from.out;
  const uint64_t before = pipe.arrived;
  pipe.arrived += event.extra - static_cast<uint32_t>(pipe.arrived);
  ASSERT(pipe.arrived <= pipe.departed);
  const HostId receiver = connection.sides[1 - side].host;
  if (core_.happens_between(Fault::net_corrupt, receiver, from.host)) {
    corrupt(pipe, before, core_.fault_random(Fault::net_corrupt, receiver));
  }
  if (resets(index, side, before)) return;
  if (passes(connection, connection.sides[1 - side].host, from.host)) {
    pipe.acknowledged = pipe.arrived;
    from.last_heard = core_.now;
    if (from.state == SideState::open) accept_bytes(index, side);
  } else if (!pipe.stalled) {
    // It got there, but its sender does not learn it.
    pipe.stalled = true;
    pipe.stalled_since = core_.now;
    pipe.attempts = 0;
    push(core_.now + resend_wait(0), EventKind::retransmit, index, side);
  }
  deliver(index, 1 - side);
}

void Network::on_fin(uint32_t index, int side, const Event& event) {
  Connection& connection = live(index);
  Side& to = connection.sides[1 - side];
  if (event.epoch != connection.sides[side].out.epoch) return;
  if (to.state == SideState::closed || to.state == SideState::gone) return;
  if (!arrives(index, side, event)) return;
  to.ended = true;
  deliver(index, 1 - side);
}

// A reset for `to_side` leaves the other side's machine, after what that has sent before.
void Network::send_reset(uint32_t index, int to_side) {
  Connection& connection = live(index);
  const Side& from = connection.sides[1 - to_side];
  const Duration wait = delay(from.host, connection.sides[to_side].host, 0);
  const Instant at = core_.host(from.host).local_now() + wait;
  push(std::max(at, from.out.last_arrival), EventKind::reset, index, to_side);
}

void Network::on_reset(uint32_t index, int side) {
  Connection& connection = live(index);
  const HostId from = connection.sides[1 - side].host;
  const HostId to = connection.sides[side].host;
  if (connection.dead_link || !core_.host(to).powered()) return;
  if (const Cut* cut = find_cut(from, to); cut != nullptr) {
    // Nobody repeats a reset; but what is held comes through in the end.
    if (cut->kind == CutKind::held) {
      push(core_.now + kResendFirst, EventKind::reset, index, side);
    }
    return;
  }
  break_side(index, side, Error::reset);
}

// From now on this side meets `error`, after what has arrived before (or, unless that is to be
// kept, without it).
void Network::break_side(uint32_t index, int side, Error error, Unread unread) {
  Connection& connection = live(index);
  Side& me = connection.sides[side];
  if (me.state == SideState::connecting) return fail_connect(index, error);
  drop_in_flight(me.out);
  if (me.state != SideState::open && me.state != SideState::backlog) {
    me.state = SideState::gone;
    return free_if_over(index);
  }
  if (me.broken != Error::none) return;
  me.broken = error;
  Pipe& in = connection.sides[1 - side].out;
  drop_in_flight(in);
  // Its own stream: a reset more leaves the delays of all else as they were.
  Random& luck = core_.fault_random(Fault::net_reset, me.host);
  if (unread == Unread::any && luck.coin()) in.consumed = in.arrived;
  deliver(index, side);
  accept_bytes(index, side);
}

void Network::close_stream(uint32_t index, int side, bool forgotten) {
  Connection& connection = live(index);
  Side& me = connection.sides[side];
  for (uint32_t* slot : {&me.receive_slot, &me.send_slot}) {
    if (*slot != kNoSlot && !forgotten) finish(me.host, *slot, Error::cancelled);
    *slot = kNoSlot;
  }
  me.handle = {};
  me.keepalive_s = 0;
  const Pipe& in = connection.sides[1 - side].out;
  if (me.broken != Error::none) {
    me.state = SideState::gone;
  } else if (in.arrived > in.consumed) {
    // Closing with unread bytes resets the connection, after what was sent, as Linux does.
    pump(index, side);
    me.state = SideState::gone;
    send_reset(index, 1 - side);
  } else {
    me.state = SideState::closed;
    me.out.fin = true;
    pump(index, side);
  }
  free_if_over(index);
}

void Network::vanish(uint32_t index, int side) {
  Side& me = live(index).sides[side];
  me.state = SideState::gone;
  me.receive_slot = me.send_slot = kNoSlot;
  me.handle = {};
  me.keepalive_s = 0;
  me.out.accepted = me.out.departed;
  me.out.fin = false;
  free_if_over(index);
}

void Network::set_keepalive(uint32_t index, int side, int idle_s) {
  Side& me = live(index).sides[side];
  me.keepalive_s = idle_s;
  if (idle_s <= 0 || me.keepalive_armed) return;
  me.keepalive_armed = true;
  me.probes = 0;
  push(core_.now + Duration::seconds(idle_s), EventKind::keepalive, index, side);
}

void Network::on_keepalive(uint32_t index, int side) {
  Connection& connection = live(index);
  Side& me = connection.sides[side];
  me.keepalive_armed = false;
  if (me.state != SideState::open || me.keepalive_s <= 0 || me.broken != Error::none) return;
  const Duration idle = Duration::seconds(me.keepalive_s);
  Instant next = me.last_heard + idle;
  if (next <= core_.now) {
    if (reachable(index, side)) {
      if (connection.sides[1 - side].state == SideState::gone) {
        return break_side(index, side, Error::reset);
      }
      me.last_heard = core_.now;
      me.probes = 0;
      next = core_.now + idle;
    } else if (++me.probes > kProbesMax) {
      return break_side(index, side, Error::timed_out);
    } else {
      next = core_.now + std::max(Duration{idle.ns / 3}, Duration::seconds(1));
    }
  }
  me.keepalive_armed = true;
  push(next, EventKind::keepalive, index, side);
}

}  // namespace redoubt::sim
