// Streams: messages that are added once: XADD IDMP and IDMPAUTO, XCFGSET, XIDMPRECORD.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sim/model/generator.h"
#include "tests/commands/local_node.h"

namespace redoubt {
namespace {

constexpr std::string_view kFirst = "$15\r\n1700000000000-0\r\n";
constexpr std::string_view kSecond = "$15\r\n1700000000000-1\r\n";

TEST(StreamMessages, AreAddedOnce) {
  LocalNode node;
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"}), kFirst);
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "other"}), kFirst);
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "q", "a", "*", "f", "v"}), kSecond);
  EXPECT_EQ(node.call({"XLEN", "s"}), ":2\r\n");
  // The entry may be gone.
  node.call({"XDEL", "s", "1700000000000-0"});
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"}), kFirst);
  EXPECT_EQ(node.call({"XLEN", "s"}), ":1\r\n");
  node.call({"DEL", "s"});
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "a", "MAXLEN", "0", "*", "f", "v"}), kFirst);
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"}), kFirst);
  EXPECT_EQ(node.call({"XLEN", "s"}), ":0\r\n");
}

TEST(StreamMessages, MayBeKnownByWhatTheyHold) {
  LocalNode node;
  EXPECT_EQ(node.call({"XADD", "s", "IDMPAUTO", "p", "*", "f", "v", "g", "w"}), kFirst);
  EXPECT_EQ(node.call({"XADD", "s", "IDMPAUTO", "p", "*", "g", "w", "f", "v"}), kFirst);
  EXPECT_EQ(node.call({"XADD", "s", "IDMPAUTO", "p", "*", "f", "w", "g", "v"}), kSecond);
  EXPECT_EQ(node.call({"XADD", "s", "IDMPAUTO", "p", "*", "f", "v"}), "$15\r\n1700000000000-2\r\n");
  EXPECT_EQ(node.call({"XADD", "s", "IDMPAUTO", "p", "*", "fv", ""}), "$15\r\n1700000000000-3\r\n");
  EXPECT_EQ(node.call({"XADD", "s", "IDMPAUTO", "q", "*", "f", "v"}), "$15\r\n1700000000000-4\r\n");
}

TEST(StreamMessages, AreForgottenBehindTheirLastMillisecond) {
  LocalNode node({"stream-idmp-duration", "2"});
  node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"});
  node.pass_ms(2000);
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"}), kFirst);
  node.pass_ms(1);
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"}),
            "$15\r\n1700000002001-0\r\n");
}

TEST(StreamMessages, OfAProducerOnlyTheNewestAreKnown) {
  LocalNode node({"stream-idmp-maxsize", "2"});
  for (const char* id : {"a", "b", "c"}) {
    node.call({"XADD", "s", "IDMP", "p", id, "*", "f", "v"});
  }
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "c", "*", "f", "v"}),
            "$15\r\n1700000000000-2\r\n");
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "b", "*", "f", "v"}), kSecond);
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"}),
            "$15\r\n1700000000000-3\r\n");
}

TEST(StreamMessages, AnExhaustedStreamStillKnowsThem) {
  LocalNode node;
  node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"});
  node.call({"XADD", "s", "18446744073709551615-18446744073709551615", "f", "v"});
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"}), kFirst);
  EXPECT_TRUE(node.call({"XADD", "s", "IDMP", "p", "b", "*", "f", "v"}).starts_with("-ERR"));
  // Nothing is remembered of what was refused.
  EXPECT_NE(node.call({"XINFO", "STREAM", "s"}).find("iids-tracked\r\n:1\r\n"), std::string::npos);
}

TEST(StreamMessages, ADuplicateChangesNothing) {
  LocalNode node;
  node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"});
  node.take_effects();
  const std::string before = node.digest();
  node.call({"WATCH", "s"});
  node.call({"XADD", "s", "IDMP", "p", "a", "MAXLEN", "0", "*", "f", "v"});
  EXPECT_EQ(node.take_effects(), "");
  EXPECT_EQ(node.digest(), before);
  node.call({"MULTI"});
  node.call({"XLEN", "s"});
  EXPECT_EQ(node.call({"EXEC"}), "*1\r\n:1\r\n");
  const std::string info = node.call({"XINFO", "STREAM", "s"});
  EXPECT_NE(info.find("iids-duplicates\r\n:1\r\n"), std::string::npos) << info;
}

TEST(StreamMessages, EffectsSayWhatIsRemembered) {
  LocalNode node({"stream-idmp-duration", "50", "stream-idmp-maxsize", "7"});
  node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"});
  EXPECT_EQ(node.take_effects(),
            "SELECT 0\n"
            "XADD s IDMP p a IDMP-RECORDED 1700000000000 50 7 1700000000000-0 f v");
  node.call({"XCFGSET", "s", "IDMP-MAXSIZE", "9"});
  EXPECT_EQ(node.take_effects(), "XCFGSET s IDMP-DURATION 50 IDMP-MAXSIZE 9");
  node.call({"XCFGSET", "s", "IDMP-MAXSIZE", "9"});
  EXPECT_EQ(node.take_effects(), "");
  node.pass_ms(5);
  node.call({"XADD", "s", "MAXLEN", "~", "3", "IDMP", "p", "b", "*", "f", "v"});
  EXPECT_EQ(node.take_effects(),
            "XADD s MAXLEN = 2 IDMP p b IDMP-RECORDED 1700000000005 50 9 1700000000005-0 f v");
}

TEST(StreamMessages, AnEffectMeansTheSameLaterAndElsewhere) {
  LocalNode node({"stream-idmp-duration", "3"});
  LocalNode later({"stream-idmp-duration", "80", "stream-idmp-maxsize", "1"});
  later.pass_ms(500'000);
  node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"});
  later.call({"XADD", "s", "IDMP", "p", "a", "IDMP-RECORDED", "1700000000000", "3", "100",
              "1700000000000-0", "f", "v"});
  EXPECT_EQ(later.digest(), node.digest());
  node.pass_ms(4000);
  node.call({"XADD", "s", "IDMP", "p", "b", "*", "f", "v"});
  later.call({"XADD", "s", "IDMP", "p", "b", "IDMP-RECORDED", "1700000004000", "3", "100",
              "1700000004000-0", "f", "v"});
  EXPECT_EQ(later.digest(), node.digest());
  EXPECT_TRUE(later
                  .call({"XADD", "s", "IDMP", "p", "c", "IDMP-RECORDED", "1700000004000", "3",
                         "100", "*", "f", "v"})
                  .starts_with("-ERR syntax"));
  EXPECT_TRUE(later
                  .call({"XADD", "s", "IDMP-RECORDED", "1700000004000", "3", "100", "1800000000000",
                         "f", "v"})
                  .starts_with("-ERR syntax"));
}

// Effects as a list of commands.
class EffectsList : public EffectConsumer {
 public:
  std::vector<std::vector<std::string>> commands;

  void on_effect(std::string_view bytes, uint64_t) override {
    const auto number = [&] {
      const size_t end = bytes.find("\r\n");
      const size_t value = std::stoul(std::string(bytes.substr(1, end - 1)));
      bytes.remove_prefix(end + 2);
      return value;
    };
    while (!bytes.empty()) {
      commands.emplace_back();
      for (size_t count = number(); count > 0; --count) {
        const size_t size = number();
        commands.back().emplace_back(bytes.substr(0, size));
        bytes.remove_prefix(size + 2);
      }
    }
  }
};

// Whatever producers do, a node that executes the effects long after, with other settings, holds
// the same.
RC_GTEST_PROP(StreamMessagesProperties, EffectsDoNotDependOnTimeOrSettings, ()) {
  LocalNode node({"stream-idmp-duration", "1", "stream-idmp-maxsize", "3"});
  LocalNode later;
  EffectsList effects;
  node.node->effects().attach(effects);
  const auto seeds = *rc::gen::container<std::vector<uint64_t>>(rc::gen::arbitrary<uint64_t>());
  for (const uint64_t seed : seeds) {
    const std::string producer = "p" + std::to_string(seed % 3);
    const std::string id = "m" + std::to_string(seed / 3 % 5);
    const std::string size = std::to_string(1 + seed / 16 % 3);
    switch (seed % 8) {
      case 0: node.call({"XCFGSET", "s", "IDMP-MAXSIZE", size}); break;
      case 1: node.call({"XADD", "s", "IDMPAUTO", producer, "*", "f", size}); break;
      case 2: node.call({"COPY", "s", "t", "REPLACE"}); break;
      case 3: node.call({"XADD", "s", "NOMKSTREAM", "IDMP", producer, id, "*", "f", "v"}); break;
      case 4:
        node.call({"XADD", "t", "MAXLEN", "~", size, "IDMP", producer, id, "*", "f", "v"});
        break;
      default: node.call({"XADD", "s", "IDMP", producer, id, "*", "f", "v"}); break;
    }
    node.pass_ms(static_cast<int64_t>(seed % 700));
  }
  node.node->effects().detach(effects);
  later.pass_ms(1'000'000'000);
  for (const std::vector<std::string>& command : effects.commands) {
    const std::string reply = later.call(command);
    RC_ASSERT(!reply.starts_with('-'));
  }
  RC_ASSERT(later.digest() == node.digest());
}

TEST(StreamMessages, WhatIsWrongIsSaid) {
  LocalNode node;
  const auto error = [&](std::vector<std::string_view> args) {
    const std::string reply = node.call(std::move(args));
    return reply.substr(0, reply.find('\r'));
  };
  const std::string bad_id = "-ERR Invalid stream ID specified as stream command argument";
  EXPECT_EQ(error({"XADD", "s", "IDMP", "p", "*", "f", "v"}), bad_id);
  EXPECT_EQ(error({"XADD", "s", "IDMP", "p", "a", "x", "f", "v"}), bad_id);
  const std::string only = "-ERR IDMP/IDMPAUTO can be used only with auto-generated IDs";
  EXPECT_EQ(error({"XADD", "s", "IDMP", "p", "a", "1-1", "f", "v"}), only);
  EXPECT_EQ(error({"XADD", "s", "IDMPAUTO", "p", "1-*", "f", "v"}), only);
  const std::string twice = "-ERR IDMP/IDMPAUTO specified multiple times";
  EXPECT_EQ(error({"XADD", "s", "IDMP", "p", "a", "IDMPAUTO", "p", "*", "f", "v"}), twice);
  EXPECT_EQ(error({"XADD", "s", "IDMP", "", "a", "*", "f", "v"}),
            "-ERR IDMP requires a non-empty producer ID");
  EXPECT_EQ(error({"XADD", "s", "IDMP", "p", "", "*", "f", "v"}),
            "-ERR IDMP requires a non-empty idempotent ID");
  EXPECT_EQ(error({"XADD", "s", "IDMPAUTO", "", "*", "f", "v"}),
            "-ERR IDMPAUTO requires a non-empty producer ID");
  EXPECT_EQ(error({"XADD", "s", "IDMP", "p", "a", "*"}),
            "-ERR wrong number of arguments for 'xadd' command");
  EXPECT_EQ(node.call({"XADD", "s", "NOMKSTREAM", "IDMP", "p", "a", "*", "f", "v"}), "$-1\r\n");
  EXPECT_EQ(node.call({"EXISTS", "s"}), ":0\r\n");
}

TEST(StreamMessages, LimitsOfAStream) {
  LocalNode node;
  node.call({"XADD", "s", "1-1", "f", "v"});
  EXPECT_EQ(node.call({"XINFO", "STREAM", "s"}).find("idmp-"), std::string::npos);
  EXPECT_EQ(node.call({"XCFGSET", "s", "IDMP-DURATION", "7"}), "+OK\r\n");
  EXPECT_NE(node.call({"XINFO", "STREAM", "s"})
                .find("$13\r\nidmp-duration\r\n:7\r\n$12\r\nidmp-maxsize\r\n:100\r\n"
                      "$12\r\npids-tracked\r\n:0\r\n$12\r\niids-tracked\r\n:0\r\n"
                      "$10\r\niids-added\r\n:0\r\n$15\r\niids-duplicates\r\n:0\r\n"
                      "$6\r\ngroups\r\n"),
            std::string::npos);
  EXPECT_TRUE(node.call({"XINFO", "STREAM", "s", "FULL"}).starts_with("*30\r\n"));
  EXPECT_TRUE(node.call({"XINFO", "STREAM", "s"}).starts_with("*32\r\n"));
  node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"});
  // The same again keeps what is remembered, others do not. The counts go on.
  node.call({"XCFGSET", "s", "IDMP-DURATION", "7", "IDMP-MAXSIZE", "100"});
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"}), kFirst);
  node.call({"XCFGSET", "s", "IDMP-MAXSIZE", "101"});
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"}), kSecond);
  EXPECT_NE(node.call({"XINFO", "STREAM", "s"})
                .find("iids-added\r\n:2\r\n$15\r\niids-duplicates\r\n:1\r\n"),
            std::string::npos);
}

TEST(StreamMessages, RecordsOfEntriesThatAreThere) {
  LocalNode node;
  node.call({"XADD", "s", "1700000000000-5", "f", "v"});
  node.call({"XADD", "s", "1700000000000-6", "f", "v"});
  node.take_effects();
  EXPECT_EQ(node.call({"XIDMPRECORD", "s", "p", "a", "1700000000000-5"}), "+OK\r\n");
  EXPECT_EQ(node.take_effects(), "XIDMPRECORD s p a 1700000000000-5");
  EXPECT_EQ(node.call({"XIDMPRECORD", "s", "p", "a", "1700000000000-5"}), "+OK\r\n");
  EXPECT_EQ(node.take_effects(), "");
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"}),
            "$15\r\n1700000000000-5\r\n");
  EXPECT_EQ(node.call({"XIDMPRECORD", "s", "p", "a", "1700000000000-6"}),
            "-ERR The message is recorded for another entry\r\n");
  EXPECT_EQ(node.call({"XIDMPRECORD", "s", "p", "b", "1700000000000-7"}),
            "-ERR XIDMPRECORD requires the ID of an entry of the stream\r\n");
  EXPECT_EQ(node.call({"XIDMPRECORD", "none", "p", "b", "1-1"}), "-ERR no such key\r\n");
}

TEST(StreamMessages, AreRememberedByCopiesAndForgottenWhenUndone) {
  LocalNode node;
  node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"});
  node.call({"COPY", "s", "t"});
  EXPECT_EQ(node.call({"XADD", "t", "IDMP", "p", "a", "*", "f", "v"}), kFirst);
  node.call({"CLIENT", "TRANSACTION", "ROLLBACK", "ON"});
  node.call({"MULTI"});
  node.call({"XADD", "s", "IDMP", "p", "b", "*", "f", "v"});
  node.call({"XCFGSET", "s", "IDMP-MAXSIZE", "1"});
  node.call({"HSET", "s", "f", "v"});
  EXPECT_TRUE(node.call({"EXEC"}).starts_with("-EXECABORT"));
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "a", "*", "f", "v"}), kFirst);
  EXPECT_EQ(node.call({"XADD", "s", "IDMP", "p", "b", "*", "f", "v"}), kSecond);
}

TEST(StreamMessages, WhatIsForgottenAllAtOnceIsFreedBesideTheCommand) {
  LocalNode node;
  node.call({"XADD", "s", "1-1", "f", "v"});
  node.call({"XCFGSET", "s", "IDMP-MAXSIZE", "10000"});
  for (int i = 0; i < 9000; ++i) {
    node.call({"XADD", "s", "MAXLEN", "1", "IDMP", "p", std::to_string(i), "*", "f", "v"});
  }
  const size_t before = node.node->used_memory();
  node.call({"XCFGSET", "s", "IDMP-MAXSIZE", "1"});
  EXPECT_GT(node.node->keyspace().database(0).remains().count(), 0u);
  node.pass_ms(1000);
  for (int i = 0; i < 100; ++i) node.turn();
  EXPECT_EQ(node.node->keyspace().database(0).remains().count(), 0u);
  EXPECT_LT(node.node->used_memory() + 9000 * 40, before);
}

}  // namespace
}  // namespace redoubt
