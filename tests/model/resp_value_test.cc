// The RESP parser of checkers and test clients.
#include "sim/model/resp_value.h"

#include <gtest/gtest.h>

namespace redoubt::sim {
namespace {

RespValue parsed(std::string_view bytes) {
  RespValue value;
  EXPECT_TRUE(parse_resp_exactly(bytes, value)) << quote_bytes(bytes);
  return value;
}

TEST(RespValue, EveryKindOfResp3) {
  EXPECT_EQ(parsed("+OK\r\n").kind, RespValue::Kind::simple);
  EXPECT_EQ(parsed("-ERR x\r\n").text, "ERR x");
  EXPECT_EQ(parsed(":-12\r\n").integer, -12);
  EXPECT_EQ(parsed("$3\r\na\r\n\r\n").text, "a\r\n");
  EXPECT_EQ(parsed("$-1\r\n").kind, RespValue::Kind::null);
  EXPECT_EQ(parsed("*-1\r\n").kind, RespValue::Kind::null);
  EXPECT_EQ(parsed("_\r\n").kind, RespValue::Kind::null);
  EXPECT_NE(parsed("$-1\r\n"), parsed("_\r\n"));
  EXPECT_EQ(parsed("*0\r\n").items.size(), 0U);
  EXPECT_EQ(parsed("%1\r\n+k\r\n:1\r\n").items.size(), 2U);
  EXPECT_EQ(parsed("~1\r\n:1\r\n").kind, RespValue::Kind::set);
  EXPECT_EQ(parsed(">1\r\n+x\r\n").kind, RespValue::Kind::push);
  EXPECT_EQ(parsed(",2.5\r\n").text, "2.5");
  EXPECT_EQ(parsed("#t\r\n").integer, 1);
  EXPECT_EQ(parsed("(123456789012345678901234567890\r\n").kind, RespValue::Kind::big_number);
  EXPECT_EQ(parsed("!5\r\nERR x\r\n").kind, RespValue::Kind::bulk_error);
  EXPECT_EQ(parsed("=7\r\ntxt:foo\r\n").text, "txt:foo");
  // An attribute holds its pairs, and then the value that it belongs to.
  const RespValue attribute = parsed("|1\r\n+ttl\r\n:5\r\n$1\r\nv\r\n");
  EXPECT_EQ(attribute.items.size(), 3U);
  EXPECT_EQ(attribute.items[2].text, "v");
}

TEST(RespValue, RefusesWhatIsNoReply) {
  RespValue value;
  size_t used = 0;
  for (std::string_view bytes :
       {"x\r\n", ":1a\r\n", ":\r\n", "$-2\r\n", "$1\r\nab\r\n", "#x\r\n", "_x\r\n", "+a\rb\r\n",
        "*-2\r\n", "$99999999999999\r\n", "%-1\r\n"}) {
    EXPECT_EQ(parse_resp(bytes, value, used), RespParse::invalid) << quote_bytes(bytes);
  }
  std::string deep;
  for (int i = 0; i < resp_depth_max + 1; i++) {
    deep += "*1\r\n";
  }
  EXPECT_EQ(parse_resp(deep + ":1\r\n", value, used), RespParse::invalid);
  EXPECT_FALSE(parse_resp_exactly("+OK\r\n+OK\r\n", value));
}

std::vector<std::string_view> parts_of(std::string_view bytes) {
  std::vector<std::string_view> parts;
  EXPECT_TRUE(split_resp(bytes, parts)) << quote_bytes(bytes);
  return parts;
}

using Views = std::vector<std::string_view>;

TEST(SplitResp, GivesTheValuesOfAnAggregateAsTheyStand) {
  EXPECT_EQ(parts_of("*0\r\n"), Views());
  EXPECT_EQ(parts_of("*2\r\n$3\r\na\r\n\r\n:1\r\n"), (Views{"$3\r\na\r\n\r\n", ":1\r\n"}));
  EXPECT_EQ(parts_of("~1\r\n_\r\n"), (Views{"_\r\n"}));
  EXPECT_EQ(parts_of(">1\r\n+x\r\n"), (Views{"+x\r\n"}));
  // Pairs one after another; what is within stays together, and what belongs to it.
  EXPECT_EQ(parts_of("%1\r\n+k\r\n*2\r\n:1\r\n*0\r\n"), (Views{"+k\r\n", "*2\r\n:1\r\n*0\r\n"}));
  EXPECT_EQ(parts_of("*1\r\n|1\r\n+x\r\n:1\r\n:2\r\n"), (Views{"|1\r\n+x\r\n:1\r\n:2\r\n"}));
}

TEST(SplitResp, RefusesWhatIsNotOneWholeAggregate) {
  const std::string whole = "*2\r\n$1\r\na\r\n%1\r\n+k\r\n:1\r\n";
  Views parts;
  for (size_t size = 0; size < whole.size(); size++) {
    EXPECT_FALSE(split_resp(std::string_view(whole).substr(0, size), parts)) << size;
  }
  parts.clear();
  EXPECT_TRUE(split_resp(whole, parts));
  for (std::string_view bytes :
       {"+OK\r\n", ":1\r\n", "$1\r\na\r\n", "*-1\r\n", "_\r\n", "x", "|1\r\n+x\r\n:1\r\n:2\r\n",
        "*1\r\n:1\r\n:2\r\n", "*1\r\n:x\r\n"}) {
    EXPECT_FALSE(split_resp(bytes, parts)) << quote_bytes(bytes);
  }
}

// As the parser sees it, which makes a tree of it.
TEST(SplitResp, AgreesWithTheParser) {
  const std::string bytes =
      "*5\r\n$5\r\nhello\r\n~2\r\n,1.5\r\n#f\r\n%1\r\n+k\r\n*-1\r\n(12345678901234567890123\r\n"
      "=7\r\ntxt:foo\r\n";
  const RespValue value = parsed(bytes);
  const Views parts = parts_of(bytes);
  ASSERT_EQ(parts.size(), value.items.size());
  for (size_t i = 0; i < parts.size(); i++) {
    EXPECT_EQ(parsed(parts[i]), value.items[i]) << i;
  }
}

TEST(RespBulkText, IsTheTextOfOneBulkString) {
  EXPECT_EQ(resp_bulk_text("$3\r\na\r\n\r\n"), "a\r\n");
  EXPECT_EQ(resp_bulk_text("$0\r\n\r\n"), "");
  for (std::string_view bytes : {"", "$", "$3\r\nab", "$1\r\na\r", "$-1\r\n", "+a\r\n",
                                 "$1\r\na\r\n:1\r\n", "=7\r\ntxt:foo\r\n", "*1\r\n$1\r\na\r\n"}) {
    EXPECT_EQ(resp_bulk_text(bytes), std::nullopt) << quote_bytes(bytes);
  }
}

TEST(ReplyFramer, FindsTheEndWhereverTheBytesAreCut) {
  const std::string first = "*3\r\n$3\r\na\r\n\r\n%1\r\n+k\r\n|1\r\n+x\r\n:1\r\n:2\r\n*0\r\n";
  const std::string stream = first + "+OK\r\n";
  for (size_t step = 1; step < stream.size(); step++) {
    ReplyFramer framer;
    size_t end = 0;
    RespParse parse = RespParse::incomplete;
    size_t have = 0;
    while (parse == RespParse::incomplete && have < stream.size()) {
      have = std::min(have + step, stream.size());
      parse = framer.find_end(std::string_view(stream).substr(0, have), end);
      EXPECT_TRUE(parse == RespParse::complete || have < first.size());
    }
    ASSERT_EQ(parse, RespParse::complete);
    ASSERT_EQ(end, first.size());
    // Ready for the next one.
    ASSERT_EQ(framer.find_end("+OK\r\n", end), RespParse::complete);
    ASSERT_EQ(end, 5U);
  }
}

TEST(ReplyFramer, AgreesWithTheParserOnEveryPrefix) {
  const std::string reply = "*2\r\n$5\r\nhello\r\n~2\r\n,1.5\r\n#f\r\n";
  for (size_t size = 0; size <= reply.size(); size++) {
    ReplyFramer framer;
    RespValue value;
    size_t end = 0;
    size_t used = 0;
    const std::string_view prefix = std::string_view(reply).substr(0, size);
    EXPECT_EQ(framer.find_end(prefix, end), parse_resp(prefix, value, used)) << size;
  }
}

TEST(RespValue, ReadsWell) {
  EXPECT_EQ(describe_reply("*2\r\n$3\r\na\"\n\r\n:1\r\n"), "[\"a\\\"\\n\", (integer) 1]");
  EXPECT_EQ(describe_reply("%1\r\n+a\r\n_\r\n"), "{+\"a\": (null _)}");
  EXPECT_EQ(describe_reply("nonsense"), "(not a reply) \"nonsense\"");
  EXPECT_EQ(quote_bytes(std::string_view("\0\xff", 2)), "\"\\x00\\xff\"");
}

}  // namespace
}  // namespace redoubt::sim
