// What sets and hashes send into the stream of effects, and how fields of hashes and members of
// sets expire.
#include <gtest/gtest.h>

#include <string>

#include "tests/commands/local_node.h"

namespace redoubt {
namespace {

std::string without_reply(LocalNode& node, std::vector<std::string_view> args) {
  node.call(std::move(args));
  return node.take_effects();
}

TEST(SetCommands, ChoicesAreEffectsOfTheirOwn) {
  LocalNode node;
  node.call({"SADD", "s", "a"});
  node.call({"SADD", "t", "1", "2", "3"});
  node.take_effects();
  EXPECT_EQ(without_reply(node, {"SPOP", "s"}), "SREM s a");
  EXPECT_EQ(without_reply(node, {"SPOP", "t", "9"}), "DEL t");
  EXPECT_EQ(without_reply(node, {"SPOP", "t", "9"}), "");
  EXPECT_EQ(without_reply(node, {"SREM", "t", "1"}), "");
  for (int i = 0; i < 300; ++i) node.call({"SADD", "u", "m" + std::to_string(i)});
  node.take_effects();
  const std::string popped = without_reply(node, {"SPOP", "u", "2"});
  EXPECT_EQ(popped.substr(0, 8), "SREM u m");
  EXPECT_EQ(node.call({"SCARD", "u"}), ":298\r\n");
}

TEST(HashCommands, EffectsAreDeterministic) {
  LocalNode node;
  node.call({"SET", "s", "1"});
  node.take_effects();  // with the SELECT in front
  EXPECT_EQ(without_reply(node, {"HINCRBYFLOAT", "h", "f", "1.5"}), "HSET h f 1.5");
  EXPECT_EQ(without_reply(node, {"HPEXPIREAT", "h", "33177117420000", "FIELDS", "2", "f", "z"}),
            "HPEXPIREAT h 33177117420000 FIELDS 1 f");
  EXPECT_EQ(without_reply(node, {"HINCRBYFLOAT", "h", "f", "1"}),
            "HSETEX h KEEPTTL FIELDS 1 f 2.5");
  EXPECT_EQ(without_reply(node, {"HGETEX", "h", "PERSIST", "FIELDS", "1", "f"}),
            "HPERSIST h FIELDS 1 f");
  EXPECT_EQ(without_reply(node, {"HPERSIST", "h", "FIELDS", "1", "f"}), "");
  EXPECT_EQ(without_reply(node, {"HSETEX", "h", "PXAT", "33177117420000", "FIELDS", "1", "g", "1"}),
            "HSETEX h PXAT 33177117420000 FIELDS 1 g 1");
  EXPECT_EQ(without_reply(node, {"HEXPIRE", "h", "0", "FIELDS", "2", "g", "z"}), "HDEL h g");
  EXPECT_EQ(without_reply(node, {"HGETDEL", "h", "FIELDS", "2", "f", "z"}), "HDEL h f");
  EXPECT_EQ(node.call({"EXISTS", "h"}), ":0\r\n");
}

// Small hashes and large ones.
class HashExpiry : public ::testing::TestWithParam<const char*> {
 protected:
  LocalNode node_{{"hash-max-listpack-entries", GetParam()}};
};

TEST_P(HashExpiry, FieldsExpireWithoutBeingAskedFor) {
  node_.call({"HSET", "h", "a", "1", "b", "2", "c", "3"});
  node_.call({"HPEXPIRE", "h", "100", "FIELDS", "2", "a", "b"});
  node_.take_effects();
  node_.pass_ms(50);
  EXPECT_EQ(node_.call({"HLEN", "h"}), ":3\r\n");
  node_.pass_ms(1000);
  const std::string effect = node_.take_effects();
  EXPECT_TRUE(effect == "HDEL h a b" || effect == "HDEL h b a") << effect;
  EXPECT_EQ(node_.call({"HLEN", "h"}), ":1\r\n");
  EXPECT_EQ(node_.node->stats().expired_parts, 2U);
}

TEST_P(HashExpiry, TheLastFieldTakesTheKeyAlong) {
  node_.call({"HSETEX", "h", "PX", "100", "FIELDS", "1", "a", "1"});
  node_.take_effects();
  node_.pass_ms(1000);
  EXPECT_EQ(node_.take_effects(), "HDEL h a");
  EXPECT_EQ(node_.call({"EXISTS", "h"}), ":0\r\n");
  EXPECT_EQ(node_.call({"DBSIZE"}), ":0\r\n");
}

TEST_P(HashExpiry, AnExpiredFieldIsMissingBeforeItIsRemoved) {
  node_.node->upkeep().set_active_expiry(false);
  node_.call({"HSET", "h", "keep", "1"});
  for (int i = 0; i < 200; ++i) {
    node_.call({"HSETEX", "h", "PX", "100", "FIELDS", "1", "f" + std::to_string(i), "1"});
  }
  node_.pass_ms(101);
  EXPECT_EQ(node_.call({"HGETALL", "h"}), "*2\r\n$4\r\nkeep\r\n$1\r\n1\r\n");
  EXPECT_EQ(node_.call({"HRANDFIELD", "h"}), "$4\r\nkeep\r\n");
  EXPECT_EQ(node_.call({"HSETNX", "h", "f199", "2"}), ":1\r\n");
  EXPECT_EQ(node_.call({"HINCRBY", "h", "f198", "2"}), ":2\r\n");
  EXPECT_EQ(node_.call({"HTTL", "h", "FIELDS", "2", "f199", "f198"}), "*2\r\n:-1\r\n:-1\r\n");
  for (int i = 0; i < 4; ++i) node_.call({"HLEN", "h"});
  EXPECT_EQ(node_.call({"HLEN", "h"}), ":3\r\n");
}

TEST_P(HashExpiry, DeadlinesFollowTheirHash) {
  node_.call({"HSETEX", "h", "PX", "100", "FIELDS", "1", "a", "1"});
  node_.call({"HSET", "h", "b", "1"});
  node_.call({"RENAME", "h", "moved"});
  node_.call({"COPY", "moved", "copied"});
  node_.call({"COPY", "moved", "deleted"});
  node_.call({"DEL", "deleted"});
  node_.call({"SET", "deleted", "a string"});
  node_.call({"HSETEX", "replaced", "PX", "100", "FIELDS", "1", "a", "1"});
  node_.call({"SET", "replaced", "a string"});
  node_.call({"HSETEX", "persists", "PX", "100", "FIELDS", "1", "a", "1"});
  node_.call({"HPERSIST", "persists", "FIELDS", "1", "a"});
  node_.pass_ms(1000);
  EXPECT_EQ(node_.call({"HKEYS", "moved"}), "*1\r\n$1\r\nb\r\n");
  EXPECT_EQ(node_.node->stats().expired_parts, 2U);
  EXPECT_EQ(node_.call({"HKEYS", "copied"}), "*1\r\n$1\r\nb\r\n");
  EXPECT_EQ(node_.call({"HKEYS", "persists"}), "*1\r\n$1\r\na\r\n");
}

TEST_P(HashExpiry, MemoryComesBack) {
  const size_t before = node_.node->keyspace().database(0).used_bytes();
  for (int i = 0; i < 100; ++i) {
    const std::string key = "h" + std::to_string(i);
    node_.call({"HSETEX", key, "PX", "100", "FIELDS", "2", "a", "1", "b", "2"});
    node_.call({"HSETEX", key, "PX", "200000", "FIELDS", "1", "b", "2"});
  }
  for (int i = 0; i < 20; ++i) node_.pass_ms(100);
  EXPECT_EQ(node_.node->stats().expired_parts, 100U);
  for (int i = 0; i < 100; ++i) node_.call({"DEL", "h" + std::to_string(i)});
  // The table of keys may stay larger than it was.
  EXPECT_LE(node_.node->keyspace().database(0).used_bytes(), before + 16'384);
  EXPECT_FALSE(
      node_.node->keyspace().database(0).expiring_parts().first_before(INT64_MAX).has_value());
}

// Small sets and large ones.
class SetExpiry : public ::testing::TestWithParam<const char*> {
 protected:
  LocalNode node_{{"set-max-listpack-entries", GetParam()}};
};

TEST_P(SetExpiry, EffectsAreDeterministic) {
  node_.call({"SADD", "s", "a", "b", "c"});
  node_.take_effects();
  EXPECT_EQ(without_reply(node_, {"SPEXPIREAT", "s", "33177117420000", "MEMBERS", "2", "a", "z"}),
            "SPEXPIREAT s 33177117420000 MEMBERS 1 a");
  EXPECT_EQ(without_reply(node_, {"SPEXPIREAT", "s", "5", "GT", "MEMBERS", "2", "a", "b"}), "");
  EXPECT_EQ(without_reply(node_, {"SADD", "s", "a"}), "");
  EXPECT_EQ(without_reply(node_, {"SPERSIST", "s", "MEMBERS", "2", "a", "b"}),
            "SPERSIST s MEMBERS 1 a");
  EXPECT_EQ(without_reply(node_, {"SPERSIST", "s", "MEMBERS", "1", "a"}), "");
  EXPECT_EQ(without_reply(node_, {"SEXPIRE", "s", "0", "MEMBERS", "2", "c", "z"}), "SREM s c");
  EXPECT_EQ(without_reply(node_, {"SEXPIRE", "s", "0", "MEMBERS", "3", "a", "b", "a"}),
            "SREM s a b");
  EXPECT_EQ(node_.call({"EXISTS", "s"}), ":0\r\n");
}

TEST_P(SetExpiry, MembersExpireWithoutBeingAskedFor) {
  node_.call({"SADD", "s", "a", "b", "c"});
  node_.call({"SPEXPIRE", "s", "100", "MEMBERS", "2", "a", "b"});
  node_.take_effects();
  node_.pass_ms(50);
  EXPECT_EQ(node_.call({"SCARD", "s"}), ":3\r\n");
  node_.pass_ms(1000);
  EXPECT_EQ(node_.take_effects(), "SREM s a b");
  EXPECT_EQ(node_.call({"SMEMBERS", "s"}), "*1\r\n$1\r\nc\r\n");
  EXPECT_EQ(node_.node->stats().expired_parts, 2U);
}

TEST_P(SetExpiry, TheLastMemberTakesTheKeyAlong) {
  node_.call({"SADD", "s", "1"});
  node_.call({"SPEXPIRE", "s", "100", "MEMBERS", "1", "1"});
  node_.take_effects();
  node_.pass_ms(1000);
  EXPECT_EQ(node_.take_effects(), "SREM s 1");
  EXPECT_EQ(node_.call({"EXISTS", "s"}), ":0\r\n");
  EXPECT_EQ(node_.call({"DBSIZE"}), ":0\r\n");
}

// A set of `keep` and of 200 members that have expired; none of them was removed yet.
void make_overdue(LocalNode& node, std::string_view key) {
  node.node->upkeep().set_active_expiry(false);
  node.call({"SADD", key, "keep"});
  for (int i = 0; i < 200; ++i) {
    const std::string member = "m" + std::to_string(i);
    node.call({"SADD", key, member});
    node.call({"SPEXPIRE", key, "100", "MEMBERS", "1", member});
  }
  node.pass_ms(101);
}

TEST_P(SetExpiry, AnExpiredMemberIsMissingBeforeItIsRemoved) {
  make_overdue(node_, "s");
  EXPECT_EQ(node_.call({"SISMEMBER", "s", "m199"}), ":0\r\n");
  EXPECT_EQ(node_.node->stats().expired_parts, 64U);
  EXPECT_EQ(node_.call({"SCARD", "s"}), ":1\r\n");
  EXPECT_EQ(node_.call({"SMEMBERS", "s"}), "*1\r\n$4\r\nkeep\r\n");
  EXPECT_EQ(node_.node->stats().expired_parts, 192U);
  EXPECT_EQ(node_.call({"SUNION", "s", "s"}), "*1\r\n$4\r\nkeep\r\n");
  EXPECT_EQ(node_.call({"ZUNION", "1", "s"}), "*1\r\n$4\r\nkeep\r\n");
  EXPECT_EQ(node_.call({"SORT", "s", "ALPHA"}), "*1\r\n$4\r\nkeep\r\n");
  EXPECT_EQ(node_.node->stats().expired_parts, 192U);
  EXPECT_EQ(node_.call({"SADD", "s", "m199", "m198", "keep"}), ":2\r\n");
  EXPECT_EQ(node_.call({"STTL", "s", "MEMBERS", "2", "m199", "m198"}), "*2\r\n:-1\r\n:-1\r\n");
}

TEST_P(SetExpiry, ChoicesAreMadeAmongWhatLives) {
  make_overdue(node_, "s");
  EXPECT_EQ(node_.call({"SRANDMEMBER", "s"}), "$4\r\nkeep\r\n");
  EXPECT_EQ(node_.call({"SRANDMEMBER", "s", "-2"}), "*2\r\n$4\r\nkeep\r\n$4\r\nkeep\r\n");
  node_.take_effects();
  EXPECT_EQ(node_.call({"SPOP", "s", "5"}), "*1\r\n$4\r\nkeep\r\n");
  EXPECT_EQ(node_.call({"EXISTS", "s"}), ":1\r\n");  // 8 members that expired
  EXPECT_EQ(node_.call({"SPOP", "s"}), "$-1\r\n");
  EXPECT_EQ(node_.call({"EXISTS", "s"}), ":0\r\n");
  EXPECT_EQ(node_.node->stats().expired_parts, 200U);
}

// Whoever applies the stream has another clock.
TEST_P(SetExpiry, WhatIsStoredIsMadeOfLivingMembersInTheStreamToo) {
  for (const std::vector<std::string_view>& command :
       {std::vector<std::string_view>{"SUNIONSTORE", "d", "s", "s"},
        std::vector<std::string_view>{"ZUNIONSTORE", "d", "1", "s"},
        std::vector<std::string_view>{"SORT", "s", "ALPHA", "STORE", "d"}}) {
    node_.call({"FLUSHALL"});
    const uint64_t before = node_.node->stats().expired_parts;
    make_overdue(node_, "s");
    node_.take_effects();
    node_.call(command);
    EXPECT_EQ(node_.node->stats().expired_parts, before + 200);
    const std::string effects = node_.take_effects();
    EXPECT_EQ(effects.substr(0, 13), "MULTI\nSREM s ") << effects;
    EXPECT_NE(effects.find(command[0]), std::string::npos) << effects;
  }
}

TEST_P(SetExpiry, MovingAMemberThatHasExpired) {
  make_overdue(node_, "s");
  node_.call({"SADD", "t", "a", "b"});
  node_.call({"SPEXPIRE", "t", "100", "MEMBERS", "1", "a"});
  node_.call({"SADD", "u", "a"});
  node_.pass_ms(101);
  node_.take_effects();
  EXPECT_EQ(node_.call({"SMOVE", "s", "u", "m5"}), ":0\r\n");
  EXPECT_EQ(node_.take_effects(), "SREM s m5");
  EXPECT_EQ(node_.call({"SMOVE", "u", "t", "a"}), ":1\r\n");
  EXPECT_EQ(node_.take_effects(), "MULTI\nSREM t a\nSMOVE u t a\nEXEC");
  EXPECT_EQ(node_.call({"STTL", "t", "MEMBERS", "1", "a"}), "*1\r\n:-1\r\n");
}

TEST_P(SetExpiry, DeadlinesFollowTheirSet) {
  const auto make = [this](std::string_view key) {
    node_.call({"SADD", key, "a", "b"});
    node_.call({"SPEXPIRE", key, "100", "MEMBERS", "1", "a"});
  };
  make("s");
  node_.call({"RENAME", "s", "moved"});
  node_.call({"COPY", "moved", "copied"});
  node_.call({"COPY", "moved", "deleted"});
  node_.call({"DEL", "deleted"});
  node_.call({"SADD", "deleted", "a"});
  make("stored");
  node_.call({"SUNIONSTORE", "stored", "moved"});
  make("persists");
  node_.call({"SPERSIST", "persists", "MEMBERS", "1", "a"});
  make("added");
  node_.call({"SREM", "added", "a"});
  node_.call({"SADD", "added", "a"});
  EXPECT_EQ(node_.node->keyspace().database(0).expiring_parts().count(), 2U);
  node_.pass_ms(1000);
  EXPECT_EQ(node_.node->stats().expired_parts, 2U);
  EXPECT_EQ(node_.call({"SMEMBERS", "moved"}), "*1\r\n$1\r\nb\r\n");
  EXPECT_EQ(node_.call({"SMEMBERS", "copied"}), "*1\r\n$1\r\nb\r\n");
  for (std::string_view key : {"stored", "persists", "added"}) {
    EXPECT_EQ(node_.call({"SCARD", key}), ":2\r\n") << key;
  }
  EXPECT_EQ(node_.call({"SCARD", "deleted"}), ":1\r\n");
}

TEST_P(SetExpiry, DigestsTellDeadlines) {
  node_.call({"SADD", "s", "a", "b"});
  node_.call({"SADD", "t", "a", "b"});
  const auto digest = [this](std::string_view key) {
    const Database& db = node_.node->keyspace().database(0);
    Digest whole;
    digest_entry(*db.find(key, db.hash(key)), whole);
    whole.end_element();
    return whole.hex();
  };
  node_.call({"SPEXPIREAT", "s", "33177117420000", "MEMBERS", "1", "a"});
  EXPECT_NE(digest("s"), digest("t"));
  node_.call({"SPEXPIREAT", "t", "33177117420000", "MEMBERS", "1", "b"});
  EXPECT_NE(digest("s"), digest("t"));
  node_.call({"SPERSIST", "t", "MEMBERS", "1", "b"});
  node_.call({"SPEXPIREAT", "t", "33177117420000", "MEMBERS", "1", "a"});
  EXPECT_EQ(digest("s"), digest("t"));
}

INSTANTIATE_TEST_SUITE_P(Encodings, SetExpiry, ::testing::Values("128", "0"));
INSTANTIATE_TEST_SUITE_P(Encodings, HashExpiry, ::testing::Values("512", "0"));

}  // namespace
}  // namespace redoubt
