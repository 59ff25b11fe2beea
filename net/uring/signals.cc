#include "net/uring/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

namespace redoubt {
namespace {

// A signal handler has no other way to its data than these.
std::atomic<int> stop_wake_fd{-1};
std::atomic<int> stop_signals{0};
static_assert(std::atomic<int>::is_always_lock_free);

void on_stop_signal(int) {
  const int saved = errno;
  if (stop_signals.fetch_add(1) > 0) _exit(1);
  const uint64_t one = 1;
  const ssize_t ignored = write(stop_wake_fd.load(), &one, sizeof one);
  static_cast<void>(ignored);
  errno = saved;
}

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

void ignore_signals() {
  set_handler(SIGPIPE, SIG_IGN);
  set_handler(SIGHUP, SIG_IGN);
}

void catch_stop_signals(int wake_fd) {
  stop_wake_fd = wake_fd;
  stop_signals = 0;
  set_handler(SIGTERM, on_stop_signal);
  set_handler(SIGINT, on_stop_signal);
}

void release_stop_signals() {
  set_handler(SIGTERM, SIG_DFL);
  set_handler(SIGINT, SIG_DFL);
  stop_wake_fd = -1;
}

bool stop_signalled() {
  return stop_signals.load() > 0;
}

}  // namespace redoubt
