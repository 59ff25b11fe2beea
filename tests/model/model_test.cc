// The model where no reference can be asked: time, eviction, and the commands that are newer than
// the redis-server at hand (docs/newer-commands.md). Everything else is compared with a real server
// by tests/differential and by the transcripts.
#include "sim/model/model.h"

#include <gtest/gtest.h>

#include <initializer_list>

#include "sim/model/resp_value.h"

namespace redoubt::sim {
namespace {

class ModelTest : public ::testing::Test {
 protected:
  ModelReply apply(std::initializer_list<std::string_view> arguments) {
    return model.apply(session, std::span(arguments.begin(), arguments.size()), now_ms);
  }

  // The exact reply, readable.
  std::string run(std::initializer_list<std::string_view> arguments) {
    const ModelReply reply = apply(arguments);
    EXPECT_EQ(reply.rule, ModelReply::Rule::exact);
    return describe_reply(reply.bytes);
  }

  Model model{ModelConfig{}};
  ModelSession session;
  int64_t now_ms = 1'700'000'000'000;
};

TEST_F(ModelTest, AKeyLivesThroughItsLastMillisecond) {
  run({"SET", "k", "v", "PX", "10"});
  now_ms += 10;
  EXPECT_EQ(run({"GET", "k"}), "\"v\"");
  EXPECT_EQ(run({"PTTL", "k"}), "(integer) 0");
  now_ms += 1;
  EXPECT_EQ(run({"GET", "k"}), "(null $-1)");
}

TEST_F(ModelTest, LcsTakesOnlySoMuchMemory) {
  run({"SET", "k", std::string(11'585, 'a')});
  EXPECT_EQ(run({"LCS", "k", "k", "LEN"}),
            "(error) \"ERR Insufficient memory, transient memory for LCS exceeds "
            "proto-max-bulk-len\"");
}

TEST_F(ModelTest, OnlySoManyMembersAreDrawn) {
  run({"SADD", "s", "a"});
  run({"HSET", "h", "f", "v"});
  run({"ZADD", "z", "1", "m"});
  for (const std::string_view command : {"SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER"}) {
    const std::string_view key = command[0] == 'S' ? "s" : command[0] == 'H' ? "h" : "z";
    EXPECT_EQ(apply({command, key, "-16777216"}).rule, ModelReply::Rule::draws) << command;
    EXPECT_EQ(run({command, key, "-16777217"}), "(error) \"ERR value is out of range\"") << command;
    EXPECT_TRUE(apply({command, "nosuch", "-16777217"}).matches("*0\r\n")) << command;
  }
}

TEST_F(ModelTest, ExpireNowDeletesAtOnce) {
  run({"SET", "k", "v"});
  EXPECT_EQ(run({"PEXPIREAT", "k", std::to_string(now_ms)}), "(integer) 1");
  EXPECT_EQ(run({"EXISTS", "k"}), "(integer) 0");
  EXPECT_EQ(run({"DBSIZE"}), "(integer) 0");
}

TEST_F(ModelTest, ExpiredKeysMayStillBeCounted) {
  run({"SET", "a", "v", "PX", "10"});
  run({"SET", "b", "v"});
  now_ms += 11;
  const ModelReply reply = apply({"DBSIZE"});
  EXPECT_TRUE(reply.matches(":1\r\n"));
  EXPECT_TRUE(reply.matches(":2\r\n"));
  EXPECT_FALSE(reply.matches(":3\r\n"));
  EXPECT_FALSE(reply.matches(":0\r\n"));
  // Met by a command, it is gone for good.
  run({"GET", "a"});
  EXPECT_EQ(run({"DBSIZE"}), "(integer) 1");
}

TEST_F(ModelTest, WithReportedExpiryTheClockMayJumpBack) {
  ModelConfig config;
  config.expiry_is_reported = true;
  model = Model(config);
  run({"SET", "k", "v", "PX", "10"});
  now_ms += 11;
  EXPECT_EQ(run({"GET", "k"}), "(null $-1)");
  EXPECT_EQ(run({"DBSIZE"}), "(integer) 1");
  now_ms -= 5;
  EXPECT_EQ(run({"GET", "k"}), "\"v\"");
  now_ms += 5;
  EXPECT_EQ(run({"APPEND", "k", "w"}), "(integer) 1");
  EXPECT_EQ(run({"PTTL", "k"}), "(integer) -1");
  run({"SET", "k", "v", "PX", "10"});
  now_ms += 11;
  model.forget(0, "k");
  EXPECT_EQ(run({"DBSIZE"}), "(integer) 0");
}

TEST_F(ModelTest, ForgetsWhatTheNodeEvicted) {
  run({"SET", "k", "v"});
  model.forget(0, "k");
  model.forget(0, "never there");
  EXPECT_EQ(run({"GET", "k"}), "(null $-1)");
  run({"SET", "k", "v"});
  EXPECT_TRUE(model.exists(0, "k", now_ms));
  model.clear();
  EXPECT_FALSE(model.exists(0, "k", now_ms));
}

TEST_F(ModelTest, KnowsWhatMayBeDenied) {
  const std::string_view set[] = {"sEt", "k", "v"};
  const std::string_view get[] = {"GET", "k"};
  EXPECT_TRUE(Model::denied_when_out_of_memory(set));
  EXPECT_FALSE(Model::denied_when_out_of_memory(get));
}

TEST_F(ModelTest, FreeRepliesAreChecked) {
  run({"MSET", "a1", "x", "a2", "x", "b", "x"});
  const ModelReply keys = apply({"KEYS", "a*"});
  EXPECT_TRUE(keys.matches("*2\r\n$2\r\na2\r\n$2\r\na1\r\n"));
  EXPECT_FALSE(keys.matches("*1\r\n$2\r\na2\r\n"));
  EXPECT_FALSE(keys.matches("*2\r\n$2\r\na2\r\n$2\r\na2\r\n"));
  const ModelReply page = apply({"SCAN", "0", "MATCH", "a*"});
  EXPECT_TRUE(page.matches("*2\r\n$2\r\n17\r\n*1\r\n$2\r\na1\r\n"));
  EXPECT_TRUE(page.matches("*2\r\n$1\r\n0\r\n*0\r\n"));
  EXPECT_FALSE(page.matches("*2\r\n$1\r\n0\r\n*1\r\n$1\r\nb\r\n"));
  EXPECT_FALSE(page.matches("*2\r\n$1\r\nx\r\n*0\r\n"));
  const ModelReply random = apply({"RANDOMKEY"});
  EXPECT_TRUE(random.matches("$1\r\nb\r\n"));
  EXPECT_FALSE(random.matches("$1\r\nc\r\n"));
  EXPECT_TRUE(apply({"TIME"}).matches("*2\r\n$10\r\n1700000000\r\n$1\r\n5\r\n"));
  EXPECT_EQ(apply({"LOLWUT"}).rule, ModelReply::Rule::anything);
}

TEST_F(ModelTest, Digest) {
  run({"MSET", "e", "", "h", "Hello world", "z",
       "v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwlj7626"
       "sd"});
  EXPECT_EQ(run({"DIGEST", "e"}), "\"2d06800538d394c2\"");
  EXPECT_EQ(run({"DIGEST", "h"}), "\"b6acb9d84a38ff74\"");
  EXPECT_EQ(run({"DIGEST", "z"}), "\"00006c38adf31777\"");
  EXPECT_EQ(run({"DIGEST", "missing"}), "(null $-1)");
}

TEST_F(ModelTest, SetWithConditions) {
  EXPECT_EQ(run({"SET", "k", "new", "IFEQ", "x"}), "(null $-1)");
  EXPECT_EQ(run({"SET", "k", "new", "IFDEQ", "short"}), "(null $-1)");
  EXPECT_EQ(run({"SET", "k", "one", "IFNE", "x"}), "+\"OK\"");
  EXPECT_EQ(run({"SET", "k", "two", "IFEQ", "x", "GET"}), "\"one\"");
  EXPECT_EQ(run({"GET", "k"}), "\"one\"");
  EXPECT_EQ(run({"SET", "k", "", "ifeq", "one", "GET", "EX", "100"}), "\"one\"");
  EXPECT_EQ(run({"TTL", "k"}), "(integer) 100");
  EXPECT_EQ(run({"SET", "k", "v", "IFDEQ", "2D06800538D394C2", "KEEPTTL"}), "+\"OK\"");
  EXPECT_EQ(run({"TTL", "k"}), "(integer) 100");
  EXPECT_EQ(run({"SET", "k", "w", "IFDNE", "zzzzzzzzzzzzzzzz"}), "+\"OK\"");
  EXPECT_EQ(run({"SET", "k", "w", "IFDNE", "123"}),
            "(error) \"ERR must be exactly 16 hexadecimal characters\"");
  EXPECT_EQ(run({"SET", "k", "w", "IFEQ", "w", "NX"}), "(error) \"ERR syntax error\"");
  EXPECT_EQ(run({"SET", "k", "w", "IFEQ"}), "(error) \"ERR syntax error\"");
}

TEST_F(ModelTest, DeletingWithConditions) {
  EXPECT_EQ(run({"DELEX", "k", "FOO", "x"}), "(integer) 0");
  run({"SET", "k", "v"});
  EXPECT_EQ(run({"DELEX", "k", "FOO", "x"}),
            "(error) \"ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE\"");
  EXPECT_EQ(run({"DELEX", "k", "IFEQ"}),
            "(error) \"ERR wrong number of arguments for 'delex' command\"");
  EXPECT_EQ(run({"DELEX", "k", "IFEQ", "x"}), "(integer) 0");
  EXPECT_EQ(run({"DELEX", "k", "IFNE", "x"}), "(integer) 1");
  run({"SET", "k", "v"});
  EXPECT_EQ(run({"DELIFEQ", "k", "x"}), "(integer) 0");
  EXPECT_EQ(run({"DELIFEQ", "k", "v"}), "(integer) 1");
  EXPECT_EQ(run({"DELEX", "k"}), "(integer) 0");
}

TEST_F(ModelTest, Msetex) {
  EXPECT_EQ(run({"MSETEX", "0", "a", "1"}), "(error) \"ERR invalid numkeys value\"");
  EXPECT_EQ(run({"MSETEX", "2147483648", "a", "1"}), "(error) \"ERR invalid numkeys value\"");
  EXPECT_EQ(run({"MSETEX", "2147483647", "a", "1"}),
            "(error) \"ERR wrong number of key-value pairs\"");
  EXPECT_EQ(run({"MSETEX", "1", "a", "1", "EX", "0"}),
            "(error) \"ERR invalid expire time in 'msetex' command\"");
  EXPECT_EQ(run({"MSETEX", "1", "a", "1", "NX", "XX"}), "(error) \"ERR syntax error\"");
  EXPECT_EQ(run({"MSETEX", "2", "a", "1", "b", "2", "PX", "5000", "NX"}), "(integer) 1");
  EXPECT_EQ(run({"MSETEX", "2", "a", "3", "c", "4", "NX"}), "(integer) 0");
  EXPECT_EQ(run({"MSETEX", "2", "a", "3", "c", "4", "XX"}), "(integer) 0");
  EXPECT_EQ(run({"MSETEX", "2", "a", "5", "a", "6", "KEEPTTL"}), "(integer) 1");
  EXPECT_EQ(run({"MGET", "a", "b", "c"}), "[\"6\", \"2\", (null $-1)]");
  EXPECT_EQ(run({"PTTL", "a"}), "(integer) 5000");
  EXPECT_EQ(run({"MSETEX", "1", "a", "7"}), "(integer) 1");
  EXPECT_EQ(run({"PTTL", "a"}), "(integer) -1");
}

TEST_F(ModelTest, IncrexIntegers) {
  EXPECT_EQ(run({"INCREX", "k"}), "[(integer) 1, (integer) 1]");
  EXPECT_EQ(run({"INCREX", "k", "BYINT", "9", "UBOUND", "5"}), "[(integer) 1, (integer) 0]");
  EXPECT_EQ(run({"INCREX", "k", "BYINT", "9", "UBOUND", "5", "SATURATE"}),
            "[(integer) 5, (integer) 4]");
  EXPECT_EQ(run({"INCREX", "k", "BYINT", "1", "UBOUND", "3", "SATURATE"}),
            "[(integer) 3, (integer) -2]");
  EXPECT_EQ(run({"INCREX", "k", "BYINT", "9223372036854775807"}), "[(integer) 3, (integer) 0]");
  EXPECT_EQ(run({"INCREX", "k", "BYINT", "9223372036854775807", "SATURATE"}),
            "[(integer) 9223372036854775807, (integer) 9223372036854775804]");
  EXPECT_EQ(run({"INCREX", "k", "UBOUND", "-9223372036854775808", "SATURATE"}),
            "(error) \"ERR applied increment would overflow\"");
  EXPECT_EQ(run({"INCREX", "new", "LBOUND", "5"}), "[(integer) 0, (integer) 0]");
  EXPECT_EQ(run({"EXISTS", "new"}), "(integer) 0");
  EXPECT_EQ(run({"INCREX", "new", "LBOUND", "5", "SATURATE"}), "[(integer) 5, (integer) 5]");
  EXPECT_EQ(run({"INCREX", "new", "NX"}), "[(integer) 5, (integer) 0]");
  EXPECT_EQ(run({"INCREX", "none", "XX"}), "[(integer) 0, (integer) 0]");
}

TEST_F(ModelTest, IncrexFloats) {
  EXPECT_EQ(run({"INCREX", "k", "BYFLOAT", "2.5"}), "[\"2.5\", \"2.5\"]");
  session.resp = 3;
  EXPECT_EQ(run({"INCREX", "k", "BYFLOAT", "-0.5"}), "[(double) 2, (double) -0.5]");
  EXPECT_EQ(run({"INCREX", "k", "BYFLOAT", "1", "UBOUND", "2.25", "SATURATE"}),
            "[(double) 2.25, (double) 0.25]");
  EXPECT_EQ(run({"INCREX", "k", "BYFLOAT", "inf"}),
            "(error) \"ERR BYFLOAT increment cannot be Infinity\"");
  EXPECT_EQ(run({"INCREX", "k", "BYFLOAT", "1", "LBOUND", "inf"}),
            "(error) \"ERR LBOUND can't be greater than UBOUND\"");
  EXPECT_EQ(run({"INCREX", "k", "BYFLOAT", "1", "LBOUND", "inf", "UBOUND", "inf", "SATURATE"}),
            "(error) \"ERR applied increment would be Infinity\"");
  EXPECT_EQ(run({"INCREX", "k"}), "(error) \"ERR value is not an integer or out of range\"");
  run({"SET", "k", "inf"});
  EXPECT_EQ(run({"INCREX", "k", "BYFLOAT", "1"}), "(error) \"ERR value cannot be Infinity\"");
}

TEST_F(ModelTest, IncrexWordsAndDeadlines) {
  for (std::initializer_list<std::string_view> bad :
       {std::initializer_list<std::string_view>{"INCREX", "k", "FOO"},
        {"INCREX", "k", "BYINT"},
        {"INCREX", "k", "BYINT", "1", "BYFLOAT", "1"},
        {"INCREX", "k", "EX", "1", "EX", "2"},
        {"INCREX", "k", "EX", "1", "PERSIST"},
        {"INCREX", "k", "PERSIST", "ENX"},
        {"INCREX", "k", "NX", "XX"},
        {"INCREX", "k", "SATURATE", "SATURATE"}}) {
    EXPECT_EQ(run(bad), "(error) \"ERR syntax error\"");
  }
  EXPECT_EQ(run({"INCREX", "k", "ENX"}), "(error) \"ERR ENX flag requires an expiration\"");
  EXPECT_EQ(run({"INCREX", "k", "BYINT", "x"}),
            "(error) \"ERR Increment is not an integer or out of range\"");
  EXPECT_EQ(run({"INCREX", "k", "LBOUND", "1.5"}),
            "(error) \"ERR LBOUND is not an integer or out of range\"");
  EXPECT_EQ(run({"INCREX", "k", "BYFLOAT", "1", "UBOUND", "x"}),
            "(error) \"ERR UBOUND is not a valid float\"");
  EXPECT_EQ(run({"INCREX", "k", "EX", "0"}),
            "(error) \"ERR invalid expire time in 'increx' command\"");
  run({"INCREX", "k", "PX", "100", "ENX"});
  run({"INCREX", "k", "PX", "999", "ENX"});
  EXPECT_EQ(run({"PTTL", "k"}), "(integer) 100");
  run({"INCREX", "k"});
  EXPECT_EQ(run({"PTTL", "k"}), "(integer) 100");
  run({"INCREX", "k", "PERSIST"});
  EXPECT_EQ(run({"PTTL", "k"}), "(integer) -1");
  EXPECT_EQ(run({"INCREX", "k", "EXAT", "1"}), "[(integer) 5, (integer) 1]");
  EXPECT_EQ(run({"EXISTS", "k"}), "(integer) 0");
}

TEST_F(ModelTest, NewerBitOperations) {
  run({"MSET", "x", "\xf0", "y", "\xcc", "z", std::string_view("\xaa\x80", 2)});
  EXPECT_EQ(run({"BITOP", "DIFF", "d", "x", "y", "z"}), "(integer) 2");
  EXPECT_EQ(run({"GET", "d"}), "\"\\x10\\x00\"");
  run({"BITOP", "DIFF1", "d", "x", "y", "z"});
  EXPECT_EQ(run({"GET", "d"}), "\"\\x0e\\x80\"");
  run({"BITOP", "ANDOR", "d", "x", "y", "z"});
  EXPECT_EQ(run({"GET", "d"}), "\"\\xe0\\x00\"");
  run({"BITOP", "ONE", "d", "x", "y", "z"});
  EXPECT_EQ(run({"GET", "d"}), "\"\\x16\\x80\"");
  EXPECT_EQ(run({"BITOP", "diff", "d", "x"}),
            "(error) \"ERR BITOP DIFF must be called with at least two source keys.\"");
  EXPECT_EQ(run({"BITOP", "ONE", "d", "missing"}), "(integer) 0");
  EXPECT_EQ(run({"EXISTS", "d"}), "(integer) 0");
}

}  // namespace
}  // namespace redoubt::sim
