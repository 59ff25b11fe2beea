// EXPIRE and its relatives: deadlines at their edges, conditions, and the effects.
#include <gtest/gtest.h>

#include "tests/commands/local_node.h"
#include "tests/resp_text.h"

namespace redoubt {
namespace {

class Expiry : public testing::Test {
 protected:
  Expiry() {
    n.call({"SET", "k", "v"});
    n.take_effects();
  }
  int64_t now_ms() const { return n.env.wall().unix_ms(); }

  LocalNode n;
};

TEST_F(Expiry, LivesThroughItsLastMillisecond) {
  n.node->upkeep().set_active_expiry(false);
  EXPECT_EQ(n.call({"PEXPIRE", "k", "100"}), kYes);
  n.pass_ms(99);
  EXPECT_EQ(n.call({"PTTL", "k"}), ":1\r\n");
  n.pass_ms(1);
  EXPECT_EQ(n.call({"PTTL", "k"}), ":0\r\n");
  EXPECT_EQ(n.call({"EXISTS", "k"}), kYes);
  n.pass_ms(1);
  EXPECT_EQ(n.call({"PTTL", "k"}), ":-2\r\n");
  EXPECT_EQ(n.call({"DBSIZE"}), kNo);
  EXPECT_EQ(n.node->stats().expired_keys, 1u);
}

// An empty result removes what is under its key; when that has expired, as expired.
TEST_F(Expiry, AnEmptyResultFindsItsExpiredDestinationGone) {
  n.node->upkeep().set_active_expiry(false);
  const std::vector<std::vector<std::string_view>> commands = {
      {"ZDIFFSTORE", "k", "1", "none"},
      {"ZRANGESTORE", "k", "none", "0", "-1"},
      {"SINTERSTORE", "k", "none"},
      {"BITOP", "AND", "k", "none"},
      {"SORT", "none", "STORE", "k"},
      {"GEOSEARCHSTORE", "k", "none", "FROMLONLAT", "1", "1", "BYRADIUS", "1", "km"},
  };
  uint64_t expired = 0;
  for (const std::vector<std::string_view>& command : commands) {
    n.call({"SET", "k", "v", "PX", "10"});
    n.pass_ms(11);
    n.take_effects();
    EXPECT_EQ(n.call(command), kNo) << command[0];
    EXPECT_EQ(n.take_effects(), "DEL k") << command[0];
    EXPECT_EQ(n.node->stats().expired_keys, ++expired) << command[0];
  }
}

// A source that has expired is removed in front of the command that would have read it, also in a
// transaction that may be undone; when it is, the source is there again.
TEST(ExpiryInATransaction, AnExpiredSourceGoesAndComesBack) {
  LocalNode n{{"transaction-on-error", "rollback"}};
  n.node->upkeep().set_active_expiry(false);
  for (const bool fails : {true, false}) {
    n.call({"SET", "source", "v", "PX", "10"});
    n.call({"SET", "k", "v"});
    n.pass_ms(11);
    n.take_effects();
    n.call({"MULTI"});
    n.call({"BITOP", "OR", "k", "source"});
    if (fails) n.call({"INCRBY", "k", "x"});
    const std::string reply = n.call({"EXEC"});
    EXPECT_EQ(reply.starts_with("-EXECABORT"), fails) << reply;
    const std::string effects = n.take_effects();
    if (fails) {
      EXPECT_EQ(effects, "");
      EXPECT_EQ(n.node->keyspace().database(0).size(), 2u);
    } else {
      EXPECT_LT(effects.find("DEL source"), effects.find("BITOP OR k source")) << effects;
      EXPECT_EQ(n.node->keyspace().database(0).size(), 0u);
    }
  }
}

// So are the parts of a source that have expired, and only those of a source: what is just read
// keeps them until the transaction is over.
TEST(ExpiryInATransaction, ExpiredPartsOfASourceGoAndComeBack) {
  LocalNode n{{"transaction-on-error", "rollback"}};
  n.node->upkeep().set_active_expiry(false);
  for (const bool fails : {true, false}) {
    for (const std::string_view key : {"source", "read"}) {
      n.call({"SADD", key, "stays", "goes"});
      n.call({"SPEXPIRE", key, "10", "MEMBERS", "1", "goes"});
    }
    n.call({"RPUSH", "list", "1"});
    n.call({"HSET", "weight_1", "f", "2", "g", "3"});
    n.call({"HPEXPIRE", "weight_1", "10", "FIELDS", "1", "f"});
    n.pass_ms(11);
    n.take_effects();
    n.call({"MULTI"});
    n.call({"SCARD", "read"});
    n.call({"SUNIONSTORE", "union", "source"});
    n.call({"SORT", "list", "GET", "weight_*->f", "STORE", "sorted"});
    if (fails) n.call({"INCRBY", "list", "x"});
    const std::string reply = n.call({"EXEC"});
    EXPECT_EQ(reply.starts_with("-EXECABORT"), fails) << reply;
    const std::string effects = n.take_effects();
    EXPECT_EQ(effects.find("SREM read"), std::string::npos) << effects;
    const auto entry = [&](std::string_view key) {
      return n.node->keyspace().database(0).find(key, n.node->keyspace().hash(key));
    };
    EXPECT_EQ(ops_of(*entry("source")).length(*entry("source")), fails ? 2u : 1u);
    EXPECT_EQ(ops_of(*entry("weight_1")).length(*entry("weight_1")), fails ? 2u : 1u);
    EXPECT_EQ(n.node->stats().expired_parts, fails ? 0u : 2u);
    if (fails) {
      EXPECT_EQ(effects, "");
      EXPECT_EQ(n.node->keyspace().database(0).size(), 4u);
      n.call({"FLUSHALL"});
    } else {
      EXPECT_LT(effects.find("SREM source goes"), effects.find("SUNIONSTORE union")) << effects;
      EXPECT_LT(effects.find("HDEL weight_1 f"), effects.find("SORT list")) << effects;
    }
  }
}

TEST_F(Expiry, EffectIsTheAbsoluteTime) {
  const std::string at = std::to_string(now_ms() + 5000);
  EXPECT_EQ(n.call({"EXPIRE", "k", "5"}), kYes);
  EXPECT_EQ(n.take_effects(), "PEXPIREAT k " + at);
  EXPECT_EQ(n.call({"EXPIREAT", "k", "99999999999"}), kYes);
  EXPECT_EQ(n.take_effects(), "PEXPIREAT k 99999999999000");
  EXPECT_EQ(n.call({"PERSIST", "k"}), kYes);
  EXPECT_EQ(n.take_effects(), "PERSIST k");
  EXPECT_EQ(n.call({"PERSIST", "k"}), kNo);
  EXPECT_EQ(n.call({"EXPIRE", "nosuch", "5"}), kNo);
  EXPECT_EQ(n.call({"EXPIRE", "k", "5", "XX"}), kNo);
  EXPECT_EQ(n.take_effects(), "");
}

TEST_F(Expiry, DeadlineThatIsNotInTheFutureDeletes) {
  for (const std::string_view when : {"0", "-1", "-9223372036854775808"}) {
    n.call({"SET", "k", "v"});
    n.take_effects();
    EXPECT_EQ(n.call({"PEXPIRE", "k", when}), kYes);
    EXPECT_EQ(n.call({"EXISTS", "k"}), kNo);
    EXPECT_EQ(n.take_effects(), "DEL k");
  }
  EXPECT_EQ(n.node->stats().expired_keys, 0u);
  n.call({"SET", "k", "v"});
  EXPECT_EQ(n.call({"PEXPIREAT", "k", std::to_string(now_ms())}), kYes);
  EXPECT_EQ(n.call({"EXISTS", "k"}), kNo);
}

TEST_F(Expiry, LazyExpiryUnlinks) {
  n.call({"CONFIG", "SET", "lazyfree-lazy-expire", "yes"});
  EXPECT_EQ(n.call({"EXPIRE", "k", "-5"}), kYes);
  EXPECT_EQ(n.take_effects(), "UNLINK k");
}

TEST_F(Expiry, Overflow) {
  const std::string_view invalid = "-ERR invalid expire time in 'expire' command\r\n";
  EXPECT_EQ(n.call({"EXPIRE", "k", "9223372036854775807"}), invalid);
  EXPECT_EQ(n.call({"EXPIRE", "k", "9223372036854776"}), invalid);
  EXPECT_EQ(n.call({"EXPIRE", "k", "9223372036854775"}), invalid);  // with the present time
  EXPECT_EQ(n.call({"EXPIRE", "k", "-9223372036854776"}), invalid);
  EXPECT_EQ(n.call({"EXPIRE", "k", "1.5"}), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(n.call({"PEXPIRE", "k", "9223372036854775807"}),
            "-ERR invalid expire time in 'pexpire' command\r\n");
  EXPECT_EQ(n.call({"TTL", "k"}), ":-1\r\n");
  EXPECT_EQ(n.call({"PEXPIREAT", "k", "9223372036854775807"}), kYes);
  EXPECT_EQ(n.call({"PEXPIRETIME", "k"}), ":9223372036854775807\r\n");
  EXPECT_EQ(n.call({"EXPIRETIME", "k"}), ":9223372036854776\r\n");
}

TEST_F(Expiry, SecondsAreRounded) {
  n.call({"PEXPIRE", "k", "1499"});
  EXPECT_EQ(n.call({"TTL", "k"}), ":1\r\n");
  n.call({"PEXPIRE", "k", "1500"});
  EXPECT_EQ(n.call({"TTL", "k"}), ":2\r\n");
}

TEST_F(Expiry, Conditions) {
  struct Case {
    std::string_view now;  // TTL before, "" for none
    std::string_view asked;
    std::string_view condition;
    bool happens;
  };
  for (const Case& c :
       {Case{"", "10", "NX", true}, Case{"5", "10", "NX", false}, Case{"", "10", "xx", false},
        Case{"5", "10", "xx", true}, Case{"", "10", "GT", false}, Case{"5", "10", "GT", true},
        Case{"10", "10", "GT", false}, Case{"20", "10", "GT", false}, Case{"", "10", "LT", true},
        Case{"5", "10", "LT", false}, Case{"10", "10", "LT", false}, Case{"20", "10", "LT", true},
        Case{"5", "-1", "LT", true}, Case{"5", "-1", "GT", false}}) {
    n.call({"SET", "k", "v"});
    if (!c.now.empty()) n.call({"EXPIRE", "k", c.now});
    EXPECT_EQ(n.call({"EXPIRE", "k", c.asked, c.condition}), c.happens ? kYes : kNo)
        << c.now << " " << c.asked << " " << c.condition;
    const std::string_view ttl = !c.happens        ? c.now.empty() ? "-1" : c.now
                                 : c.asked == "-1" ? "-2"
                                                   : c.asked;
    EXPECT_EQ(n.call({"TTL", "k"}), ":" + std::string(ttl) + "\r\n");
  }
  n.call({"SET", "k", "v"});
  EXPECT_EQ(n.call({"EXPIRE", "k", "10", "NX", "NX"}), kYes);
  EXPECT_EQ(n.call({"EXPIRE", "k", "20", "XX", "GT"}), kYes);
  EXPECT_EQ(n.call({"EXPIRE", "k", "x", "NX", "LT"}),
            "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n");
  EXPECT_EQ(n.call({"EXPIRE", "k", "x", "LT", "GT"}),
            "-ERR GT and LT options at the same time are not compatible\r\n");
  EXPECT_EQ(n.call({"EXPIRE", "k", "x", "a\r\nb"}), "-ERR Unsupported option a  b\r\n");
}

TEST_F(Expiry, ClockThatJumpsBackRevivesNothing) {
  n.node->upkeep().set_active_expiry(false);
  n.call({"PEXPIRE", "k", "100"});
  n.pass_ms(200);
  EXPECT_EQ(n.call({"EXISTS", "k"}), kNo);
  n.backend.jump_wall(Duration::milliseconds(-1000));
  n.turn();
  EXPECT_EQ(n.call({"EXISTS", "k"}), kNo);
}

}  // namespace
}  // namespace redoubt
