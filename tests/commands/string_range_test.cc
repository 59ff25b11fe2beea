// APPEND, SETRANGE, GETRANGE and counters: their edges. LCS against the textbook.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "engine/commands/strings/string_lcs.h"
#include "tests/commands/local_node.h"
#include "tests/resp_text.h"

namespace redoubt {
namespace {

constexpr std::string_view kTooLong =
    "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
constexpr std::string_view kNoInteger = "-ERR value is not an integer or out of range\r\n";
constexpr std::string_view kNoFloat = "-ERR value is not a valid float\r\n";

TEST(StringRange, NothingBecomesLargerThanCanBeHeld) {
  LocalNode node({"proto-max-bulk-len", "4095mb"});
  const std::string too_large = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
  const std::string out_of_range = "-ERR bit offset is not an integer or out of range\r\n";
  EXPECT_EQ(node.call({"SETRANGE", "k", "4293918720", "x"}), too_large);
  EXPECT_EQ(node.call({"SETRANGE", "k", "6442450944", "x"}), too_large);
  EXPECT_EQ(node.call({"SETRANGE", "k", "9223372036854775807", "x"}), too_large);
  EXPECT_EQ(node.call({"SETBIT", "k", "34351349760", "1"}), out_of_range);
  EXPECT_EQ(node.call({"BITFIELD", "k", "SET", "u8", "34351349760", "1"}), out_of_range);
  EXPECT_EQ(node.call({"BITFIELD", "k", "SET", "u8", "#4293918720", "1"}), out_of_range);
  EXPECT_EQ(node.call({"EXISTS", "k"}), ":0\r\n");
}

TEST(StringRange, SizesAreLimited) {
  LocalNode n({"proto-max-bulk-len", "1mb"});
  const std::string largest(1024 * 1024, 'x');
  EXPECT_EQ(n.call({"SETRANGE", "k", "1048575", "x"}), ":1048576\r\n");
  EXPECT_EQ(n.call({"SETRANGE", "k", "1048576", "x"}), kTooLong);
  EXPECT_EQ(n.call({"SETRANGE", "k", "9223372036854775807", "x"}), kTooLong);
  EXPECT_EQ(n.call({"SETRANGE", "new", "1048576", "x"}), kTooLong);
  EXPECT_EQ(n.call({"SETRANGE", "k", "9223372036854775807", ""}), ":1048576\r\n");
  EXPECT_EQ(n.call({"SETRANGE", "new", "9223372036854775807", ""}), ":0\r\n");
  EXPECT_EQ(n.call({"SETRANGE", "k", "-1", ""}), "-ERR offset is out of range\r\n");
  EXPECT_EQ(n.call({"APPEND", "k", "x"}), kTooLong);
  EXPECT_EQ(n.call({"APPEND", "k", ""}), ":1048576\r\n");
  EXPECT_EQ(n.call({"SETBIT", "k", "8388608", "1"}),
            "-ERR bit offset is not an integer or out of range\r\n");
  EXPECT_EQ(n.call({"SETBIT", "k", "8388607", "1"}), ":0\r\n");
  EXPECT_EQ(n.call({"EXISTS", "new"}), ":0\r\n");
}

TEST(StringRange, GapsAreZeros) {
  LocalNode n;
  EXPECT_EQ(n.call({"SETRANGE", "k", "3", "x"}), ":4\r\n");
  EXPECT_EQ(n.call({"GET", "k"}), bulk(std::string_view("\0\0\0x", 4)));
  // Bytes that were cut off do not come back.
  n.call({"SET", "k", std::string(400, 'y')});
  n.call({"SETRANGE", "k", "0", "z"});
  n.call({"SET", "k", "12"});
  EXPECT_EQ(n.call({"SETRANGE", "k", "390", "x"}), ":391\r\n");
  std::string expected(391, '\0');
  expected.replace(0, 2, "12");
  expected.back() = 'x';
  EXPECT_EQ(n.call({"GET", "k"}), bulk(expected));
}

TEST(StringRange, WritesKeepTheExpiry) {
  LocalNode n;
  for (const std::vector<std::string_view>& write :
       std::vector<std::vector<std::string_view>>{{"APPEND", "k", "1"},
                                                  {"SETRANGE", "k", "0", "1"},
                                                  {"SETRANGE", "k", "400", "1"},
                                                  {"INCR", "k"},
                                                  {"INCRBYFLOAT", "k", "1.5"},
                                                  {"SETBIT", "k", "9", "1"},
                                                  {"BITFIELD", "k", "SET", "u8", "0", "1"},
                                                  {"INCREX", "k"},
                                                  {"SET", "k", "1", "KEEPTTL"}}) {
    n.call({"SET", "k", "5", "PXAT", "99999999999999"});
    EXPECT_NE(n.call(write)[0], '-');
    EXPECT_EQ(n.call({"PEXPIRETIME", "k"}), ":99999999999999\r\n") << write[0];
  }
}

TEST(StringRange, Getrange) {
  LocalNode n;
  n.call({"SET", "k", "hello"});
  const auto range = [&](std::string_view start, std::string_view end) {
    EXPECT_EQ(n.call({"SUBSTR", "k", start, end}), n.call({"GETRANGE", "k", start, end}));
    return n.call({"GETRANGE", "k", start, end});
  };
  EXPECT_EQ(range("0", "-1"), bulk("hello"));
  EXPECT_EQ(range("1", "3"), bulk("ell"));
  EXPECT_EQ(range("-100", "0"), bulk("h"));
  EXPECT_EQ(range("-100", "-100"), bulk("h"));
  EXPECT_EQ(range("-99", "-100"), bulk(""));
  EXPECT_EQ(range("4", "100"), bulk("o"));
  EXPECT_EQ(range("5", "100"), bulk(""));
  EXPECT_EQ(range("-9223372036854775808", "9223372036854775807"), bulk("hello"));
  EXPECT_EQ(range("x", "1"), kNoInteger);
  EXPECT_EQ(n.call({"GETRANGE", "none", "0", "-1"}), bulk(""));
  n.call({"SET", "k", "-123"});
  EXPECT_EQ(range("0", "1"), bulk("-1"));
}

// --- counters

TEST(StringCounter, LimitsOfIntegers) {
  LocalNode n;
  constexpr std::string_view kOverflow = "-ERR increment or decrement would overflow\r\n";
  n.call({"SET", "high", "9223372036854775807"});
  n.call({"SET", "low", "-9223372036854775808"});
  EXPECT_EQ(n.call({"INCR", "high"}), kOverflow);
  EXPECT_EQ(n.call({"DECR", "low"}), kOverflow);
  EXPECT_EQ(n.call({"DECRBY", "low", "-9223372036854775808"}), "-ERR decrement would overflow\r\n");
  EXPECT_EQ(n.call({"INCRBY", "low", "9223372036854775807"}), ":-1\r\n");
  EXPECT_EQ(n.call({"INCRBY", "new", "-9223372036854775808"}), ":-9223372036854775808\r\n");
  EXPECT_EQ(n.call({"INCRBY", "new", "+1"}), kNoInteger);
  for (const std::string_view text : {"", " 1", "1 ", "01", "-0", "1.0", "9223372036854775808"}) {
    n.call({"SET", "k", text});
    EXPECT_EQ(n.call({"INCR", "k"}), kNoInteger) << text;
    EXPECT_EQ(n.call({"GET", "k"}), bulk(text));
  }
}

TEST(StringCounter, Floats) {
  LocalNode n;
  EXPECT_EQ(n.call({"INCRBYFLOAT", "k", "10.50"}), bulk("10.5"));
  n.take_effects();
  EXPECT_EQ(n.call({"INCRBYFLOAT", "k", "0.1"}), bulk("10.6"));
  EXPECT_EQ(n.take_effects(), "SET k 10.6 KEEPTTL");
  EXPECT_EQ(n.call({"INCRBYFLOAT", "k", "-5.0e-1"}), bulk("10.1"));
  EXPECT_EQ(n.call({"INCRBYFLOAT", "k", "-10.1"}), bulk("0"));
  EXPECT_EQ(n.call({"OBJECT", "ENCODING", "k"}), bulk("embstr"));
  EXPECT_EQ(n.call({"INCR", "k"}), ":1\r\n");
  EXPECT_EQ(n.call({"INCRBYFLOAT", "k", "inf"}),
            "-ERR increment would produce NaN or Infinity\r\n");
  for (const std::string_view text : {"", "nan", "1x", " 1", "0x"}) {
    EXPECT_EQ(n.call({"INCRBYFLOAT", "k", text}), kNoFloat) << text;
  }
  n.call({"SET", "text", "x"});
  EXPECT_EQ(n.call({"INCRBYFLOAT", "text", "1"}), kNoFloat);
}

class Increx : public testing::Test {
 protected:
  Increx() {
    // The stream begins with a SELECT.
    n.call({"SET", "k", "v"});
    n.call({"DEL", "k"});
    n.take_effects();
  }
  // The two numbers of the reply, or the error.
  std::string increx(std::vector<std::string_view> args) {
    args.insert(args.begin(), "INCREX");
    const std::string reply = n.call(args);
    if (!reply.starts_with("*2\r\n:")) return reply;
    const size_t end = reply.find("\r\n", 5);
    return reply.substr(5, end - 5) + " " + reply.substr(end + 3, reply.size() - end - 5);
  }

  LocalNode n;
};

TEST_F(Increx, Bounds) {
  EXPECT_EQ(increx({"k"}), "1 1");
  EXPECT_EQ(increx({"k", "BYINT", "5", "UBOUND", "5"}), "1 0");
  EXPECT_EQ(increx({"k", "BYINT", "5", "UBOUND", "5", "SATURATE"}), "5 4");
  EXPECT_EQ(increx({"k", "BYINT", "-9", "LBOUND", "-1", "SATURATE"}), "-1 -6");
  // Outside before: moved to the bound, even against the increment.
  EXPECT_EQ(increx({"k", "BYINT", "-1", "LBOUND", "7", "SATURATE"}), "7 8");
  EXPECT_EQ(increx({"k", "UBOUND", "3"}), "7 0");
  EXPECT_EQ(increx({"k", "UBOUND", "3", "SATURATE"}), "3 -4");
  EXPECT_EQ(increx({"none", "UBOUND", "0"}), "0 0");
  EXPECT_EQ(n.call({"EXISTS", "none"}), ":0\r\n");
  n.call({"SET", "k", "9223372036854775807"});
  EXPECT_EQ(increx({"k"}), "9223372036854775807 0");
  EXPECT_EQ(increx({"k", "SATURATE"}), "9223372036854775807 0");
  EXPECT_EQ(increx({"k", "UBOUND", "-2", "SATURATE"}), "-ERR applied increment would overflow\r\n");
  EXPECT_EQ(increx({"k", "LBOUND", "2", "UBOUND", "1"}),
            "-ERR LBOUND can't be greater than UBOUND\r\n");
}

TEST_F(Increx, FloatsAreTextsInResp2AndDoublesInResp3) {
  EXPECT_EQ(n.call({"INCREX", "f", "BYFLOAT", "2.5"}), "*2\r\n$3\r\n2.5\r\n$3\r\n2.5\r\n");
  n.call({"HELLO", "3"});
  EXPECT_EQ(n.call({"INCREX", "f", "BYFLOAT", "0.1"}), "*2\r\n,2.6\r\n,0.1\r\n");
  EXPECT_EQ(n.call({"INCREX", "f", "BYFLOAT", "1", "UBOUND", "1"}), "*2\r\n,2.6\r\n,0\r\n");
  EXPECT_EQ(n.call({"INCREX", "f", "BYFLOAT", "inf"}),
            "-ERR BYFLOAT increment cannot be Infinity\r\n");
  EXPECT_EQ(n.call({"INCREX", "f", "BYFLOAT", "1", "LBOUND", "inf"}),
            "-ERR LBOUND can't be greater than UBOUND\r\n");
}

TEST_F(Increx, ExpiryAndEffects) {
  const std::string in_5s = std::to_string(n.env.wall().unix_ms() + 5000);
  EXPECT_EQ(increx({"k", "EX", "5"}), "1 1");
  EXPECT_EQ(n.take_effects(), "SET k 1 PXAT " + in_5s);
  EXPECT_EQ(increx({"k", "EX", "9", "ENX"}), "2 1");
  EXPECT_EQ(n.take_effects(), "SET k 2 KEEPTTL");
  EXPECT_EQ(increx({"k", "PERSIST"}), "3 1");
  EXPECT_EQ(n.take_effects(), "SET k 3");
  EXPECT_EQ(n.call({"PTTL", "k"}), ":-1\r\n");
  EXPECT_EQ(increx({"k", "PXAT", "1"}), "4 1");
  EXPECT_EQ(n.take_effects(), "DEL k");
  EXPECT_EQ(increx({"k", "XX"}), "0 0");
  EXPECT_EQ(increx({"k", "NX", "BYINT", "7"}), "7 7");
  n.take_effects();
  EXPECT_EQ(increx({"k", "NX"}), "7 0");
  EXPECT_EQ(n.take_effects(), "");
}

TEST_F(Increx, Refuses) {
  for (const std::vector<std::string_view>& options :
       std::vector<std::vector<std::string_view>>{{"BYINT", "1", "BYINT", "2"},
                                                  {"BYINT", "1", "BYFLOAT", "2"},
                                                  {"BYINT"},
                                                  {"SATURATE", "SATURATE"},
                                                  {"NX", "XX"},
                                                  {"EX", "1", "EX", "2"},
                                                  {"EX", "1", "PERSIST"},
                                                  {"PERSIST", "ENX"},
                                                  {"KEEPTTL"},
                                                  {"NOSUCH"}}) {
    std::vector<std::string_view> args = {"k"};
    args.insert(args.end(), options.begin(), options.end());
    EXPECT_EQ(increx(args), "-ERR syntax error\r\n") << options[0];
  }
  EXPECT_EQ(increx({"k", "ENX"}), "-ERR ENX flag requires an expiration\r\n");
  EXPECT_EQ(increx({"k", "BYINT", "1.5"}), "-ERR Increment is not an integer or out of range\r\n");
  EXPECT_EQ(increx({"k", "UBOUND", "x"}), "-ERR UBOUND is not an integer or out of range\r\n");
  EXPECT_EQ(increx({"k", "EX", "0"}), "-ERR invalid expire time in 'increx' command\r\n");
  n.call({"SET", "k", "text"});
  EXPECT_EQ(increx({"k"}), kNoInteger);
  EXPECT_EQ(increx({"k", "BYFLOAT", "1"}), kNoFloat);
  n.call({"SET", "k", "inf"});
  EXPECT_EQ(increx({"k", "BYFLOAT", "1"}), "-ERR value cannot be Infinity\r\n");
}

// --- LCS

struct Pair {
  size_t a;
  size_t b;
  bool operator==(const Pair&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Pair& pair) {
  return out << pair.a << "/" << pair.b;
}

// The textbook table, walked back: up only where that is strictly better.
std::vector<Pair> textbook(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> table(a.size() + 1, std::vector<size_t>(b.size() + 1, 0));
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      table[i][j] = a[i - 1] == b[j - 1] ? table[i - 1][j - 1] + 1
                                         : std::max(table[i - 1][j], table[i][j - 1]);
    }
  }
  std::vector<Pair> pairs;
  for (size_t i = a.size(), j = b.size(); i > 0 && j > 0;) {
    if (a[i - 1] == b[j - 1]) {
      pairs.push_back({--i, --j});
    } else {
      table[i - 1][j] > table[i][j - 1] ? --i : --j;
    }
  }
  return pairs;
}

RC_GTEST_PROP(Lcs, AgreesWithTheTextbook, ()) {
  // Few different letters, so that there is much in common; lengths around those of words.
  const char last = *rc::gen::inRange<char>('a', 'f');
  const auto text = [&] {
    const size_t size = *rc::gen::inRange<size_t>(0, 300);
    return *rc::gen::container<std::string>(
        size, rc::gen::inRange<char>('a', static_cast<char>(last + 1)));
  };
  const std::string a = text();
  const std::string b = text();
  const std::vector<Pair> expected = textbook(a, b);
  const CommonSubsequence common(a, b, false);
  std::vector<Pair> pairs;
  common.walk([&](size_t i, size_t j) { pairs.push_back({i, j}); });
  RC_ASSERT(pairs == expected);
  RC_ASSERT(common.length() == expected.size());
  RC_ASSERT(CommonSubsequence(a, b, true).length() == expected.size());
}

TEST(Lcs, Replies) {
  LocalNode n;
  n.call({"MSET", "a", "ohmytext", "b", "mynewtext"});
  EXPECT_EQ(n.call({"LCS", "a", "b"}), bulk("mytext"));
  EXPECT_EQ(n.call({"LCS", "a", "b", "LEN"}), ":6\r\n");
  EXPECT_EQ(n.call({"LCS", "a", "none"}), bulk(""));
  EXPECT_EQ(n.call({"LCS", "none", "none", "IDX"}),
            "*4\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n");
  EXPECT_EQ(n.call({"LCS", "a", "b", "IDX", "MINMATCHLEN", "4", "WITHMATCHLEN"}),
            "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n"
            "$3\r\nlen\r\n:6\r\n");
  EXPECT_EQ(n.call({"LCS", "a", "b", "IDX", "LEN"}),
            "-ERR If you want both the length and indexes, please just use IDX.\r\n");
  EXPECT_EQ(n.call({"LCS", "a", "b", "MINMATCHLEN"}), "-ERR syntax error\r\n");
  EXPECT_EQ(n.call({"LCS", "a", "b", "MINMATCHLEN", "x"}), kNoInteger);
}

TEST(Lcs, IsLimited) {
  // 512 * 512 cells of 4 bytes are 1 MB.
  LocalNode n({"proto-max-bulk-len", "1mb"});
  n.call({"SET", "a", std::string(511, 'x')});
  n.call({"SET", "b", std::string(512, 'x')});
  EXPECT_EQ(n.call({"LCS", "a", "a", "LEN"}), ":511\r\n");
  EXPECT_EQ(n.call({"LCS", "a", "b", "LEN"}),
            "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n");
}

TEST(Lcs, KeysThatExpireMeanwhile) {
  LocalNode n;
  n.node->upkeep().set_active_expiry(false);
  n.call({"SET", "a", "abc"});
  n.call({"SET", "b", "abc", "PX", "10"});
  n.pass_ms(11);
  EXPECT_EQ(n.call({"LCS", "a", "b"}), bulk(""));
  EXPECT_EQ(n.call({"LCS", "a", "a"}), bulk("abc"));
}

}  // namespace
}  // namespace redoubt
