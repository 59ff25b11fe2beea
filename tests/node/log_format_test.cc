#include "engine/insight/log_format.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace redoubt {
namespace {

std::string text_line(int64_t unix_us, std::string_view message,
                      LogLevel level = LogLevel::notice) {
  return format_log_line({LogFormat::text, WallTime{unix_us}, 4711, 'M', level}, message);
}

std::string json_line(int64_t unix_us, std::string_view message, LogLevel level = LogLevel::notice,
                      char role = 'M') {
  return format_log_line({LogFormat::json, WallTime{unix_us}, 4711, role, level}, message);
}

TEST(LogFormat, Text) {
  EXPECT_EQ(text_line(1'795'378'713'123'999, "Ready"), "4711:M 22 Nov 2026 20:18:33.123 * Ready");
  EXPECT_EQ(text_line(0, "x", LogLevel::debug), "4711:M 01 Jan 1970 00:00:00.000 . x");
  EXPECT_EQ(text_line(0, "x", LogLevel::verbose), "4711:M 01 Jan 1970 00:00:00.000 - x");
  EXPECT_EQ(text_line(0, "x", LogLevel::warning), "4711:M 01 Jan 1970 00:00:00.000 # x");
}

TEST(LogFormat, Json) {
  EXPECT_EQ(json_line(1'795'378'713'123'999, "Ready"),
            R"({"time":"2026-11-22T20:18:33.123Z","level":"notice","pid":4711,"role":"master",)"
            R"("message":"Ready"})");
  EXPECT_EQ(json_line(0, "", LogLevel::warning, 'S'),
            R"({"time":"1970-01-01T00:00:00.000Z","level":"warning","pid":4711,"role":"replica",)"
            R"("message":""})");
}

TEST(LogFormat, JsonEscapes) {
  const auto escaped = [](std::string_view text) {
    std::string json;
    append_json_escaped(json, text);
    return json;
  };
  EXPECT_EQ(escaped("a\"b\\c\n\r\t"), R"(a\"b\\c\n\r\t)");
  EXPECT_EQ(escaped(std::string_view("\0\x1f\x7f", 3)), R"(\u0000\u001f\u007f)");
  EXPECT_EQ(escaped("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"),
            "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
  EXPECT_EQ(escaped("\xff"), R"(\ufffd)");
  EXPECT_EQ(escaped("\xC0\x80"), R"(\ufffd\ufffd)");            // overlong
  EXPECT_EQ(escaped("\xED\xA0\x80"), R"(\ufffd\ufffd\ufffd)");  // a surrogate
  EXPECT_EQ(escaped("\xE2\x82"), R"(\ufffd\ufffd)");            // cut short
  EXPECT_EQ(escaped("\xF4\x90\x80\x80"), R"(\ufffd\ufffd\ufffd\ufffd)");
}

TEST(LogFormat, AMessageIsOneLine) {
  EXPECT_EQ(text_line(0, "a\nb\r\x1b[2J\x7f"),
            "4711:M 01 Jan 1970 00:00:00.000 * a\\nb\\r\\x1b[2J\\x7f");
  rc::check([](const std::string& message) {
    for (const std::string& line : {text_line(0, message), json_line(0, message)}) {
      for (const char c : line) RC_ASSERT(c == '\t' || static_cast<unsigned char>(c) >= 0x20);
    }
  });
}

TEST(LogFormat, Calendar) {
  const auto date = [](int64_t unix_s) {
    const CivilTime t = civil_time(WallTime{unix_s * 1'000'000});
    return std::vector<int64_t>{t.year, t.month, t.day, t.hour, t.minute, t.second};
  };
  EXPECT_EQ(date(951'782'400), (std::vector<int64_t>{2000, 2, 29, 0, 0, 0}));
  EXPECT_EQ(date(951'868'799), (std::vector<int64_t>{2000, 2, 29, 23, 59, 59}));
  EXPECT_EQ(date(951'868'800), (std::vector<int64_t>{2000, 3, 1, 0, 0, 0}));
  EXPECT_EQ(date(4'107'542'400), (std::vector<int64_t>{2100, 3, 1, 0, 0, 0}));
  EXPECT_EQ(date(4'107'542'399), (std::vector<int64_t>{2100, 2, 28, 23, 59, 59}));
  EXPECT_EQ(date(-1), (std::vector<int64_t>{1969, 12, 31, 23, 59, 59}));
  EXPECT_EQ(date(253'402'300'799), (std::vector<int64_t>{9999, 12, 31, 23, 59, 59}));
  EXPECT_EQ(civil_time(WallTime{-1}).millisecond, 999);
}

// Day after day, against a calendar that counts.
TEST(LogFormat, CalendarCountsDays) {
  const auto is_leap = [](int64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; };
  int64_t year = 1970;
  int month = 1;
  int day = 1;
  for (int64_t days = 0; days < 300'000; ++days) {
    const CivilTime t = civil_time(WallTime{days * 86'400'000'000});
    ASSERT_EQ(t.year, year) << days;
    ASSERT_EQ(t.month, month) << days;
    ASSERT_EQ(t.day, day) << days;
    constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (++day > kDays[month - 1] + (month == 2 && is_leap(year) ? 1 : 0)) {
      day = 1;
      if (++month > 12) {
        month = 1;
        ++year;
      }
    }
  }
}

TEST(LogFormat, FarTimesDoNotOverflow) {
  EXPECT_GT(civil_time(WallTime{std::numeric_limits<int64_t>::max()}).year, 290'000);
  EXPECT_LT(civil_time(WallTime{std::numeric_limits<int64_t>::min()}).year, -290'000);
}

}  // namespace
}  // namespace redoubt
