#include "net/resp/request_parser.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "net/output.h"
#include "net/resp/reply_writer.h"

namespace redoubt {
namespace {

using Commands = std::vector<std::vector<std::string>>;

struct Outcome {
  Commands commands;
  std::string error;
  RequestParser::Status status = RequestParser::Status::ok;

  bool operator==(const Outcome&) const = default;
};

std::string encode(const Commands& commands) {
  std::string wire;
  for (const auto& command : commands) {
    wire += "*" + std::to_string(command.size()) + "\r\n";
    for (const std::string& arg : command) {
      wire += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
    }
  }
  return wire;
}

void drain(RequestParser& parser, RequestBatch& batch, Outcome& outcome) {
  for (const RequestBatch::Request& request : batch.requests) {
    std::vector<std::string> command;
    for (uint32_t i = 0; i < request.arg_count; ++i) {
      command.emplace_back(batch.args[request.first_arg + i]);
    }
    outcome.commands.push_back(std::move(command));
  }
  parser.release();
  batch.clear();
}

// Feeds the wire in pieces that end at the given places; large arguments are received directly.
Outcome parse(const std::string& wire, const std::vector<size_t>& cuts,
              const ParserLimits& limits = {}) {
  RequestParser parser;
  RequestBatch batch;
  Outcome outcome;
  size_t at = 0;
  for (size_t i = 0; i <= cuts.size() && outcome.status == RequestParser::Status::ok; ++i) {
    size_t end = i < cuts.size() ? std::min(cuts[i], wire.size()) : wire.size();
    if (end < at) continue;
    while (at < end) {
      const std::span<char> room = parser.direct_room();
      if (!room.empty()) {
        const size_t count = std::min(room.size(), end - at);
        std::copy_n(wire.data() + at, count, room.data());
        parser.direct_filled(count);
        at += count;
        continue;
      }
      // A copy of its own size, so that a sanitizer sees reads behind it.
      const std::vector<char> piece(wire.begin() + static_cast<ptrdiff_t>(at),
                                    wire.begin() + static_cast<ptrdiff_t>(end));
      outcome.status = parser.feed(piece, limits, batch);
      drain(parser, batch, outcome);
      at = end;
    }
  }
  outcome.error = parser.error();
  return outcome;
}

Outcome parse_whole(const std::string& wire, const ParserLimits& limits = {}) {
  return parse(wire, {}, limits);
}

Outcome parse_bytewise(const std::string& wire, const ParserLimits& limits = {}) {
  std::vector<size_t> cuts;
  for (size_t i = 1; i < wire.size(); ++i) cuts.push_back(i);
  return parse(wire, cuts, limits);
}

RC_GTEST_PROP(RequestParser, SegmentsDoNotMatter, (const Commands& drawn)) {
  Commands commands;
  for (const auto& command : drawn) {
    if (!command.empty()) commands.push_back(command);
  }
  // Now and then an argument that is large enough for a Blob.
  if (!commands.empty() && *rc::gen::inRange(0, 4) == 0) {
    commands[0].back() = std::string(static_cast<size_t>(*rc::gen::inRange(60'000, 200'000)), 'v');
  }
  const std::string wire = encode(commands);
  auto cuts =
      *rc::gen::container<std::vector<size_t>>(rc::gen::inRange<size_t>(0, wire.size() + 1));
  std::sort(cuts.begin(), cuts.end());
  const Outcome expected{commands, "", RequestParser::Status::ok};
  RC_ASSERT(parse(wire, cuts) == expected);
  RC_ASSERT(parse_whole(wire) == expected);
}

RC_GTEST_PROP(RequestParser, AnyBytesGiveTheSameInAnySegments, (std::vector<uint8_t> bytes)) {
  // Bytes that are likely to look like a protocol.
  static constexpr std::string_view kLikely = "*$0123456789\r\n\r\n\"'\\ -x";
  std::string wire;
  for (const uint8_t byte : bytes) {
    wire += byte < 220 ? kLikely[byte % kLikely.size()] : static_cast<char>(byte);
  }
  auto cuts =
      *rc::gen::container<std::vector<size_t>>(rc::gen::inRange<size_t>(0, wire.size() + 1));
  std::sort(cuts.begin(), cuts.end());
  const Outcome whole = parse_whole(wire);
  RC_ASSERT(parse(wire, cuts) == whole);
  RC_ASSERT(parse_bytewise(wire) == whole);
}

// Requests that lie whole in the bytes are parsed another way than those that do not.
TEST(RequestParser, EveryDamageOfAByteGivesTheSameInAnySegments) {
  const std::string wire = encode({{"ECHO", "0123456789"}, {"SET", "k", ""}, {"PING"}});
  for (size_t at = 0; at <= wire.size(); ++at) {
    for (const char byte : std::string_view("*$0123456789\r\n-+ x")) {
      std::string longer = wire;
      longer.insert(longer.begin() + static_cast<ptrdiff_t>(at), byte);
      std::string other = wire;
      other.replace(at, 1, 1, byte);
      for (const std::string& damaged : {longer, other, wire.substr(0, at)}) {
        ASSERT_EQ(parse_whole(damaged), parse_bytewise(damaged)) << damaged;
        ASSERT_EQ(parse_whole(damaged), parse(damaged, {at})) << damaged;
      }
    }
  }
}

struct Case {
  const char* wire;
  const char* error;
};

TEST(RequestParser, ErrorsAsRedisWordsThem) {
  const Case cases[] = {
      {"*x\r\n", "ERR Protocol error: invalid multibulk length"},
      {"*1048577\r\n", "ERR Protocol error: invalid multibulk length"},
      {"*99999999999999999999\r\n", "ERR Protocol error: invalid multibulk length"},
      {"*1\r\nx", "ERR Protocol error: expected '$', got 'x'"},
      {"*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length"},
      {"*1\r\n$x\r\n", "ERR Protocol error: invalid bulk length"},
      {"*1\r\n$536870913\r\n", "ERR Protocol error: invalid bulk length"},
      {"GET \"a\r\n", "ERR Protocol error: unbalanced quotes in request"},
      {"GET \"a\"b\r\n", "ERR Protocol error: unbalanced quotes in request"},
  };
  for (const Case& c : cases) {
    const Outcome outcome = parse_whole(c.wire);
    EXPECT_EQ(outcome.status, RequestParser::Status::protocol_error) << c.wire;
    EXPECT_EQ(outcome.error, c.error) << c.wire;
    EXPECT_EQ(parse_bytewise(c.wire), outcome) << c.wire;
  }
  const std::string long_line(70'000, 'x');
  EXPECT_EQ(parse_whole(long_line).error, "ERR Protocol error: too big inline request");
  EXPECT_EQ(parse_whole("*" + std::string(70'000, '1')).error,
            "ERR Protocol error: too big mbulk count string");
  EXPECT_EQ(parse_whole("*1\r\n$" + std::string(70'000, '1')).error,
            "ERR Protocol error: too big bulk count string");
}

// Found by fuzzing: a line end in the same piece let a line through that is refused in several.
TEST(RequestParser, TheLimitOfALineHoldsInOnePieceToo) {
  for (const std::string start : {"", "*", "*1\r\n$"}) {
    const std::string wire = start + std::string(70'000, '1') + "\r\nPING\r\n";
    const Outcome whole = parse_whole(wire);
    EXPECT_EQ(whole.status, RequestParser::Status::protocol_error);
    std::vector<size_t> cuts;
    for (size_t i = 1000; i < wire.size(); i += 1000) cuts.push_back(i);
    EXPECT_EQ(parse(wire, cuts), whole);
  }
}

TEST(RequestParser, RequestsBeforeAnErrorAreThere) {
  const Outcome outcome = parse_whole("PING\r\n*1\r\n$4\r\nPING\r\n*1\r\n!");
  EXPECT_EQ(outcome.commands, (Commands{{"PING"}, {"PING"}}));
  EXPECT_EQ(outcome.status, RequestParser::Status::protocol_error);
}

TEST(RequestParser, LimitsBeforeAuthentication) {
  const ParserLimits limits{.authenticated = false};
  EXPECT_EQ(parse_whole("*11\r\n", limits).error,
            "ERR Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(parse_whole("*1\r\n$16385\r\n", limits).error,
            "ERR Protocol error: unauthenticated bulk length");
}

TEST(RequestParser, InlineCommands) {
  const Outcome outcome =
      parse_whole("SET  k \"a b\\x41\\n\"\r\n\r\nGET k\nECHO 'it\\'s'\r\n*0\r\n*-1\r\nPING\r\n");
  EXPECT_EQ(outcome.commands,
            (Commands{{"SET", "k", "a bA\n"}, {"GET", "k"}, {"ECHO", "it's"}, {"PING"}}));
}

TEST(RequestParser, ALargeArgumentGetsABlobThatCanBeTaken) {
  const std::string value(300'000, 'v');
  const std::string wire = encode({{"SET", "k", value}});
  RequestParser parser;
  RequestBatch batch;
  ASSERT_EQ(parser.feed({wire.data(), 100'000}, {}, batch), RequestParser::Status::ok);
  EXPECT_TRUE(batch.requests.empty());
  ASSERT_EQ(parser.feed({wire.data() + 100'000, wire.size() - 100'000}, {}, batch),
            RequestParser::Status::ok);
  ASSERT_EQ(batch.requests.size(), 1u);
  ASSERT_EQ(batch.owned.size(), 1u);
  EXPECT_EQ(batch.owned[0].arg, 2u);
  const Blob taken = std::move(batch.owned[0].blob);
  EXPECT_EQ(taken.view(), value);
  EXPECT_EQ(batch.args[2], value);
}

TEST(RequestParser, MemoryGrowsWithWhatCameNotWithWhatWasAnnounced) {
  RequestParser parser;
  RequestBatch batch;
  const std::string wire = "*2\r\n$3\r\nSET\r\n$500000000\r\nabc";
  ASSERT_EQ(parser.feed({wire.data(), wire.size()}, {}, batch), RequestParser::Status::ok);
  EXPECT_LT(parser.memory_bytes(), 100'000u);
}

TEST(RequestParser, TheQueryLimitEndsARequest) {
  const ParserLimits limits{.query_bytes_max = 200'000};
  const std::string wire = "*1\r\n$500000000\r\n" + std::string(300'000, 'x');
  std::vector<size_t> cuts;
  for (size_t i = 1000; i < wire.size(); i += 1000) cuts.push_back(i);
  RequestParser parser;
  RequestBatch batch;
  RequestParser::Status status = RequestParser::Status::ok;
  for (size_t at = 0; at < wire.size() && status == RequestParser::Status::ok; at += 1000) {
    status =
        parser.feed({wire.data() + at, std::min<size_t>(1000, wire.size() - at)}, limits, batch);
  }
  EXPECT_EQ(status, RequestParser::Status::limit_exceeded);
}

TEST(RequestParser, AnIdleConnectionHoldsNothing) {
  RequestParser parser;
  RequestBatch batch;
  const std::string wire = encode({{"SET", "k", std::string(1000, 'v')}});
  for (const char c : wire) {
    ASSERT_EQ(parser.feed({&c, 1}, {}, batch), RequestParser::Status::ok);
  }
  EXPECT_EQ(batch.requests.size(), 1u);
  parser.release();
  EXPECT_EQ(parser.memory_bytes(), 0u);
  EXPECT_FALSE(parser.in_request());
}

// --- replies

std::string written(Protocol protocol, void (*write)(ReplyWriter&)) {
  OutputPool pool;
  Output output(pool);
  ReplyWriter writer(output, protocol);
  write(writer);
  return output.copy_from(0);
}

TEST(ReplyWriter, BothProtocols) {
  struct Row {
    void (*write)(ReplyWriter&);
    const char* resp2;
    const char* resp3;
  };
  const Row rows[] = {
      {[](ReplyWriter& w) { w.simple("a\r\nb"); }, "+a  b\r\n", "+a  b\r\n"},
      {[](ReplyWriter& w) { w.integer(INT64_MIN); }, ":-9223372036854775808\r\n",
       ":-9223372036854775808\r\n"},
      {[](ReplyWriter& w) { w.bulk(""); }, "$0\r\n\r\n", "$0\r\n\r\n"},
      {[](ReplyWriter& w) { w.null(); }, "$-1\r\n", "_\r\n"},
      {[](ReplyWriter& w) { w.null_array(); }, "*-1\r\n", "_\r\n"},
      {[](ReplyWriter& w) { w.map(2); }, "*4\r\n", "%2\r\n"},
      {[](ReplyWriter& w) { w.set(12); }, "*12\r\n", "~12\r\n"},
      {[](ReplyWriter& w) { w.push(3); }, "*3\r\n", ">3\r\n"},
      {[](ReplyWriter& w) { w.boolean(true); }, ":1\r\n", "#t\r\n"},
      {[](ReplyWriter& w) { w.real(3.25); }, "$4\r\n3.25\r\n", ",3.25\r\n"},
      {[](ReplyWriter& w) { w.real(10); }, "$2\r\n10\r\n", ",10\r\n"},
      {[](ReplyWriter& w) { w.real(-1.0 / 0.0); }, "$4\r\n-inf\r\n", ",-inf\r\n"},
      {[](ReplyWriter& w) { w.big_number("12345678901234567890"); },
       "$20\r\n12345678901234567890\r\n", "(12345678901234567890\r\n"},
      {[](ReplyWriter& w) { w.verbatim("txt", "hi"); }, "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"},
      {[](ReplyWriter& w) { w.attribute(1); }, "|1\r\n", "|1\r\n"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(written(Protocol::resp2, row.write), row.resp2);
    EXPECT_EQ(written(Protocol::resp3, row.write), row.resp3);
  }
}

RC_GTEST_PROP(Output, KeepsBytesAndDropsFromTheBack, (std::vector<std::string> parts)) {
  OutputPool pool;
  Output output(pool);
  std::string expected;
  for (const std::string& part : parts) {
    const std::string stretched(part.size() * 100, 'p');
    output.append(stretched);
    output.append(part);
    expected += stretched + part;
  }
  RC_ASSERT(output.copy_from(0) == expected);
  const size_t drop = expected.empty() ? 0 : *rc::gen::inRange<size_t>(0, expected.size() + 1);
  output.drop_back(drop);
  expected.resize(expected.size() - drop);
  RC_ASSERT(output.bytes() == expected.size());
  output.append("x");
  RC_ASSERT(output.copy_from(0) == expected + "x");
}

}  // namespace
}  // namespace redoubt
