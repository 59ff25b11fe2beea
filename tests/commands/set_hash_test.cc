// What sets and hashes send into the stream of effects, and how fields of hashes expire.
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
  EXPECT_EQ(node_.node->stats().expired_fields, 2U);
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
  node_.node->set_active_expiry(false);
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
  EXPECT_EQ(node_.node->stats().expired_fields, 2U);
  EXPECT_EQ(node_.call({"HKEYS", "copied"}), "*1\r\n$1\r\nb\r\n");
  EXPECT_EQ(node_.call({"HKEYS", "persists"}), "*1\r\n$1\r\na\r\n");
}

TEST_P(HashExpiry, MemoryComesBack) {
  const size_t before = node_.node->database(0).used_bytes();
  for (int i = 0; i < 100; ++i) {
    const std::string key = "h" + std::to_string(i);
    node_.call({"HSETEX", key, "PX", "100", "FIELDS", "2", "a", "1", "b", "2"});
    node_.call({"HSETEX", key, "PX", "200000", "FIELDS", "1", "b", "2"});
  }
  for (int i = 0; i < 20; ++i) node_.pass_ms(100);
  EXPECT_EQ(node_.node->stats().expired_fields, 100U);
  for (int i = 0; i < 100; ++i) node_.call({"DEL", "h" + std::to_string(i)});
  // The table of keys may stay larger than it was.
  EXPECT_LE(node_.node->database(0).used_bytes(), before + 16'384);
  EXPECT_FALSE(node_.node->database(0).first_with_expired_parts(INT64_MAX).has_value());
}

INSTANTIATE_TEST_SUITE_P(Encodings, HashExpiry, ::testing::Values("512", "0"));

}  // namespace
}  // namespace redoubt
