// AUTH, ECHO, HELLO, PING, QUIT, RESET, SELECT.
#include <gtest/gtest.h>

#include "tests/commands/connection_support.h"

namespace redoubt {
namespace {

constexpr std::string_view kWrongPassword =
    "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

std::string hello_reply(char first, std::string_view proto, std::string_view id) {
  return std::string(1, first) + (first == '%' ? "7" : "14") +
         "\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.4.0\r\n$5\r\nproto\r\n:" +
         std::string(proto) + "\r\n$2\r\nid\r\n:" + std::string(id) +
         "\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n"
         "*0\r\n";
}

TEST(Connection, EchoAndPing) {
  ConnectionWorld world;
  TestConnection& c = world.connect();
  EXPECT_EQ(world.ask(c, "PING"), "+PONG\r\n");
  EXPECT_EQ(world.ask(c, "ping \"a\\r\\nb\""), "$4\r\na\r\nb\r\n");
  EXPECT_EQ(world.ask(c, "PING a b"), "-ERR wrong number of arguments for 'ping' command\r\n");
  EXPECT_EQ(world.ask(c, "ECHO \"\""), "$0\r\n\r\n");
}

TEST(Connection, QuitRepliesAndCloses) {
  ConnectionWorld world;
  TestConnection& c = world.connect();
  EXPECT_EQ(world.ask(c, "QUIT\r\nPING"), "+OK\r\n");
  EXPECT_TRUE(c.closed);
  EXPECT_EQ(world.node().clients().sessions().count(), 0u);
}

TEST(Connection, SelectStaysInRange) {
  ConnectionWorld world({"--databases", "3"});
  TestConnection& c = world.connect();
  EXPECT_EQ(world.ask(c, "SELECT 2"), "+OK\r\n");
  EXPECT_EQ(client_field(bulk_text(world.ask(c, "CLIENT INFO")), "db"), "2");
  EXPECT_EQ(world.ask(c, "SELECT 3"), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(world.ask(c, "SELECT -1"), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(world.ask(c, "SELECT 99999999999"),
            "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n");
  EXPECT_EQ(client_field(bulk_text(world.ask(c, "CLIENT INFO")), "db"), "2");
}

// --- AUTH

TEST(Connection, AuthOpensTheDoor) {
  ConnectionWorld world({"--requirepass", "secret"});
  TestConnection& c = world.connect();
  EXPECT_EQ(world.ask(c, "PING"), "-NOAUTH Authentication required.\r\n");
  for (const char* wrong :
       {"AUTH x", "AUTH secre", "AUTH secretsecret", "AUTH \"\"", "AUTH default x",
        "AUTH bob secret", "AUTH DEFAULT secret", "HELLO 3 AUTH default x", "AUTH secreT"}) {
    EXPECT_EQ(world.ask(c, wrong), kWrongPassword) << wrong;
    EXPECT_EQ(world.ask(c, "PING"), "-NOAUTH Authentication required.\r\n") << wrong;
  }
  EXPECT_EQ(world.node().stats().denied_auth, 9u);
  EXPECT_EQ(world.ask(c, "AUTH a b c"), "-ERR syntax error\r\n");
  EXPECT_EQ(world.ask(c, "AUTH secret"), "+OK\r\n");
  EXPECT_EQ(world.ask(c, "PING"), "+PONG\r\n");
  // A wrong password later takes nothing away.
  EXPECT_EQ(world.ask(c, "AUTH x"), kWrongPassword);
  EXPECT_EQ(world.ask(c, "PING"), "+PONG\r\n");

  TestConnection& other = world.connect();
  EXPECT_EQ(world.ask(other, "AUTH default secret"), "+OK\r\n");
  EXPECT_EQ(world.ask(other, "PING"), "+PONG\r\n");
}

TEST(Connection, AuthWithoutAPassword) {
  ConnectionWorld world;
  TestConnection& c = world.connect();
  EXPECT_EQ(world.ask(c, "AUTH x"),
            "-ERR AUTH <password> called without any password configured for the default user. Are "
            "you sure your configuration is correct?\r\n");
  EXPECT_EQ(world.ask(c, "AUTH default x"), "+OK\r\n");
  EXPECT_EQ(world.ask(c, "AUTH bob x"), kWrongPassword);
}

// --- HELLO

TEST(Connection, HelloSwitchesTheProtocol) {
  ConnectionWorld world;
  TestConnection& c = world.connect();
  const std::string id = std::to_string(world.node().clients().sessions().first()->id);
  EXPECT_EQ(world.ask(c, "HELLO"), hello_reply('*', "2", id));
  EXPECT_EQ(world.ask(c, "HELLO 3 SETNAME bob"), hello_reply('%', "3", id));
  EXPECT_EQ(world.ask(c, "CLIENT GETNAME"), "$3\r\nbob\r\n");
  EXPECT_EQ(world.ask(c, "HELLO"), hello_reply('%', "3", id));
  EXPECT_EQ(world.ask(c, "HELLO 2"), hello_reply('*', "2", id));
}

TEST(Connection, HelloThatFailsChangesNothing) {
  ConnectionWorld world({"--requirepass", "secret"});
  TestConnection& c = world.connect();
  const std::string noauth =
      "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
      "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
      "RESP "
      "protocol version at the same time\r\n";
  EXPECT_EQ(world.ask(c, "HELLO"), noauth);
  EXPECT_EQ(world.ask(c, "HELLO 3 SETNAME bob"), noauth);
  EXPECT_EQ(world.ask(c, "HELLO 4 AUTH default secret"),
            "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(world.ask(c, "HELLO 3 AUTH default secret SETNAME \"a b\""),
            "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
  EXPECT_EQ(world.ask(c, "HELLO 3 AUTH default secret NAME"),
            "-ERR Syntax error in HELLO option 'NAME'\r\n");
  EXPECT_EQ(world.ask(c, "PING"), "-NOAUTH Authentication required.\r\n");
  const std::string id = std::to_string(world.node().clients().sessions().first()->id);
  EXPECT_EQ(world.ask(c, "HELLO 3 AUTH default secret SETNAME bob"), hello_reply('%', "3", id));
  EXPECT_EQ(world.ask(c, "PING"), "+PONG\r\n");
}

// --- RESET

TEST(Connection, ResetPutsEverythingBack) {
  ConnectionWorld world({"--requirepass", "secret"});
  TestConnection& c = world.connect();
  world.ask(c, "HELLO 3 AUTH default secret SETNAME bob");
  for (const char* line :
       {"SELECT 3", "CLIENT NO-EVICT ON", "CLIENT NO-TOUCH ON", "CLIENT SETINFO LIB-NAME lib"}) {
    EXPECT_EQ(world.ask(c, line), "+OK\r\n");
  }
  const std::string before = bulk_text(world.ask(c, "CLIENT INFO"));
  EXPECT_EQ(client_field(before, "flags"), "eT");
  EXPECT_EQ(world.ask(c, "CLIENT REPLY OFF"), "");
  EXPECT_EQ(world.ask(c, "RESET"), "+RESET\r\n");
  EXPECT_EQ(world.ask(c, "PING"), "-NOAUTH Authentication required.\r\n");
  EXPECT_EQ(world.ask(c, "AUTH secret"), "+OK\r\n");
  const std::string after = bulk_text(world.ask(c, "CLIENT INFO"));
  EXPECT_EQ(client_field(after, "id"), client_field(before, "id"));
  EXPECT_EQ(client_field(after, "name"), "");
  EXPECT_EQ(client_field(after, "flags"), "N");
  EXPECT_EQ(client_field(after, "db"), "0");
  EXPECT_EQ(client_field(after, "resp"), "2");
  EXPECT_EQ(client_field(after, "lib-name"), "lib");
}

// A client on another machine is not a local one; the process's own sessions are.
TEST(ConfigSet, PermissionForLocalClients) {
  const std::vector<std::string> arguments = {"--enable-protected-configs", "local"};
  ConnectionWorld world(arguments);
  TestConnection& far = world.connect();
  EXPECT_EQ(world.ask(far, "CONFIG SET dbfilename x.rdb"),
            "-ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set "
            "protected config\r\n");
  Session& near = world.node().clients().make_local();
  EXPECT_EQ(world.node().dispatcher().execute(
                near, std::vector<std::string_view>{"CONFIG", "SET", "dbfilename", "x.rdb"}),
            "+OK\r\n");
  world.node().clients().drop_local(near);
}

}  // namespace
}  // namespace redoubt
