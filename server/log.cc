#include "server/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "engine/insight/log_format.h"
#include "net/assert.h"
#include "net/uring/errors.h"

namespace redoubt {
namespace {

constexpr std::array<int, 9> kFacilities = {LOG_USER,   LOG_LOCAL0, LOG_LOCAL1,
                                            LOG_LOCAL2, LOG_LOCAL3, LOG_LOCAL4,
                                            LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7};

int syslog_priority(Level level) {
  switch (level) {
    case Level::debug: return LOG_DEBUG;
    case Level::verbose: return LOG_INFO;
    case Level::notice: return LOG_NOTICE;
    case Level::warning: break;
  }
  return LOG_WARNING;
}

}  // namespace

Log::~Log() {
  if (!path_.empty() && fd_ >= 0) close(fd_);
  if (syslog_) closelog();
}

Error Log::open(const std::string& path) {
  ASSERT(fd_ < 0);
  path_ = path;
  if (!path.empty()) return open_file();
  fd_ = STDOUT_FILENO;
  return Error::none;
}

Error Log::open_file() {
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return error_from_errno(errno);
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
  struct stat status{};
  if (fstat(fd, &status) == 0) {
    device_ = status.st_dev;
    inode_ = status.st_ino;
  }
  return Error::none;
}

void Log::open_syslog(const std::string& ident, int facility) {
  ident_ = ident;
  syslog_ = true;
  openlog(ident_.c_str(), LOG_PID | LOG_NDELAY | LOG_NOWAIT,
          kFacilities[static_cast<size_t>(facility)]);
}

// The old file is kept when no new one can be made.
void Log::follow_path() {
  struct stat status{};
  const bool same =
      stat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_;
  if (!same) static_cast<void>(open_file());
}

void Log::write(Level level, std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (!path_.empty()) follow_path();
  char end = '\n';
  iovec parts[2] = {{const_cast<char*>(line.data()), line.size()}, {&end, 1}};
  ssize_t written = 0;
  do {
    written = writev(fd_, parts, 2);
  } while (written < 0 && errno == EINTR);
  if (!syslog_) return;
  const std::string_view message = message_of_log_line(line);
  syslog(syslog_priority(level), "%.*s", static_cast<int>(message.size()), message.data());
}

}  // namespace redoubt
