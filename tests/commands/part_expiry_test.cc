// Deadlines of fields and members to the millisecond: which are allowed, what they are told as, and
// who hears of them. What both kinds share is asked of both.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/commands/local_node.h"

namespace redoubt {
namespace {

struct PartCommands {
  const char* add;
  const char* list;
  const char* pexpire;
  const char* pexpire_at;
  const char* expire;
  const char* ttl;
  const char* pttl;
  const char* persist;
};

constexpr PartCommands kHash = {"HSET",    "FIELDS", "HPEXPIRE", "HPEXPIREAT",
                                "HEXPIRE", "HTTL",   "HPTTL",    "HPERSIST"};
constexpr PartCommands kSet = {"SADD",    "MEMBERS", "SPEXPIRE", "SPEXPIREAT",
                               "SEXPIRE", "STTL",    "SPTTL",    "SPERSIST"};

// Small values and large ones of both kinds.
struct Case {
  const PartCommands* words;
  const char* limit;  // the setting of it
  const char* entries;
};

class PartExpiry : public ::testing::TestWithParam<Case> {
 protected:
  PartExpiry() : node_({GetParam().limit, GetParam().entries}), words_(*GetParam().words) {
    node_.node->upkeep().set_active_expiry(false);
    add("k", "a");
    add("k", "b");
  }

  bool is_hash() const { return &words_ == &kHash; }
  void add(std::string_view key, std::string_view part) {
    is_hash() ? node_.call({"HSET", key, part, "1"}) : node_.call({"SADD", key, part});
  }
  // The answer for one part of "k".
  std::string expire(std::string_view command, const std::string& time,
                     std::vector<std::string_view> condition = {}) {
    std::vector<std::string_view> args = {command, "k", time};
    args.insert(args.end(), condition.begin(), condition.end());
    args.insert(args.end(), {words_.list, "1", "a"});
    return only(node_.call(args));
  }
  std::string ask(std::string_view command) {
    return only(node_.call({command, "k", words_.list, "1", "a"}));
  }
  bool has(std::string_view part) {
    return node_.call({is_hash() ? "HEXISTS" : "SISMEMBER", "k", part}) == ":1\r\n";
  }
  std::string size() { return node_.call({is_hash() ? "HLEN" : "SCARD", "k"}); }

  LocalNode node_;
  const PartCommands& words_;

 private:
  static std::string only(const std::string& reply) {
    if (!reply.starts_with("*1\r\n:")) return reply;
    return reply.substr(5, reply.size() - 7);
  }
};

TEST_P(PartExpiry, TheLatestDeadlineIsInTheYear4199) {
  EXPECT_EQ(expire(words_.pexpire_at, "70368744177663"), "1");
  EXPECT_TRUE(expire(words_.pexpire_at, "70368744177664").starts_with("-ERR invalid expire time"));
  const int64_t left = 70'368'744'177'663 - kQuietStart_ms;
  EXPECT_EQ(expire(words_.pexpire, std::to_string(left)), "1");
  EXPECT_TRUE(expire(words_.pexpire, std::to_string(left + 1)).starts_with("-ERR invalid expire"));
  for (const char* command : {words_.pexpire, words_.expire}) {
    for (const char* time : {"9223372036854775807", "9223372036854775"}) {
      EXPECT_TRUE(expire(command, time).starts_with("-ERR invalid expire time")) << command << time;
    }
  }
}

TEST_P(PartExpiry, SecondsAreRoundedUp) {
  const auto ttl_of = [&](const char* ms) {
    expire(words_.pexpire, ms);
    return ask(words_.ttl);
  };
  EXPECT_EQ(ttl_of("1000"), "1");
  EXPECT_EQ(ttl_of("1001"), "2");
  EXPECT_EQ(ttl_of("1999"), "2");
  EXPECT_EQ(ask(words_.pttl), "1999");
}

TEST_P(PartExpiry, ConditionsAreStrict) {
  const std::string later = std::to_string(kQuietStart_ms + 2000);
  const std::string earlier = std::to_string(kQuietStart_ms + 1000);
  // Without a deadline it is as if it were the latest.
  EXPECT_EQ(expire(words_.pexpire_at, later, {"XX"}), "0");
  EXPECT_EQ(expire(words_.pexpire_at, later, {"GT"}), "0");
  EXPECT_EQ(expire(words_.pexpire_at, later, {"LT"}), "1");
  EXPECT_EQ(expire(words_.pexpire_at, later, {"NX"}), "0");
  EXPECT_EQ(expire(words_.pexpire_at, later, {"GT"}), "0");
  EXPECT_EQ(expire(words_.pexpire_at, later, {"LT"}), "0");
  EXPECT_EQ(expire(words_.pexpire_at, earlier, {"LT"}), "1");
  EXPECT_EQ(expire(words_.pexpire_at, later, {"GT"}), "1");
  EXPECT_EQ(expire(words_.pexpire_at, earlier, {"XX"}), "1");
  EXPECT_EQ(ask(words_.persist), "1");
  EXPECT_EQ(expire(words_.pexpire_at, earlier, {"NX"}), "1");
}

TEST_P(PartExpiry, TheNumberOfPartsIsThatOfTheArguments) {
  const auto is_error = [&](std::vector<std::string_view> args) {
    return node_.call(args).starts_with("-ERR");
  };
  for (const char* count : {"1", "3", "0", "-1"}) {
    EXPECT_TRUE(is_error({words_.pexpire, "k", "10", words_.list, count, "a", "b"})) << count;
    EXPECT_TRUE(is_error({words_.pttl, "k", words_.list, count, "a", "b"})) << count;
  }
  EXPECT_FALSE(is_error({words_.pexpire, "k", "10", words_.list, "2", "a", "b"}));
}

TEST_P(PartExpiry, APartLivesThroughTheMillisecondOfItsDeadline) {
  expire(words_.pexpire, "100");
  node_.pass_ms(100);
  node_.take_effects();
  EXPECT_TRUE(has("a"));
  EXPECT_EQ(ask(words_.pttl), "0");
  EXPECT_EQ(ask(words_.persist), "1");
  expire(words_.pexpire_at, std::to_string(kQuietStart_ms + 101));
  node_.pass_ms(1);
  EXPECT_TRUE(has("a"));
  node_.pass_ms(1);
  EXPECT_FALSE(has("a"));
}

// A command that writes looks at it another way than one that reads.
TEST_P(PartExpiry, APartIsKeptByAWriteInTheMillisecondOfItsDeadline) {
  expire(words_.pexpire, "100");
  node_.pass_ms(100);
  if (is_hash()) {
    EXPECT_EQ(node_.call({"HSETNX", "k", "a", "2"}), ":0\r\n");
    EXPECT_EQ(node_.call({"HINCRBY", "k", "a", "2"}), ":3\r\n");
  } else {
    EXPECT_EQ(node_.call({"SADD", "k", "a"}), ":0\r\n");
    EXPECT_EQ(node_.call({"SREM", "k", "a"}), ":1\r\n");
  }
}

TEST_P(PartExpiry, ADeadlineThatIsNowRemovesThePart) {
  EXPECT_EQ(expire(words_.pexpire_at, std::to_string(kQuietStart_ms + 1)), "1");
  EXPECT_EQ(expire(words_.pexpire_at, std::to_string(kQuietStart_ms)), "2");
  EXPECT_EQ(size(), ":1\r\n");
}

// More than are removed when a command meets the value.
TEST_P(PartExpiry, NoneOfManyExpiredPartsIsFound) {
  std::vector<std::string> names;
  names.reserve(200);
  for (int i = 0; i < 200; ++i) names.push_back("f" + std::to_string(i));
  for (const std::string& name : names) {
    add("k", name);
    node_.call({words_.pexpire, "k", "100", words_.list, "1", name});
  }
  node_.pass_ms(101);
  std::vector<std::string_view> args = {is_hash() ? "HMGET" : "SMISMEMBER", "k"};
  args.insert(args.end(), names.begin(), names.end());
  std::string expected = "*200\r\n";
  for (int i = 0; i < 200; ++i) expected += is_hash() ? "$-1\r\n" : ":0\r\n";
  EXPECT_EQ(node_.call(args), expected);
  EXPECT_EQ(node_.node->stats().expired_parts, 64u);
}

TEST_P(PartExpiry, WhoWatchesAKeyHearsOfEachChangeOfADeadline) {
  Session& other = node_.node->clients().make_local();
  const auto is_heard = [&](std::vector<std::string_view> args) {
    node_.call({"WATCH", "k"});
    node_.node->dispatcher().execute(other, args);
    node_.call({"MULTI"});
    node_.call({"PING"});
    return node_.call({"EXEC"}) == "*-1\r\n";
  };
  EXPECT_TRUE(is_heard({words_.pexpire, "k", "100", words_.list, "1", "a"}));
  EXPECT_FALSE(is_heard({words_.pexpire, "k", "100", "NX", words_.list, "1", "a"}));
  EXPECT_TRUE(is_heard({words_.persist, "k", words_.list, "1", "a"}));
  EXPECT_FALSE(is_heard({words_.persist, "k", words_.list, "1", "a"}));
  EXPECT_TRUE(is_heard({words_.pexpire, "k", "0", words_.list, "1", "a"}));
  node_.node->clients().drop_local(other);
}

// What is known of a key with deadlines is as much memory for the thousandth change as for the
// first.
TEST_P(PartExpiry, ChangesOfADeadlineLeaveNothingBehind) {
  expire(words_.pexpire, "1000");
  const size_t before = node_.node->keyspace().database(0).used_bytes();
  for (int i = 0; i < 1000; ++i) {
    expire(words_.pexpire, std::to_string(2000 + i));
    if (i % 3 == 0) ask(words_.persist);
  }
  expire(words_.pexpire, "1000");
  EXPECT_EQ(node_.node->keyspace().database(0).used_bytes(), before);
  EXPECT_EQ(node_.node->keyspace().database(0).expiring_parts().count(), 1u);
}

TEST_P(PartExpiry, DataStandsStillWhileClientsArePaused) {
  expire(words_.pexpire, "100");
  node_.take_effects();
  EXPECT_EQ(node_.call({"CLIENT", "PAUSE", "60000", "WRITE"}), "+OK\r\n");
  node_.pass_ms(200);
  EXPECT_FALSE(has("a"));
  EXPECT_EQ(node_.take_effects(), "");
  EXPECT_EQ(node_.node->stats().expired_parts, 0u);
  EXPECT_EQ(node_.call({"CLIENT", "UNPAUSE"}), "+OK\r\n");
  EXPECT_EQ(size(), ":1\r\n");
  EXPECT_EQ(node_.take_effects(), is_hash() ? "HDEL k a" : "SREM k a");
}

// However much is due, a step of the active expiry does not take long.
TEST_P(PartExpiry, ARoundOfTheActiveExpiryIsBounded) {
  std::vector<std::string> names;
  names.reserve(60);
  for (int i = 0; i < 60; ++i) names.push_back("f" + std::to_string(i));
  for (int key = 0; key < 100; ++key) {
    const std::string name = "many" + std::to_string(key);
    for (const std::string& part : names) add(name, part);
    std::vector<std::string_view> args = {words_.pexpire, name, "100", words_.list, "60"};
    args.insert(args.end(), names.begin(), names.end());
    node_.call(args);
  }
  node_.node->upkeep().set_active_expiry(true);
  node_.pass_ms(1000);
  // One step, which is bounded by its work.
  EXPECT_GE(node_.node->stats().expired_parts, 8u * 64);
  EXPECT_LE(node_.node->stats().expired_parts, 2500u);
  for (int i = 0; i < 200; ++i) node_.pass_ms(10);
  EXPECT_EQ(node_.node->stats().expired_parts, 6000u);
}

INSTANTIATE_TEST_SUITE_P(Kinds, PartExpiry,
                         ::testing::Values(Case{&kHash, "hash-max-listpack-entries", "512"},
                                           Case{&kHash, "hash-max-listpack-entries", "0"},
                                           Case{&kSet, "set-max-listpack-entries", "128"},
                                           Case{&kSet, "set-max-listpack-entries", "0"}),
                         [](const ::testing::TestParamInfo<Case>& each) {
                           return std::string(each.param.words->add) + each.param.entries;
                         });

}  // namespace
}  // namespace redoubt
