// Log lines: one readable form, and one for programs.
//
//   13009:M 22 Nov 2026 20:18:33.123 * Ready to accept connections
//   {"time":"2026-11-22T20:18:33.123Z","level":"notice","pid":13009,"role":"master",
//    "message":"Ready to accept connections"}       (in one line)
//
// Times are UTC: neither the locale nor the time zone of the process has a part in it, so that a
// simulated node logs the same everywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/config/settings.h"
#include "net/time.h"

namespace redoubt {

// A point of the calendar, UTC.
struct CivilTime {
  int64_t year = 1970;
  int month = 1;  // 1 .. 12
  int day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int millisecond = 0;
};
CivilTime civil_time(WallTime wall);

struct LogStamp {
  LogFormat format = LogFormat::text;
  WallTime wall;
  int64_t pid = 0;
  char role = 'M';  // M master, S replica, X sentinel, C a process that starts
  LogLevel level = LogLevel::notice;
};

// The line without a line end. Bytes of the message that would break it are escaped.
std::string format_log_line(const LogStamp& stamp, std::string_view message);

// The message in such a line; all of a line in JSON.
std::string_view message_of_log_line(std::string_view line);

// Appends text to a JSON string's inside. What is not UTF-8 becomes U+FFFD.
void append_json_escaped(std::string& json, std::string_view text);

}  // namespace redoubt
