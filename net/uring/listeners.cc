#include "net/uring/listeners.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "net/assert.h"
#include "net/uring/addresses.h"
#include "net/uring/errors.h"

namespace redoubt {
namespace {

void set_option(int fd, int level, int option) {
  const int on = 1;
  setsockopt(fd, level, option, &on, sizeof on);
}

// Removes a socket that a process has left behind. One that somebody listens on stays.
void remove_stale_socket(const SocketAddress& address) {
  struct stat status{};
  const char* path = address.local.sun_path;
  if (lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return;
  const bool refused = ::connect(probe, &address.base, address.size) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  if (refused) unlink(path);
}

}  // namespace

Listeners::~Listeners() {
  while (!paths_.empty()) forget_path(paths_.back().listener);
}

Expected<Handle> Listeners::listen(const Address& address, int backlog, uint32_t mode) {
  Address real = address;
  if (real.unix_socket) real.host = absolute_path(core_, real.host);
  Expected<SocketAddress> parsed = parse_listen_address(real);
  if (!parsed.ok()) return parsed.error();
  const int fd = socket(parsed->family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return error_from_errno(errno);
  if (parsed->family() != AF_UNIX) {
    set_option(fd, SOL_SOCKET, SO_REUSEADDR);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY);
  }
  if (parsed->family() == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
  if (parsed->family() == AF_UNIX) remove_stale_socket(*parsed);

  int code = bind(fd, &parsed->base, parsed->size) == 0 ? 0 : errno;
  const bool bound = code == 0;
  // The permissions are right before the first connection is possible.
  if (bound && real.unix_socket && mode != 0 && chmod(real.host.c_str(), mode) != 0) code = errno;
  if (code == 0 && ::listen(fd, backlog) != 0) code = errno;
  if (code != 0) {
    if (bound && real.unix_socket) unlink(real.host.c_str());
    ::close(fd);
    return error_from_errno(code);
  }
  const Handle handle = core_.rows.add(RowKind::listener, fd);
  core_.rows.at(handle.index).tcp = !real.unix_socket;
  if (real.unix_socket) remember_path(handle, address, real.host);
  return handle;
}

void Listeners::remember_path(Handle handle, const Address& address, const std::string& path) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) status.st_ino = 0;
  paths_.push_back({handle, address, path, status.st_dev, status.st_ino});
}

void Listeners::forget_path(Handle handle) {
  const auto found = std::find_if(paths_.begin(), paths_.end(),
                                  [&](const UnixPath& path) { return path.listener == handle; });
  if (found == paths_.end()) return;
  struct stat status{};
  if (lstat(found->path.c_str(), &status) == 0 && status.st_dev == found->device &&
      status.st_ino == found->inode) {
    unlink(found->path.c_str());
  }
  paths_.erase(found);
}

const Address* Listeners::unix_address(Handle handle) const {
  for (const UnixPath& path : paths_) {
    if (path.listener == handle) return &path.address;
  }
  return nullptr;
}

void Listeners::accept(Op& op) {
  Row* row = core_.rows.find(op.handle);
  if (row == nullptr || row->kind != RowKind::listener) {
    return core_.ready.push(op, Error::cancelled);
  }
  ASSERT(row->receiver == nullptr);  // one accept at a time
  const Handle accepted = take_held(*row);
  if (accepted) {
    hand_over(op, accepted);
    return core_.ready.push(op);
  }
  row->receiver = &op;
  if (!row->armed) arm(op.handle, *row);
}

void Listeners::arm(Handle handle, Row& row) {
  row.armed = true;
  row.cancelling = false;
  ++row.in_flight;
  io_uring_sqe* sqe = core_.ring.request();
  io_uring_prep_multishot_accept(sqe, row.fd, nullptr, nullptr, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(sqe, user_data(Tag::accept, handle));
}

void Listeners::on_accept(Handle handle, int result, uint32_t flags) {
  Row* row = core_.rows.find_dead(handle);
  ASSERT(row != nullptr && row->armed);
  if ((flags & IORING_CQE_F_MORE) == 0) {
    row->armed = false;
    row->cancelling = false;
    --row->in_flight;
  }
  if (row->closing) {
    if (result >= 0) ::close(result);
    return settle_close(handle, *row);
  }
  Op* op = row->receiver;
  if (result >= 0) {
    const bool tcp = row->tcp;
    const Handle accepted = core_.rows.add(RowKind::stream, result);
    core_.rows.at(accepted.index).tcp = tcp;
    if (tcp) set_option(result, IPPROTO_TCP, TCP_NODELAY);
    if (op == nullptr) {
      hold(*row, accepted);
      press(handle, *row);
      return;
    }
    hand_over(*op, accepted);
  } else if (op == nullptr) {
    return;
  } else if (result == -ECANCELED || result == -ECONNABORTED || result == -EINTR) {
    if (!row->armed) arm(handle, *row);
    return;
  } else {
    op->result.error = error_from_errno(-result);
  }
  row->receiver = nullptr;
  complete(*op);
}

void Listeners::hand_over(Op& op, Handle accepted) {
  op.result.handle = accepted;
  const Address* local = unix_address(op.handle);
  if (local != nullptr) {
    op.address = *local;
    return;
  }
  SocketAddress peer;
  // A peer that is gone already has no name; the first receive will say so.
  const int fd = core_.rows.at(accepted.index).fd;
  op.address = getpeername(fd, &peer.base, &peer.size) == 0 ? to_address(peer) : Address{};
}

void Listeners::hold(Row& listener, Handle accepted) {
  if (listener.held_first == kNoIndex) {
    listener.held_first = accepted.index;
  } else {
    core_.rows.at(listener.held_last).link = accepted.index;
  }
  listener.held_last = accepted.index;
}

Handle Listeners::take_held(Row& listener) {
  const uint32_t index = listener.held_first;
  if (index == kNoIndex) return {};
  Row& accepted = core_.rows.at(index);
  listener.held_first = accepted.link;
  accepted.link = kNoIndex;
  return core_.rows.handle(index);
}

void Listeners::press(Handle handle, Row& row) {
  if (row.pressed) return;
  row.pressed = true;
  pressed_.push_back(handle);
}

void Listeners::before_wait() {
  for (const Handle handle : pressed_) {
    Row* row = core_.rows.find_dead(handle);
    if (row == nullptr) continue;
    row->pressed = false;
    const bool unwanted = row->closing || row->held_first != kNoIndex;
    if (!row->armed || row->cancelling || !unwanted) continue;
    row->cancelling = true;
    core_.ring.cancel(user_data(Tag::accept, handle), user_data(Tag::cancel, handle));
  }
  pressed_.clear();
}

void Listeners::on_cancel_failed(Handle handle) {
  Row* row = core_.rows.find_dead(handle);
  if (row == nullptr || !row->armed || !row->cancelling) return;
  row->cancelling = false;
  press(handle, *row);
}

void Listeners::cancel(Op& op) {
  Row* row = core_.rows.find(op.handle);
  if (row == nullptr || row->receiver != &op) return;
  row->receiver = nullptr;
  core_.ready.push(op, Error::cancelled);
}

void Listeners::close(Handle handle, Row& row) {
  row.closing = true;
  forget_path(handle);
  // The kernel's accept keeps the socket alive for a moment longer; the address is free at once.
  shutdown(row.fd, SHUT_RDWR);
  if (row.receiver != nullptr) {
    core_.ready.push(*row.receiver, Error::cancelled);
    row.receiver = nullptr;
  }
  for (Handle accepted = take_held(row); accepted; accepted = take_held(row)) {
    ::close(core_.rows.at(accepted.index).fd);
    core_.rows.remove(accepted);
  }
  if (row.armed) press(handle, row);
  settle_close(handle, row);
}

void Listeners::settle_close(Handle handle, Row& row) {
  if (row.in_flight > 0) return;
  ::close(row.fd);
  core_.rows.remove(handle);
}

}  // namespace redoubt
