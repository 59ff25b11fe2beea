#include "net/uring/streams.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "net/assert.h"
#include "net/uring/addresses.h"
#include "net/uring/errors.h"

namespace redoubt {
namespace {

// More slices than this go through the ring.
constexpr size_t kSendNowSlices = 16;

// One send request takes no more than this, so that its result fits the completion's 31 bits.
constexpr uint64_t kSendBytesMax = 1u << 30;

// One receive into the receiver's own memory takes no more than this: the kernel copies, and clears
// fresh pages, while everybody else waits.
constexpr uint64_t kReceiveBytesMax = 1u << 20;

// Discards what the peer has sent and nobody read: closing a socket with unread bytes would break
// the connection at once, and the last replies could be lost with it.
void discard_unread(const Row& row) {
  if (row.tcp) {
    recv(row.fd, nullptr, kSendBytesMax, MSG_TRUNC | MSG_DONTWAIT);
    return;
  }
  std::byte waste[4096];
  constexpr int kRoundsMax = 64;  // a unix socket's buffer, about
  for (int round = 0; round < kRoundsMax; ++round) {
    if (recv(row.fd, waste, sizeof waste, MSG_DONTWAIT) <= 0) return;
  }
}

void no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

void Streams::connect(Op& op) {
  Address address = op.address;
  if (address.unix_socket) address.host = absolute_path(core_, address.host);
  Expected<SocketAddress> parsed = parse_address(address);
  if (!parsed.ok()) return core_.ready.push(op, parsed.error());
  const int fd = socket(parsed->family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return core_.ready.push(op, error_from_errno(errno));
  if (!address.unix_socket) no_delay(fd);
  mark_packets(fd, core_.socket_mark);

  const Handle handle = core_.rows.add(RowKind::connecting, fd);
  Row& row = core_.rows.at(handle.index);
  row.tcp = !address.unix_socket;
  row.receiver = &op;
  row.in_flight = 1;
  op.world = user_data(Tag::connect, handle);
  io_uring_sqe* sqe = core_.ring.request();
  void* memory = core_.ring.scratch().take(sizeof(SocketAddress));
  const auto* stable = new (memory) SocketAddress(*parsed);
  io_uring_prep_connect(sqe, fd, &stable->base, stable->size);
  io_uring_sqe_set_data64(sqe, op.world);
}

void Streams::on_connect(Handle handle, int result) {
  Row* row = core_.rows.find_dead(handle);
  ASSERT(row != nullptr && row->kind == RowKind::connecting);
  Op& op = *row->receiver;
  row->receiver = nullptr;
  row->in_flight = 0;
  if (result < 0) {
    ::close(row->fd);
    core_.rows.remove(handle);
    op.result.error = error_from_errno(-result);
  } else {
    row->kind = RowKind::stream;
    op.result.handle = handle;
  }
  complete(op);
}

void Streams::receive(Op& op) {
  Row* row = core_.rows.find(op.handle);
  if (row == nullptr || row->kind != RowKind::stream) {
    return core_.ready.push(op, Error::cancelled);
  }
  ASSERT(row->receiver == nullptr);  // one receive at a time
  if (row->held_first != kNoIndex) {
    take_held(*row, op);
    core_.ready.push(op);
  } else if (row->end != Error::none) {
    core_.ready.push(op, row->end);
  } else {
    row->receiver = &op;
    start_receive(op.handle, *row);
  }
}

void Streams::start_receive(Handle handle, Row& row) {
  const Op& op = *row.receiver;
  if (op.into.empty()) {
    if (!row.armed && !row.starved) arm(handle, row);
  } else if (row.armed) {
    press(handle, row);
  } else {
    row.into_flight = true;
    ++row.in_flight;
    io_uring_sqe* sqe = core_.ring.request();
    io_uring_prep_recv(sqe, row.fd, op.into.data(), std::min(op.into.size(), kReceiveBytesMax), 0);
    io_uring_sqe_set_data64(sqe, user_data(Tag::receive_into, handle));
  }
}

void Streams::arm(Handle handle, Row& row) {
  row.armed = true;
  row.cancelling = false;
  ++row.in_flight;
  io_uring_sqe* sqe = core_.ring.request();
  if (row.greedy) {
    io_uring_prep_recv(sqe, row.fd, nullptr, 0, 0);
  } else {
    io_uring_prep_recv_multishot(sqe, row.fd, nullptr, 0, 0);
  }
  io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
  sqe->buf_group = BufferPool::kGroup;
  io_uring_sqe_set_data64(sqe, user_data(Tag::receive, handle));
}

void Streams::on_receive(Handle handle, int result, uint32_t flags) {
  Row* row = core_.rows.find_dead(handle);
  ASSERT(row != nullptr && row->armed);
  const bool has_buffer = (flags & IORING_CQE_F_BUFFER) != 0;
  const uint32_t id = flags >> IORING_CQE_BUFFER_SHIFT;
  if (has_buffer) buffers_.filled(id, result > 0 ? static_cast<uint32_t>(result) : 0);
  if ((flags & IORING_CQE_F_MORE) == 0) {
    row->armed = false;
    row->cancelling = false;
    --row->in_flight;
    if (result > 0 && (flags & IORING_CQE_F_SOCK_NONEMPTY) == 0) row->greedy = false;
  }
  if (result > 0 && !row->closing) {
    ASSERT(has_buffer);
    received(handle, *row, id);
    return;
  }
  if (has_buffer) buffers_.recycle(id);
  if (row->closing) return settle_close(handle, *row);
  if (result == -ENOBUFS) {
    out_of_buffers(handle, *row);
  } else if (result == 0) {
    row->end = Error::closed;
  } else if (result != -ECANCELED) {
    row->end = error_from_errno(-result);
  }
  proceed(handle, *row);
}

void Streams::received(Handle handle, Row& row, uint32_t id) {
  Op* op = row.receiver;
  if (op == nullptr) {
    hold(handle, row, id);
    press(handle, row);
    return;
  }
  ASSERT(row.held_first == kNoIndex && !row.into_flight);
  row.receiver = nullptr;
  if (op->into.empty()) {
    op->result.chunk = buffers_.chunk(id);
    op->result.bytes = op->result.chunk.size;
  } else {
    hold(handle, row, id);
    take_held(row, *op);
    if (row.held_first != kNoIndex) press(handle, row);
  }
  complete(*op);
}

// Nothing was received, but the state of the row has changed.
void Streams::proceed(Handle handle, Row& row) {
  Op* op = row.receiver;
  if (op == nullptr || row.into_flight) return;
  if (row.end == Error::none) return start_receive(handle, row);
  row.receiver = nullptr;
  op->result.error = row.end;
  complete(*op);
}

void Streams::out_of_buffers(Handle handle, Row& row) {
  if (buffers_.available() > 0 || buffers_.grow()) return;
  row.starved = true;
  row.greedy = true;
  starved_.push_back(handle);
}

void Streams::on_receive_into(Handle handle, int result) {
  Row* row = core_.rows.find_dead(handle);
  ASSERT(row != nullptr && row->into_flight && row->receiver != nullptr);
  Op& op = *row->receiver;
  row->receiver = nullptr;
  row->into_flight = false;
  --row->in_flight;
  if (row->closing) {
    op.result.error = Error::cancelled;
    settle_close(handle, *row);
  } else if (result > 0) {
    op.result.bytes = static_cast<uint64_t>(result);
  } else {
    op.result.error = result == 0 ? Error::closed : error_from_errno(-result);
    if (op.result.error != Error::cancelled) row->end = op.result.error;
  }
  complete(op);
}

void Streams::hold(Handle handle, Row& row, uint32_t id) {
  if (!row.holding) {
    row.holding = true;
    holding_.push_back(handle);
    if (holding_.size() > 2 * size_t{core_.rows.count()}) forget_stale_holders();
  }
  buffers_.link(id, kNoIndex);
  if (row.held_first == kNoIndex) {
    row.held_first = id;
  } else {
    buffers_.link(row.held_last, id);
  }
  row.held_last = id;
}

void Streams::take_held(Row& row, Op& op) {
  ASSERT(row.held_first != kNoIndex);
  if (op.into.empty()) {
    op.result.chunk = buffers_.chunk(row.held_first);
    op.result.bytes = op.result.chunk.size;
    row.held_first = buffers_.next(row.held_first);
    return;
  }
  size_t size = 0;
  while (row.held_first != kNoIndex && size < op.into.size()) {
    const uint32_t id = row.held_first;
    size += buffers_.copy_out(id, op.into.subspan(size));
    if (!buffers_.empty(id)) break;
    row.held_first = buffers_.next(id);
    buffers_.recycle(id);
  }
  op.result.bytes = size;
}

void Streams::drop_held(Row& row) {
  while (row.held_first != kNoIndex) {
    const uint32_t id = row.held_first;
    row.held_first = buffers_.next(id);
    buffers_.recycle(id);
  }
}

void Streams::press(Handle handle, Row& row) {
  if (row.pressed) return;
  row.pressed = true;
  pressed_.push_back(handle);
}

// Whether the receive that the kernel holds is in the way.
bool Streams::should_stop(const Row& row) const {
  if (!row.armed || row.cancelling) return false;
  if (row.closing) return true;
  if (row.receiver != nullptr) return !row.receiver->into.empty();
  return row.held_first != kNoIndex;
}

void Streams::before_wait() {
  buffers_.age();
  if (!pressed_.empty()) stop_unwanted();
  if (starved_.empty()) return;
  if (buffers_.available() == 0) spill_held();
  feed_starved();
}

void Streams::stop_unwanted() {
  for (const Handle handle : pressed_) {
    Row* row = core_.rows.find_dead(handle);
    if (row == nullptr) continue;
    row->pressed = false;
    if (!should_stop(*row)) continue;
    row->cancelling = true;
    row->greedy = true;
    core_.ring.cancel(user_data(Tag::receive, handle), user_data(Tag::cancel, handle));
  }
  pressed_.clear();
}

// Handles of rows that are gone. Those that are alive are at most as many as there are rows.
void Streams::forget_stale_holders() {
  std::erase_if(holding_, [this](Handle handle) {
    const Row* row = core_.rows.find_dead(handle);
    return row == nullptr || !row->holding;
  });
}

// All buffers are out, and connections wait for one. Those that are held for nobody are freed: each
// row is looked at once for what it has begun to hold since.
void Streams::spill_held() {
  std::erase_if(holding_, [this](Handle handle) {
    Row* row = core_.rows.find_dead(handle);
    if (row == nullptr) return true;
    row->holding = !spill_row(*row);
    return !row->holding;
  });
}

// False: there was no room on the heap for all that the row holds.
bool Streams::spill_row(Row& row) {
  bool all = true;
  uint32_t before = kNoIndex;
  for (uint32_t id = row.held_first; id != kNoIndex; id = buffers_.next(id)) {
    const uint32_t pooled = id;
    id = buffers_.spill(id);
    if (id == pooled && !buffers_.is_spilled(id)) all = false;
    if (before == kNoIndex) {
      row.held_first = id;
    } else {
      buffers_.link(before, id);
    }
    before = id;
  }
  row.held_last = before;
  return all;
}

void Streams::feed_starved() {
  for (uint32_t free = buffers_.available(); !starved_.empty() && free > 0;) {
    const Handle handle = starved_.front();
    starved_.pop_front();
    Row* row = core_.rows.find(handle);
    if (row == nullptr) continue;
    row->starved = false;
    if (row->receiver == nullptr || !row->receiver->into.empty() || row->armed) continue;
    arm(handle, *row);
    --free;
  }
}

void Streams::on_cancel_failed(Handle handle) {
  // The receive was on its way between two states of the kernel, or has ended meanwhile. In the
  // first case it has to be asked again.
  Row* row = core_.rows.find_dead(handle);
  if (row == nullptr || !row->armed || !row->cancelling) return;
  row->cancelling = false;
  press(handle, *row);
}

void Streams::send(Op& op) {
  Row* row = core_.rows.find(op.handle);
  if (row == nullptr || row->kind != RowKind::stream) {
    return core_.ready.push(op, Error::cancelled);
  }
  ASSERT(row->sender == nullptr);  // one send at a time
  uint64_t size = 0;
  for (const Slice& slice : op.gather) size += slice.size();
  if (size == 0) return core_.ready.push(op);
  op.world = size;  // still to be sent
  if (send_now(*row, op)) return core_.ready.push(op);
  row->sender = &op;
  row->send_stopped = false;
  submit_send(op.handle, *row, op);
}

// Replies nearly always fit into the socket's buffer. Through the ring their completions would end
// the next wait at once, for a turn in which nothing happens; a direct call leaves the wait to what
// is new. What does not fit, and every error, is the ring's. True when all was sent.
bool Streams::send_now(Row& row, Op& op) {
  iovec vectors[kSendNowSlices];
  if (op.gather.size() > kSendNowSlices) return false;
  for (size_t i = 0; i < op.gather.size(); ++i) {
    vectors[i] = {const_cast<std::byte*>(op.gather[i].data()), op.gather[i].size()};
  }
  msghdr message{};
  message.msg_iov = vectors;
  message.msg_iovlen = op.gather.size();
  const ssize_t sent =
      op.gather.size() == 1
          ? ::send(row.fd, vectors[0].iov_base, vectors[0].iov_len, MSG_DONTWAIT | MSG_NOSIGNAL)
          : ::sendmsg(row.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent <= 0) return false;
  op.result.bytes = static_cast<uint64_t>(sent);
  op.world -= static_cast<uint64_t>(sent);
  return op.world == 0;
}

void Streams::submit_send(Handle handle, Row& row, Op& op) {
  ++row.in_flight;
  Scratch& scratch = core_.ring.scratch();
  const Slice head = next_slice(op);
  const size_t first = op.gather_next;
  if (head.size() == op.world || head.size() >= kSendBytesMax) {
    io_uring_sqe* sqe = core_.ring.request();
    io_uring_prep_send(sqe, row.fd, head.data(), std::min(head.size(), kSendBytesMax),
                       MSG_NOSIGNAL);
    io_uring_sqe_set_data64(sqe, user_data(Tag::send, handle));
    return;
  }
  const size_t count = std::min<size_t>(op.gather.size() - first, IOV_MAX);
  io_uring_sqe* sqe = core_.ring.request();
  auto* vectors = static_cast<iovec*>(scratch.take(count * sizeof(iovec)));
  size_t used = 0;
  for (uint64_t size = 0; used < count; ++used) {
    const Slice slice = used == 0 ? head : op.gather[first + used];
    if (size + slice.size() > kSendBytesMax) break;
    size += slice.size();
    vectors[used] = {const_cast<std::byte*>(slice.data()), slice.size()};
  }
  auto* message = new (scratch.take(sizeof(msghdr))) msghdr{};
  message->msg_iov = vectors;
  message->msg_iovlen = used;
  io_uring_prep_sendmsg(sqe, row.fd, message, MSG_NOSIGNAL);
  io_uring_sqe_set_data64(sqe, user_data(Tag::send, handle));
}

void Streams::on_send(Handle handle, int result) {
  Row* row = core_.rows.find_dead(handle);
  ASSERT(row != nullptr && row->sender != nullptr);
  Op& op = *row->sender;
  --row->in_flight;
  if (result > 0) {
    const auto sent = static_cast<uint64_t>(result);
    ASSERT(sent <= op.world);
    op.world -= sent;
    op.result.bytes += sent;
  }
  const bool again = result > 0 || result == -EINTR || result == -EAGAIN;
  if (again && op.world > 0 && !row->send_stopped && !row->closing) {
    return submit_send(handle, *row, op);
  }
  row->sender = nullptr;
  if (row->closing) {
    op.result.error = Error::cancelled;
    settle_close(handle, *row);
  } else if (op.world > 0) {
    op.result.error = again ? Error::cancelled : error_from_errno(-result);
  }
  complete(op);
}

void Streams::cancel(Op& op) {
  if (op.kind == OpKind::connect) {
    if (op.world != 0) core_.ring.cancel(op.world, 0);
    return;
  }
  Row* row = core_.rows.find(op.handle);
  if (row == nullptr || row->kind != RowKind::stream) return;
  if (row->sender == &op) {
    row->send_stopped = true;
    core_.ring.cancel(user_data(Tag::send, op.handle), 0);
  } else if (row->receiver == &op && row->into_flight) {
    core_.ring.cancel(user_data(Tag::receive_into, op.handle), 0);
  } else if (row->receiver == &op) {
    row->receiver = nullptr;
    core_.ready.push(op, Error::cancelled);
  }
}

void Streams::close(Handle handle, Row& row) {
  row.closing = true;
  drop_held(row);
  if (row.sender != nullptr) core_.ring.cancel(user_data(Tag::send, handle), 0);
  if (row.into_flight) {
    core_.ring.cancel(user_data(Tag::receive_into, handle), 0);
  } else if (row.receiver != nullptr) {
    core_.ready.push(*row.receiver, Error::cancelled);
    row.receiver = nullptr;
  }
  if (row.armed) press(handle, row);
  settle_close(handle, row);
}

void Streams::settle_close(Handle handle, Row& row) {
  ASSERT(row.closing);
  if (row.in_flight > 0) return;
  if (row.end == Error::none) discard_unread(row);
  ::close(row.fd);
  core_.rows.remove(handle);
}

}  // namespace redoubt
