// Requests that a client may send only when it has authenticated, behind those which may do that.
#include <gtest/gtest.h>

#include "net/resp/request_parser.h"

namespace redoubt {
namespace {

using Status = RequestParser::Status;

std::string large(size_t size) {
  return "*2\r\n$4\r\nECHO\r\n$" + std::to_string(size) + "\r\n" + std::string(size, 'x') + "\r\n";
}

std::string words(const RequestBatch& batch) {
  std::string text;
  for (const RequestBatch::Request& request : batch.requests) {
    text +=
        std::string(batch.args[request.first_arg]) + "/" + std::to_string(request.arg_count) + " ";
  }
  return text;
}

class HeldRequests : public testing::Test {
 protected:
  Status feed(std::string_view text) {
    return parser_.feed({text.data(), text.size()}, limits_, batch_);
  }
  void executed() {
    batch_.clear();
    parser_.release();
  }

  RequestParser parser_;
  RequestBatch batch_;
  ParserLimits limits_{.authenticated = false};
};

TEST_F(HeldRequests, AreParsedOnceOthersAreExecuted) {
  const std::string wire = "AUTH x\r\n" + large(20'000) + "PING\r\n" + large(70'000) + "PING\r\n";
  EXPECT_EQ(feed(wire), Status::held);
  EXPECT_EQ(words(batch_), "AUTH/2 ");
  EXPECT_TRUE(parser_.held());
  executed();
  limits_.authenticated = true;
  EXPECT_EQ(feed({}), Status::ok);
  EXPECT_EQ(words(batch_), "ECHO/2 PING/1 ECHO/2 PING/1 ");
  EXPECT_FALSE(parser_.held());
  EXPECT_FALSE(parser_.in_request());
}

// Wherever the bytes are cut, the same is held and the same is served.
TEST_F(HeldRequests, CutsDoNotMatter) {
  const std::string wire =
      "PING\r\nAUTH x\r\n" + large(16'385) + "*11\r\n" +
      "$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n"
      "$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\nPING\r\n";
  for (size_t cut = 1; cut < wire.size(); cut += cut < 60 || cut > 16'400 ? 1 : 500) {
    RequestParser parser;
    std::string all;
    bool authenticated = false;
    const auto execute = [&](RequestBatch& batch) {
      const std::string executed = words(batch);
      if (executed.find("AUTH") != std::string::npos) authenticated = true;
      all += executed;
      batch.clear();
      parser.release();
    };
    for (const std::string_view piece :
         {std::string_view(wire).substr(0, cut), std::string_view(wire).substr(cut)}) {
      RequestBatch batch;
      const auto give = [&](std::string_view bytes) {
        const Status status =
            parser.feed({bytes.data(), bytes.size()}, {.authenticated = authenticated}, batch);
        EXPECT_NE(status, Status::protocol_error) << parser.error() << " cut at " << cut;
        execute(batch);
      };
      give(piece);
      while (parser.held()) give({});
    }
    ASSERT_EQ(all, "PING/1 AUTH/2 ECHO/2 a/11 PING/1 ") << cut;
  }
}

TEST_F(HeldRequests, AreRefusedWhenNothingCameOfIt) {
  EXPECT_EQ(feed("AUTH x\r\n" + large(20'000)), Status::held);
  executed();
  EXPECT_EQ(feed({}), Status::protocol_error);
  EXPECT_EQ(parser_.error(), "ERR Protocol error: unauthenticated bulk length");
}

TEST_F(HeldRequests, NobodyHasAskedBefore) {
  EXPECT_EQ(feed(large(20'000)), Status::protocol_error);
}

TEST_F(HeldRequests, OthersWaitFromBefore) {
  limits_.others_wait = true;
  EXPECT_EQ(feed("*11\r\n"), Status::held);
  EXPECT_EQ(feed({}), Status::held);
  limits_.others_wait = false;
  EXPECT_EQ(feed({}), Status::protocol_error);
}

}  // namespace
}  // namespace redoubt
