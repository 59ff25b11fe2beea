// SET, GETEX and their kin: conditions, deadlines, and what goes into the stream of effects.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "engine/dispatch/context.h"
#include "engine/store/string_type.h"
#include "tests/commands/local_node.h"
#include "tests/resp_text.h"

namespace redoubt {
namespace {

constexpr std::string_view kNull = "$-1\r\n";
constexpr std::string_view kSyntax = "-ERR syntax error\r\n";

class StringSet : public testing::Test {
 protected:
  StringSet() {
    // The stream begins with a SELECT.
    n.call({"SET", "k", "v"});
    n.call({"DEL", "k"});
  }
  int64_t now_ms() const { return n.env.wall().unix_ms(); }
  // The command does nothing: no effect, no change counted.
  void expect_idle(std::vector<std::string_view> args, std::string_view reply) {
    n.take_effects();
    const uint64_t changes = n.node->keyspace().changes();
    EXPECT_EQ(n.call(args), reply);
    EXPECT_EQ(n.take_effects(), "");
    EXPECT_EQ(n.node->keyspace().changes(), changes);
  }
  void expect_effect(std::vector<std::string_view> args, std::string_view reply,
                     std::string_view effect) {
    n.take_effects();
    EXPECT_EQ(n.call(args), reply);
    EXPECT_EQ(n.take_effects(), effect);
  }

  LocalNode n;
};

TEST_F(StringSet, EffectsAreDeterministic) {
  const std::string in_5s = std::to_string(now_ms() + 5000);
  expect_effect({"SET", "k", "v"}, kOk, "SET k v");
  expect_effect({"SET", "k", "v", "EX", "5"}, kOk, "SET k v PXAT " + in_5s);
  expect_effect({"SET", "k", "v", "px", "5000"}, kOk, "SET k v PXAT " + in_5s);
  expect_effect({"SETEX", "k", "5", "v"}, kOk, "SET k v PXAT " + in_5s);
  expect_effect({"PSETEX", "k", "5000", "v"}, kOk, "SET k v PXAT " + in_5s);
  expect_effect({"SET", "k", "v", "EXAT", "99999999999"}, kOk, "SET k v PXAT 99999999999000");
  expect_effect({"SET", "k", "w", "KEEPTTL"}, kOk, "SET k w KEEPTTL");
  EXPECT_EQ(n.call({"PEXPIRETIME", "k"}), ":99999999999000\r\n");
  expect_effect({"SET", "k", "x", "GET", "XX"}, bulk("w"), "SET k x");
  EXPECT_EQ(n.call({"PEXPIRETIME", "k"}), ":-1\r\n");
  expect_effect({"GETSET", "k", "y"}, bulk("x"), "SET k y");
  expect_effect({"SET", "k", "z", "IFEQ", "y", "EX", "5"}, kOk, "SET k z PXAT " + in_5s);
  expect_effect({"SETNX", "new", "v"}, kYes, "SETNX new v");
  expect_effect({"MSET", "a", "1", "b", "2"}, kOk, "MSET a 1 b 2");
  expect_effect({"GETDEL", "k"}, bulk("z"), "DEL k");
}

TEST_F(StringSet, WhatChangesNothingSaysNothing) {
  n.call({"SET", "k", "v"});
  expect_idle({"SET", "k", "w", "NX"}, kNull);
  expect_idle({"SET", "none", "w", "XX"}, kNull);
  expect_idle({"SET", "k", "w", "NX", "GET"}, bulk("v"));
  expect_idle({"SET", "none", "w", "XX", "GET"}, kNull);
  expect_idle({"SETNX", "k", "w"}, kNo);
  expect_idle({"MSETNX", "none", "1", "k", "w"}, kNo);
  expect_idle({"GETDEL", "none"}, kNull);
  expect_idle({"GETEX", "k"}, bulk("v"));
  expect_idle({"GETEX", "k", "PERSIST"}, bulk("v"));
  expect_idle({"GETEX", "none", "EX", "5"}, kNull);
  expect_idle({"MSET", "a", "1", "b"}, "-ERR wrong number of arguments for 'mset' command\r\n");
  expect_idle({"MSETNX", "a", "1", "b"}, "-ERR wrong number of arguments for 'msetnx' command\r\n");
  EXPECT_EQ(n.call({"GET", "k"}), bulk("v"));
  EXPECT_EQ(n.call({"DBSIZE"}), kYes);
}

TEST_F(StringSet, OptionsThatDoNotGoTogether) {
  for (const std::vector<std::string_view>& options :
       std::vector<std::vector<std::string_view>>{{"NX", "XX"},
                                                  {"NX", "IFEQ", "v"},
                                                  {"IFEQ", "v", "IFNE", "v"},
                                                  {"IFEQ"},
                                                  {"EX"},
                                                  {"EX", "1", "PX", "1"},
                                                  {"EX", "1", "KEEPTTL"},
                                                  {"KEEPTTL", "PXAT", "1"},
                                                  {"PERSIST"},
                                                  {"NOSUCH"},
                                                  {""}}) {
    std::vector<std::string_view> args = {"SET", "k", "v"};
    args.insert(args.end(), options.begin(), options.end());
    expect_idle(args, kSyntax);
  }
  for (const std::string_view option : {"KEEPTTL", "NX", "GET", "EX"}) {
    expect_idle({"GETEX", "k", option}, kSyntax);
  }
  EXPECT_EQ(n.call({"SET", "k", "v", "EX", "5", "ex", "6"}), kOk);
  EXPECT_EQ(n.call({"TTL", "k"}), ":6\r\n");
}

TEST_F(StringSet, TimesThatAreNone) {
  const std::vector<std::pair<std::string_view, std::string_view>> wrong = {
      {"EX", "0"},
      {"EX", "-1"},
      {"PX", "0"},
      {"EXAT", "0"},
      {"PXAT", "-5"},
      {"EX", "9223372036854776"},     // milliseconds that 63 bits do not hold
      {"PX", "9223372036854775807"},  // nor from now on
      {"EXAT", "9223372036854775807"},
  };
  n.call({"SET", "k", "v"});
  for (const auto& [unit, time] : wrong) {
    expect_idle({"SET", "k", "v", unit, time}, "-ERR invalid expire time in 'set' command\r\n");
    expect_idle({"GETEX", "k", unit, time}, "-ERR invalid expire time in 'getex' command\r\n");
  }
  expect_idle({"SETEX", "k", "0", "v"}, "-ERR invalid expire time in 'setex' command\r\n");
  expect_idle({"PSETEX", "k", "-1", "v"}, "-ERR invalid expire time in 'psetex' command\r\n");
  expect_idle({"SET", "k", "v", "EX", "1.5"}, "-ERR value is not an integer or out of range\r\n");
}

TEST_F(StringSet, ADeadlineInThePastLeavesNoKey) {
  expect_idle({"SET", "k", "v", "PXAT", "1"}, kOk);
  n.call({"SET", "k", "v"});
  expect_effect({"SET", "k", "w", "EXAT", "1"}, kOk, "DEL k");
  EXPECT_EQ(n.call({"DBSIZE"}), kNo);
  n.call({"SET", "k", "v"});
  expect_effect({"GETEX", "k", "PXAT", "1"}, bulk("v"), "DEL k");
  EXPECT_EQ(n.call({"DBSIZE"}), kNo);
  // A key lives through its last millisecond; GETEX, like EXPIREAT, does not give it one.
  const std::string now = std::to_string(now_ms());
  expect_effect({"SET", "k", "v", "PXAT", now}, kOk, "SET k v PXAT " + now);
  expect_effect({"GETEX", "k", "PXAT", now}, bulk("v"), "DEL k");
}

TEST_F(StringSet, AnExpiredKeyGoesBeforeItIsSetAnew) {
  n.node->upkeep().set_active_expiry(false);
  for (const std::vector<std::string_view>& again : std::vector<std::vector<std::string_view>>{
           {"SET", "k", "w"}, {"SETNX", "k", "w"}, {"MSET", "k", "w"}, {"APPEND", "k", "w"}}) {
    n.call({"SET", "k", "v", "PX", "10"});
    n.pass_ms(11);
    n.take_effects();
    n.call(again);
    EXPECT_EQ(n.take_effects().substr(0, 12), "MULTI\nDEL k\n") << again[0];
    EXPECT_EQ(n.call({"GET", "k"}), bulk("w")) << again[0];
    EXPECT_EQ(n.call({"PTTL", "k"}), ":-1\r\n") << again[0];
  }
  EXPECT_EQ(n.node->stats().expired_keys, 4u);
}

TEST_F(StringSet, GetexEffects) {
  n.call({"SET", "k", "v"});
  const std::string in_5s = std::to_string(now_ms() + 5000);
  expect_effect({"GETEX", "k", "EX", "5"}, bulk("v"), "PEXPIREAT k " + in_5s);
  expect_effect({"GETEX", "k", "PERSIST"}, bulk("v"), "PERSIST k");
  expect_effect({"GETEX", "k", "PXAT", "99999999999999"}, bulk("v"), "PEXPIREAT k 99999999999999");
}

// --- conditions on the value

TEST_F(StringSet, ConditionsOnTheValue) {
  n.call({"SET", "k", "v"});
  expect_idle({"SET", "k", "w", "IFEQ", "x"}, kNull);
  expect_idle({"SET", "k", "w", "IFNE", "v"}, kNull);
  expect_idle({"SET", "none", "w", "IFEQ", ""}, kNull);
  expect_idle({"SET", "none", "w", "IFDEQ", "2d06800538d394c2"}, kNull);
  expect_idle({"SET", "k", "w", "GET", "IFEQ", "x"}, bulk("v"));
  expect_effect({"SET", "k", "w", "IFNE", "x", "GET"}, bulk("v"), "SET k w");
  expect_effect({"SET", "new", "w", "IFNE", "x"}, kOk, "SET new w");
  expect_effect({"SET", "other", "w", "IFDNE", "not 16 long"}, kOk, "SET other w");
  expect_idle({"SET", "k", "w", "IFDEQ", "abc"},
              "-ERR must be exactly 16 hexadecimal characters\r\n");
}

TEST_F(StringSet, Digests) {
  n.call({"SET", "hello", "Hello world"});
  n.call({"SET", "empty", ""});
  n.call({"SET", "number", "12"});
  EXPECT_EQ(n.call({"DIGEST", "hello"}), bulk("b6acb9d84a38ff74"));
  EXPECT_EQ(n.call({"DIGEST", "empty"}), bulk("2d06800538d394c2"));
  EXPECT_EQ(n.call({"DIGEST", "none"}), kNull);
  expect_effect({"SET", "hello", "a", "IFDEQ", "B6ACB9D84A38FF74"}, kOk, "SET hello a");
  expect_idle({"SET", "empty", "a", "IFDNE", "2d06800538d394c2"}, kNull);
  const std::string digest = n.call({"DIGEST", "number"}).substr(5, 16);
  expect_effect({"DELEX", "number", "ifdeq", digest}, kYes, "DEL number");
}

TEST_F(StringSet, Delex) {
  const std::string_view arity = "-ERR wrong number of arguments for 'delex' command\r\n";
  n.call({"SET", "k", "v"});
  expect_idle({"DELEX", "k", "IFEQ"}, arity);
  expect_idle({"DELEX", "k", "IFEQ", "v", "x"}, arity);
  expect_idle({"DELEX", "none", "NOSUCH", "v"}, kNo);
  expect_idle({"DELEX", "k", "NX", "v"},
              "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE\r\n");
  expect_idle({"DELEX", "k", "IFEQ", "w"}, kNo);
  expect_idle({"DELEX", "k", "IFNE", "v"}, kNo);
  expect_idle({"DELEX", "k", "IFDEQ", "v"}, "-ERR must be exactly 16 hexadecimal characters\r\n");
  expect_effect({"DELEX", "k", "IFNE", "w"}, kYes, "DEL k");
  n.call({"SET", "k", "v"});
  expect_effect({"DELEX", "k"}, kYes, "DEL k");
  n.call({"SET", "k", "v"});
  expect_idle({"DELIFEQ", "k", "w"}, kNo);
  expect_idle({"DELIFEQ", "none", "w"}, kNo);
  expect_effect({"DELIFEQ", "k", "v"}, kYes, "DEL k");
}

// --- MSETEX

TEST_F(StringSet, Msetex) {
  const std::string in_5s = std::to_string(now_ms() + 5000);
  expect_effect({"MSETEX", "2", "a", "1", "b", "2"}, kYes, "MSETEX 2 a 1 b 2");
  expect_effect({"MSETEX", "1", "a", "3", "EX", "5", "XX"}, kYes, "MSETEX 1 a 3 PXAT " + in_5s);
  expect_effect({"MSETEX", "1", "a", "4", "KEEPTTL"}, kYes, "MSETEX 1 a 4 KEEPTTL");
  EXPECT_EQ(n.call({"PEXPIRETIME", "a"}), ":" + in_5s + "\r\n");
  expect_effect({"MSETEX", "2", "a", "5", "a", "6"}, kYes, "MSETEX 2 a 5 a 6");
  EXPECT_EQ(n.call({"GET", "a"}), bulk("6"));
  expect_idle({"MSETEX", "2", "new", "1", "b", "2", "NX"}, kNo);
  expect_idle({"MSETEX", "2", "b", "1", "new", "2", "XX"}, kNo);
  expect_effect({"MSETEX", "3", "a", "1", "new", "2", "b", "3", "PXAT", "1"}, kYes, "DEL a b");
  EXPECT_EQ(n.call({"DBSIZE"}), kNo);
}

TEST_F(StringSet, MsetexRefuses) {
  for (const std::string_view count : {"0", "-1", "x", "2147483648"}) {
    expect_idle({"MSETEX", count, "a", "1"}, "-ERR invalid numkeys value\r\n");
  }
  for (const std::string_view count : {"2", "2147483647"}) {
    expect_idle({"MSETEX", count, "a", "1", "b"}, "-ERR wrong number of key-value pairs\r\n");
  }
  expect_idle({"MSETEX", "1", "a", "1", "NX", "XX"}, kSyntax);
  expect_idle({"MSETEX", "1", "a", "1", "GET"}, kSyntax);
  expect_idle({"MSETEX", "1", "a", "1", "PERSIST"}, kSyntax);
  expect_idle({"MSETEX", "1", "a", "1", "IFEQ", "1"}, kSyntax);
  expect_idle({"MSETEX", "1", "a", "1", "EX"}, kSyntax);
  expect_idle({"MSETEX", "1", "a", "1", "EX", "0"},
              "-ERR invalid expire time in 'msetex' command\r\n");
}

// --- encodings

TEST_F(StringSet, Encodings) {
  const std::string of_44(44, 'x');
  const std::string of_45(45, 'x');
  const std::string of_300(300, 'x');
  const std::vector<std::pair<std::string_view, std::string_view>> encodings = {
      {"12", "int"},
      {"-9223372036854775808", "int"},
      {"9223372036854775808", "embstr"},
      {"012", "embstr"},
      {"", "embstr"},
      {of_44, "embstr"},
      {of_45, "raw"},
      {of_300, "raw"},
      {"1.5", "embstr"},
  };
  for (const auto& [value, encoding] : encodings) {
    // Over nothing, and over each of the others.
    n.call({"DEL", "k"});
    for (const auto& [before, unused] : encodings) {
      n.call({"SET", "k", value});
      EXPECT_EQ(n.call({"OBJECT", "ENCODING", "k"}), bulk(encoding)) << value;
      EXPECT_EQ(n.call({"GET", "k"}), bulk(value));
      n.call({"SET", "k", before});
      EXPECT_EQ(n.call({"GET", "k"}), bulk(before));
    }
  }
}

// --- large arguments, which the parser has received into Blobs

class LargeArguments : public StringSet {
 protected:
  Blob blob_of(char fill, size_t size) {
    Blob blob;
    blob.reserve(size);
    blob.set_size(size);
    std::fill_n(blob.data(), size, fill);
    return blob;
  }
  // Adds an argument that a Blob holds.
  void add(Blob blob) {
    batch_.owned.push_back({static_cast<uint32_t>(batch_.args.size()), std::move(blob)});
    batch_.args.push_back(batch_.owned.back().blob.view());
  }
  void add(std::string_view text) { batch_.args.push_back(text); }
  // Executes the arguments added as dispatch does. Afterwards all of them can still be read.
  void execute() {
    std::vector<std::string> before(batch_.args.begin(), batch_.args.end());
    CommandEntry& entry = *n.node->commands().find(batch_.args[0]);
    Context c(n.node->services(), {.session = *n.session,
                                   .command = entry,
                                   .args = batch_.args,
                                   .reply = ReplyWriter(n.session->output, Protocol::resp2),
                                   .db = 0,
                                   .sets_clock = true});
    c.set_batch(&batch_, 0);
    entry.row->handler(c);
    EXPECT_FALSE(c.failed());
    EXPECT_TRUE(std::equal(before.begin(), before.end(), batch_.args.begin(), batch_.args.end()));
    n.session->output.clear();
    batch_.clear();
  }
  const void* value_of(std::string_view key) {
    StringScratch scratch;
    Database& db = n.node->keyspace().database(0);
    return string_value(*db.find(key, db.hash(key)), scratch).data();
  }

  static constexpr size_t kLarge = 100'000;
  RequestBatch batch_;
};

TEST_F(LargeArguments, AreTakenOver) {
  for (const std::vector<std::string_view>& around :
       std::vector<std::vector<std::string_view>>{{"SET", "k"},
                                                  {"SET", "k", "", "EX", "100"},
                                                  {"SETEX", "k", "100"},
                                                  {"SETNX", "k"},
                                                  {"GETSET", "k"},
                                                  {"MSET", "other", "1", "k"},
                                                  {"MSETEX", "1", "k", "", "PX", "100000"},
                                                  {"APPEND", "k"}}) {
    n.call({"DEL", "k"});
    Blob blob = blob_of('x', kLarge);
    const void* bytes = blob.data();
    bool added = false;
    for (const std::string_view arg : around) {
      if (!arg.empty()) {
        add(arg);
      } else {
        add(std::move(blob));
        added = true;
      }
    }
    if (!added) add(std::move(blob));
    execute();
    EXPECT_EQ(value_of("k"), bytes) << around[0];
    EXPECT_EQ(n.call({"GET", "k"}), bulk(std::string(kLarge, 'x')));
  }
}

TEST_F(LargeArguments, OfAKeyThatIsSetTwiceStayReadable) {
  for (const std::string_view command : {"MSET", "MSETNX"}) {
    n.call({"DEL", "k"});
    add(command);
    add("k");
    add(blob_of('x', kLarge));
    add(command == "MSET" ? "one" : "two");
    add(blob_of('y', kLarge));
    add("k");
    add(blob_of('z', kLarge));
    execute();
    EXPECT_EQ(n.call({"GET", "k"}), bulk(std::string(kLarge, 'z')));
  }
}

TEST_F(LargeArguments, OfAFieldThatIsSetTwiceStayReadable) {
  for (const std::vector<std::string_view>& command :
       {std::vector<std::string_view>{"HSET", "h"},
        {"HMSET", "h"},
        {"HSETEX", "h", "EX", "100", "FIELDS", "3"}}) {
    n.call({"DEL", "h"});
    for (const std::string_view word : command) add(word);
    add("f");
    add(blob_of('x', kLarge));
    add("g");
    add(blob_of('y', kLarge));
    add("f");
    add(blob_of('z', kLarge));
    execute();
    EXPECT_EQ(n.call({"HGET", "h", "f"}), bulk(std::string(kLarge, 'z')));
    EXPECT_EQ(n.call({"HGET", "h", "g"}), bulk(std::string(kLarge, 'y')));
  }
}

TEST_F(LargeArguments, OfCommandsThatDoNotKeepThem) {
  n.call({"SET", "k", "v"});
  add("SET");
  add("k");
  add(blob_of('x', kLarge));
  add("PXAT");
  add("1");
  execute();
  EXPECT_EQ(n.call({"EXISTS", "k"}), kNo);
  n.call({"SET", "k", "v"});
  add("SETNX");
  add("k");
  add(blob_of('x', kLarge));
  execute();
  EXPECT_EQ(n.call({"GET", "k"}), bulk("v"));
}

}  // namespace
}  // namespace redoubt
