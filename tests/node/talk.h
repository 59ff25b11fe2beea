// A node and text clients in a simulated world, for tests that talk to it over connections.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/node_process.h"
#include "sim/world.h"

namespace redoubt {

// A client that sends what it is told and keeps what it receives.
class TextClient final : public sim::Process {
 public:
  explicit TextClient(Env& env);

  // Takes effect in the client's next turn, which the world's run gives it.
  void say(std::string_view text) { waiting_ += text; }
  void stop_reading() { reading_ = false; }
  void flush();
  void disconnect() { env_.close(send_.handle); }

  const std::string& received() const { return received_; }
  std::string take() { return std::exchange(received_, {}); }
  bool closed() const { return closed_; }

 private:
  void on_sent();
  void on_received();

  Env& env_;
  Op send_;
  Op receive_;
  Slice slice_;
  std::string waiting_;
  std::string sending_;
  std::string received_;
  bool connected_ = false;
  bool closed_ = false;
  bool reading_ = true;
};

// The world with one node on 10.0.0.1:6379.
class Talk {
 public:
  explicit Talk(std::vector<std::string> arguments = {}, uint64_t seed = 1,
                std::vector<std::span<const Command>> families = all_families());
  ~Talk();

  size_t connect();
  TextClient& client(size_t index);
  // What comes back within a second of simulated time.
  std::string say(size_t index, std::string_view text);
  // Sends without waiting.
  void send(size_t index, std::string_view text);
  void run(Duration duration = Duration::seconds(1));

  bool alive() { return world_.host(node_host_).running(); }
  int exit_status() { return world_.host(node_host_).exit_status(); }
  Node& node();
  // Runs `what(node)` inside the node's own turn.
  void in_node(std::function<void(Node&)> what);
  sim::Host& node_host() { return world_.host(node_host_); }
  sim::World& world() { return world_; }

 private:
  sim::World world_;
  sim::HostId node_host_ = 0;
  std::vector<sim::HostId> clients_;
};

// The gate's source has released up to this offset; what may leave then has left.
void release_gate(Talk& talk, ReplyGate::Source source, uint64_t offset);

}  // namespace redoubt
