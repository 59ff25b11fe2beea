#include <gtest/gtest.h>

#include "tests/commands/local_node.h"
#include "tests/node/talk.h"
#include "tests/node/waiting_commands.h"

namespace redoubt {
namespace {

// --- over connections

class Transaction : public testing::Test {
 protected:
  Transaction() : talk({}, 1, families_that_wait()), a(talk.connect()), b(talk.connect()) {}

  std::string list(size_t client) {
    const std::string text = talk.say(client, "CLIENT INFO\r\n");
    return text;
  }

  Talk talk;
  size_t a;
  size_t b;
};

TEST_F(Transaction, RunsWhatWasQueued) {
  EXPECT_EQ(talk.say(a, "MULTI\r\nSET x 1\r\nINCR x\r\nEXEC\r\n"),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:2\r\n");
  EXPECT_EQ(talk.say(a, "MULTI\r\nEXEC\r\nEXEC\r\nDISCARD\r\n"),
            "+OK\r\n*0\r\n-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n");
}

TEST_F(Transaction, ARunTimeErrorDoesNotStopTheRest) {
  EXPECT_EQ(talk.say(a, "MULTI\r\nSET x a\r\nINCR x\r\nSET y 1\r\nEXEC\r\nGET y\r\n"),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n"
            "-ERR value is not an integer or out of range\r\n+OK\r\n$1\r\n1\r\n");
}

TEST_F(Transaction, WhatCannotBeQueuedAbortsIt) {
  EXPECT_EQ(talk.say(a, "MULTI\r\nSET x\r\nSET x 1\r\nEXEC\r\nGET x\r\n"),
            "+OK\r\n-ERR wrong number of arguments for 'set' command\r\n+QUEUED\r\n"
            "-EXECABORT Transaction discarded because of previous errors.\r\n$-1\r\n");
  EXPECT_EQ(talk.say(a, "MULTI\r\nEXEC 1\r\nEXEC\r\n"),
            "+OK\r\n-EXECABORT Transaction discarded because of: wrong number of arguments for "
            "'exec' command\r\n-ERR EXEC without MULTI\r\n");
  EXPECT_EQ(talk.say(a, "MULTI\r\nMULTI\r\nWATCH x\r\nGET x\r\nEXEC\r\n"),
            "+OK\r\n-ERR MULTI calls can not be nested\r\n-ERR WATCH inside MULTI is not allowed"
            "\r\n+QUEUED\r\n*1\r\n$-1\r\n");
}

TEST_F(Transaction, ATouchedKeyMakesItFail) {
  EXPECT_EQ(talk.say(a, "WATCH x\r\nMULTI\r\nSET x 1\r\n"), "+OK\r\n+OK\r\n+QUEUED\r\n");
  EXPECT_EQ(talk.say(b, "SET x 2\r\n"), "+OK\r\n");
  EXPECT_NE(list(b).find("flags=N"), std::string::npos);
  EXPECT_EQ(talk.say(a, "EXEC\r\nGET x\r\n"), "*-1\r\n$1\r\n2\r\n");
  EXPECT_EQ(talk.say(a, "WATCH x\r\n"), "+OK\r\n");
  talk.say(b, "SET x 3\r\n");
  EXPECT_EQ(talk.say(a, "WATCH y\r\n"), "+OK\r\n");
  EXPECT_EQ(talk.node().keyspace().feed().watched().keys(), 0u) << "it must fail already";
  EXPECT_EQ(talk.say(a, "UNWATCH\r\nMULTI\r\nGET x\r\nEXEC\r\n"),
            "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n3\r\n");
}

TEST_F(Transaction, AKeyThatExpiresMakesItFail) {
  talk.node().upkeep().set_active_expiry(false);
  talk.say(b, "SET x 1 PX 2500\r\n");
  talk.say(a, "WATCH x\r\nMULTI\r\n");
  talk.run();
  EXPECT_EQ(talk.say(a, "EXEC\r\n"), "*-1\r\n") << "nobody has removed it yet";
}

TEST_F(Transaction, AKeyThatHadExpiredDoesNotCount) {
  talk.node().upkeep().set_active_expiry(false);
  const auto watch_expired = [&] {
    talk.say(b, "SET x 1 PX 100\r\n");
    talk.run();
    EXPECT_EQ(talk.say(a, "WATCH x\r\n"), "+OK\r\n");
  };
  const auto exec = [&] { return talk.say(a, "MULTI\r\nPING\r\nEXEC\r\n").substr(14); };
  const std::string_view done = "*1\r\n+PONG\r\n";
  watch_expired();
  EXPECT_EQ(exec(), done);
  watch_expired();
  talk.say(b, "GET x\r\n");  // removes it
  EXPECT_EQ(exec(), done);
  watch_expired();
  talk.say(b, "GET x\r\nSET x 2\r\n");
  EXPECT_EQ(exec(), "*-1\r\n") << "it came again";
  watch_expired();
  talk.say(b, "FLUSHALL\r\n");
  EXPECT_EQ(exec(), done);
}

TEST_F(Transaction, SwappedDatabasesTouchWhatIsInEither) {
  const auto exec = [&] { return talk.say(a, "MULTI\r\nPING\r\nEXEC\r\n").substr(14); };
  talk.node().upkeep().set_active_expiry(false);
  talk.say(a, "WATCH nowhere\r\n");
  talk.say(b, "SWAPDB 0 1\r\n");
  EXPECT_EQ(exec(), "*1\r\n+PONG\r\n");
  talk.say(b, "SELECT 1\r\nSET x 1\r\nSELECT 0\r\n");
  talk.say(a, "WATCH x\r\n");
  talk.say(b, "SWAPDB 0 1\r\n");
  EXPECT_EQ(exec(), "*-1\r\n");
  // What comes has expired, so that it is as missing as before.
  talk.say(b, "FLUSHALL\r\nSELECT 1\r\nSET x 1 PX 100\r\nSELECT 0\r\n");
  talk.run();
  talk.say(a, "WATCH x\r\n");
  talk.say(b, "SWAPDB 0 1\r\n");
  EXPECT_EQ(exec(), "*1\r\n+PONG\r\n");
}

TEST_F(Transaction, ManyWatchersOfManyKeys) {
  std::string watches = "WATCH";
  for (int i = 0; i < 500; ++i) watches += " k" + std::to_string(i);
  talk.say(a, watches + "\r\n");
  talk.say(b, watches + " k1 k1\r\n");
  const std::string info = talk.say(b, "INFO clients\r\n");
  EXPECT_NE(info.find("watching_clients:2\r\n"), std::string::npos);
  EXPECT_NE(info.find("total_watched_keys:500\r\n"), std::string::npos);
  EXPECT_NE(list(b).find("watch=500"), std::string::npos);
  talk.say(b, "SET k77 1\r\n");
  EXPECT_EQ(talk.say(a, "MULTI\r\nEXEC\r\n"), "+OK\r\n*-1\r\n");
  EXPECT_EQ(talk.say(b, "MULTI\r\nEXEC\r\n"), "+OK\r\n*-1\r\n");
  EXPECT_EQ(talk.node().keyspace().feed().watched().keys(), 0u);
  EXPECT_EQ(talk.node().keyspace().feed().watched().clients(), 0u);
}

TEST_F(Transaction, ADisconnectForgetsEverything) {
  talk.say(a, "WATCH x y\r\nMULTI\r\nSET x 1\r\n");
  talk.client(a).disconnect();
  talk.run();
  EXPECT_EQ(talk.node().keyspace().feed().watched().clients(), 0u);
  EXPECT_EQ(talk.say(b, "GET x\r\n"), "$-1\r\n");
}

TEST_F(Transaction, ClientInfoSaysWhatIsQueued) {
  EXPECT_NE(list(a).find("multi=-1 watch=0"), std::string::npos);
  talk.say(a, "WATCH q\r\nMULTI\r\nGET x\r\n");
  std::string text = talk.say(b, "CLIENT LIST\r\n");
  EXPECT_NE(text.find("flags=x "), std::string::npos);
  EXPECT_NE(text.find("multi=1 watch=1"), std::string::npos);
  talk.say(b, "SET q 1\r\n");
  text = talk.say(b, "CLIENT LIST\r\n");
  EXPECT_NE(text.find("flags=xd "), std::string::npos);
  // What will not be executed is not kept, and nothing more is watched for it.
  talk.say(a, "GET x\r\n");
  EXPECT_NE(talk.say(b, "CLIENT LIST\r\n").find("multi=1 watch=0"), std::string::npos);
}

TEST_F(Transaction, ACommandThatWouldWaitRepliesAtOnce) {
  EXPECT_EQ(talk.say(a, "MULTI\r\nWAITGET k 0\r\nWAITMOVE k l 0\r\nEXEC\r\n"),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n*-1\r\n$-1\r\n");
}

TEST_F(Transaction, WhoWaitsIsServedAfterTheWhole) {
  talk.say(a, "WAITGET k 0\r\n");
  EXPECT_EQ(talk.say(b, "MULTI\r\nSET k 1\r\nSET k 2\r\nGET k\r\nEXEC\r\n"),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n+OK\r\n$1\r\n2\r\n");
  EXPECT_EQ(talk.client(a).take(), "*2\r\n$1\r\nk\r\n$1\r\n2\r\n");
  talk.say(a, "WAITGET k 0\r\n");
  talk.say(b, "MULTI\r\nSET k 1\r\nDEL k\r\nEXEC\r\n");
  EXPECT_EQ(talk.client(a).take(), "");
}

TEST_F(Transaction, ResetDiscards) {
  EXPECT_EQ(talk.say(a, "WATCH x\r\nMULTI\r\nSET x 1\r\nRESET\r\nEXEC\r\nGET x\r\n"),
            "+OK\r\n+OK\r\n+QUEUED\r\n+RESET\r\n-ERR EXEC without MULTI\r\n$-1\r\n");
  EXPECT_EQ(talk.node().keyspace().feed().watched().clients(), 0u);
}

TEST_F(Transaction, AnUndoneOneWakesNobody) {
  talk.say(a, "WAITGET k 0\r\n");
  EXPECT_EQ(talk.say(b,
                     "CLIENT TRANSACTION ROLLBACK ON\r\nMULTI\r\nSET k 1\r\nINCRBY k x\r\n"
                     "EXEC\r\nGET k\r\n"),
            "+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n-EXECABORT Transaction rolled back because of "
            "command 2 ('incrby'): ERR value is not an integer or out of range\r\n$-1\r\n");
  EXPECT_EQ(talk.client(a).take(), "");
  talk.say(b, "MULTI\r\nSET k 1\r\nEXEC\r\n");
  EXPECT_EQ(talk.client(a).take(), "*2\r\n$1\r\nk\r\n$1\r\n1\r\n");
}

TEST_F(Transaction, AnUndoneOneTouchesNothing) {
  talk.say(a, "WATCH k\r\n");
  talk.say(b, "CLIENT TRANSACTION ROLLBACK ON\r\nMULTI\r\nSET k 1\r\nINCRBY k x\r\nEXEC\r\n");
  EXPECT_EQ(talk.say(a, "MULTI\r\nPING\r\nEXEC\r\n"), "+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n");
  talk.say(a, "WATCH k\r\n");
  talk.say(b, "MULTI\r\nSET k 1\r\nEXEC\r\n");
  EXPECT_EQ(talk.say(a, "MULTI\r\nPING\r\nEXEC\r\n"), "+OK\r\n+QUEUED\r\n*-1\r\n");
}

// --- what it leaves behind

using Views = std::vector<std::string_view>;

void run(LocalNode& node, std::vector<Views> commands) {
  node.call({"MULTI"});
  for (const Views& words : commands) node.call(words);
}

TEST(TransactionEffects, AreOneEntry) {
  LocalNode node;
  run(node, {{"SET", "a", "1"}, {"GET", "a"}, {"INCR", "a"}});
  node.call({"EXEC"});
  EXPECT_EQ(node.take_effects(), "SELECT 0\nMULTI\nSET a 1\nINCR a\nEXEC");
  run(node, {{"GET", "a"}, {"EXISTS", "b"}});
  node.call({"EXEC"});
  EXPECT_EQ(node.take_effects(), "");
  run(node, {{"GET", "a"}, {"SET", "b", "2"}});
  node.call({"EXEC"});
  EXPECT_EQ(node.take_effects(), "SET b 2");
  run(node, {{"SELECT", "3"}, {"SET", "b", "2"}, {"SELECT", "0"}, {"SET", "c", "1"}});
  node.call({"EXEC"});
  EXPECT_EQ(node.take_effects(), "SELECT 3\nMULTI\nSET b 2\nSELECT 0\nSET c 1\nEXEC");
}

class RollbackTest : public testing::Test {
 protected:
  RollbackTest() : node({"transaction-on-error", "rollback"}) {
    node.call({"SET", "number", "5"});
    node.call({"SET", "text", "hello", "PX", "100000"});
    node.call({"APPEND", "raw", "x"});
    node.call({"APPEND", "raw", "y"});
    const std::string large(100000, 'x');
    node.call({"SET", "large", large});
    node.call({"SELECT", "1"});
    node.call({"SET", "other", "1"});
    node.call({"SELECT", "0"});
    node.take_effects();
  }

  // These commands and one that fails leave nothing behind.
  void leaves_nothing(std::vector<Views> commands) {
    const std::string before = node.digest();
    const uint64_t changes = node.node->keyspace().changes();
    const size_t bytes = node.node->used_memory();
    commands.push_back({"INCRBY", "fails", "x"});
    run(node, commands);
    EXPECT_EQ(node.call({"EXEC"}),
              "-EXECABORT Transaction rolled back because of command " +
                  std::to_string(commands.size()) +
                  " ('incrby'): ERR value is not an integer or out of range\r\n");
    EXPECT_EQ(node.digest(), before);
    EXPECT_EQ(node.take_effects(), "");
    EXPECT_EQ(node.node->keyspace().changes(), changes);
    EXPECT_EQ(node.call({"OBJECT", "ENCODING", "raw"}), "$3\r\nraw\r\n");
    EXPECT_EQ(node.call({"OBJECT", "ENCODING", "number"}), "$3\r\nint\r\n");
    node.pass_ms(1);
    EXPECT_EQ(node.node->used_memory(), bytes);
    EXPECT_EQ(node.session->db, 0);
  }

  LocalNode node;
};

TEST_F(RollbackTest, PutsBackValuesAndDeadlines) {
  leaves_nothing({});
  leaves_nothing({{"SET", "number", "6"}, {"DEL", "text"}, {"SET", "new", "1"}});
  leaves_nothing({{"PERSIST", "text"}, {"PEXPIRE", "raw", "5"}, {"GETDEL", "number"}});
  leaves_nothing({{"RENAME", "text", "number"}, {"APPEND", "large", "y"}, {"DEL", "large"}});
  leaves_nothing({{"MSET", "a", "1", "number", "2"}, {"APPEND", "number", "x"}});
  leaves_nothing({{"MOVE", "number", "2"},
                  {"COPY", "text", "text", "DB", "3"},
                  {"COPY", "text", "other", "DB", "1", "REPLACE"}});
  leaves_nothing({{"SELECT", "1"}, {"SET", "other", "2"}, {"DEL", "other"}});
  leaves_nothing({{"SET", "short", "1", "PXAT", "1"}, {"GET", "short"}, {"SET", "short", "2"}});
}

TEST_F(RollbackTest, PutsBackWhenAKeyWasUsed) {
  node.call({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  node.pass_ms(100'000);
  leaves_nothing({{"APPEND", "large", "x"}, {"DEL", "number"}});
  EXPECT_EQ(node.call({"OBJECT", "IDLETIME", "large"}), ":100\r\n");
  EXPECT_EQ(node.call({"OBJECT", "IDLETIME", "number"}), ":100\r\n");
}

TEST_F(RollbackTest, CommitsLikeAnyOther) {
  run(node, {{"SET", "number", "6"}, {"DEL", "text"}, {"GET", "number"}});
  const uint64_t changes = node.node->keyspace().changes();
  EXPECT_EQ(node.call({"EXEC"}), "*3\r\n+OK\r\n:1\r\n$1\r\n6\r\n");
  EXPECT_EQ(node.take_effects(), "SELECT 0\nMULTI\nSET number 6\nDEL text\nEXEC");
  EXPECT_EQ(node.node->keyspace().changes(), changes + 2);
}

TEST_F(RollbackTest, AnExpiredKeyStaysExpired) {
  node.node->upkeep().set_active_expiry(false);
  node.call({"SET", "brief", "1", "PX", "10"});
  node.call({"SET", "brief2", "1", "PX", "10"});
  node.pass_ms(100);
  node.take_effects();
  run(node, {{"GET", "brief"}, {"SET", "brief2", "1", "NX"}, {"INCRBY", "fails", "x"}});
  EXPECT_EQ(node.call({"EXEC"}).substr(0, 10), "-EXECABORT");
  EXPECT_EQ(node.take_effects(), "");
  EXPECT_EQ(node.call({"EXISTS", "brief", "brief2"}), ":0\r\n");
  EXPECT_EQ(node.take_effects(), "MULTI\nDEL brief\nDEL brief2\nEXEC");
  EXPECT_EQ(node.node->stats().expired_keys, 2u);
}

TEST_F(RollbackTest, WhatCannotBeUndoneCannotBeQueued) {
  for (const Views& words : std::vector<Views>{{"FLUSHALL"},
                                               {"FLUSHDB"},
                                               {"SWAPDB", "0", "1"},
                                               {"CONFIG", "SET", "maxmemory", "0"},
                                               {"CLIENT", "PAUSE", "1"},
                                               {"DEBUG", "SLEEP", "0"}}) {
    node.call({"MULTI"});
    const std::string reply = node.call(words);
    EXPECT_NE(reply.find("cannot be undone"), std::string::npos) << words[0] << reply;
    EXPECT_EQ(node.call({"EXEC"}),
              "-EXECABORT Transaction discarded because of previous errors.\r\n");
  }
}

TEST_F(RollbackTest, TheConnectionDecidesBeforeTheDirective) {
  EXPECT_EQ(node.call({"CLIENT", "TRANSACTION", "ROLLBACK", "OFF"}), "+OK\r\n");
  run(node, {{"SET", "new", "1"}, {"INCRBY", "fails", "x"}});
  EXPECT_EQ(node.call({"EXEC"}).substr(0, 10), "*2\r\n+OK\r\n-");
  EXPECT_EQ(node.call({"GET", "new"}), "$1\r\n1\r\n");
  EXPECT_EQ(node.call({"CLIENT", "TRANSACTION", "ROLLBACK", "maybe"}), "-ERR syntax error\r\n");
  EXPECT_EQ(node.call({"CLIENT", "TRANSACTION", "COMMIT", "ON"}), "-ERR syntax error\r\n");
  node.call({"CONFIG", "SET", "transaction-on-error", "continue"});
  EXPECT_EQ(node.call({"CLIENT", "TRANSACTION", "ROLLBACK", "on"}), "+OK\r\n");
  run(node, {{"DEL", "new"}, {"INCRBY", "fails", "x"}});
  EXPECT_EQ(node.call({"EXEC"}).substr(0, 10), "-EXECABORT");
  EXPECT_EQ(node.node->stats().transactions_rolled_back, 1u);
}

}  // namespace
}  // namespace redoubt
