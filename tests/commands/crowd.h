// A world of many connections without a network, for tests of one node with a hundred thousand
// clients: what a test says arrives in the next turn, and what the node sends is kept.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/commands/local_node.h"

namespace redoubt {

class CrowdBackend : public QuietBackend {
 public:
  using QuietBackend::QuietBackend;

  // A connection that the node accepts in the next turn; its number.
  size_t connect() {
    connections_.emplace_back();
    arrived_.push_back(connections_.size() - 1);
    return connections_.size() - 1;
  }
  // The node has nothing left unread of the connection.
  void say(size_t connection, std::string text) {
    connections_[connection].said = std::move(text);
    speakers_.push_back(connection);
  }
  // The other side is gone.
  void vanish(size_t connection) {
    connections_[connection].gone = true;
    speakers_.push_back(connection);
  }
  const std::string& received(size_t connection) const { return connections_[connection].received; }
  void forget_received() {
    for (Connection& each : connections_) each.received.clear();
  }

  Expected<Handle> listen(const Address&, int, uint32_t) override { return Handle{0, 1}; }
  void submit(Op& op) override {
    switch (op.kind) {
      case OpKind::accept: accept_ = &op; break;
      case OpKind::receive: connection_of(op.handle).receive = &op; break;
      case OpKind::send:
        for (const Slice& slice : op.gather) {
          connection_of(op.handle).received.append(reinterpret_cast<const char*>(slice.data()),
                                                   slice.size());
        }
        sent_.push_back(&op);
        break;
      default: QuietBackend::submit(op);
    }
  }
  void close(Handle handle) override {
    if (handle.index == 0) return;
    Connection& connection = connection_of(handle);
    if (connection.receive != nullptr) cancelled_.push_back(std::exchange(connection.receive, {}));
  }

  void deliver() override {
    while (!arrived_.empty() && accept_ != nullptr) {
      Op& op = *std::exchange(accept_, nullptr);
      op.result = {};
      op.result.handle = {static_cast<uint32_t>(arrived_.front() + 1), 1};
      op.address = Address::tcp("127.0.0.1", 1);
      arrived_.pop_front();
      complete(op);
    }
    for (const size_t number : std::exchange(speakers_, {})) hear(connections_[number]);
    for (Op* op : std::exchange(sent_, {})) complete(*op);
    for (Op* op : std::exchange(cancelled_, {})) {
      op->result.error = Error::cancelled;
      complete(*op);
    }
    QuietBackend::deliver();
  }

 private:
  struct Connection {
    Op* receive = nullptr;
    std::string said;
    std::string received;
    bool gone = false;
  };

  Connection& connection_of(Handle handle) { return connections_[handle.index - 1]; }
  static void hear(Connection& connection) {
    if (connection.receive == nullptr) return;
    Op& op = *std::exchange(connection.receive, nullptr);
    ASSERT(op.into.empty());
    op.result = {};
    if (connection.gone) {
      op.result.error = Error::closed;
    } else {
      op.result.chunk = {.data = reinterpret_cast<std::byte*>(connection.said.data()),
                         .size = static_cast<uint32_t>(connection.said.size()),
                         .id = 1};
    }
    complete(op);
  }

  Op* accept_ = nullptr;
  std::deque<Connection> connections_;
  std::deque<size_t> arrived_;
  std::vector<size_t> speakers_;
  std::vector<Op*> sent_;
  std::vector<Op*> cancelled_;
};

}  // namespace redoubt
