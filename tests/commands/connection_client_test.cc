// CLIENT.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/commands/connection_support.h"

namespace redoubt {
namespace {

size_t line_count(std::string_view text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

std::string id_of(ConnectionWorld& world, TestConnection& c) {
  const std::string reply = world.ask(c, "CLIENT ID");
  EXPECT_TRUE(reply.starts_with(":"));
  return reply.substr(1, reply.size() - 3);
}

TEST(ClientList, LineHasTheFieldsOfRedis) {
  ConnectionWorld world;
  TestConnection& c = world.connect();
  world.ask(c, "CLIENT SETNAME bob");
  world.ask(c, "CLIENT SETINFO lib-name redis-x");
  world.ask(c, "CLIENT SETINFO lib-ver 1.2");
  world.wait(Duration::seconds(7));
  const std::string line = bulk_text(world.ask(c, "CLIENT LIST"));
  std::string fields;
  for (size_t at = 0; at < line.size();) {
    const size_t equals = line.find('=', at);
    ASSERT_NE(equals, std::string::npos);
    fields += line.substr(at, equals - at) + " ";
    at = std::min(line.find_first_of(" \n", equals), line.size()) + 1;
  }
  EXPECT_EQ(fields,
            "id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf qbuf-free "
            "argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name "
            "lib-ver ");
  EXPECT_EQ(line.back(), '\n');
  constexpr std::pair<const char*, const char*> values[] = {
      {"name", "bob"}, {"age", "7"},       {"idle", "0"},          {"flags", "N"},
      {"multi", "-1"}, {"redir", "-1"},    {"user", "default"},    {"cmd", "client|list"},
      {"resp", "2"},   {"lib-ver", "1.2"}, {"lib-name", "redis-x"}};
  for (const auto& [name, value] : values) EXPECT_EQ(client_field(line, name), value) << name;
  // Its own, not that of the listener, which takes any.
  EXPECT_EQ(client_field(line, "laddr"), world.server_address().to_string());
  EXPECT_NE(client_field(line, "tot-mem"), "0");
  EXPECT_EQ(bulk_text(world.ask(c, "CLIENT INFO")).substr(0, 5), line.substr(0, 5));
}

TEST(ClientList, Resp3IsVerbatim) {
  ConnectionWorld world;
  TestConnection& c = world.connect();
  world.ask(c, "HELLO 3");
  for (const char* line : {"CLIENT LIST", "CLIENT INFO"}) {
    const std::string reply = world.ask(c, line);
    EXPECT_EQ(reply[0], '=');
    EXPECT_EQ(reply.substr(reply.find('\n') + 1, 7), "txt:id=");
  }
}

TEST(ClientList, Filters) {
  ConnectionWorld world;
  TestConnection& a = world.connect();
  TestConnection& b = world.connect();
  TestConnection& c = world.connect();
  const std::string id_a = id_of(world, a);
  const std::string id_b = id_of(world, b);
  const auto ids = [&](const std::string& options) {
    const std::string text = bulk_text(world.ask(a, "CLIENT LIST " + options));
    std::string found;
    for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      found += client_field(std::string_view(text).substr(at), "id") + " ";
    }
    return found;
  };
  const std::string id_c = id_of(world, c);
  const std::string all = id_a + " " + id_b + " " + id_c + " ";
  EXPECT_EQ(ids(""), all);
  EXPECT_EQ(ids("TYPE normal"), all);
  EXPECT_EQ(ids("type PUBSUB"), "");
  EXPECT_EQ(ids("TYPE replica"), "");
  // In the order asked for, each as often as asked for; strangers are left out.
  EXPECT_EQ(ids("ID " + id_c + " 999 " + id_a + " " + id_c + " -1 0"),
            id_c + " " + id_a + " " + id_c + " ");
  EXPECT_EQ(ids("ID " + id_a + " " + id_b + " NOT-ID " + id_a), id_b + " ");
  EXPECT_EQ(ids("SKIPME yes"), id_b + " " + id_c + " ");
  EXPECT_EQ(world.ask(b, "CLIENT SETNAME bob"), "+OK\r\n");
  EXPECT_EQ(world.ask(b, "SELECT 4"), "+OK\r\n");
  EXPECT_EQ(ids("NAME bob"), id_b + " ");
  EXPECT_EQ(ids("NOT-NAME bob"), id_a + " " + id_c + " ");
  EXPECT_EQ(ids("DB 4"), id_b + " ");
  EXPECT_EQ(ids("NOT-TYPE normal"), "");
  EXPECT_EQ(ids("USER default"), all);
  EXPECT_EQ(ids("LADDR 1.2.3.4:5"), "");

  EXPECT_EQ(world.ask(a, "CLIENT LIST ID"), "-ERR syntax error\r\n");
  EXPECT_EQ(world.ask(a, "CLIENT LIST ID x"), "-ERR Invalid client ID\r\n");
  EXPECT_EQ(world.ask(a, "CLIENT LIST TYPE"), "-ERR syntax error\r\n");
  EXPECT_EQ(world.ask(a, "CLIENT LIST TYPE x"), "-ERR Unknown client type 'x'\r\n");
  EXPECT_EQ(world.ask(a, "CLIENT LIST FOO bar"), "-ERR syntax error\r\n");
  EXPECT_EQ(world.ask(a, "CLIENT LIST NOT-MAXAGE 5"), "-ERR syntax error\r\n");
}

TEST(ClientName, ChecksItsBytes) {
  ConnectionWorld world;
  TestConnection& c = world.connect();
  EXPECT_EQ(world.ask(c, "CLIENT GETNAME"), "$-1\r\n");
  EXPECT_EQ(world.ask(c, "CLIENT SETNAME me"), "+OK\r\n");
  for (const char* bad : {"\"a b\"", "\"a\\nb\"", "\"\\x7f\"", "\"\\xc3\\xa9\"", "\"\\x00\""}) {
    EXPECT_EQ(world.ask(c, std::string("CLIENT SETNAME ") + bad),
              "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    EXPECT_EQ(world.ask(c, std::string("CLIENT SETINFO LIB-ver ") + bad),
              "-ERR LIB-ver cannot contain spaces, newlines or special characters.\r\n");
  }
  EXPECT_EQ(world.ask(c, "CLIENT GETNAME"), "$2\r\nme\r\n");
  EXPECT_EQ(world.ask(c, "CLIENT SETNAME \"\""), "+OK\r\n");
  EXPECT_EQ(world.ask(c, "CLIENT GETNAME"), "$-1\r\n");
  EXPECT_EQ(world.ask(c, "CLIENT SETINFO lib x"), "-ERR Unrecognized option 'lib'\r\n");
}

// --- KILL

TEST(ClientKill, ByAddress) {
  ConnectionWorld world;
  TestConnection& a = world.connect();
  TestConnection& b = world.connect();
  const std::string address = client_field(bulk_text(world.ask(b, "CLIENT INFO")), "addr");
  EXPECT_EQ(world.ask(a, "CLIENT KILL 1.2.3.4:5"), "-ERR No such client\r\n");
  EXPECT_EQ(world.ask(a, "CLIENT KILL " + address), "+OK\r\n");
  EXPECT_TRUE(b.closed);
  EXPECT_EQ(world.ask(a, "CLIENT KILL " + address), "-ERR No such client\r\n");
  EXPECT_EQ(world.node().clients().sessions().count(), 1u);
}

TEST(ClientKill, OneselfGetsTheReplyFirst) {
  ConnectionWorld world;
  TestConnection& a = world.connect();
  const std::string address = client_field(bulk_text(world.ask(a, "CLIENT INFO")), "addr");
  EXPECT_EQ(world.ask(a, "CLIENT KILL " + address + "\r\nPING"), "+OK\r\n");
  EXPECT_TRUE(a.closed);

  TestConnection& b = world.connect();
  EXPECT_EQ(world.ask(b, "CLIENT KILL TYPE normal"), ":0\r\n");
  EXPECT_EQ(world.ask(b, "CLIENT KILL TYPE normal SKIPME no"), ":1\r\n");
  EXPECT_TRUE(b.closed);
  EXPECT_EQ(world.node().clients().sessions().count(), 0u);
}

TEST(ClientKill, Filters) {
  ConnectionWorld world;
  TestConnection& a = world.connect();
  TestConnection& b = world.connect();
  world.wait(Duration::seconds(10));
  TestConnection& c = world.connect();
  TestConnection& d = world.connect();
  EXPECT_EQ(world.ask(a, "CLIENT KILL MAXAGE 11"), ":0\r\n");
  EXPECT_EQ(world.ask(a, "CLIENT KILL MAXAGE 9"), ":1\r\n");
  EXPECT_TRUE(b.closed);
  EXPECT_EQ(world.ask(a, "CLIENT KILL ID " + id_of(world, c) + " USER default"), ":1\r\n");
  EXPECT_TRUE(c.closed);
  EXPECT_FALSE(d.closed);
  EXPECT_EQ(world.ask(a, "CLIENT KILL NOT-ID " + id_of(world, d)), ":0\r\n");
  const std::string address = client_field(bulk_text(world.ask(d, "CLIENT INFO")), "addr");
  EXPECT_EQ(world.ask(a, "CLIENT KILL NOT-ADDR " + address), ":0\r\n");
  EXPECT_EQ(world.ask(a, "CLIENT KILL ADDR " + address), ":1\r\n");
  EXPECT_TRUE(d.closed);
  for (const auto& [line, reply] : std::vector<std::pair<std::string, std::string>>{
           {"CLIENT KILL ID x", "-ERR client-id should be greater than 0\r\n"},
           {"CLIENT KILL ID 0", "-ERR client-id should be greater than 0\r\n"},
           {"CLIENT KILL ID", "-ERR No such client\r\n"},
           {"CLIENT KILL TYPE x", "-ERR Unknown client type 'x'\r\n"},
           {"CLIENT KILL USER x", "-ERR No such user 'x'\r\n"},
           {"CLIENT KILL SKIPME maybe", "-ERR syntax error\r\n"},
           {"CLIENT KILL MAXAGE 0", "-ERR maxage should be greater than 0\r\n"},
           {"CLIENT KILL MAXAGE x", "-ERR value is not an integer or out of range\r\n"},
           {"CLIENT KILL ID 1 FOO", "-ERR syntax error\r\n"},
           {"CLIENT KILL FOO bar", "-ERR syntax error\r\n"}}) {
    EXPECT_EQ(world.ask(a, line), reply) << line;
  }
  EXPECT_FALSE(a.closed);
}

// A connection that is killed with requests of the same turn behind it executes none of them.
TEST(ClientKill, ManyAtOnce) {
  ConnectionWorld world;
  TestConnection& a = world.connect();
  std::vector<TestConnection*> others;
  for (int i = 0; i < 50; ++i) others.push_back(&world.connect());
  for (TestConnection* other : others)
    world.send(*other, "PING\r\nCLIENT KILL TYPE normal\r\nPING");
  world.send(a, "CLIENT KILL TYPE normal");
  world.wait(Duration::milliseconds(100));
  size_t alive = a.closed ? 0 : 1;
  for (const TestConnection* other : others) alive += other->closed ? 0 : 1;
  EXPECT_EQ(world.node().clients().sessions().count(), alive);
  EXPECT_LE(alive, 1u);
}

// --- REPLY

TEST(ClientReply, SkipLeavesOutOne) {
  ConnectionWorld world;
  TestConnection& c = world.connect();
  EXPECT_EQ(world.ask(c, "CLIENT REPLY SKIP"), "");
  EXPECT_EQ(world.ask(c, "PING one"), "");
  EXPECT_EQ(world.ask(c, "PING two"), "$3\r\ntwo\r\n");
  EXPECT_EQ(
      world.ask(c,
                "CLIENT REPLY SKIP\r\nPING 1\r\nPING 2\r\nCLIENT REPLY SKIP\r\nNOSUCH\r\nPING 3"),
      "$1\r\n2\r\n$1\r\n3\r\n");
  // An error of CLIENT REPLY itself is no SKIP.
  EXPECT_EQ(world.ask(c, "CLIENT REPLY FOO\r\nPING 1"), "-ERR syntax error\r\n$1\r\n1\r\n");
  EXPECT_EQ(world.ask(c, "CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING 1"), "+OK\r\n$1\r\n1\r\n");
}

TEST(ClientReply, OffUntilOn) {
  ConnectionWorld world;
  TestConnection& c = world.connect();
  EXPECT_EQ(world.ask(c, "CLIENT REPLY OFF\r\nPING\r\nNOSUCH\r\nCLIENT REPLY SKIP\r\nSELECT 3"),
            "");
  EXPECT_EQ(world.ask(c, "CLIENT REPLY ON"), "+OK\r\n");
  EXPECT_EQ(client_field(bulk_text(world.ask(c, "CLIENT INFO")), "db"), "3");
}

TEST(ClientReply, QuitWhileOffCloses) {
  ConnectionWorld world;
  TestConnection& c = world.connect();
  EXPECT_EQ(world.ask(c, "CLIENT REPLY OFF\r\nQUIT"), "");
  EXPECT_TRUE(c.closed);
}

// --- PAUSE

TEST(ClientPause, AllWaitUntilItIsOver) {
  ConnectionWorld world;
  TestConnection& a = world.connect();
  TestConnection& b = world.connect();
  EXPECT_EQ(world.ask(a, "CLIENT PAUSE 1000"), "+OK\r\n");
  EXPECT_EQ(world.ask(b, "PING 1\r\nPING 2"), "");
  EXPECT_EQ(world.ask(a, "READ"), "");
  world.wait(Duration::milliseconds(500));
  EXPECT_EQ(a.received + b.received, "");
  world.wait(Duration::milliseconds(600));
  EXPECT_EQ(b.received, "$1\r\n1\r\n$1\r\n2\r\n");
  EXPECT_EQ(a.received, "+OK\r\n");
}

TEST(ClientPause, WriteLetsReadsThrough) {
  ConnectionWorld world;
  TestConnection& a = world.connect();
  TestConnection& b = world.connect();
  TestConnection& c = world.connect();
  EXPECT_EQ(world.ask(a, "CLIENT PAUSE 60000 WRITE"), "+OK\r\n");
  EXPECT_EQ(world.ask(b, "READ"), "+OK\r\n");
  EXPECT_EQ(world.ask(b, "WRITE"), "");
  // Behind a write that waits, everything of that connection waits.
  EXPECT_EQ(world.ask(b, "READ"), "");
  const std::string line = bulk_text(world.ask(c, "CLIENT LIST ID " + id_of(world, a) + " 2"));
  EXPECT_EQ(client_field(line.substr(line.find('\n') + 1), "flags"), "b");
  EXPECT_EQ(world.ask(c, "CLIENT UNPAUSE"), "+OK\r\n");
  EXPECT_EQ(b.received, "+OK\r\n+OK\r\n");
  EXPECT_EQ(world.ask(b, "WRITE"), "+OK\r\n");
}

TEST(ClientPause, TakesSensibleTimesOnly) {
  ConnectionWorld world;
  TestConnection& a = world.connect();
  EXPECT_EQ(world.ask(a, "CLIENT PAUSE x"), "-ERR timeout is not an integer or out of range\r\n");
  EXPECT_EQ(world.ask(a, "CLIENT PAUSE -1"), "-ERR timeout is negative\r\n");
  EXPECT_EQ(world.ask(a, "CLIENT PAUSE 1 SOME"), "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n");
  EXPECT_EQ(
      world.ask(a, "CLIENT PAUSE 1 ALL more"),
      "-ERR unknown subcommand or wrong number of arguments for 'pause'. Try CLIENT HELP.\r\n");
  EXPECT_EQ(world.ask(a, "CLIENT PAUSE 0"), "+OK\r\n");
  EXPECT_EQ(world.ask(a, "CLIENT PAUSE 9223372036854775807 WRITE"), "+OK\r\n");
  EXPECT_EQ(world.ask(a, "WRITE\r\nREAD", Duration::seconds(3600)), "");
  TestConnection& b = world.connect();
  EXPECT_EQ(world.ask(b, "CLIENT UNPAUSE"), "+OK\r\n");
  EXPECT_EQ(a.received, "+OK\r\n+OK\r\n");
}

// Writes down who executes what.
class Chronicle : public NodeObserver {
 public:
  void on_command(const Session& session, int, std::span<const std::string_view> args, WallTime,
                  std::string_view) override {
    text_ += std::to_string(session.id) + ":" + std::string(args[0]) + " ";
  }
  void on_evicted(int, std::string_view) override {}
  void on_expired(int, std::string_view) override {}
  void on_session_closed(const Session&) override {}

  std::string take() { return std::exchange(text_, {}); }

 private:
  std::string text_;
};

// Each paused client waits with an UNPAUSE of its own. One that ran the others from within itself
// would end after them.
TEST(ClientPause, StoredUnpausesDoNotNest) {
  ConnectionWorld world;
  TestConnection& a = world.connect();
  std::vector<TestConnection*> others;
  std::string expected;
  for (int i = 0; i < 5; ++i) {
    others.push_back(&world.connect());
    const std::string id = id_of(world, *others.back());
    expected += id + ":CLIENT " + id + ":PING ";
  }
  EXPECT_EQ(world.ask(a, "CLIENT PAUSE 100000"), "+OK\r\n");
  for (TestConnection* other : others) EXPECT_EQ(world.ask(*other, "CLIENT UNPAUSE\r\nPING"), "");
  Chronicle chronicle;
  world.node().dispatcher().set_observer(&chronicle);
  world.wait(Duration::seconds(101));
  EXPECT_EQ(chronicle.take(), expected);
  world.node().dispatcher().set_observer(nullptr);
  for (const TestConnection* other : others) EXPECT_EQ(other->received, "+OK\r\n+PONG\r\n");
}

// --- the rest

TEST(Client, FlagsOfAConnection) {
  ConnectionWorld world;
  TestConnection& a = world.connect();
  const auto flags = [&] { return client_field(bulk_text(world.ask(a, "CLIENT INFO")), "flags"); };
  EXPECT_EQ(world.ask(a, "CLIENT NO-EVICT on"), "+OK\r\n");
  EXPECT_EQ(flags(), "e");
  EXPECT_EQ(world.ask(a, "CLIENT NO-TOUCH on"), "+OK\r\n");
  EXPECT_EQ(flags(), "eT");
  EXPECT_EQ(world.ask(a, "CLIENT NO-EVICT off"), "+OK\r\n");
  EXPECT_EQ(flags(), "T");
  EXPECT_EQ(world.ask(a, "CLIENT NO-TOUCH OFF"), "+OK\r\n");
  EXPECT_EQ(flags(), "N");
  EXPECT_EQ(world.ask(a, "CLIENT NO-EVICT maybe"), "-ERR syntax error\r\n");
}

TEST(Client, IdsGrowAndAreNotUsedAgain) {
  ConnectionWorld world;
  TestConnection& a = world.connect();
  const std::string first = id_of(world, a);
  world.ask(a, "QUIT");
  TestConnection& b = world.connect();
  EXPECT_GT(std::stoi(id_of(world, b)), std::stoi(first));
}

TEST(Client, HelpIsAnArrayOfStatusLines) {
  ConnectionWorld world;
  TestConnection& a = world.connect();
  const std::string reply = world.ask(a, "CLIENT HELP");
  EXPECT_TRUE(reply.starts_with("*"));
  const size_t count = static_cast<size_t>(std::stoi(reply.substr(1)));
  EXPECT_EQ(line_count(reply), count + 1);
  EXPECT_NE(reply.find("\r\n+CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n"),
            std::string::npos);
  EXPECT_TRUE(reply.ends_with("\r\n+HELP\r\n+    Prints this help.\r\n"));
}

}  // namespace
}  // namespace redoubt
