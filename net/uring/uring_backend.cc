#include "net/uring/uring_backend.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "net/assert.h"
#include "net/uring/addresses.h"
#include "net/uring/errors.h"
#include "net/uring/process_facts.h"

namespace redoubt {
namespace {

// The longest wait, so that no arithmetic on deadlines can lose a wake-up for good.
constexpr int64_t kWaitMax_ns = 60'000'000'000;
// Operations that were done before they began, delivered in one turn at most.
constexpr int kReadyMax = 4096;

// The directory as a descriptor and as an absolute path.
int open_directory(const std::string& path, std::string* absolute) {
  const int fd = ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  char* real = realpath(path.c_str(), nullptr);
  *absolute = real != nullptr ? real : path;
  std::free(real);
  return fd;
}

Lane background_lane(const Op& op) {
  return op.lengthy ? Lane::lengthy : Lane::background;
}

std::string cannot_open(const std::string& what, const std::string& path, int code) {
  return "cannot open " + what + " '" + path + "': " + strerror(code);
}

}  // namespace

std::unique_ptr<UringBackend> UringBackend::create(const UringOptions& options, std::string* why) {
  const int wake_fd = eventfd(0, EFD_CLOEXEC);
  if (wake_fd < 0) {
    *why = std::string("no event descriptor: ") + strerror(errno);
    return nullptr;
  }
  std::unique_ptr<UringBackend> backend(new UringBackend(wake_fd, options));
  Core& core = backend->core_;
  core.directory_fd = open_directory(options.directory, &core.directory);
  if (core.directory_fd < 0) {
    *why = cannot_open("the directory", options.directory, errno);
    return nullptr;
  }
  if (!core.ring.open(why)) return nullptr;
  if (!backend->buffers_.open(core.ring, options.receive_buffer_bytes, options.receive_buffers,
                              options.receive_buffers_max, why)) {
    return nullptr;
  }
  backend->watch_wake();
  return backend;
}

UringBackend::UringBackend(int wake_fd, const UringOptions& options)
    : wake_fd_(wake_fd),
      host_(options.host),
      helpers_(
          &UringBackend::run_helped, wake_fd,
          host_ == nullptr ? nullptr
                           : +[](void* host) { static_cast<WorldHost*>(host)->on_helper_thread(); },
          host_),
      streams_(core_, buffers_),
      listeners_(core_),
      files_(core_, helpers_) {
  core_.unix_socket_group = options.unix_socket_group;
  core_.socket_mark = options.socket_mark;
}

UringBackend::~UringBackend() {
  end();
  for (uint32_t index = 0; index < core_.rows.count(); ++index) {
    const Row& row = core_.rows.at(index);
    if (row.kind != RowKind::free) ::close(row.fd);
  }
  if (core_.directory_fd >= 0) ::close(core_.directory_fd);
  ::close(wake_fd_);
}

int UringBackend::run(Env& env) {
  ASSERT(!ended_);
  bool first = true;
  while (!exit_requested_) {
    streams_.before_wait();
    core_.ring.submit_and_wait(first ? 0 : wait_ns(env));
    first = false;
    env.begin_turn();
    deliver();
    env.end_turn();
    if (exit_requested_) break;
    // Sends that are done already give back what they used, before the wait.
    deliver_ready();
    env.end_turn();
  }
  end();
  return exit_status_;
}

// Takes back all memory that operations have lent to helpers and the kernel.
void UringBackend::end() {
  if (ended_) return;
  ended_ = true;
  helpers_.stop();
  if (!core_.ring.is_open()) return;
  core_.ring.submit();  // what was sent in the last turn leaves
  for (uint32_t index = 0; index < core_.rows.count(); ++index) {
    const Row& row = core_.rows.at(index);
    if (row.in_flight > 0) cancel_requests(core_.rows.handle(index), row);
  }
  core_.ring.cancel(static_cast<uint64_t>(Tag::wake), 0);
  listeners_.end();
  core_.ring.drain(&UringBackend::forget_completion);
  forget_operations();
  listeners_.remove_paths();
}

// What an operation has brought that nobody is told of any more.
void UringBackend::forget_completion(uint64_t data, int result) {
  if (tag_of(data) != Tag::file) return;
  Op* op = reinterpret_cast<Op*>(data);
  op->in_flight = false;
  if (op->kind == OpKind::open && result >= 0) ::close(result);
}

// The kernel and the helpers have let go of them all: their owners may be destroyed.
void UringBackend::forget_operations() {
  while (Op* op = core_.ready.pop()) op->in_flight = false;
  for (uint32_t index = 0; index < core_.rows.count(); ++index) {
    Row& row = core_.rows.at(index);
    if (row.kind == RowKind::free) continue;
    if (row.receiver != nullptr) row.receiver->in_flight = false;
    row.receiver = nullptr;
    if (row.kind != RowKind::file && row.sender != nullptr) row.sender->in_flight = false;
    row.sender = nullptr;
  }
}

void UringBackend::cancel_requests(Handle handle, const Row& row) {
  if (row.kind == RowKind::file) {
    for (const Op* op = row.sender; op != nullptr; op = op->world_next) {
      core_.ring.cancel(reinterpret_cast<uint64_t>(op), 0);
    }
    return;
  }
  if (row.armed) core_.ring.cancel(user_data(Tag::receive, handle), 0);
  if (row.into_flight) core_.ring.cancel(user_data(Tag::receive_into, handle), 0);
  if (row.sender != nullptr) core_.ring.cancel(user_data(Tag::send, handle), 0);
  if (row.kind == RowKind::connecting) core_.ring.cancel(user_data(Tag::connect, handle), 0);
}

int64_t UringBackend::wait_ns(Env& env) {
  if (!core_.ready.empty()) return 0;
  const Instant at = now();
  env.rest(at);
  const Instant deadline = env.next_deadline();
  if (deadline == Instant::never()) return kWaitMax_ns;
  return std::clamp<int64_t>(deadline.ns - at.ns, 0, kWaitMax_ns);
}

void UringBackend::deliver() {
  deliver_ready();
  core_.ring.reap(
      [this](uint64_t data, int result, uint32_t flags) { dispatch(data, result, flags); });
  deliver_ready();
}

void UringBackend::deliver_ready() {
  for (int count = 0; count < kReadyMax; ++count) {
    Op* op = core_.ready.pop();
    if (op == nullptr) return;
    if (uses_handle(op->kind) && core_.rows.find(op->handle) == nullptr) discard_result(*this, *op);
    complete(*op);
  }
}

void UringBackend::dispatch(uint64_t data, int result, uint32_t flags) {
  const Handle handle = handle_of(data);
  switch (tag_of(data)) {
    case Tag::receive: return streams_.on_receive(handle, result, flags);
    case Tag::send: return streams_.on_send(handle, result);
    case Tag::receive_into: return streams_.on_receive_into(handle, result);
    case Tag::accept: return listeners_.on_ready();
    case Tag::connect: return streams_.on_connect(handle, result);
    case Tag::file: return files_.on_done(*reinterpret_cast<Op*>(data), result);
    case Tag::wake: return on_wake();
    case Tag::cancel: break;
  }
  const Row* row = core_.rows.find_dead(handle);
  if (row == nullptr) return;
  if (row->kind == RowKind::stream) streams_.on_cancel_failed(handle);
}

void UringBackend::submit(Op& op) {
  OpResult& result = op.result;
  result.error = Error::none;
  result.bytes = 0;
  result.handle = {};
  result.chunk = {};
  result.names.clear();
  op.world = 0;
  op.world_next = nullptr;
  op.gather_next = 0;
  op.gather_before = 0;
  if (ended_) {  // nothing completes any more
    op.in_flight = false;
    return;
  }
  switch (op.kind) {
    case OpKind::receive: return streams_.receive(op);
    case OpKind::send: return streams_.send(op);
    case OpKind::accept: return listeners_.accept(op);
    case OpKind::connect: return streams_.connect(op);
    case OpKind::resolve: return submit_helped(Lane::names, op);
    case OpKind::background: return submit_helped(background_lane(op), op);
    default: return files_.submit(op);
  }
}

void UringBackend::cancel(Op& op) {
  if (!op.in_flight || ended_) return;
  Lane lane = Lane::names;
  switch (op.kind) {
    case OpKind::accept: return listeners_.cancel(op);
    case OpKind::receive:
    case OpKind::send:
    case OpKind::connect: return streams_.cancel(op);
    case OpKind::background: lane = background_lane(op); break;
    case OpKind::resolve: break;
    default: return files_.cancel(op);
  }
  if (helpers_.withdraw(lane, op)) core_.ready.push(op, Error::cancelled);
}

void UringBackend::abandon(Op& op) {
  ASSERT(op.kind == OpKind::background);
  if (!ended_) helpers_.abandon(Lane::background, op);
}

void UringBackend::close(Handle handle) {
  Row* row = core_.rows.find(handle);
  if (row == nullptr || ended_) return;
  switch (row->kind) {
    case RowKind::listener: return listeners_.close(handle, *row);
    case RowKind::stream: return streams_.close(handle, *row);
    case RowKind::file: return files_.close(handle, *row);
    default: ASSERT(row->kind == RowKind::connecting);  // its handle is not known yet
  }
}

void UringBackend::submit_helped(Lane lane, Op& op) {
  ASSERT(op.kind != OpKind::background || op.work != nullptr);
  if (!helpers_.submit(lane, op)) core_.ready.push(op, Error::no_memory);
}

void UringBackend::run_helped(Op& op) {
  switch (op.kind) {
    case OpKind::background: return op.work(op);
    case OpKind::resolve:
      op.result.error = resolve_host(std::string(op.path), &op.result.names);
      return;
    case OpKind::truncate: return Files::run_truncate(op);
    case OpKind::list: return Files::run_list(op);
    default: ASSERT(op.kind == OpKind::sync_directory); return Files::run_sync_directory(op);
  }
}

void UringBackend::watch_wake() {
  io_uring_sqe* sqe = core_.ring.request();
  io_uring_prep_read(sqe, wake_fd_, &wake_count_, sizeof wake_count_, 0);
  io_uring_sqe_set_data64(sqe, static_cast<uint64_t>(Tag::wake));
}

void UringBackend::on_wake() {
  watch_wake();
  if (wake_handler_ != nullptr) wake_handler_(wake_owner_);
  for (Op* op = helpers_.collect(); op != nullptr;) {
    Op* next = op->world_next;
    op->world_next = nullptr;
    if (op->kind == OpKind::background || op->kind == OpKind::resolve) {
      complete(*op);
    } else {
      files_.on_helped(*op);
    }
    op = next;
  }
}

void UringBackend::set_wake_handler(void (*handler)(void*), void* owner) {
  wake_handler_ = handler;
  wake_owner_ = owner;
}

Error UringBackend::change_directory(const std::string& path) {
  std::string absolute;
  const int fd = open_directory(absolute_path(core_, path), &absolute);
  if (fd < 0) return error_from_errno(errno);
  // The number stays the same, so that operations under way do not lose their directory.
  const int result = dup3(fd, core_.directory_fd, O_CLOEXEC);
  const int code = errno;
  ::close(fd);
  if (result < 0) return error_from_errno(code);
  core_.directory = absolute;
  return Error::none;
}

Instant UringBackend::now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return {time.tv_sec * 1'000'000'000 + time.tv_nsec};
}

WallTime UringBackend::wall() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return {time.tv_sec * 1'000'000 + time.tv_nsec / 1'000};
}

uint64_t UringBackend::entropy() {
  if (entropy_used_ == kEntropyWords) {
    // Up to 256 bytes come whole or not at all; more may come in parts.
    auto* bytes = reinterpret_cast<std::byte*>(entropy_.data());
    for (size_t filled = 0; filled < sizeof entropy_;) {
      const ssize_t size = getrandom(bytes + filled, sizeof entropy_ - filled, 0);
      ASSERT(size > 0 || errno == EINTR);
      if (size > 0) filled += static_cast<size_t>(size);
    }
    entropy_used_ = 0;
  }
  return std::exchange(entropy_[entropy_used_++], 0);
}

Expected<Handle> UringBackend::listen(const Address& address, int backlog, uint32_t mode) {
  return listeners_.listen(address, backlog, mode);
}

Address UringBackend::local_address(Handle handle) {
  const Row* row = core_.rows.find(handle);
  if (row == nullptr || row->kind == RowKind::file) return {};
  SocketAddress address;
  if (getsockname(row->fd, &address.base, &address.size) != 0) return {};
  if (address.family() != AF_UNIX) return to_address(address);
  const Address* given = listeners_.unix_address(handle);
  if (given != nullptr) return *given;
  // A connected unix socket has the path of its listener, or none on the connecting side.
  const size_t header = offsetof(sockaddr_un, sun_path);
  const size_t size = address.size > header ? address.size - header : 0;
  return Address::local(std::string(address.local.sun_path, strnlen(address.local.sun_path, size)));
}

void UringBackend::set_keepalive(Handle handle, int idle_s) {
  const Row* row = core_.rows.find(handle);
  if (row == nullptr || row->kind != RowKind::stream || !row->tcp) return;
  const int on = idle_s > 0 ? 1 : 0;
  setsockopt(row->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (on == 0) return;
  const int interval_s = std::max(1, idle_s / 3);
  const int probes = 3;
  setsockopt(row->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  setsockopt(row->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  setsockopt(row->fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

void UringBackend::stall(Duration duration) {
  timespec rest{duration.ns / 1'000'000'000, duration.ns % 1'000'000'000};
  while (duration.ns > 0 && clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, &rest) == EINTR) {
  }
}

void UringBackend::log(Level level, std::string_view line) {
  if (host_ != nullptr) return host_->log(level, line);
  char end = '\n';
  iovec parts[2] = {{const_cast<char*>(line.data()), line.size()}, {&end, 1}};
  const ssize_t ignored = writev(STDOUT_FILENO, parts, 2);
  static_cast<void>(ignored);
}

void UringBackend::report(ServiceState state, std::string_view status) {
  if (host_ != nullptr) host_->report(state, status);
}

ProcessFacts UringBackend::process_facts() {
  ProcessFacts facts = read_process_facts();
  if (host_ != nullptr) facts.supervised = host_->supervised();
  return facts;
}

AllocatorFacts UringBackend::allocator_facts() {
  return host_ != nullptr ? host_->allocator_facts() : AllocatorFacts{};
}

std::string UringBackend::allocator_report() {
  return host_ != nullptr ? host_->allocator_report() : std::string();
}

void UringBackend::request_exit(int status) {
  exit_requested_ = true;
  exit_status_ = status;
}

}  // namespace redoubt
