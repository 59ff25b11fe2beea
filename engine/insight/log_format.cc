#include "engine/insight/log_format.h"

#include <fmt/format.h>

#include <array>

namespace redoubt {

namespace {

constexpr int64_t kUsPerDay = 86'400'000'000;
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

char level_sign(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return '.';
    case LogLevel::verbose: return '-';
    case LogLevel::notice: return '*';
    case LogLevel::warning: return '#';
    case LogLevel::nothing: break;
  }
  return ' ';
}

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::verbose: return "verbose";
    case LogLevel::notice: return "notice";
    case LogLevel::warning: return "warning";
    case LogLevel::nothing: break;
  }
  return "nothing";
}

std::string_view role_name(char role) {
  switch (role) {
    case 'M': return "master";
    case 'S': return "replica";
    case 'X': return "sentinel";
    case 'C': return "start";
    default: return "unknown";
  }
}

// How many bytes the UTF-8 sequence at the front of `text` has; 0 when there is none (overlong
// forms, surrogates and what is above U+10FFFF included).
size_t utf8_sequence(std::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](size_t i, unsigned char low, unsigned char high) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1, 0x80, 0xBF) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned char low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned char high = first == 0xED ? 0x9F : 0xBF;
    return continues(1, low, high) && continues(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned char low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = first == 0xF4 ? 0x8F : 0xBF;
    return continues(1, low, high) && continues(2, 0x80, 0xBF) && continues(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

// Control characters would end the line or write over it on a terminal.
void append_printable(std::string& line, std::string_view message) {
  for (const char c : message) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\r') {
      line += "\\r";
    } else if (c == '\t') {
      line += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
}

}  // namespace

// Days are counted from 1 March of year 0, so that the leap day is the last of its year; years come
// in eras of 400 (146,097 days).
CivilTime civil_time(WallTime wall) {
  int64_t days = wall.unix_us / kUsPerDay;
  int64_t us = wall.unix_us % kUsPerDay;
  if (us < 0) {
    us += kUsPerDay;
    --days;
  }
  constexpr int64_t kDaysToEpoch = 719'468;  // from 1 March 0000 to 1 January 1970
  constexpr int64_t kEraDays = 146'097;
  days += kDaysToEpoch;
  const int64_t era = (days >= 0 ? days : days - (kEraDays - 1)) / kEraDays;
  const int64_t day_of_era = days - era * kEraDays;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  CivilTime civil;
  civil.day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  civil.month =
      static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  civil.year = year_of_era + era * 400 + (civil.month <= 2 ? 1 : 0);
  civil.hour = static_cast<int>(us / 3'600'000'000);
  civil.minute = static_cast<int>(us / 60'000'000 % 60);
  civil.second = static_cast<int>(us / 1'000'000 % 60);
  civil.millisecond = static_cast<int>(us / 1'000 % 1'000);
  return civil;
}

void append_json_escaped(std::string& json, std::string_view text) {
  while (!text.empty()) {
    const char c = text.front();
    const size_t length = utf8_sequence(text);
    if (length == 0) {
      json += "\\ufffd";
      text.remove_prefix(1);
      continue;
    }
    switch (c) {
      case '"': json += "\\\""; break;
      case '\\': json += "\\\\"; break;
      case '\n': json += "\\n"; break;
      case '\r': json += "\\r"; break;
      case '\t': json += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
          json += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          json += text.substr(0, length);
        }
    }
    text.remove_prefix(length);
  }
}

std::string_view message_of_log_line(std::string_view line) {
  if (line.starts_with('{')) return line;
  constexpr int kWordsBefore = 6;  // pid and role, day, month, year, time, level
  size_t at = 0;
  for (int word = 0; word < kWordsBefore; ++word) {
    const size_t blank = line.find(' ', at);
    if (blank == std::string_view::npos) return line;
    at = blank + 1;
  }
  return line.substr(at);
}

std::string format_log_line(const LogStamp& stamp, std::string_view message) {
  const CivilTime t = civil_time(stamp.wall);
  if (stamp.format == LogFormat::json) {
    std::string line = fmt::format(
        "{{\"time\":\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z\",\"level\":\"{}\",\"pid\":{},"
        "\"role\":\"{}\",\"message\":\"",
        t.year, t.month, t.day, t.hour, t.minute, t.second, t.millisecond, level_name(stamp.level),
        stamp.pid, role_name(stamp.role));
    append_json_escaped(line, message);
    line += "\"}";
    return line;
  }
  std::string line =
      fmt::format("{}:{} {:02} {} {:04} {:02}:{:02}:{:02}.{:03} {} ", stamp.pid, stamp.role, t.day,
                  kMonths[static_cast<size_t>(t.month - 1)], t.year, t.hour, t.minute, t.second,
                  t.millisecond, level_sign(stamp.level));
  append_printable(line, message);
  return line;
}

}  // namespace redoubt
