#include "tests/node/talk.h"

namespace redoubt {

TextClient::TextClient(Env& env) : env_(env) {
  send_.owner = receive_.owner = this;
  send_.kind = OpKind::connect;
  send_.address = Address::tcp("10.0.0.1", 6379);
  send_.on_done = [](Op& op) { static_cast<TextClient*>(op.owner)->on_sent(); };
  receive_.kind = OpKind::receive;
  receive_.on_done = [](Op& op) { static_cast<TextClient*>(op.owner)->on_received(); };
  env_.submit(send_);
}

void TextClient::flush() {
  if (send_.in_flight || !connected_ || waiting_.empty()) return;
  sending_.swap(waiting_);
  waiting_.clear();
  slice_ = as_slice(sending_);
  send_.kind = OpKind::send;
  send_.gather = {&slice_, 1};
  send_.result = {};
  env_.submit(send_);
}

void TextClient::on_sent() {
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

void TextClient::on_received() {
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

Talk::Talk(std::vector<std::string> arguments, uint64_t seed,
           std::vector<std::span<const Command>> families)
    : world_(seed, {}) {
  arguments.insert(arguments.begin(), {"--bind", "*", "--protected-mode", "no"});
  node_host_ = world_.add_host({.name = "node"}, [arguments, families](Env& env) {
    return std::make_unique<sim::NodeProcess>(env, arguments, nullptr, families);
  });
  world_.boot(node_host_);
  run();
}

Talk::~Talk() = default;

size_t Talk::connect() {
  const sim::HostId id = world_.add_host(
      {.name = "client"}, [](Env& env) { return std::make_unique<TextClient>(env); });
  world_.boot(id);
  clients_.push_back(id);
  run();
  return clients_.size() - 1;
}

TextClient& Talk::client(size_t index) {
  return *static_cast<TextClient*>(world_.host(clients_[index]).process());
}

std::string Talk::say(size_t index, std::string_view text) {
  client(index).take();
  send(index, text);
  run();
  return client(index).take();
}

void Talk::send(size_t index, std::string_view text) {
  client(index).say(text);
  world_.host(clients_[index])
      .visit([](sim::Host& host, void*) { static_cast<TextClient*>(host.process())->flush(); },
             nullptr);
}

void Talk::run(Duration duration) {
  world_.run_for(duration);
}

Node& Talk::node() {
  return static_cast<sim::NodeProcess*>(world_.host(node_host_).process())->node();
}

void Talk::in_node(std::function<void(Node&)> what) {
  world_.host(node_host_)
      .visit(
          [](sim::Host& host, void* work) {
            (*static_cast<std::function<void(Node&)>*>(work))(
                static_cast<sim::NodeProcess*>(host.process())->node());
          },
          &what);
}

void release_gate(Talk& talk, ReplyGate::Source source, uint64_t offset) {
  talk.in_node([&](Node& node) { node.gate().release(source, offset); });
  talk.run();
}

}  // namespace redoubt
