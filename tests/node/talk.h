// A node and text clients in a simulated world, for tests that talk to it over connections.
#pragma once

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
  explicit TextClient(Env& env) : env_(env) {
    send_.owner = receive_.owner = this;
    send_.kind = OpKind::connect;
    send_.address = Address::tcp("10.0.0.1", 6379);
    send_.on_done = [](Op& op) { static_cast<TextClient*>(op.owner)->on_sent(); };
    receive_.kind = OpKind::receive;
    receive_.on_done = [](Op& op) { static_cast<TextClient*>(op.owner)->on_received(); };
    env_.submit(send_);
  }

  // Takes effect in the client's next turn, which the world's run gives it.
  void say(std::string_view text) { waiting_ += text; }
  void stop_reading() { reading_ = false; }
  void flush() {
    if (send_.in_flight || !connected_ || waiting_.empty()) return;
    sending_.swap(waiting_);
    waiting_.clear();
    slice_ = as_slice(sending_);
    send_.kind = OpKind::send;
    send_.gather = {&slice_, 1};
    send_.result = {};
    env_.submit(send_);
  }
  void disconnect() { env_.close(send_.handle); }

  const std::string& received() const { return received_; }
  std::string take() { return std::exchange(received_, {}); }
  bool closed() const { return closed_; }

 private:
  void on_sent() {
    if (!send_.result.ok()) {
      closed_ = true;
      return;
    }
    if (send_.kind == OpKind::connect) {
      connected_ = true;
      send_.handle = receive_.handle = send_.result.handle;
      if (reading_) env_.submit(receive_);
    }
    flush();
  }
  void on_received() {
    if (!receive_.result.ok()) {
      closed_ = true;
      return;
    }
    const Chunk chunk = receive_.result.chunk;
    received_.append(reinterpret_cast<const char*>(chunk.data), chunk.size);
    env_.backend().give_back(chunk);
    receive_.result = {};
    if (reading_) env_.submit(receive_);
  }

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
                std::vector<std::span<const Command>> families = all_families())
      : world_(seed, {}) {
    arguments.insert(arguments.begin(), {"--bind", "*", "--protected-mode", "no"});
    node_host_ = world_.add_host({.name = "node"}, [arguments, families](Env& env) {
      return std::make_unique<sim::NodeProcess>(env, arguments, nullptr, families);
    });
    world_.boot(node_host_);
    run();
  }

  size_t connect() {
    const sim::HostId id = world_.add_host(
        {.name = "client"}, [](Env& env) { return std::make_unique<TextClient>(env); });
    world_.boot(id);
    clients_.push_back(id);
    run();
    return clients_.size() - 1;
  }
  TextClient& client(size_t index) {
    return *static_cast<TextClient*>(world_.host(clients_[index]).process());
  }
  // What comes back within a second of simulated time.
  std::string say(size_t index, std::string_view text) {
    client(index).take();
    send(index, text);
    run();
    return client(index).take();
  }
  // Sends without waiting.
  void send(size_t index, std::string_view text) {
    client(index).say(text);
    world_.host(clients_[index])
        .visit([](sim::Host& host, void*) { static_cast<TextClient*>(host.process())->flush(); },
               nullptr);
  }
  void run(Duration duration = Duration::seconds(1)) { world_.run_for(duration); }

  bool alive() { return world_.host(node_host_).running(); }
  int exit_status() { return world_.host(node_host_).exit_status(); }
  Node& node() { return static_cast<sim::NodeProcess*>(world_.host(node_host_).process())->node(); }
  sim::Host& node_host() { return world_.host(node_host_); }
  sim::World& world() { return world_; }

 private:
  sim::World world_;
  sim::HostId node_host_ = 0;
  std::vector<sim::HostId> clients_;
};

}  // namespace redoubt
