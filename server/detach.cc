#include "server/detach.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace redoubt {
namespace {

[[noreturn]] void wait_for_child(int fd, pid_t child) {
  char byte = 0;
  ssize_t got = 0;
  do {
    got = read(fd, &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got == 1) _exit(0);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  // A child that is gone without a word has not started, whatever its status says.
  _exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
}

}  // namespace

bool Detached::detach(std::string* why) {
  int fds[2];
  std::fflush(nullptr);
  if (pipe2(fds, O_CLOEXEC) != 0) {
    *why = std::string("cannot go to the background: ") + strerror(errno);
    return false;
  }
  const pid_t child = fork();
  if (child < 0) {
    *why = std::string("cannot go to the background: ") + strerror(errno);
    close(fds[0]);
    close(fds[1]);
    return false;
  }
  if (child > 0) {
    close(fds[1]);
    wait_for_child(fds[0], child);
  }
  close(fds[0]);
  parent_fd_ = fds[1];
  setsid();
  return true;
}

void Detached::ready() {
  if (parent_fd_ < 0) return;
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0) {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, fd);
    close(null);
  }
  const char byte = 1;
  const ssize_t ignored = write(parent_fd_, &byte, 1);
  static_cast<void>(ignored);
  close(parent_fd_);
  parent_fd_ = -1;
}

}  // namespace redoubt
