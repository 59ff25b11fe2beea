#include "net/uring/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <string>

#include "net/assert.h"
#include "net/uring/errors.h"

namespace redoubt {
namespace {

constexpr uint32_t kFileMode = 0600;
constexpr uint32_t kDirectoryMode = 0700;
constexpr uint64_t kTransferBytesMax = 1u << 30;  // of one request to the kernel

constexpr uint64_t kOffsetMax = std::numeric_limits<off_t>::max();

// Op::world of a file operation: flags; for what is on a handle and in the kernel the operation
// before it in the row's list; for helpers the descriptor to work on.
constexpr uint64_t kStopped = 1;      // cancel() was called
constexpr uint64_t kTriedAsFile = 2;  // remove: it is a directory
constexpr uint64_t kFlags = kStopped | kTriedAsFile;
static_assert(alignof(Op) > kFlags, "the low bits of an Op's address are the flags'");
constexpr unsigned kDescriptorShift = 32;

bool is_empty(std::span<const Slice> gather) {
  return std::all_of(gather.begin(), gather.end(), [](Slice slice) { return slice.empty(); });
}

// Whether all bytes of a write are written. Looks at each slice once for all calls.
bool all_written(Op& op) {
  while (op.gather_next < op.gather.size()) {
    const size_t size = op.gather[op.gather_next].size();
    if (op.result.bytes - op.gather_before < size) return false;
    op.gather_before += size;
    ++op.gather_next;
  }
  ASSERT(op.result.bytes == op.gather_before);
  return true;
}

Op* previous_of(const Op& op) {
  return reinterpret_cast<Op*>(op.world & ~kFlags);
}

void set_previous(Op& op, Op* previous) {
  op.world = reinterpret_cast<uint64_t>(previous) | (op.world & kFlags);
}

int open_flags(OpenFlags flags) {
  // A pipe without its other end would hold up the opening for ever.
  int result = O_CLOEXEC | O_NONBLOCK;
  if (flags.write) {
    result |= flags.read ? O_RDWR : O_WRONLY;
  } else {
    result |= O_RDONLY;
  }
  if (flags.create) result |= O_CREAT;
  if (flags.create && flags.exclusive) result |= O_EXCL;
  if (flags.truncate) result |= O_TRUNC;
  return result;
}

// Whether an open file is a pipe, which no operation on files fits. Other files lose the flag with
// which they were opened: some kernels heed it in transfers.
bool is_pipe(int fd) {
  struct stat status{};
  if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode)) return true;
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  return false;
}

int helper_descriptor(const Op& op) {
  return static_cast<int>(op.world >> kDescriptorShift);
}

}  // namespace

void Files::submit(Op& op) {
  if (!uses_handle(op.kind)) return submit_on_path(op);
  Row* row = core_.rows.find(op.handle);
  if (row == nullptr || row->kind != RowKind::file) {
    return core_.ready.push(op, Error::cancelled);
  }
  // The kernel takes an offset of -1 for "where the last one ended".
  if (op.offset > kOffsetMax) return core_.ready.push(op, Error::invalid);
  submit_on_handle(op, *row);
}

void Files::submit_on_handle(Op& op, Row& row) {
  switch (op.kind) {
    case OpKind::read: {
      if (op.into.empty()) return core_.ready.push(op);
      begin(op, row);
      io_uring_sqe* sqe = core_.ring.request();
      const std::span<std::byte> rest = op.into.subspan(op.result.bytes);
      const auto size = static_cast<unsigned>(std::min(rest.size(), kTransferBytesMax));
      io_uring_prep_read(sqe, row.fd, rest.data(), size, op.offset + op.result.bytes);
      return send_off(op, sqe);
    }
    case OpKind::write:
      if (is_empty(op.gather)) return core_.ready.push(op);
      if (op.prompt && written_promptly(op, row)) return;
      begin(op, row);
      return submit_write(op, row);
    case OpKind::sync:
    case OpKind::sync_data: {
      begin(op, row);
      io_uring_sqe* sqe = core_.ring.request();
      io_uring_prep_fsync(sqe, row.fd, op.kind == OpKind::sync ? 0 : IORING_FSYNC_DATASYNC);
      return send_off(op, sqe);
    }
    case OpKind::file_size: return answer_size(op, row);
    default:
      ASSERT(op.kind == OpKind::truncate);
      op.world = static_cast<uint64_t>(row.fd) << kDescriptorShift;
      ++row.in_flight;
      submit_helped(op);
  }
}

void Files::submit_on_path(Op& op) {
  if (op.path.empty() || op.path.find('\0') != std::string_view::npos ||
      op.path_to.find('\0') != std::string_view::npos) {
    return core_.ready.push(op, op.path.empty() ? Error::not_found : Error::invalid);
  }
  const int directory = core_.directory_fd;
  Scratch& scratch = core_.ring.scratch();
  switch (op.kind) {
    case OpKind::open: {
      io_uring_sqe* sqe = core_.ring.request();
      io_uring_prep_openat(sqe, directory, scratch.text(op.path), open_flags(op.flags), kFileMode);
      return send_off(op, sqe);
    }
    case OpKind::rename: {
      io_uring_sqe* sqe = core_.ring.request();
      io_uring_prep_renameat(sqe, directory, scratch.text(op.path), directory,
                             scratch.text(op.path_to), 0);
      return send_off(op, sqe);
    }
    case OpKind::make_directory: {
      io_uring_sqe* sqe = core_.ring.request();
      io_uring_prep_mkdirat(sqe, directory, scratch.text(op.path), kDirectoryMode);
      return send_off(op, sqe);
    }
    case OpKind::remove: return submit_remove(op, 0);
    default:
      ASSERT(op.kind == OpKind::list || op.kind == OpKind::sync_directory);
      op.world = static_cast<uint64_t>(directory) << kDescriptorShift;
      submit_helped(op);
  }
}

void Files::submit_remove(Op& op, int flags) {
  io_uring_sqe* sqe = core_.ring.request();
  io_uring_prep_unlinkat(sqe, core_.directory_fd, core_.ring.scratch().text(op.path), flags);
  send_off(op, sqe);
}

void Files::submit_write(Op& op, const Row& row) {
  io_uring_sqe* sqe = core_.ring.request();
  const uint64_t offset = op.offset + op.result.bytes;
  const Slice head = next_slice(op);
  const size_t first = op.gather_next;
  const size_t count = std::min<size_t>(op.gather.size() - first, IOV_MAX);
  if (count == 1 || head.size() >= kTransferBytesMax) {
    const auto size = static_cast<unsigned>(std::min(head.size(), kTransferBytesMax));
    io_uring_prep_write(sqe, row.fd, head.data(), size, offset);
    return send_off(op, sqe);
  }
  auto* vectors = static_cast<iovec*>(core_.ring.scratch().take(count * sizeof(iovec)));
  unsigned used = 0;
  for (uint64_t size = 0; used < count; ++used) {
    const Slice slice = used == 0 ? head : op.gather[first + used];
    if (size + slice.size() > kTransferBytesMax) break;
    size += slice.size();
    vectors[used] = {const_cast<std::byte*>(slice.data()), slice.size()};
  }
  io_uring_prep_writev(sqe, row.fd, vectors, used, offset);
  send_off(op, sqe);
}

// Copies the bytes to the page cache right here, where that does not wait for the medium: not while
// a sync is on its way, behind which writes queue up in many file systems. False: some or all of it
// is still to be written.
bool Files::written_promptly(Op& op, Row& row) {
  if (row.in_flight > 0) return false;
  std::array<iovec, 16> vectors;
  if (op.gather.size() > vectors.size()) return false;
  for (size_t i = 0; i < op.gather.size(); ++i) {
    vectors[i] = {const_cast<std::byte*>(op.gather[i].data()), op.gather[i].size()};
  }
  const auto count = static_cast<int>(op.gather.size());
  const auto offset = static_cast<off_t>(op.offset);
  ssize_t written = -1;
  if (!row.waits_for_writes) {
    written = pwritev2(row.fd, vectors.data(), count, offset, RWF_NOWAIT);
    row.waits_for_writes = written < 0 && errno == EOPNOTSUPP;
  }
  if (row.waits_for_writes) written = pwritev(row.fd, vectors.data(), count, offset);
  if (written < 0) {
    if (errno == EAGAIN || errno == EINTR) return false;
    core_.ready.push(op, error_from_errno(errno));
    return true;
  }
  op.result.bytes = static_cast<uint64_t>(written);
  if (written == 0 || !all_written(op)) return false;
  op.prompted = true;
  core_.ready.push(op);
  return true;
}

void Files::send_off(Op& op, io_uring_sqe* sqe) {
  static_assert(alignof(Op) > kTagMask, "the low bits of an Op's address are the tag's");
  io_uring_sqe_set_data64(sqe, reinterpret_cast<uint64_t>(&op));
}

// A file's operations in the kernel are a list at its row, linked both ways, so that close() finds
// them and each leaves it in one step.
void Files::begin(Op& op, Row& row) {
  ++row.in_flight;
  op.world_next = row.sender;
  set_previous(op, nullptr);
  if (row.sender != nullptr) set_previous(*row.sender, &op);
  row.sender = &op;
}

void Files::finish(Op& op) {
  Row* row = core_.rows.find_dead(op.handle);
  ASSERT(row != nullptr && row->kind == RowKind::file);
  Op* previous = previous_of(op);
  ASSERT((previous == nullptr ? row->sender : previous->world_next) == &op);
  (previous == nullptr ? row->sender : previous->world_next) = op.world_next;
  if (op.world_next != nullptr) set_previous(*op.world_next, previous);
  op.world_next = nullptr;
  --row->in_flight;
  if (!row->closing) return;
  op.result.error = Error::cancelled;
  settle_close(op.handle, *row);
}

void Files::submit_helped(Op& op) {
  if (helpers_.submit(Lane::files, op)) return;
  op.result.error = Error::no_memory;
  if (op.kind == OpKind::truncate) --core_.rows.at(op.handle.index).in_flight;
  core_.ready.push(op);
}

void Files::answer_size(Op& op, const Row& row) {
  struct stat status{};
  if (fstat(row.fd, &status) != 0) {
    return core_.ready.push(op, error_from_errno(errno));
  }
  op.result.bytes = static_cast<uint64_t>(status.st_size);
  core_.ready.push(op);
}

// A transfer that came short: asks for the rest, and says so.
bool Files::continued(Op& op, int result) {
  if (result <= 0) return false;
  op.result.bytes += static_cast<uint64_t>(result);
  const Row& row = core_.rows.at(op.handle.index);
  const bool reading = op.kind == OpKind::read;
  ASSERT(!reading || op.result.bytes <= op.into.size());
  if (reading ? op.result.bytes == op.into.size() : all_written(op)) return false;
  if (row.closing || (op.world & kStopped) != 0) {
    op.result.error = Error::cancelled;
    return false;
  }
  if (reading) {
    io_uring_sqe* sqe = core_.ring.request();
    const std::span<std::byte> rest = op.into.subspan(op.result.bytes);
    const auto size = static_cast<unsigned>(std::min(rest.size(), kTransferBytesMax));
    io_uring_prep_read(sqe, row.fd, rest.data(), size, op.offset + op.result.bytes);
    send_off(op, sqe);
  } else {
    submit_write(op, row);
  }
  return true;
}

// The second step of an operation of two.
bool Files::moved_on(Op& op, int result) {
  if (op.kind == OpKind::remove && result == -EISDIR && op.world == 0) {
    op.world = kTriedAsFile;
    submit_remove(op, AT_REMOVEDIR);
    return true;
  }
  return (op.kind == OpKind::read || op.kind == OpKind::write) && continued(op, result);
}

void Files::on_done(Op& op, int result) {
  if (moved_on(op, result)) return;
  if (result < 0) {
    op.result.error = error_from_errno(-result);
  } else if (op.kind == OpKind::open) {
    if (is_pipe(result)) {
      op.result.error = Error::unsupported;
      ::close(result);
    } else if (op.flags.lock && flock(result, LOCK_EX | LOCK_NB) != 0) {
      op.result.error = errno == EWOULDBLOCK ? Error::locked : error_from_errno(errno);
      ::close(result);
    } else {
      op.result.handle = core_.rows.add(RowKind::file, result);
    }
  } else if (op.kind == OpKind::write && result == 0) {
    op.result.error = Error::input_output;  // takes nothing, and does not say why
  }
  if (uses_handle(op.kind)) finish(op);
  complete(op);
}

void Files::on_helped(Op& op) {
  if (op.kind == OpKind::truncate) {
    Row* row = core_.rows.find_dead(op.handle);
    ASSERT(row != nullptr);
    --row->in_flight;
    if (row->closing) {
      op.result.error = Error::cancelled;
      settle_close(op.handle, *row);
    }
  }
  complete(op);
}

void Files::cancel(Op& op) {
  const bool helped =
      op.kind == OpKind::truncate || op.kind == OpKind::list || op.kind == OpKind::sync_directory;
  if (!helped) {
    op.world |= kStopped;
    core_.ring.cancel(reinterpret_cast<uint64_t>(&op), 0);
  } else if (helpers_.withdraw(Lane::files, op)) {
    op.result.error = Error::cancelled;
    if (op.kind == OpKind::truncate) {
      Row* row = core_.rows.find_dead(op.handle);
      --row->in_flight;
      if (row->closing) settle_close(op.handle, *row);
    }
    core_.ready.push(op);
  }
}

void Files::close(Handle handle, Row& row) {
  row.closing = true;
  for (Op* op = row.sender; op != nullptr; op = op->world_next) {
    core_.ring.cancel(reinterpret_cast<uint64_t>(op), 0);
  }
  settle_close(handle, row);
}

void Files::settle_close(Handle handle, Row& row) {
  if (row.in_flight > 0) return;
  ::close(row.fd);
  core_.rows.remove(handle);
}

void Files::run_truncate(Op& op) {
  if (ftruncate(helper_descriptor(op), static_cast<off_t>(op.offset)) != 0) {
    op.result.error = error_from_errno(errno);
  }
}

void Files::run_list(Op& op) {
  const int fd = openat(helper_descriptor(op), std::string(op.path).c_str(),
                        O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* directory = fd >= 0 ? fdopendir(fd) : nullptr;
  if (directory == nullptr) {
    op.result.error = error_from_errno(errno);
    if (fd >= 0) ::close(fd);
    return;
  }
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(directory);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") op.result.names.emplace_back(name);
  }
  if (errno != 0) op.result.error = error_from_errno(errno);
  closedir(directory);
  std::sort(op.result.names.begin(), op.result.names.end());
}

void Files::run_sync_directory(Op& op) {
  const int fd = openat(helper_descriptor(op), std::string(op.path).c_str(),
                        O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0) op.result.error = error_from_errno(errno);
  if (fd >= 0) ::close(fd);
}

}  // namespace redoubt
