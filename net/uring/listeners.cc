#include "net/uring/listeners.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
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

constexpr int kEventsMax = 64;
// In one turn, of one listener.
constexpr int kAcceptsMax = 256;

void set_option(int fd, int level, int option) {
  const int on = 1;
  setsockopt(fd, level, option, &on, sizeof on);
}

// Removes a socket that a process has left behind, or a plain file. A socket that somebody listens
// on stays.
void make_way(const SocketAddress& address) {
  struct stat status{};
  const char* path = address.local.sun_path;
  if (lstat(path, &status) != 0) return;
  if (S_ISREG(status.st_mode)) unlink(path);
  if (!S_ISSOCK(status.st_mode)) return;
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return;
  const bool refused = ::connect(probe, &address.base, address.size) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  if (refused) unlink(path);
}

}  // namespace

Listeners::~Listeners() {
  remove_paths();
  if (epoll_fd_ >= 0) ::close(epoll_fd_);
}

// False: the system has no descriptors left.
bool Listeners::open_set() {
  if (epoll_fd_ >= 0) return true;
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd_ < 0) return false;
  poll();
  return true;
}

void Listeners::remove_paths() {
  while (!paths_.empty()) forget_path(paths_.back().listener);
}

Expected<Handle> Listeners::listen(const Address& address, int backlog, uint32_t mode) {
  Address real = address;
  if (real.unix_socket) real.host = absolute_path(core_, real.host);
  Expected<SocketAddress> parsed = parse_listen_address(real);
  if (!parsed.ok()) return parsed.error();
  if (!open_set()) return error_from_errno(errno);
  const int fd = socket(parsed->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return error_from_errno(errno);
  if (parsed->family() != AF_UNIX) {
    set_option(fd, SOL_SOCKET, SO_REUSEADDR);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY);
  }
  if (parsed->family() == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
  if (parsed->family() == AF_UNIX) make_way(*parsed);
  // Without the right to mark packets they go unmarked.
  mark_packets(fd, core_.socket_mark);

  int code = bind(fd, &parsed->base, parsed->size) == 0 ? 0 : errno;
  const bool bound = code == 0;
  // The permissions are right before the first connection is possible.
  if (bound && real.unix_socket) code = set_permissions(real.host, mode);
  if (code == 0 && ::listen(fd, backlog) != 0) code = errno;
  epoll_event nothing{};
  if (code == 0 && epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &nothing) != 0) code = errno;
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

// The permissions of a unix socket. Returns an errno value.
int Listeners::set_permissions(const std::string& path, uint32_t mode) const {
  const int64_t group = core_.unix_socket_group;
  if (group >= 0 && chown(path.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(group)) != 0) {
    return errno;
  }
  return mode != 0 && chmod(path.c_str(), mode) != 0 ? errno : 0;
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
  row->receiver = &op;
  watch(op.handle, *row, true);
}

// Whether connections that come at this listener end a wait. Those that do not stay in the kernel's
// backlog.
void Listeners::watch(Handle handle, Row& row, bool on) {
  if (row.armed == on) return;
  row.armed = on;
  epoll_event event{};
  event.events = on ? uint32_t{EPOLLIN} : 0;
  event.data.u64 = uint64_t{handle.generation} << 32 | handle.index;
  const int result = epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, row.fd, &event);
  ASSERT(result == 0);
}

// Asks once: the kernel answers at once when a listener is ready already.
void Listeners::poll() {
  io_uring_sqe* sqe = core_.ring.request();
  io_uring_prep_poll_add(sqe, epoll_fd_, POLLIN);
  io_uring_sqe_set_data64(sqe, static_cast<uint64_t>(Tag::accept));
}

void Listeners::on_ready() {
  epoll_event events[kEventsMax];
  const int count = epoll_wait(epoll_fd_, events, kEventsMax, 0);
  for (int i = 0; i < count; ++i) {
    const uint64_t data = events[i].data.u64;
    serve({static_cast<uint32_t>(data), static_cast<uint32_t>(data >> 32)});
  }
  poll();
}

// Hands over what waits, as long as somebody asks for it; what is left ends the next wait.
void Listeners::serve(Handle handle) {
  for (int accepted = 0; accepted < kAcceptsMax;) {
    Row* row = core_.rows.find(handle);  // who is told may close it
    if (row == nullptr) return;
    if (row->receiver == nullptr) return watch(handle, *row, false);
    SocketAddress peer;
    const int fd = accept4(row->fd, &peer.base, &peer.size, SOCK_CLOEXEC);
    const int code = errno;
    if (fd < 0 && (code == EAGAIN || code == EWOULDBLOCK)) return;
    if (fd < 0 && (code == EINTR || code == ECONNABORTED)) continue;
    Op& op = *row->receiver;
    row->receiver = nullptr;
    if (fd < 0) {
      op.result.error = error_from_errno(code);
    } else {
      hand_over(op, fd, row->tcp, peer);
    }
    ++accepted;
    complete(op);
  }
}

void Listeners::hand_over(Op& op, int fd, bool tcp, const SocketAddress& peer) {
  op.result.handle = core_.rows.add(RowKind::stream, fd);
  core_.rows.at(op.result.handle.index).tcp = tcp;
  if (tcp) set_option(fd, IPPROTO_TCP, TCP_NODELAY);
  const Address* local = unix_address(op.handle);
  op.address = local != nullptr ? *local : to_address(peer);
}

void Listeners::cancel(Op& op) {
  Row* row = core_.rows.find(op.handle);
  if (row == nullptr || row->receiver != &op) return;
  row->receiver = nullptr;
  core_.ready.push(op, Error::cancelled);
}

void Listeners::close(Handle handle, Row& row) {
  forget_path(handle);
  if (row.receiver != nullptr) {
    core_.ready.push(*row.receiver, Error::cancelled);
    row.receiver = nullptr;
  }
  ::close(row.fd);  // which takes it out of the set that is polled
  core_.rows.remove(handle);
}

void Listeners::end() {
  if (epoll_fd_ >= 0) core_.ring.cancel(static_cast<uint64_t>(Tag::accept), 0);
}

}  // namespace redoubt
