// Where log lines go: a file, standard output, and the system's log.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <string>
#include <string_view>

#include "net/backend.h"
#include "net/expected.h"

namespace redoubt {

// May be used by several threads.
class Log {
 public:
  Log() = default;
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  // Appends to the file at the absolute `path`, made with mode 0644 less the umask when missing;
  // standard output for "". When the file has been renamed or removed, the next line goes to a new
  // one at `path`, so that whoever rotates logs need tell nobody.
  Error open(const std::string& path);
  // Sends messages to the system's log as well, as `ident` and to a facility: 0 is user, n is
  // local(n - 1).
  void open_syslog(const std::string& ident, int facility);

  // One line and its end in one write, so that lines of several processes do not mix. A log that
  // cannot take it loses it: there is nobody left to tell.
  void write(Level level, std::string_view line);

 private:
  Error open_file();
  void follow_path();

  std::mutex mutex_;
  std::string path_;
  std::string ident_;  // syslog() keeps a pointer to it
  int fd_ = -1;
  dev_t device_ = 0;  // of what fd_ is
  ino_t inode_ = 0;
  bool syslog_ = false;
};

}  // namespace redoubt
