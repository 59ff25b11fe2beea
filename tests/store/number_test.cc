#include "engine/store/number.h"

#include <gtest/gtest.h>

#include <cmath>
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

TEST(Number, BoundsAreReadLeniently) {
  for (const auto& [text, value] :
       std::initializer_list<std::pair<std::string_view, double>>{{"", 0},
                                                                  {" 1.5", 1.5},
                                                                  {"+2", 2},
                                                                  {"-2e3", -2000},
                                                                  {std::string_view("1\0x", 3), 1},
                                                                  {"1e400", INFINITY},
                                                                  {"-1e400", -INFINITY},
                                                                  {"1e-400", 0},
                                                                  {"-inf", -INFINITY},
                                                                  {"0x10", 16}}) {
    EXPECT_EQ(parse_double_leniently(text), value) << text;
  }
  for (const char* text : {" ", "1 ", "nan", "+-1", "--1", "++1", "abc", "1x", "-", "+"}) {
    EXPECT_FALSE(parse_double_leniently(text)) << text;
  }
  EXPECT_FALSE(parse_double("1e-400"));
  EXPECT_EQ(parse_double("0e5"), 0);
  EXPECT_EQ(parse_double("-0.00"), 0);
}

TEST(Number, Text) {
  EXPECT_EQ(IntegerText(INT64_MIN).view(), "-9223372036854775808");
  EXPECT_EQ(DoubleText(3).view(), "3");
  EXPECT_EQ(DoubleText(0.1).view(), "0.1");
  for (const auto& [value, text] : std::initializer_list<std::pair<double, const char*>>{
           {-0.0, "-0"},
           {1e15, "1000000000000000"},
           {1e17, "1e+17"},
           {1e20, "1e+20"},
           {123456789012345678, "123456789012345680"},
           {9007199254740993.0, "9007199254740992"},
           {3.3, "3.3"},
           {-2.5e-3, "-0.0025"},
           {1e-6, "0.000001"},
           {1e-7, "1e-7"},
           {1.5e-9, "1.5e-9"},
           {5e-324, "5e-324"},
           {1.7976931348623157e308, "1.7976931348623157e+308"}}) {
    EXPECT_EQ(DoubleText(value).view(), text);
  }
  EXPECT_EQ(LongDoubleText(3.25L).view(), "3.25");
  EXPECT_EQ(LongDoubleText(-0.0L).view(), "0");
  EXPECT_EQ(FixedText(2.0 / 3, 2).view(), "0.67");
}

}  // namespace
}  // namespace redoubt
