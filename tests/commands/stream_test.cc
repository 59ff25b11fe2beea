// Streams: their effects, and waiting for entries.
#include <gtest/gtest.h>

#include "sim/model/generator.h"
#include "tests/commands/local_node.h"
#include "tests/node/talk.h"

namespace redoubt {
namespace {

TEST(StreamEffects, IdsAreChosen) {
  LocalNode node;
  node.call({"XADD", "s", "*", "f", "v"});
  EXPECT_EQ(node.take_effects(), "SELECT 0\nXADD s 1700000000000-0 f v");
  node.call({"XADD", "s", "NOMKSTREAM", "1700000000000-*", "f", "v"});
  EXPECT_EQ(node.take_effects(), "XADD s 1700000000000-1 f v");
  node.call({"XADD", "s", "1800000000000", "f", "v"});
  EXPECT_EQ(node.take_effects(), "XADD s 1800000000000 f v");
}

TEST(StreamEffects, TrimmingIsExact) {
  LocalNode node({"stream-node-max-entries", "2"});
  for (const char* id : {"1", "2", "3", "4", "5"}) node.call({"XADD", "s", id, "f", "v"});
  node.take_effects();
  node.call({"XADD", "s", "MAXLEN", "~", "3", "6", "f", "v"});
  EXPECT_EQ(node.take_effects(), "XADD s MAXLEN = 4 6-0 f v");
  EXPECT_EQ(node.call({"XTRIM", "s", "MINID", "~", "6"}), ":2\r\n");
  EXPECT_EQ(node.take_effects(), "XTRIM s MINID = 5-0");
  EXPECT_EQ(node.call({"XTRIM", "s", "MINID", "~", "5"}), ":0\r\n");
  EXPECT_EQ(node.take_effects(), "");
  EXPECT_EQ(node.call({"XTRIM", "s", "MINID", "~", "9"}), ":2\r\n");
  EXPECT_EQ(node.take_effects(), "XTRIM s MINID = 9-0");
}

TEST(StreamEffects, DeliveriesAreClaims) {
  LocalNode node;
  node.call({"XADD", "s", "1-1", "f", "v"});
  node.call({"XGROUP", "CREATE", "s", "g", "0"});
  node.take_effects();
  node.call({"XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"});
  EXPECT_EQ(node.take_effects(),
            "MULTI\nXGROUP CREATECONSUMER s g c\n"
            "XCLAIM s g c 0 1-1 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1\n"
            "XGROUP SETID s g 1-1 ENTRIESREAD 1\nEXEC");
  node.call({"XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "0"});
  EXPECT_EQ(node.take_effects(),
            "XCLAIM s g c 0 1-1 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID LASTID 1-1");
  node.call({"XDEL", "s", "1-1"});
  node.take_effects();
  node.call({"XAUTOCLAIM", "s", "g", "c", "0", "0"});
  EXPECT_EQ(node.take_effects(), "XACK s g 1-1");
  node.call({"XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"});
  EXPECT_EQ(node.take_effects(), "");
}

TEST(StreamEffects, ReadingAgainWhatPendsIsNoChange) {
  for (const std::string_view limit : {"COUNT", "MAXCOUNT"}) {
    LocalNode node;
    node.call({"XADD", "s", "1-1", "f", "v"});
    node.call({"XGROUP", "CREATE", "s", "g", "0"});
    node.call({"XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"});
    node.call({"WATCH", "s"});
    const uint64_t changes = node.node->keyspace().changes();
    node.call({"XREADGROUP", "GROUP", "g", "c", limit, "5", "STREAMS", "s", "0"});
    EXPECT_EQ(node.node->keyspace().changes(), changes);
    node.call({"MULTI"});
    EXPECT_EQ(node.call({"EXEC"}), "*0\r\n") << "nobody touched the key";
    EXPECT_NE(node.call({"XPENDING", "s", "g", "-", "+", "1"}).find(":2\r\n"), std::string::npos);
  }
}

TEST(StreamEffects, HowFarAGroupHasReadFollows) {
  LocalNode node;
  for (const char* id : {"1", "2", "3", "4", "5"}) node.call({"XADD", "s", id, "f", "v"});
  node.call({"XGROUP", "CREATE", "s", "g", "0"});
  node.call({"XTRIM", "s", "MINID", "3"});
  node.take_effects();
  node.call({"XREADGROUP", "GROUP", "g", "c", "NOACK", "COUNT", "2", "STREAMS", "s", ">"});
  EXPECT_EQ(node.take_effects(), "XGROUP CREATECONSUMER s g c\nXGROUP SETID s g 4-0 ENTRIESREAD 4");
  node.call({"XGROUP", "SETID", "s", "g", "3", "ENTRIESREAD", "77"});
  const std::string groups = node.call({"XINFO", "GROUPS", "s"});
  EXPECT_NE(groups.find("$12\r\nentries-read\r\n:3\r\n$3\r\nlag\r\n:2\r\n"), std::string::npos)
      << groups;
}

// --- The effects of a run, executed by an empty node, give the same data -------------------------

class Follower : public EffectConsumer {
 public:
  explicit Follower(LocalNode& target) : target_(target) {}

  void on_effect(std::string_view bytes, uint64_t) override {
    for (size_t at = 0; at < bytes.size();) {
      size_t count = number(bytes, at);
      std::vector<std::string_view> args;
      for (; count > 0; --count) {
        const size_t size = number(bytes, at);
        args.push_back(bytes.substr(at, size));
        at += size + 2;
      }
      const std::string reply = target_.call(args);
      EXPECT_NE(reply[0], '-') << reply << " to " << bytes;
    }
  }

 private:
  // The number of a line "*3" or "$3"; `at` moves behind it.
  static size_t number(std::string_view bytes, size_t& at) {
    const size_t end = bytes.find("\r\n", at);
    const size_t value = std::stoul(std::string(bytes.substr(at + 1, end - at - 1)));
    at = end + 2;
    return value;
  }

  LocalNode& target_;
};

TEST(StreamEffects, AnEmptyNodeFollows) {
  sim::GeneratorConfig config;
  for (unsigned& weight : config.weights) weight = 0;
  config.weights[static_cast<size_t>(sim::CommandFamily::stream)] = 30;
  config.weights[static_cast<size_t>(sim::CommandFamily::hyperloglog)] = 5;
  config.weights[static_cast<size_t>(sim::CommandFamily::generic)] = 1;
  config.keys = 5;
  config.flush = false;
  config.deadline_per_mille = 0;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const std::vector<std::string_view> settings = {
        "stream-node-max-entries", seed % 2 == 0 ? "3" : "100", "stream-node-max-bytes",
        seed % 3 == 0 ? "150" : "4096"};
    LocalNode target(settings);
    LocalNode source(settings);
    Follower follower(target);
    source.node->effects().attach(follower);
    sim::CommandGenerator generator(config, seed);
    for (int i = 0; i < 4000; ++i) {
      source.pass_ms(3);
      target.pass_ms(3);
      const sim::GeneratedCommand made = generator.next(kQuietStart_ms + 3 * i);
      source.call(made.arguments);
      if (i % 50 == 49) {
        Digest a;
        Digest b;
        source.node->keyspace().database(0).digest(a, 0);
        target.node->keyspace().database(0).digest(b, 0);
        ASSERT_EQ(a, b) << "seed " << seed << " step " << i << ": "
                        << source.call({"XINFO", "STREAM", "k0", "FULL"}) << "\n"
                        << target.call({"XINFO", "STREAM", "k0", "FULL"});
      }
    }
    source.node->effects().detach(follower);
  }
}

// --- Waiting -------------------------------------------------------------------------------------

std::string one_entry(std::string_view id) {
  return "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n" + std::string(id) +
         "\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n";
}

TEST(StreamWaiting, EntriesBehindTheLastOne) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  talk.say(b, "XADD s 1-1 f v\r\n");
  EXPECT_EQ(talk.say(a, "XREAD BLOCK 0 STREAMS s t $ $\r\n"), "");
  talk.say(b, "XDEL s 1-1\r\n");
  EXPECT_EQ(talk.client(a).take(), "");
  talk.say(b, "XADD s 2-1 f v\r\n");
  EXPECT_EQ(talk.client(a).take(), one_entry("2-1"));
  EXPECT_EQ(talk.say(a, "XREAD BLOCK 10 STREAMS s $\r\n"), "*-1\r\n");
}

TEST(StreamWaiting, ConsumersAreServedInTurn) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  const size_t c = talk.connect();
  talk.say(c, "XGROUP CREATE s g $ MKSTREAM\r\n");
  EXPECT_EQ(talk.say(a, "XREADGROUP GROUP g x BLOCK 0 STREAMS s >\r\n"), "");
  EXPECT_EQ(talk.say(b, "XREADGROUP GROUP g y BLOCK 0 STREAMS s >\r\n"), "");
  talk.say(c, "XADD s 1-1 f v\r\n");
  EXPECT_EQ(talk.client(a).take(), one_entry("1-1"));
  EXPECT_EQ(talk.client(b).take(), "");
  talk.say(c, "XADD s 2-1 f v\r\n");
  EXPECT_EQ(talk.client(b).take(), one_entry("2-1"));
}

TEST(StreamWaiting, TheGroupGoes) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  for (const std::string command : {"DEL s", "XGROUP DESTROY s g"}) {
    talk.say(b, "XGROUP CREATE s g $ MKSTREAM\r\n");
    EXPECT_EQ(talk.say(a, "XREADGROUP GROUP g x BLOCK 0 STREAMS s >\r\n"), "");
    talk.say(b, command + "\r\n");
    EXPECT_TRUE(talk.client(a).take().starts_with("-NOGROUP ")) << command;
  }
  talk.say(b, "XGROUP CREATE s g $ MKSTREAM\r\n");
  EXPECT_EQ(talk.say(a, "XREADGROUP GROUP g x BLOCK 0 STREAMS s >\r\n"), "");
  talk.say(b, "SET s x\r\n");
  EXPECT_TRUE(talk.client(a).take().starts_with("-WRONGTYPE "));
}

// --- HyperLogLog ---------------------------------------------------------------------------------

TEST(HyperLogLogEffects, ADamagedValueIsRefusedAndStaysAsItIs) {
  using namespace std::string_literals;
  // Sparse, and ends after a hundred registers.
  const std::string damaged = "HYLL\x01\0\0\0"s + std::string(8, '\0') + "\x40\x63";
  LocalNode n;
  std::string inside;
  std::string outside;
  for (int i = 0; inside.empty() || outside.empty(); ++i) {
    n.call({"SET", "k", damaged});
    (n.call({"PFADD", "k", std::to_string(i)}) == ":1\r\n" ? inside : outside) = std::to_string(i);
  }
  n.call({"SET", "k", damaged});
  n.take_effects();
  for (const std::string& first : {outside, inside}) {
    EXPECT_EQ(n.call({"PFADD", "k", first, outside}).substr(0, 11), "-INVALIDOBJ");
    EXPECT_EQ(n.take_effects(), "");
    EXPECT_EQ(n.call({"GET", "k"}), "$18\r\n" + damaged + "\r\n");
  }
}

// A sparse value that has to become dense for an element, and cannot.
TEST(HyperLogLogEffects, ADamagedValueThatIsTooLargeStaysAsItIs) {
  using namespace std::string_literals;
  LocalNode n;
  n.call({"CONFIG", "SET", "hll-sparse-max-bytes", "18"});
  const std::string damaged = "HYLL\x01\0\0\0"s + std::string(8, '\0') + "\x7f\xfe";
  n.call({"SET", "k", damaged});
  n.take_effects();
  EXPECT_EQ(n.call({"PFADD", "k", "a", "b", "c"}).substr(0, 11), "-INVALIDOBJ");
  EXPECT_EQ(n.take_effects(), "");
  EXPECT_EQ(n.call({"GET", "k"}), "$18\r\n" + damaged + "\r\n");
}

// --- XREADGROUP CLAIM ----------------------------------------------------------------------------

// An entry of the stream s, and how it was delivered before.
std::string claimed(std::string_view id, int64_t idle, int64_t deliveries) {
  return "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*4\r\n$3\r\n" + std::string(id) +
         "\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n:" + std::to_string(idle) +
         "\r\n:" + std::to_string(deliveries) + "\r\n";
}

// One client has the entry 1-1, and is heard of no more.
size_t with_pending_entry(Talk& talk) {
  const size_t a = talk.connect();
  talk.say(a, "XADD s 1-1 f v\r\nXGROUP CREATE s g 0\r\n");
  talk.say(a, "XREADGROUP GROUP g gone STREAMS s >\r\n");
  return a;
}

TEST(StreamClaims, WhoWaitsGetsWhatBecomesIdleMeanwhile) {
  Talk talk;
  with_pending_entry(talk);
  const size_t b = talk.connect();
  talk.send(b, "XREADGROUP GROUP g b BLOCK 60000 CLAIM 5000 STREAMS s >\r\n");
  talk.run(Duration::milliseconds(2900));
  EXPECT_EQ(talk.client(b).received(), "");
  talk.run(Duration::milliseconds(2200));
  const std::string got = talk.client(b).take();
  EXPECT_TRUE(got == claimed("1-1", 5000, 1) || got == claimed("1-1", 5001, 1)) << got;
}

TEST(StreamClaims, TheFirstToWaitClaimsAndTheOthersWaitOn) {
  Talk talk;
  const size_t a = with_pending_entry(talk);
  const size_t b = talk.connect();
  const size_t c = talk.connect();
  talk.send(b, "XREADGROUP GROUP g b BLOCK 60000 CLAIM 10000 STREAMS s >\r\n");
  talk.run(Duration::milliseconds(10));
  talk.send(c, "XREADGROUP GROUP g c BLOCK 30000 CLAIM 10000 STREAMS s >\r\n");
  talk.run(Duration::seconds(11));
  EXPECT_NE(talk.client(b).take(), "");
  EXPECT_EQ(talk.client(c).take(), "");
  // What b has now is idle in its turn, ten seconds later.
  talk.run(Duration::seconds(11));
  EXPECT_NE(talk.client(c).take().find(":2\r\n"), std::string::npos);
  EXPECT_EQ(talk.say(a, "XPENDING s g\r\n"),
            "*4\r\n:1\r\n$3\r\n1-1\r\n$3\r\n1-1\r\n*1\r\n*2\r\n$1\r\nc\r\n$1\r\n1\r\n");
}

TEST(StreamClaims, TimeRunsOutBeforeAnythingIsIdle) {
  Talk talk;
  with_pending_entry(talk);
  const size_t b = talk.connect();
  EXPECT_EQ(talk.say(b, "XREADGROUP GROUP g b BLOCK 300 CLAIM 100000 STREAMS s >\r\n"), "*-1\r\n");
}

TEST(StreamClaims, AnEntryThatIsGivenBackServesWhoWaits) {
  Talk talk;
  const size_t a = with_pending_entry(talk);
  const size_t b = talk.connect();
  talk.say(b, "XREADGROUP GROUP g b BLOCK 0 CLAIM 1000000 STREAMS s >\r\n");
  EXPECT_EQ(talk.say(a, "XNACK s g SILENT IDS 1 1-1\r\n"), ":1\r\n");
  EXPECT_EQ(talk.client(b).take(), claimed("1-1", -1, 0));
}

TEST(StreamClaims, WithManyPendingEntriesOnlyTheFirstAreLookedAt) {
  LocalNode n;
  for (int i = 1; i <= 20'000; ++i) n.call({"XADD", "s", std::to_string(i) + "-1", "f", "v"});
  n.call({"XGROUP", "CREATE", "s", "g", "0"});
  n.call({"XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">"});
  n.pass_ms(100);
  const uint64_t before = n.env.work();
  n.call({"XREADGROUP", "GROUP", "g", "b", "COUNT", "10", "CLAIM", "50", "STREAMS", "s", ">"});
  n.call({"XREADGROUP", "GROUP", "g", "b", "CLAIM", "1000", "STREAMS", "s", ">"});
  EXPECT_LT(n.env.work() - before, 100u);
}

TEST(StreamClaims, DeliveriesAreCountedAsFarAsAReplyCanSay) {
  LocalNode n;
  n.call({"XADD", "s", "1-1", "f", "v"});
  n.call({"XGROUP", "CREATE", "s", "g", "0"});
  n.call({"XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">"});
  EXPECT_EQ(n.call({"XNACK", "s", "g", "FATAL", "IDS", "1", "1-1"}), ":1\r\n");
  n.call({"XCLAIM", "s", "g", "a", "0", "1-1"});
  n.call({"XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", "0"});
  n.call({"XREADGROUP", "GROUP", "g", "b", "CLAIM", "0", "STREAMS", "s", ">"});
  EXPECT_EQ(n.call({"XPENDING", "s", "g", "-", "+", "1"}),
            "*1\r\n*4\r\n$3\r\n1-1\r\n$1\r\nb\r\n:0\r\n:9223372036854775807\r\n");
}

TEST(StreamClaims, CommandGetkeysKnowsTheNewerOptions) {
  LocalNode n;
  EXPECT_EQ(n.call({"COMMAND", "GETKEYS", "XREADGROUP", "GROUP", "g", "c", "CLAIM", "5", "MAXCOUNT",
                    "3", "MAXSIZE", "9", "STREAMS", "a", "b", ">", ">"}),
            "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
}

}  // namespace
}  // namespace redoubt
