#include <gtest/gtest.h>

#include "tests/node/talk.h"
#include "tests/node/waiting_commands.h"

namespace redoubt {
namespace {

// A node whose clients can wait for strings.
class Blocking : public testing::Test {
 protected:
  Blocking() : talk({}, 1, families_that_wait()) {}

  std::string info(std::string_view field) {
    const std::string text = talk.say(admin(), "INFO clients\r\n");
    const size_t at = text.find(std::string(field) + ":");
    return text.substr(at, text.find("\r\n", at) - at);
  }
  size_t admin() {
    if (!admin_) admin_ = talk.connect();
    return *admin_;
  }
  std::string id_of(size_t client) {
    const std::string reply = talk.say(client, "CLIENT ID\r\n");
    return reply.substr(1, reply.size() - 3);
  }
  static std::string pair(std::string_view key, std::string_view value) {
    return "*2\r\n$" + std::to_string(key.size()) + "\r\n" + std::string(key) + "\r\n$" +
           std::to_string(value.size()) + "\r\n" + std::string(value) + "\r\n";
  }

  Talk talk;
  std::optional<size_t> admin_;
};

TEST_F(Blocking, ServesAtOnceWhatIsThere) {
  const size_t a = talk.connect();
  EXPECT_EQ(talk.say(a, "SET k v\r\nWAITGET x k 0\r\nGET k\r\n"),
            "+OK\r\n" + pair("k", "v") + "$-1\r\n");
  EXPECT_EQ(info("blocked_clients"), "blocked_clients:0");
}

TEST_F(Blocking, FirstComeFirstServed) {
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  const size_t c = talk.connect();
  EXPECT_EQ(talk.say(a, "WAITGET k 0\r\n"), "");
  EXPECT_EQ(talk.say(b, "WAITGET k k 0\r\n"), "");
  EXPECT_EQ(info("blocked_clients"), "blocked_clients:2");
  EXPECT_EQ(info("total_blocking_keys"), "total_blocking_keys:1");
  EXPECT_EQ(talk.say(c, "SET k 1\r\n"), "+OK\r\n");
  EXPECT_EQ(talk.client(a).take(), pair("k", "1"));
  EXPECT_EQ(talk.client(b).take(), "");
  EXPECT_EQ(talk.say(c, "SET k 2\r\nSET k 3\r\nGET k\r\n"), "+OK\r\n+OK\r\n$1\r\n3\r\n");
  EXPECT_EQ(talk.client(b).take(), pair("k", "2"));
  EXPECT_EQ(info("blocked_clients"), "blocked_clients:0");
  EXPECT_EQ(info("total_blocking_keys"), "total_blocking_keys:0");
}

TEST_F(Blocking, TheWholeCommandIsExecutedAgain) {
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  talk.say(a, "WAITGET x y 0\r\n");
  EXPECT_EQ(talk.say(b, "MSET y 1 x 2\r\nGET x\r\nGET y\r\n"), "+OK\r\n$-1\r\n$1\r\n1\r\n");
  // MSET announced y first, but the command looks at x first.
  EXPECT_EQ(talk.client(a).take(), pair("x", "2"));
}

TEST_F(Blocking, AServedCommandMayMakeOthersReady) {
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  const size_t c = talk.connect();
  const size_t d = talk.connect();
  talk.say(c, "WAITGET z 0\r\n");
  talk.say(b, "WAITMOVE y z 0\r\n");
  talk.say(a, "WAITMOVE x y 0\r\n");
  EXPECT_EQ(talk.say(d, "SET x 7\r\nEXISTS x y z\r\n"), "+OK\r\n:0\r\n");
  EXPECT_EQ(talk.client(a).take(), "$1\r\n7\r\n");
  EXPECT_EQ(talk.client(b).take(), "$1\r\n7\r\n");
  EXPECT_EQ(talk.client(c).take(), pair("z", "7"));
}

TEST_F(Blocking, TimesOutToTheMillisecond) {
  const size_t a = talk.connect();
  talk.send(a, "WAITGET k 2.5\r\n");
  talk.run(Duration::milliseconds(2490));
  EXPECT_EQ(talk.client(a).received(), "");
  EXPECT_EQ(info("clients_in_timeout_table").substr(0, 25), "clients_in_timeout_table:");
  talk.run(Duration::milliseconds(100));
  EXPECT_EQ(talk.client(a).take(), "*-1\r\n");
  EXPECT_EQ(talk.say(a, "HELLO 3\r\n").substr(0, 1), "%");
  talk.send(a, "WAITMOVE k l 0.001\r\nPING\r\n");
  talk.run(Duration::milliseconds(100));
  EXPECT_EQ(talk.client(a).take(), "_\r\n+PONG\r\n");
}

TEST_F(Blocking, TheDeadlineStaysWhenItIsExecutedAgainInVain) {
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  talk.say(b, "SET k ''\r\n");
  talk.send(a, "WAITHERE k 3\r\n");
  talk.run(Duration::seconds(2));
  EXPECT_EQ(talk.say(b, "SET k ''\r\n"), "+OK\r\n");
  EXPECT_EQ(talk.client(a).received(), "");
  talk.run(Duration::milliseconds(200));
  EXPECT_EQ(talk.client(a).take(), "*-1\r\n");
}

// A command that waits for no key looks again in its own time, as WAITAOF does.
TEST_F(Blocking, WithoutKeysItIsExecutedAgainInItsPeriod) {
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  EXPECT_EQ(talk.say(a, "WAITASK 50 0\r\n"), "");
  EXPECT_EQ(info("blocked_clients"), "blocked_clients:1");
  EXPECT_EQ(info("total_blocking_keys"), "total_blocking_keys:0");
  talk.send(b, "SET asked 1\r\n");
  talk.run(Duration::milliseconds(100));
  EXPECT_EQ(talk.client(a).take(), "+ASKED\r\n");
  EXPECT_EQ(info("blocked_clients"), "blocked_clients:0");
  EXPECT_EQ(talk.say(a, "WAITASK 50 0\r\nPING\r\n"), "+ASKED\r\n+PONG\r\n");
  const std::string stats = talk.say(admin(), "INFO commandstats\r\n");
  EXPECT_NE(stats.find("cmdstat_waitask:calls=2,"), std::string::npos) << stats;
}

TEST_F(Blocking, TheDeadlineEndsWhatLooksAgain) {
  const size_t a = talk.connect();
  talk.send(a, "WAITASK 7 500\r\nPING\r\n");
  talk.run(Duration::milliseconds(450));
  EXPECT_EQ(talk.client(a).received(), "");
  talk.run(Duration::milliseconds(100));
  EXPECT_EQ(talk.client(a).take(), "*2\r\n:0\r\n:0\r\n+PONG\r\n");
  // Where it may not wait, the reply is there at once.
  EXPECT_EQ(talk.say(a, "MULTI\r\nWAITASK 7 500\r\nEXEC\r\n"),
            "+OK\r\n+QUEUED\r\n*1\r\n*2\r\n:0\r\n:0\r\n");
}

TEST_F(Blocking, WhatLooksAgainWaitsOnDuringAPause) {
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  talk.say(a, "WAITASK 50 0\r\n");
  EXPECT_EQ(talk.say(b, "MULTI\r\nSET asked 1\r\nCLIENT PAUSE 5000 WRITE\r\nEXEC\r\n"),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n");
  EXPECT_EQ(talk.client(a).received(), "");
  talk.say(admin(), "CLIENT UNPAUSE\r\n");
  EXPECT_EQ(talk.client(a).take(), "+ASKED\r\n");
}

TEST_F(Blocking, OneThatLooksAgainMayVanishOrBeUnblocked) {
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  talk.say(a, "WAITASK 50 0\r\n");
  const std::string id = id_of(b);
  talk.say(b, "WAITASK 50 0\r\n");
  talk.client(a).disconnect();
  EXPECT_EQ(talk.say(admin(), "CLIENT UNBLOCK " + id + "\r\n"), ":1\r\n");
  EXPECT_EQ(talk.client(b).take(), "*2\r\n:0\r\n:0\r\n");
  EXPECT_EQ(info("blocked_clients"), "blocked_clients:0");
}

TEST_F(Blocking, TimeoutsThatAreNone) {
  const size_t a = talk.connect();
  for (const std::string_view text : {"-1", "-1e500", "-inf"}) {
    EXPECT_EQ(talk.say(a, "WAITGET k " + std::string(text) + "\r\n"),
              "-ERR timeout is negative\r\n");
  }
  // In milliseconds, or as the Unix time of the end, these have more than 63 bits.
  for (const std::string_view text :
       {"inf", "9223372036854775807", "1e500", "9223372036854775.808", "9223372036854775"}) {
    EXPECT_EQ(talk.say(a, "WAITGET k " + std::string(text) + "\r\n"),
              "-ERR timeout is out of range\r\n");
  }
  for (const std::string_view text : {"nan", "abc", "''", "' 1'"}) {
    EXPECT_EQ(talk.say(a, "WAITGET k " + std::string(text) + "\r\n"),
              "-ERR timeout is not a float or out of range\r\n");
  }
  EXPECT_EQ(talk.say(a, "WAITGET k 9200000000000000\r\n"), "");
  EXPECT_EQ(info("clients_in_timeout_table"), "clients_in_timeout_table:0");
}

TEST_F(Blocking, RequestsBehindAWaitingOneFollowIt) {
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  EXPECT_EQ(talk.say(a, "WAITGET k 0\r\nPING\r\nWAITGET l 0\r\n"), "");
  EXPECT_EQ(talk.say(a, "GET m\r\n"), "");
  EXPECT_EQ(talk.say(b, "SET k 1\r\nSET m 5\r\n"), "+OK\r\n+OK\r\n");
  EXPECT_EQ(talk.client(a).take(), pair("k", "1") + "+PONG\r\n");
  EXPECT_EQ(talk.say(b, "SET l 2\r\n"), "+OK\r\n");
  EXPECT_EQ(talk.client(a).take(), pair("l", "2") + "$1\r\n5\r\n");
}

TEST_F(Blocking, ClientUnblock) {
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  const std::string id = id_of(a);
  EXPECT_EQ(talk.say(b, "CLIENT UNBLOCK " + id + "\r\n"), ":0\r\n");
  talk.say(a, "WAITGET k 0\r\nPING\r\n");
  EXPECT_EQ(talk.say(b, "CLIENT UNBLOCK " + id + " TIMEOUT\r\n"), ":1\r\n");
  EXPECT_EQ(talk.client(a).take(), "*-1\r\n+PONG\r\n");
  talk.say(a, "WAITGET k 10\r\n");
  EXPECT_EQ(talk.say(b, "CLIENT UNBLOCK " + id + " ERROR\r\n"), ":1\r\n");
  EXPECT_EQ(talk.client(a).take(), "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
  EXPECT_NE(talk.say(b, "INFO errorstats\r\n").find("errorstat_UNBLOCKED:count=1\r\n"),
            std::string::npos);
  EXPECT_EQ(info("clients_in_timeout_table"), "clients_in_timeout_table:0");
  EXPECT_EQ(talk.say(b, "CLIENT UNBLOCK 12345\r\nCLIENT UNBLOCK x\r\nCLIENT UNBLOCK 1 y\r\n"),
            ":0\r\n-ERR value is not an integer or out of range\r\n"
            "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n");
}

TEST_F(Blocking, AKilledOrVanishedClientWaitsNoMore) {
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  const size_t c = talk.connect();
  const std::string id = id_of(a);
  talk.say(a, "WAITGET k 0\r\nSET x 1\r\n");
  talk.say(b, "WAITGET k 0\r\n");
  EXPECT_EQ(talk.say(c, "CLIENT KILL ID " + id + "\r\n"), ":1\r\n");
  EXPECT_EQ(info("blocked_clients"), "blocked_clients:1");
  talk.client(b).disconnect();
  talk.run();
  EXPECT_EQ(info("blocked_clients"), "blocked_clients:0");
  EXPECT_EQ(talk.say(c, "SET k 1\r\nGET k\r\nGET x\r\n"), "+OK\r\n$1\r\n1\r\n$-1\r\n");
}

TEST_F(Blocking, KeysAppearInManyWays) {
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  talk.say(b, "SET one 1\r\n");
  talk.say(a, "WAITGET k 0\r\n");
  talk.say(b, "RENAME one k\r\n");
  EXPECT_EQ(talk.client(a).take(), pair("k", "1"));
  talk.say(a, "WAITGET k 0\r\n");
  talk.say(b, "SET one 2\r\nCOPY one k\r\n");
  EXPECT_EQ(talk.client(a).take(), pair("k", "2"));
  talk.say(a, "WAITGET k 0\r\n");
  talk.say(b, "SELECT 1\r\nSET k 3\r\nSWAPDB 0 1\r\n");
  EXPECT_EQ(talk.client(a).take(), pair("k", "3"));
  talk.say(a, "WAITGET k 0\r\n");
  talk.say(b, "SET k 4\r\nMOVE k 0\r\n");
  EXPECT_EQ(talk.client(a).take(), pair("k", "4"));
}

TEST_F(Blocking, ADeletedKeyMattersToThoseWhoSaySo) {
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  for (const std::string_view change :
       {"DEL k", "FLUSHALL", "FLUSHDB", "PEXPIRE k -1", "SWAPDB 0 3"}) {
    talk.say(b, "SET k ''\r\n");
    EXPECT_EQ(talk.say(a, "WAITHERE k 0\r\n"), "") << change;
    EXPECT_EQ(info("total_blocking_keys_on_nokey"), "total_blocking_keys_on_nokey:1");
    talk.say(b, std::string(change) + "\r\n");
    EXPECT_EQ(talk.client(a).take(), "-GONE no such key\r\n") << change;
  }
  talk.say(b, "SET k '' PX 500\r\n");
  talk.send(a, "WAITHERE k 0\r\n");
  talk.run(Duration::seconds(2));
  EXPECT_EQ(talk.client(a).take(), "-GONE no such key\r\n");
}

TEST_F(Blocking, APauseHoldsWhatIsReady) {
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  talk.say(a, "WAITGET k 0\r\n");
  // Ready, and paused, when the transaction is over.
  EXPECT_EQ(talk.say(b, "MULTI\r\nSET k 1\r\nCLIENT PAUSE 5000 WRITE\r\nEXEC\r\nGET k\r\n"),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n$1\r\n1\r\n");
  EXPECT_EQ(talk.client(a).received(), "");
  talk.say(admin(), "CLIENT UNPAUSE\r\n");
  EXPECT_EQ(talk.client(a).take(), pair("k", "1"));
  // What is to write waits with its writer.
  talk.say(a, "WAITGET k 0\r\n");
  talk.say(admin(), "CLIENT PAUSE 5000 WRITE\r\n");
  talk.send(b, "SET k 2\r\nGET k\r\n");
  talk.run();
  EXPECT_EQ(talk.client(a).received(), "");
  talk.say(admin(), "CLIENT UNPAUSE\r\n");
  EXPECT_EQ(talk.client(a).take(), pair("k", "2"));
}

TEST_F(Blocking, ATimeOutDuringAPause) {
  const size_t a = talk.connect();
  talk.say(admin(), "CLIENT PAUSE 5000 WRITE\r\n");
  talk.send(a, "WAITGET k 1\r\n");
  talk.run(Duration::seconds(3));
  EXPECT_EQ(talk.client(a).received(), "");  // it has not begun to wait
  talk.say(admin(), "CLIENT UNPAUSE\r\n");
  talk.run(Duration::seconds(1));
  EXPECT_EQ(talk.client(a).take(), "*-1\r\n");
}

TEST_F(Blocking, RepliesThatNobodyWants) {
  const size_t a = talk.connect();
  const size_t b = talk.connect();
  talk.say(a, "CLIENT REPLY SKIP\r\nWAITGET k 0\r\nPING\r\n");
  talk.say(b, "SET k 1\r\n");
  EXPECT_EQ(talk.client(a).take(), "+PONG\r\n");
}

TEST_F(Blocking, ClientListSaysWhoWaits) {
  const size_t a = talk.connect();
  talk.say(a, "CLIENT SETNAME waiter\r\n");
  talk.say(a, "WAITGET k 0\r\n");
  const std::string list = talk.say(admin(), "CLIENT LIST\r\n");
  const size_t at = list.find("name=waiter");
  ASSERT_NE(at, std::string::npos);
  EXPECT_NE(list.find("flags=b", at), std::string::npos);
  EXPECT_NE(list.find("cmd=waitget", at), std::string::npos);
}

TEST_F(Blocking, StatisticsCountACommandOnce) {
  const size_t a = talk.connect();
  talk.say(a, "WAITGET k 0\r\n");
  talk.say(admin(), "SET k 1\r\n");
  const std::string stats = talk.say(admin(), "INFO commandstats\r\n");
  EXPECT_NE(stats.find("cmdstat_waitget:calls=1,"), std::string::npos) << stats;
}

TEST_F(Blocking, ManyWaitersTakeLittleMemoryAndTheirTurn) {
  constexpr size_t kClients = 200;
  std::vector<size_t> clients;
  for (size_t i = 0; i < kClients; ++i) {
    clients.push_back(talk.connect());
    talk.send(clients.back(), "WAITGET k 0\r\n");
    talk.run(Duration::milliseconds(5));
  }
  talk.run();
  EXPECT_EQ(info("blocked_clients"), "blocked_clients:200");
  std::string pushes;
  for (size_t i = 0; i < kClients; ++i) pushes += "SET k " + std::to_string(i) + "\r\n";
  talk.say(admin(), pushes);
  for (size_t i = 0; i < kClients; ++i) {
    EXPECT_EQ(talk.client(clients[i]).take(), pair("k", std::to_string(i)));
  }
}

TEST_F(Blocking, TheNodeEndsWhileClientsWait) {
  const size_t a = talk.connect();
  talk.say(a, "WAITGET k 100\r\n");
  talk.world().stop(0);
  talk.run(Duration::seconds(4));
  EXPECT_FALSE(talk.alive());
}

}  // namespace
}  // namespace redoubt
