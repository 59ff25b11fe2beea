// A node with the families connection and config and a few commands of the test's own, on a
// simulated host, and connections to it from another host. Commands are written as inline requests.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/node/node.h"
#include "sim/world.h"

namespace redoubt {

// A client's side of one connection. Everything that came is in `received`.
struct TestConnection {
  explicit TestConnection(Env& own_env) : env(own_env) {}

  Env& env;
  Handle stream;
  std::string received;
  bool closed = false;
  Op connect;
  Op receive;
  Op send;
  std::string sending;
  Slice slice;
};

class ConnectionWorld {
 public:
  // Arguments as on the command line, besides those that let the other host in.
  explicit ConnectionWorld(std::vector<std::string> arguments = {});

  Node& node();
  // What clients connect to.
  Address server_address();
  TestConnection& connect();
  // Sends a line; what comes back within `wait` in answer to it.
  std::string ask(TestConnection& connection, std::string_view line,
                  Duration wait = Duration::milliseconds(10));
  void send(TestConnection& connection, std::string_view line);
  void close(TestConnection& connection) { connection.env.close(connection.stream); }
  void wait(Duration duration) { world_.run_for(duration); }

 private:
  void receive(TestConnection& connection);

  // Their operations stay until the world, which has some of them in flight, has ended.
  std::vector<std::unique_ptr<TestConnection>> connections_;
  sim::World world_;
  sim::HostId server_ = 0;
  sim::HostId client_ = 0;
};

// The value of " field=" in a line of CLIENT LIST.
std::string client_field(std::string_view line, std::string_view field);
// The text of a bulk or verbatim reply.
std::string bulk_text(std::string_view reply);

}  // namespace redoubt
