#include "server/signals.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>

#include "net/assert.h"

namespace redoubt {
namespace {

// A signal handler has no other way to its data than these. A place that is free holds 0.
std::array<std::atomic<int>, kStopDescriptorsMax> stop_descriptors{};
std::atomic<int> first_stop_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);

void on_stop_signal(int signal) {
  const int saved = errno;
  int none = 0;
  if (!first_stop_signal.compare_exchange_strong(none, signal)) _exit(1);
  for (const std::atomic<int>& descriptor : stop_descriptors) {
    const int fd = descriptor.load();
    if (fd == 0) continue;
    const uint64_t one = 1;
    const ssize_t ignored = write(fd, &one, sizeof one);
    static_cast<void>(ignored);
  }
  errno = saved;
}

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

bool replace(int old_fd, int new_fd) {
  for (std::atomic<int>& descriptor : stop_descriptors) {
    int expected = old_fd;
    if (descriptor.compare_exchange_strong(expected, new_fd)) return true;
  }
  return false;
}

}  // namespace

void ignore_signals() {
  set_handler(SIGPIPE, SIG_IGN);
  set_handler(SIGHUP, SIG_IGN);
}

void catch_stop_signals() {
  first_stop_signal = 0;
  set_handler(SIGTERM, on_stop_signal);
  set_handler(SIGINT, on_stop_signal);
}

void release_stop_signals() {
  set_handler(SIGTERM, SIG_DFL);
  set_handler(SIGINT, SIG_DFL);
}

void add_stop_descriptor(int fd) {
  ASSERT(fd > 0);
  const bool added = replace(0, fd);
  ASSERT(added);
}

void remove_stop_descriptor(int fd) {
  replace(fd, 0);
}

int stop_signal() {
  return first_stop_signal.load();
}

}  // namespace redoubt
