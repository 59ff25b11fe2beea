#include <gtest/gtest.h>

#include "tests/node/fake_log.h"
#include "tests/node/talk.h"

namespace redoubt {
namespace {

TEST(Sessions, PipelinedRequestsAreAnsweredInOrder) {
  Talk talk;
  const size_t c = talk.connect();
  EXPECT_EQ(talk.say(c, "SET a 1\r\nINCR a\r\nGET a\r\nnosuch\r\nPING\r\n"),
            "+OK\r\n:2\r\n$1\r\n2\r\n-ERR unknown command 'nosuch', with args beginning with: \r\n"
            "+PONG\r\n");
}

TEST(Sessions, AProtocolErrorIsAnsweredAfterWhatWasGoodAndCloses) {
  Talk talk;
  const size_t c = talk.connect();
  EXPECT_EQ(talk.say(c, "PING\r\n*1\r\n!oops"),
            "+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n");
  EXPECT_TRUE(talk.client(c).closed());
  EXPECT_EQ(talk.node().clients().sessions().count(), 0u);
}

TEST(Sessions, QuitAnswersAndCloses) {
  Talk talk;
  const size_t c = talk.connect();
  EXPECT_EQ(talk.say(c, "QUIT\r\nPING\r\n"), "+OK\r\n");
  EXPECT_TRUE(talk.client(c).closed());
}

TEST(Sessions, MaxclientsRefusesTheNextOne) {
  Talk talk({"--maxclients", "2"});
  talk.connect();
  const size_t second = talk.connect();
  const size_t third = talk.connect();
  EXPECT_EQ(talk.client(third).received(), "-ERR max number of clients reached\r\n");
  EXPECT_TRUE(talk.client(third).closed());
  EXPECT_EQ(talk.say(second, "PING\r\n"), "+PONG\r\n");
  EXPECT_EQ(talk.node().stats().rejected_connections, 1u);
}

TEST(Sessions, ProtectedModeRefusesOthersThanThisMachine) {
  Talk talk({"--protected-mode", "yes"});
  const size_t c = talk.connect();
  EXPECT_EQ(talk.client(c).received().substr(0, 8), "-DENIED ");
  EXPECT_TRUE(talk.client(c).closed());
}

TEST(Sessions, APasswordIsAskedFor) {
  Talk talk({"--requirepass", "secret"});
  const size_t c = talk.connect();
  EXPECT_EQ(talk.say(c, "GET a\r\n"), "-NOAUTH Authentication required.\r\n");
  EXPECT_EQ(talk.say(c, "AUTH wrong\r\n").substr(0, 10), "-WRONGPASS");
  EXPECT_EQ(talk.say(c, "*1\r\n$20000\r\n"),
            "-ERR Protocol error: unauthenticated bulk length\r\n");
  const size_t d = talk.connect();
  EXPECT_EQ(talk.say(d, "AUTH secret\r\nGET a\r\n"), "+OK\r\n$-1\r\n");
}

// SET with a value larger than a client may send that has not authenticated.
std::string large_set() {
  const std::string value(20'000, 'v');
  return "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$20000\r\n" + value + "\r\n";
}

TEST(Sessions, AuthenticationCountsForWhatStandsBehindItInTheSameWrite) {
  std::string many = "*12\r\n$4\r\nMGET\r\n";
  for (int i = 0; i < 11; ++i) many += "$1\r\na\r\n";
  const std::string none =
      "*11\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n"
      "$-1\r\n";
  Talk talk({"--requirepass", "secret"});
  const size_t a = talk.connect();
  EXPECT_EQ(talk.say(a, "AUTH secret\r\n" + many + "PING\r\n"), "+OK\r\n" + none + "+PONG\r\n");
  const size_t b = talk.connect();
  EXPECT_EQ(talk.say(b, "PING\r\nAUTH secret\r\n" + large_set() + "STRLEN a\r\n"),
            "-NOAUTH Authentication required.\r\n+OK\r\n+OK\r\n:20000\r\n");
  const size_t c = talk.connect();
  const std::string greeting =
      talk.say(c, "HELLO 2 AUTH default secret\r\n" + large_set() + "STRLEN a\r\n");
  EXPECT_TRUE(greeting.ends_with("+OK\r\n:20000\r\n")) << greeting;
  EXPECT_FALSE(talk.client(c).closed());
}

TEST(Sessions, ALargeRequestBehindAWrongPasswordIsRefused) {
  Talk talk({"--requirepass", "secret"});
  for (const std::string_view first : {"AUTH wrong\r\n", "PING\r\n"}) {
    const size_t c = talk.connect();
    const std::string reply = talk.say(c, std::string(first) + "*1\r\n$20000\r\n");
    EXPECT_TRUE(reply.ends_with("-ERR Protocol error: unauthenticated bulk length\r\n")) << reply;
    EXPECT_TRUE(talk.client(c).closed());
  }
}

TEST(Sessions, AuthenticationThatWaitsForTheEndOfAPauseCountsToo) {
  Talk talk({"--requirepass", "secret"});
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  EXPECT_EQ(talk.say(a, "AUTH secret\r\nCLIENT PAUSE 3000 ALL\r\n"), "+OK\r\n+OK\r\n");
  EXPECT_EQ(talk.say(b, "AUTH secret\r\n" + large_set() + "STRLEN a\r\n"), "");
  talk.run(Duration::seconds(4));
  EXPECT_EQ(talk.client(b).take(), "+OK\r\n+OK\r\n:20000\r\n");
}

TEST(Sessions, RepliesToWhoHasNotAuthenticatedDoNotPileUp) {
  Talk talk({"--requirepass", "secret"});
  const size_t reader = talk.connect();
  const size_t deaf = talk.connect();
  talk.client(deaf).stop_reading();
  talk.say(deaf, "PING\r\n");
  std::string pings;
  for (int i = 0; i < 10'000; ++i) pings += "PING\r\n";
  for (int i = 0; i < 30 && talk.node().clients().sessions().count() == 2; ++i) {
    talk.send(deaf, pings);
    talk.run(Duration::milliseconds(100));
  }
  EXPECT_EQ(talk.node().clients().sessions().count(), 1u);
  EXPECT_EQ(talk.node().stats().output_limit_disconnections, 1u);
  EXPECT_EQ(talk.say(reader, "AUTH secret\r\n"), "+OK\r\n");
}

// What it is shown of its own EXEC is more than may wait for it: it must not be closed in the
// middle.
TEST(Sessions, AMonitorWhoseOwnTransactionIsTooMuchForIt) {
  Talk talk({"--client-output-buffer-limit", "normal", "300000", "0", "0"});
  const size_t other = talk.connect();
  const size_t monitor = talk.connect();
  const std::string word(30'000, 'w');
  std::string queue = "MULTI\r\n";
  for (int i = 0; i < 20; ++i) queue += "ECHO " + word + "\r\n";
  talk.say(monitor, queue);
  talk.say(monitor, "MONITOR\r\n");
  talk.send(monitor, "EXEC\r\nSET after 1\r\n");
  talk.run();
  EXPECT_EQ(talk.node().clients().sessions().count(), 1u);
  EXPECT_EQ(talk.node().clients().monitors().size(), 0u);
  EXPECT_EQ(talk.say(other, "EXISTS after\r\n"), ":0\r\n");
}

TEST(Sessions, WhatIsBeingReceivedCounts) {
  Talk talk;
  const size_t c = talk.connect();
  talk.say(c, "PING\r\n");
  const size_t before = talk.node().used_memory();
  talk.send(c, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1000000\r\n" + std::string(900'000, 'v'));
  talk.run();
  EXPECT_GT(talk.node().used_memory(), before + 800'000);
  talk.client(c).disconnect();
  talk.run();
  EXPECT_LE(talk.node().used_memory(), before);
}

TEST(Sessions, IdleClientsAreClosed) {
  Talk talk({"--timeout", "5"});
  const size_t busy = talk.connect();
  const size_t idle = talk.connect();
  for (int i = 0; i < 8; ++i) talk.say(busy, "PING\r\n");
  EXPECT_FALSE(talk.client(busy).closed());
  EXPECT_TRUE(talk.client(idle).closed());
}

TEST(Sessions, RepliesThatNobodyReadsEndAtTheLimit) {
  Talk talk({"--client-output-buffer-limit", "normal", "1000000", "0", "0"});
  const size_t reader = talk.connect();
  const size_t slow = talk.connect();
  talk.say(reader, "SETRANGE big 99999 x\r\n");
  talk.client(slow).stop_reading();
  talk.say(slow, "PING\r\n");
  std::string pipeline;
  for (int i = 0; i < 1000; ++i) pipeline += "GET big\r\n";
  talk.send(slow, pipeline);
  talk.run();
  EXPECT_EQ(talk.node().clients().sessions().count(), 1u);
  EXPECT_EQ(talk.node().stats().output_limit_disconnections, 1u);
  EXPECT_EQ(talk.say(reader, "PING\r\n"), "+PONG\r\n");
}

TEST(Sessions, TheSoftOutputLimitEndsAfterItsTime) {
  Talk talk({"--client-output-buffer-limit", "normal", "0", "100000", "3"});
  const size_t slow = talk.connect();
  talk.say(slow, "SETRANGE big 999999 x\r\n");
  talk.client(slow).stop_reading();
  talk.send(slow, "GET big\r\nGET big\r\n");
  talk.run(Duration::seconds(2));
  EXPECT_EQ(talk.node().clients().sessions().count(), 1u);
  talk.run(Duration::seconds(3));
  EXPECT_EQ(talk.node().clients().sessions().count(), 0u);
}

TEST(Sessions, ClientReplyModes) {
  Talk talk;
  const size_t c = talk.connect();
  EXPECT_EQ(talk.say(c, "CLIENT REPLY SKIP\r\nSET a 1\r\nGET a\r\n"), "$1\r\n1\r\n");
  EXPECT_EQ(talk.say(c, "CLIENT REPLY OFF\r\nSET a 2\r\nGET a\r\n"), "");
  EXPECT_EQ(talk.say(c, "CLIENT REPLY ON\r\nGET a\r\n"), "+OK\r\n$1\r\n2\r\n");
}

TEST(Sessions, AKilledClientIsGoneEvenInTheMiddleOfItsPipeline) {
  Talk talk;
  const size_t a = talk.connect();
  const std::string reply = talk.say(a, "CLIENT ID\r\n");
  const std::string id = reply.substr(1, reply.size() - 3);
  EXPECT_EQ(talk.say(a, "SET x 1\r\nCLIENT KILL ID " + id + " SKIPME no\r\nSET x 2\r\n"),
            "+OK\r\n:1\r\n");
  EXPECT_TRUE(talk.client(a).closed());
  const size_t b = talk.connect();
  EXPECT_EQ(talk.say(b, "GET x\r\n"), "$1\r\n1\r\n");
}

TEST(Sessions, APauseHoldsWritesAndThenLetsThemThroughInOrder) {
  Talk talk;
  const size_t admin = talk.connect();
  const size_t writer = talk.connect();
  EXPECT_EQ(talk.say(admin, "CLIENT PAUSE 5000 WRITE\r\n"), "+OK\r\n");
  EXPECT_EQ(talk.say(writer, "GET a\r\nSET a 1\r\nGET a\r\n"), "$-1\r\n");
  EXPECT_EQ(talk.say(admin, "GET a\r\n"), "$-1\r\n");
  EXPECT_EQ(talk.say(admin, "CLIENT UNPAUSE\r\n"), "+OK\r\n");
  EXPECT_EQ(talk.client(writer).take(), "+OK\r\n$1\r\n1\r\n");
}

TEST(Sessions, APauseEndsByItself) {
  Talk talk;
  const size_t c = talk.connect();
  talk.say(c, "CLIENT PAUSE 3000\r\n");
  EXPECT_EQ(talk.say(c, "PING\r\n"), "");
  talk.run(Duration::seconds(3));
  EXPECT_EQ(talk.client(c).take(), "+PONG\r\n");
}

TEST(Sessions, StopLetsRepliesLeaveAndEndsWithStatusZero) {
  Talk talk;
  const size_t c = talk.connect();
  talk.send(c, "SET a 1\r\n");
  talk.run(Duration::milliseconds(10));
  talk.world().stop(0);
  talk.run(Duration::seconds(4));
  EXPECT_FALSE(talk.alive());
  EXPECT_EQ(talk.exit_status(), 0);
  EXPECT_EQ(talk.client(c).take(), "+OK\r\n");
}

// Plays the part of a log: says when the stream of effects is durable.
TEST(Gate, RepliesWaitUntilTheStreamIsDurable) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  FakeLog log;
  talk.node().effects().attach(log);
  const ReplyGate::Source file = talk.node().gate().open_source("file", 0);

  EXPECT_EQ(talk.say(a, "GET x\r\n"), "$-1\r\n");  // depends on nothing
  EXPECT_EQ(talk.say(a, "SET x 1\r\n"), "");
  const uint64_t first = log.offset;
  EXPECT_EQ(talk.say(b, "GET x\r\n"), "") << "a read must not show what may still be lost";
  EXPECT_EQ(talk.say(a, "SET x 2\r\n"), "");
  const uint64_t second = log.offset;
  EXPECT_GT(second, first);

  const auto release = [&](uint64_t offset) { release_gate(talk, file, offset); };
  release(first);
  EXPECT_EQ(talk.client(a).take(), "+OK\r\n");
  EXPECT_EQ(talk.client(b).take(), "$1\r\n1\r\n");
  release(second);
  EXPECT_EQ(talk.client(a).take(), "+OK\r\n");
  EXPECT_EQ(talk.say(b, "GET x\r\n"), "$1\r\n2\r\n");
  talk.node().effects().detach(log);
}

TEST(Gate, AConnectionThatQuitsGetsItsHeldRepliesFirst) {
  Talk talk;
  const size_t a = talk.connect();
  FakeLog log;
  talk.node().effects().attach(log);
  const ReplyGate::Source file = talk.node().gate().open_source("file", 0);
  EXPECT_EQ(talk.say(a, "SET x 1\r\nQUIT\r\n"), "");
  EXPECT_FALSE(talk.client(a).closed());
  release_gate(talk, file, UINT64_MAX);
  EXPECT_EQ(talk.client(a).take(), "+OK\r\n+OK\r\n");
  EXPECT_TRUE(talk.client(a).closed());
  talk.node().effects().detach(log);
}

TEST(Gate, AReadOfAnUntouchedKeyWaitsForNobody) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  FakeLog log;
  talk.node().effects().attach(log);
  const ReplyGate::Source file = talk.node().gate().open_source("file", 0);
  EXPECT_EQ(talk.say(a, "SET x 1\r\nPING\r\n"), "");  // in order, so PING waits too
  EXPECT_EQ(talk.say(b, "GET y\r\nPING\r\n"), "$-1\r\n+PONG\r\n");
  EXPECT_EQ(talk.say(b, "DBSIZE\r\n"), "");
  release_gate(talk, file, log.offset);
  EXPECT_EQ(talk.client(b).take(), ":1\r\n");
  EXPECT_EQ(talk.client(a).take(), "+OK\r\n+PONG\r\n");
  // A miss counts: the key was removed by an entry that may be lost.
  EXPECT_EQ(talk.say(a, "DEL x\r\n"), "");
  EXPECT_EQ(talk.say(b, "GET x\r\n"), "");
  const uint64_t removed = log.offset;
  // A transaction depends on what its commands name; in another database there is another x.
  const size_t c = talk.connect();
  EXPECT_EQ(talk.say(c, "MULTI\r\nGET y\r\nEXEC\r\nSELECT 1\r\nGET x\r\n"),
            "+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n+OK\r\n$-1\r\n");
  EXPECT_EQ(talk.say(c, "SELECT 0\r\nMULTI\r\nGET x\r\nEXEC\r\n"), "+OK\r\n+OK\r\n+QUEUED\r\n");
  release_gate(talk, file, removed);
  EXPECT_EQ(talk.client(c).take(), "*1\r\n$-1\r\n");
  EXPECT_EQ(talk.client(a).take() + talk.client(b).take(), ":1\r\n$-1\r\n");
  talk.node().effects().detach(log);
}

// Closes the gate when an effect was made, before the replies of the turn leave.
struct ClosingLog final : EffectConsumer {
  explicit ClosingLog(Node& served) : node(served), source(node.gate().open_source("file", 0)) {
    node.gate().release(source, UINT64_MAX);
    hook.owner = this;
    hook.run = [](TurnHook& hook) {
      auto& log = *static_cast<ClosingLog*>(hook.owner);
      log.node.gate().close_source(log.source);
    };
    node.dispatcher().replies().set_before_replies(&hook);
    node.effects().attach(*this);
  }
  void on_effect(std::string_view, uint64_t) override { node.env().request(hook); }

  Node& node;
  ReplyGate::Source source;
  TurnHook hook;
};

TEST(Gate, RepliesThatMayLeaveDoSoWhenItClosesWithinTheTurn) {
  Talk talk;
  const size_t a = talk.connect();
  ClosingLog log(talk.node());
  EXPECT_EQ(talk.say(a, "SET x 1\r\n"), "+OK\r\n");
  EXPECT_FALSE(talk.node().gate().active());
  talk.node().effects().detach(log);
  talk.node().dispatcher().replies().set_before_replies(nullptr);
}

TEST(Gate, WhatIsHeldBecomesErrorsWhenTheSourceFails) {
  Talk talk;
  const size_t a = talk.connect();
  FakeLog log;
  talk.node().effects().attach(log);
  const ReplyGate::Source file = talk.node().gate().open_source("file", 0);
  EXPECT_EQ(talk.say(a, "SET x 1\r\nINCR x\r\nMULTI\r\nSET y 1\r\nGET y\r\nEXEC\r\n"), "");
  talk.in_node([&](Node& node) { node.gate().fail(file, "MISCONF the disk is full"); });
  talk.run();
  std::string errors;
  for (int i = 0; i < 6; ++i) errors += "-MISCONF the disk is full\r\n";  // one a request
  EXPECT_EQ(talk.client(a).take(), errors);
  EXPECT_EQ(talk.say(a, "GET z\r\nGET x\r\n"), "$-1\r\n-MISCONF the disk is full\r\n");
  talk.node().effects().detach(log);
}

// Each call is one entry, whatever it does, under the command's own name.
TEST(Effects, ACallIsOneEntry) {
  Talk talk({"--rename-command", "SET", "write"});
  const size_t a = talk.connect();
  struct Entries final : EffectConsumer {
    void on_effect(std::string_view, uint64_t) override { ++count; }
    int count = 0;
  } entries;
  FakeLog log;
  talk.node().effects().attach(entries);
  talk.node().effects().attach(log);
  EXPECT_EQ(talk.say(a, "wrITE k v\r\n"), "+OK\r\n");
  EXPECT_EQ(entries.count, 1);
  EXPECT_NE(log.written.find("$3\r\nSET\r\n$1\r\nk"), std::string::npos) << log.written;
  std::string add = "SADD s";
  for (int i = 0; i < 3000; ++i) add += " " + std::to_string(i) + "m";
  talk.say(a, add + "\r\n");
  log.written.clear();
  talk.say(a, "SPOP s 2500\r\n");
  EXPECT_EQ(entries.count, 3);
  EXPECT_TRUE(log.written.starts_with("*1\r\n$5\r\nMULTI\r\n")) << log.written.substr(0, 100);
  EXPECT_TRUE(log.written.ends_with("*1\r\n$4\r\nEXEC\r\n"));
  talk.node().effects().detach(log);
  talk.node().effects().detach(entries);
}

TEST(Effects, AreDeterministicCommands) {
  Talk talk;
  const size_t a = talk.connect();
  FakeLog log;
  talk.node().effects().attach(log);
  talk.say(a, "SET x 1\r\nGET x\r\nINCR x\r\nDEL nothing\r\nSELECT 2\r\nSET y 2\r\n");
  EXPECT_EQ(log.written,
            "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1\r\n1\r\n"
            "*2\r\n$4\r\nINCR\r\n$1\r\nx\r\n"
            "*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n*3\r\n$3\r\nSET\r\n$1\r\ny\r\n$1\r\n2\r\n");
  log.written.clear();
  talk.say(a, "SET z 1 PX 1500\r\n");
  EXPECT_NE(log.written.find("PXAT"), std::string::npos);
  log.written.clear();
  talk.run();
  EXPECT_EQ(log.written, "*2\r\n$3\r\nDEL\r\n$1\r\nz\r\n") << "active expiry";
  talk.node().effects().detach(log);
}

// --- what stands between a client and what it asks for

TEST(Touch, AlsoForAClientThatDoesNotTouch) {
  Talk talk;
  const size_t a = talk.connect();
  talk.say(a, "SET k v\r\nCLIENT NO-TOUCH on\r\n");
  talk.run(Duration::seconds(10));
  EXPECT_EQ(talk.say(a, "GET k\r\nOBJECT IDLETIME k\r\n"), "$1\r\nv\r\n:11\r\n");
  EXPECT_EQ(talk.say(a, "TOUCH k\r\nOBJECT IDLETIME k\r\n"), ":1\r\n:0\r\n");
  talk.run(Duration::seconds(10));
  EXPECT_EQ(talk.say(a, "GET k\r\nOBJECT IDLETIME k\r\n"), "$1\r\nv\r\n:11\r\n")
      << "only TOUCH does";
}

TEST(Wait, ForReplicasIsInVain) {
  Talk talk;
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  const std::string id = talk.say(a, "CLIENT ID\r\n").substr(1);
  EXPECT_EQ(talk.say(a, "WAIT 1 5000\r\n"), "");
  EXPECT_EQ(talk.say(b, "LPUSH 1 x\r\nLPUSH 5000 x\r\n"), ":1\r\n:1\r\n") << "no keys";
  EXPECT_EQ(talk.client(a).take(), "");
  talk.run(Duration::seconds(5));
  EXPECT_EQ(talk.client(a).take(), ":0\r\n");
  EXPECT_EQ(talk.say(a, "WAIT 1 0\r\n"), "");
  EXPECT_EQ(talk.say(b, "CLIENT UNBLOCK " + id.substr(0, id.find('\r')) + " ERROR\r\n"), ":1\r\n");
  EXPECT_EQ(talk.client(a).take(), "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
  EXPECT_EQ(talk.say(a, "WAITAOF 0 1 0\r\n"), "");
  EXPECT_EQ(talk.say(b, "CLIENT UNBLOCK " + id.substr(0, id.find('\r')) + "\r\n"), ":1\r\n");
  EXPECT_EQ(talk.client(a).take(), "*2\r\n:0\r\n:0\r\n");
}

}  // namespace
}  // namespace redoubt
