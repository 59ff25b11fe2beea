// Where log lines go: a file, or standard output.
#pragma once

#include <string>
#include <string_view>

#include "net/expected.h"

namespace redoubt {

class LogSink {
 public:
  LogSink() = default;
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;
  ~LogSink();

  // Appends to the file at `path`, made with mode 0600 when missing; standard output for "".
  Error open(const std::string& path);
  // One line and its end in one write, so that lines of several processes do not mix. A sink that
  // cannot take it loses it: there is nobody left to tell.
  void write_line(std::string_view line);

 private:
  int fd_ = -1;
  bool owned_ = false;
};

}  // namespace redoubt
