#include "net/uring/ring.h"

#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "net/assert.h"

namespace redoubt {
namespace {

// Entries fit a busy turn of a few hundred connections; a fuller turn flushes in between. The
// completion queue is small enough to stay in cache; beyond it the kernel keeps a list.
constexpr unsigned kSubmissionEntries = 1024;
constexpr unsigned kCompletionEntries = 4096;
// The youngest of what is used is IORING_SETUP_DEFER_TASKRUN, of Linux 6.1. Of 6.0 are
// IORING_SETUP_SINGLE_ISSUER and the multishot receive, of 5.19 the multishot accept and rings of
// buffers.
constexpr int kOldestMajor = 6;
constexpr int kOldestMinor = 1;
constexpr int64_t kDrainLimit_ns = 2'000'000'000;

std::string kernel_release() {
  utsname names{};
  return uname(&names) == 0 ? names.release : "unknown";
}

bool kernel_is_too_old() {
  const std::string release = kernel_release();
  int major = 0;
  int minor = 0;
  if (std::sscanf(release.c_str(), "%d.%d", &major, &minor) != 2) return false;
  return major < kOldestMajor || (major == kOldestMajor && minor < kOldestMinor);
}

// kernel.io_uring_disabled; 0 when the kernel has no such setting.
int disabled_setting() {
  FILE* file = std::fopen("/proc/sys/kernel/io_uring_disabled", "re");
  if (file == nullptr) return 0;
  int value = 0;
  if (std::fscanf(file, "%d", &value) != 1) value = 0;
  std::fclose(file);
  return value;
}

std::string too_old() {
  return "this kernel (" + kernel_release() +
         ") is too old: its io_uring lacks what is needed. Linux 6.1 or newer is required; upgrade "
         "the kernel";
}

std::string explain(int code) {
  if (code == ENOSYS) {
    if (kernel_is_too_old()) return too_old();
    return "this kernel (" + kernel_release() +
           ") has no io_uring: it was built without CONFIG_IO_URING, or a sandbox hides it. Use a "
           "kernel 6.1 or newer that has it, or allow io_uring in the container's seccomp profile";
  }
  if (code == EPERM || code == EACCES) {
    const int setting = disabled_setting();
    if (setting != 0) {
      return "io_uring is switched off by kernel.io_uring_disabled=" + std::to_string(setting) +
             ". Run: sysctl -w kernel.io_uring_disabled=0";
    }
    return "io_uring is forbidden by a sandbox (seccomp or a security module). Allow the system "
           "calls io_uring_setup, io_uring_enter and io_uring_register, in Docker for example with "
           "a seccomp profile of your own or --security-opt seccomp=unconfined";
  }
  if (code == EINVAL) {
    if (kernel_is_too_old()) return too_old();
    return "the io_uring of this kernel (" + kernel_release() +
           ") refuses what is needed (single issuer, deferred task work). An unmodified Linux 6.1 "
           "or newer is required";
  }
  if (code == ENOMEM) {
    return "not enough memory for io_uring: raise the limit of locked memory (ulimit -l), or free "
           "some";
  }
  return std::string("io_uring cannot be set up: ") + strerror(code);
}

int64_t monotonic_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

void* Scratch::take(size_t size) {
  size = (size + 15) & ~size_t{15};
  if (blocks_.empty() || used_ + size > blocks_.back().size) {
    const size_t wanted = size > kBlockSize ? size : kBlockSize;
    blocks_.push_back({std::make_unique<std::byte[]>(wanted), wanted});
    used_ = 0;
  }
  void* memory = blocks_.back().bytes.get() + used_;
  used_ += size;
  return memory;
}

const char* Scratch::text(std::string_view text) {
  char* copy = static_cast<char*>(take(text.size() + 1));
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = 0;
  return copy;
}

void Scratch::clear() {
  if (blocks_.size() > 1) blocks_.resize(1);
  used_ = 0;
}

Ring::~Ring() {
  if (open_) io_uring_queue_exit(&ring_);
}

bool Ring::open(std::string* why) {
  ASSERT(!open_);
  if (kernel_is_too_old()) {
    *why = too_old();
    return false;
  }
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = kCompletionEntries;
  const int result = io_uring_queue_init_params(kSubmissionEntries, &ring_, &params);
  if (result < 0) {
    *why = explain(-result);
    return false;
  }
  open_ = true;
  constexpr unsigned needed =
      IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
  if ((params.features & needed) != needed) {
    *why = too_old();
    return false;
  }
  // Saves looking the descriptor up at each enter; it works without, too.
  io_uring_register_ring_fd(&ring_);
  return true;
}

io_uring_sqe* Ring::entry() {
  ASSERT(open_);
  for (int attempt = 0;; ++attempt) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe != nullptr) return sqe;
    ASSERT(attempt < 1000);  // the kernel has refused to take anything for a second
    if (attempt > 0) usleep(1000);
    submit();
  }
}

void Ring::cancel(uint64_t data, uint64_t report) {
  io_uring_sqe* sqe = entry();
  io_uring_prep_cancel64(sqe, data, 0);
  io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
  io_uring_sqe_set_data64(sqe, report | static_cast<uint64_t>(Tag::cancel));
}

void Ring::submitted(int result) {
  // Out of memory for a moment, a full completion queue, a signal, the time being over: the next
  // turn tries again. Anything else is a mistake of ours.
  ASSERT(result >= 0 || result == -EAGAIN || result == -EBUSY || result == -EINTR ||
         result == -ETIME || result == -ENOMEM);
  if (io_uring_sq_ready(&ring_) == 0) scratch_.clear();
}

void Ring::submit() {
  submitted(io_uring_submit(&ring_));
}

void Ring::submit_and_wait(int64_t timeout_ns) {
  if (timeout_ns <= 0) {
    submitted(io_uring_submit_and_get_events(&ring_));
    return;
  }
  __kernel_timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  io_uring_cqe* cqe = nullptr;
  submitted(io_uring_submit_and_wait_timeout(&ring_, &cqe, 1, &timeout, nullptr));
}

void Ring::drain(void (*visit)(uint64_t, int)) {
  if (!open_) return;
  const int64_t end = monotonic_ns() + kDrainLimit_ns;
  bool stuck = false;
  while (outstanding_ > 0 && monotonic_ns() < end) {
    if (stuck) {
      // For what slipped through. The time that the kernel takes for this grows with the square of
      // the number of requests, which is why the caller has cancelled them one by one.
      io_uring_sqe* sqe = entry();
      io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
      io_uring_sqe_set_data64(sqe, static_cast<uint64_t>(Tag::cancel));
    }
    submit_and_wait(10'000'000);
    stuck = reap([visit](uint64_t data, int result, uint32_t) { visit(data, result); }) == 0;
  }
}

}  // namespace redoubt
