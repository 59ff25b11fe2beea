#include "tests/commands/connection_support.h"

#include <gtest/gtest.h>

#include <array>

#include "engine/commands/families.h"
#include "engine/dispatch/context.h"
#include "server/assembly/assemble.h"

namespace redoubt {

namespace {

constexpr int kPort = 6379;

// WRITE counts as a write, READ as none.
constexpr Command kTestRows[] = {
    {.name = "read", .arity = 1, .flags = kReadOnly, .handler = [](Context& c) { c.reply.ok(); }},
    {.name = "write", .arity = 1, .flags = kWrite, .handler = [](Context& c) { c.reply.ok(); }},
};

class NodeProcess : public sim::Process {
 public:
  NodeProcess(Env& env, const std::vector<std::string>& arguments)
      : families_{connection_commands(), config_commands(), kTestRows},
        node(env, make_config(arguments), {.families = families_}) {
    std::string why;
    EXPECT_TRUE(node.listen(&why)) << why;
  }

 private:
  static std::unique_ptr<Config> make_config(const std::vector<std::string>& arguments) {
    auto config = redoubt::make_config();
    std::string error;
    EXPECT_TRUE(config->parse_arguments(arguments, &error)) << error;
    return config;
  }

  std::array<std::span<const Command>, 3> families_;

 public:
  Node node;
};

class IdleProcess : public sim::Process {};

}  // namespace

ConnectionWorld::ConnectionWorld(std::vector<std::string> arguments)
    : world_(1, sim::WorldOptions()) {
  for (const char* word : {"--bind", "0.0.0.0", "--protected-mode", "no"}) {
    arguments.emplace_back(word);
  }
  server_ = world_.add_host({.name = "server"}, [arguments](Env& env) {
    return std::make_unique<NodeProcess>(env, arguments);
  });
  client_ =
      world_.add_host({.name = "client"}, [](Env&) { return std::make_unique<IdleProcess>(); });
  world_.boot(server_);
  world_.boot(client_);
}

Node& ConnectionWorld::node() {
  return static_cast<NodeProcess*>(world_.host(server_).process())->node;
}

Address ConnectionWorld::server_address() {
  return Address::tcp(world_.host(server_).address(), kPort);
}

TestConnection& ConnectionWorld::connect() {
  connections_.push_back(std::make_unique<TestConnection>(*world_.host(client_).env()));
  TestConnection& connection = *connections_.back();
  Op& op = connection.connect;
  op.kind = OpKind::connect;
  op.address = server_address();
  op.on_done = [](Op&) {};
  connection.env.submit(op);
  wait(Duration::milliseconds(10));
  EXPECT_FALSE(op.in_flight);
  EXPECT_TRUE(op.result.ok()) << describe(op.result.error);
  connection.stream = op.result.handle;
  receive(connection);
  return connection;
}

void ConnectionWorld::receive(TestConnection& connection) {
  Op& op = connection.receive;
  op.kind = OpKind::receive;
  op.handle = connection.stream;
  op.owner = &connection;
  op.on_done = [](Op& done) {
    auto& got = *static_cast<TestConnection*>(done.owner);
    if (!done.result.ok()) {
      got.closed = true;
      return;
    }
    const Chunk chunk = done.result.chunk;
    got.received.append(reinterpret_cast<const char*>(chunk.data), chunk.size);
    got.env.backend().give_back(chunk);
    done.result = {};
    got.env.submit(done);
  };
  connection.env.submit(op);
}

void ConnectionWorld::send(TestConnection& connection, std::string_view line) {
  ASSERT_FALSE(connection.send.in_flight);
  connection.sending = std::string(line) + "\r\n";
  connection.slice = as_slice(connection.sending);
  Op& op = connection.send;
  op.kind = OpKind::send;
  op.handle = connection.stream;
  op.gather = {&connection.slice, 1};
  op.on_done = [](Op&) {};
  connection.env.submit(op);
}

std::string ConnectionWorld::ask(TestConnection& connection, std::string_view line,
                                 Duration patience) {
  connection.received.clear();
  send(connection, line);
  wait(patience);
  return connection.received;
}

std::string client_field(std::string_view line, std::string_view field) {
  const std::string start = std::string(field) + "=";
  size_t at = line.starts_with(start) ? 0 : line.find(" " + start);
  if (at == std::string_view::npos) return "(no " + std::string(field) + ")";
  at = line.find('=', at) + 1;
  return std::string(line.substr(at, line.find_first_of(" \n", at) - at));
}

std::string bulk_text(std::string_view reply) {
  const size_t start = reply.find("\r\n");
  if (start == std::string_view::npos || (reply[0] != '$' && reply[0] != '=')) {
    return "not a bulk string: " + std::string(reply);
  }
  const size_t format = reply[0] == '=' ? 4 : 0;  // "txt:"
  return std::string(reply.substr(start + 2 + format, reply.size() - start - 4 - format));
}

}  // namespace redoubt
