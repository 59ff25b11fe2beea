#include "engine/config/config_text.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <limits>

namespace redoubt {
namespace {

using Words = std::vector<std::string>;

Words words_of(std::string_view line) {
  Words words;
  EXPECT_TRUE(split_words(line, &words)) << line;
  return words;
}

TEST(ConfigText, SplitsAtBlanks) {
  EXPECT_EQ(words_of("port 6379"), (Words{"port", "6379"}));
  EXPECT_EQ(words_of("  bind\t127.0.0.1   ::1 \r"), (Words{"bind", "127.0.0.1", "::1"}));
  EXPECT_EQ(words_of(""), Words{});
  EXPECT_EQ(words_of(" \t "), Words{});
}

TEST(ConfigText, ReadsQuotes) {
  EXPECT_EQ(words_of(R"(requirepass "a b")"), (Words{"requirepass", "a b"}));
  EXPECT_EQ(words_of(R"(save "")"), (Words{"save", ""}));
  EXPECT_EQ(words_of(R"("\x41\x7a\n\r\t\b\a\"\\\q")"), (Words{"Az\n\r\t\b\a\"\\q"}));
  EXPECT_EQ(words_of(R"("\xg1\x4")"), (Words{"xg1x4"}));
  EXPECT_EQ(words_of(R"('a "b" \n \' c')"), (Words{R"(a "b" \n ' c)"}));
  EXPECT_EQ(words_of(R"(pre"fix")"), (Words{"prefix"}));
}

TEST(ConfigText, RefusesWhatIsNotClosed) {
  Words words;
  EXPECT_FALSE(split_words("a \"b", &words));
  EXPECT_FALSE(split_words("a 'b", &words));
  EXPECT_FALSE(split_words("\"a\"b", &words));
  EXPECT_FALSE(split_words("'a'b c", &words));
  EXPECT_FALSE(split_words("\"a\\", &words));
  EXPECT_FALSE(split_words("\"", &words));
}

TEST(ConfigText, ReadsSizes) {
  EXPECT_EQ(parse_size("100"), 100);
  EXPECT_EQ(parse_size("0"), 0);
  EXPECT_EQ(parse_size("5b"), 5);
  EXPECT_EQ(parse_size("1k"), 1000);
  EXPECT_EQ(parse_size("1kb"), 1024);
  EXPECT_EQ(parse_size("3M"), 3'000'000);
  EXPECT_EQ(parse_size("3mB"), 3 * 1024 * 1024);
  EXPECT_EQ(parse_size("2g"), 2'000'000'000);
  EXPECT_EQ(parse_size("2GB"), int64_t{2} << 30);
  EXPECT_EQ(parse_size("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(parse_size("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(parse_size("17179869183gb"), uint64_t{17179869183} << 30);
  for (const char* bad :
       {"", "-1", "1.5gb", "mb", "1 mb", " 1", "1t", "1kbb", "18446744073709551616",
        "18446744073709551615k", "17179869184gb", "0x10"}) {
    EXPECT_EQ(parse_size(bad), std::nullopt) << bad;
  }
}

TEST(ConfigText, SizesComeBack) {
  rc::check("size_text() is read by parse_size()", [](int64_t number, uint8_t shift) {
    const int64_t bytes = (number & std::numeric_limits<int64_t>::max()) >> (shift % 63);
    RC_ASSERT(parse_size(size_text(bytes)) == bytes);
    RC_ASSERT(parse_size(size_text(bytes & ~int64_t{1023})) == (bytes & ~int64_t{1023}));
  });
}

TEST(ConfigText, WordsComeBack) {
  rc::check("quote_word() is read by split_words()", [](const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) line += quote_word(word) + " ";
    std::vector<std::string> read;
    RC_ASSERT(split_words(line, &read));
    RC_ASSERT(read == words);
    RC_ASSERT(line.find('\n') == std::string::npos);
  });
}

TEST(ConfigText, SplittingAnythingEnds) {
  rc::check([](const std::string& line) {
    std::vector<std::string> words;
    if (!split_words(line, &words)) return;
    size_t bytes = 0;
    for (const std::string& word : words) bytes += word.size();
    RC_ASSERT(bytes <= line.size());
  });
}

TEST(ConfigText, MessagesAreBounded) {
  EXPECT_EQ(quote_for_message("a\nb"), "\"a\\nb\"");
  EXPECT_LT(quote_for_message(std::string(100'000, '\x01')).size(), 1000u);
}

}  // namespace
}  // namespace redoubt
