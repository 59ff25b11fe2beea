#include "engine/store/number.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace redoubt {
namespace {

// A copy of its own size, so that a sanitizer sees reads behind it.
template <typename Parse>
auto parse_exactly(std::string_view text, Parse parse) {
  const std::unique_ptr<char[]> copy(new char[text.size()]);
  std::copy(text.begin(), text.end(), copy.get());
  return parse(std::string_view(copy.get(), text.size()));
}

// libstdc++ 12's from_chars for long double reads behind the end of what it is given; found by the
// simulator under AddressSanitizer.
TEST(Number, ParsingReadsNothingBehindTheText) {
  for (const char* text : {"1.5", "9", "0x1f", "-7e3", "1e", "inf", "3.", ".5"}) {
    parse_exactly(text, parse_double);
    parse_exactly(text, parse_long_double);
  }
  EXPECT_EQ(parse_exactly("1.5", parse_long_double), 1.5L);
  EXPECT_EQ(parse_exactly("-7e3", parse_double), -7000.0);
}

TEST(Number, WhatIsNoNumber) {
  for (const char* text : {"", " 1", "1 ", "+-1", "--1", "nan", "1x", "0x", "e5"}) {
    EXPECT_FALSE(parse_double(text)) << text;
    EXPECT_FALSE(parse_long_double(text)) << text;
  }
  for (const char* text : {"", "+1", "01", "-0", "1.0", " 1", "9223372036854775808"}) {
    EXPECT_FALSE(parse_integer(text)) << text;
  }
  EXPECT_EQ(parse_integer("-9223372036854775808"), INT64_MIN);
}

TEST(Number, Text) {
  EXPECT_EQ(IntegerText(INT64_MIN).view(), "-9223372036854775808");
  EXPECT_EQ(DoubleText(3).view(), "3");
  EXPECT_EQ(DoubleText(0.1).view(), "0.1");
  EXPECT_EQ(LongDoubleText(3.25L).view(), "3.25");
  EXPECT_EQ(LongDoubleText(-0.0L).view(), "0");
  EXPECT_EQ(FixedText(2.0 / 3, 2).view(), "0.67");
}

}  // namespace
}  // namespace redoubt
