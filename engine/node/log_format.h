// What a line of the log looks like. Times are UTC.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/node/settings.h"
#include "net/time.h"

namespace redoubt {

struct LogStamp {
  LogFormat format = LogFormat::text;
  WallTime wall;
  int64_t pid = 0;
  char role = 'M';  // 'M' primary, 'S' replica, 'X' sentinel, 'C' helper
  LogLevel level = LogLevel::notice;
};

// Text: "4711:M 22 Nov 2026 20:18:33.123 * message". JSON: one object with "time" (ISO 8601), "level", "pid",
// "role" and "message". Without the line end; control characters of the message are escaped.
std::string format_log_line(const LogStamp& stamp, std::string_view message);

}  // namespace redoubt
