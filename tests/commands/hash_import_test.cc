// HIMPORT: fields that a connection names once.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "tests/commands/local_node.h"
#include "tests/node/talk.h"

namespace redoubt {
namespace {

TEST(HashImport, AHashIsSetAsAWhole) {
  LocalNode node;
  EXPECT_EQ(node.call({"HIMPORT", "PREPARE", "u", "name", "age"}), "+OK\r\n");
  EXPECT_EQ(node.call({"HIMPORT", "SET", "h", "u", "alice", "30"}), "+OK\r\n");
  EXPECT_EQ(node.take_effects(), "SELECT 0\nHSET h name alice age 30");
  EXPECT_EQ(node.call({"HGETALL", "h"}),
            "*4\r\n$4\r\nname\r\n$5\r\nalice\r\n$3\r\nage\r\n$2\r\n30\r\n");
  node.call({"HSET", "h", "more", "1"});
  node.call({"HEXPIRE", "h", "100", "FIELDS", "1", "age"});
  node.call({"EXPIRE", "h", "1000"});
  node.take_effects();
  EXPECT_EQ(node.call({"HIMPORT", "SET", "h", "u", "bob", "31"}), "+OK\r\n");
  EXPECT_EQ(node.take_effects(), "MULTI\nDEL h\nHSET h name bob age 31\nEXEC");
  EXPECT_EQ(node.call({"HLEN", "h"}), ":2\r\n");
  EXPECT_EQ(node.call({"TTL", "h"}), ":-1\r\n");
  EXPECT_EQ(node.call({"HTTL", "h", "FIELDS", "1", "age"}), "*1\r\n:-1\r\n");
  node.pass_ms(200'000);
  EXPECT_EQ(node.call({"HLEN", "h"}), ":2\r\n");
}

TEST(HashImport, InATransactionItIsOneEffectAmongOthers) {
  LocalNode node;
  node.call({"HIMPORT", "PREPARE", "u", "f"});
  node.call({"HSET", "h", "g", "1"});
  node.take_effects();
  node.call({"MULTI"});
  node.call({"HIMPORT", "SET", "h", "u", "1"});
  node.call({"SET", "k", "v"});
  node.call({"EXEC"});
  EXPECT_EQ(node.take_effects(), "MULTI\nDEL h\nHSET h f 1\nSET k v\nEXEC");
}

TEST(HashImport, WhatIsWrongIsSaid) {
  LocalNode node;
  EXPECT_EQ(node.call({"HIMPORT", "SET", "h", "u", "1"}), "-ERR no such fieldset\r\n");
  EXPECT_EQ(node.call({"HIMPORT", "PREPARE", "u", "a", "b", "a"}),
            "-ERR duplicate field name in fieldset\r\n");
  EXPECT_EQ(node.call({"HIMPORT", "SET", "h", "u", "1", "2", "3"}), "-ERR no such fieldset\r\n");
  node.call({"HIMPORT", "PREPARE", "u", "a", "b"});
  EXPECT_EQ(node.call({"HIMPORT", "SET", "h", "u", "1"}),
            "-ERR value count does not match fieldset field count\r\n");
  node.call({"SET", "s", "x", "EX", "50"});
  EXPECT_EQ(node.call({"HIMPORT", "SET", "s", "u", "1", "2"}),
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
  EXPECT_EQ(node.call({"TTL", "s"}), ":50\r\n");
  EXPECT_EQ(node.call({"HIMPORT", "PREPARE", "u"}),
            "-ERR wrong number of arguments for 'himport|prepare' command\r\n");
  EXPECT_EQ(node.call({"HIMPORT", "NONE"}),
            "-ERR unknown subcommand 'NONE'. Try HIMPORT HELP.\r\n");
}

TEST(HashImport, FieldsetsAreReplacedAndDiscarded) {
  LocalNode node;
  node.call({"HIMPORT", "PREPARE", "u", "a", "b"});
  node.call({"HIMPORT", "PREPARE", "u", "c"});
  EXPECT_EQ(node.call({"HIMPORT", "SET", "h", "u", "1"}), "+OK\r\n");
  EXPECT_EQ(node.call({"HKEYS", "h"}), "*1\r\n$1\r\nc\r\n");
  EXPECT_EQ(node.call({"HIMPORT", "DISCARD", "u"}), ":1\r\n");
  EXPECT_EQ(node.call({"HIMPORT", "DISCARD", "u"}), ":0\r\n");
  node.call({"HIMPORT", "PREPARE", "", "", "x"});
  node.call({"HIMPORT", "PREPARE", "v", "a"});
  EXPECT_EQ(node.call({"HIMPORT", "SET", "e", "", "1", "2"}), "+OK\r\n");
  EXPECT_EQ(node.call({"HGET", "e", ""}), "$1\r\n1\r\n");
  EXPECT_EQ(node.call({"HIMPORT", "DISCARDALL"}), ":2\r\n");
  EXPECT_EQ(node.call({"HIMPORT", "DISCARDALL"}), ":0\r\n");
  EXPECT_EQ(node.call({"HLEN", "e"}), ":2\r\n");
}

TEST(HashImport, FieldsetsBelongToAConnectionUntilItIsReset) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  EXPECT_EQ(talk.say(a, "HIMPORT PREPARE u f\r\n"), "+OK\r\n");
  EXPECT_EQ(talk.say(b, "HIMPORT SET h u 1\r\n"), "-ERR no such fieldset\r\n");
  EXPECT_EQ(talk.say(a, "SELECT 3\r\nHIMPORT SET h u 1\r\n"), "+OK\r\n+OK\r\n");
  EXPECT_EQ(talk.say(a, "RESET\r\nHIMPORT SET h u 1\r\n"), "+RESET\r\n-ERR no such fieldset\r\n");
}

TEST(HashImport, FieldsetsAreCountedAsTheConnectionsMemory) {
  LocalNode node;
  const size_t before = node.session->memory_bytes();
  const std::string long_name(10'000, 'f');
  node.call({"HIMPORT", "PREPARE", "u", long_name, "g"});
  EXPECT_GT(node.session->memory_bytes(), before + 10'000);
  node.call({"HIMPORT", "PREPARE", "u", "g"});
  EXPECT_LT(node.session->memory_bytes(), before + 1000);
  node.call({"HIMPORT", "DISCARD", "u"});
  node.call({"HIMPORT", "DISCARDALL"});
  EXPECT_EQ(node.session->memory_bytes(), before);
}

// The same as HSET of a key that does not exist, whatever the fields and the limits are.
RC_GTEST_PROP(HashImportProperties, IsWhatHsetMakes,
              (const std::set<std::string>& fields, const std::string& value, bool large)) {
  RC_PRE(!fields.empty());
  LocalNode node({"hash-max-listpack-entries", large ? "2" : "512"});
  std::vector<std::string_view> prepare = {"HIMPORT", "PREPARE", "u"};
  std::vector<std::string_view> set = {"HIMPORT", "SET", "a", "u"};
  std::vector<std::string_view> hset = {"HSET", "b"};
  for (const std::string& field : fields) {
    prepare.push_back(field);
    set.push_back(value);
    hset.push_back(field);
    hset.push_back(value);
  }
  RC_ASSERT(node.call(prepare) == "+OK\r\n");
  node.call({"HSET", "a", "before", "1"});
  RC_ASSERT(node.call(set) == "+OK\r\n");
  node.call(hset);
  RC_ASSERT(node.call({"HGETALL", "a"}).size() == node.call({"HGETALL", "b"}).size());
  for (const std::string& field : fields) {
    RC_ASSERT(node.call({"HGET", "a", field}) == node.call({"HGET", "b", field}));
  }
  RC_ASSERT(node.call({"OBJECT", "ENCODING", "a"}) == node.call({"OBJECT", "ENCODING", "b"}));
}

}  // namespace
}  // namespace redoubt
