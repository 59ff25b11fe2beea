#include "net/uring/log_sink.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "net/uring/errors.h"

namespace redoubt {

LogSink::~LogSink() {
  if (owned_) close(fd_);
}

Error LogSink::open(const std::string& path) {
  if (path.empty()) {
    fd_ = STDOUT_FILENO;
    return Error::none;
  }
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd_ < 0) return error_from_errno(errno);
  owned_ = true;
  return Error::none;
}

void LogSink::write_line(std::string_view line) {
  char end = '\n';
  iovec parts[2] = {{const_cast<char*>(line.data()), line.size()}, {&end, 1}};
  ssize_t written = 0;
  do {
    written = writev(fd_, parts, 2);
  } while (written < 0 && errno == EINTR);
}

}  // namespace redoubt
