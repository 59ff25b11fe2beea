// A world for unit tests of what speaks on streams: operations wait until the test completes them.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/env.h"

namespace redoubt {

class FakeBackend : public Backend {
 public:
  Instant now() override { return time; }
  WallTime wall() override { return {}; }
  uint64_t entropy() override { return 4; }
  Expected<Handle> listen(const Address&, int, uint32_t) override { return Handle{1000, 1}; }
  Address local_address(Handle) override { return Address::tcp("127.0.0.1", 6379); }
  void submit(Op& op) override { submitted.push_back(&op); }
  void cancel(Op& op) override { cancelled.push_back(&op); }
  void abandon(Op& op) override { std::erase(submitted, &op); }
  void close(Handle handle) override { closed.push_back(handle); }
  void give_back(Chunk) override { ++given_back; }
  void set_keepalive(Handle, int) override {}
  void stall(Duration) override {}
  void log(Level, std::string_view) override {}
  ProcessFacts process_facts() override { return {}; }
  void request_exit(int) override {}

  // The operation of this kind that was submitted first and is not done; null when there is none.
  Op* waiting(OpKind kind) const {
    for (Op* op : submitted) {
      if (op->kind == kind) return op;
    }
    return nullptr;
  }
  void finish(Op& op, Error error = Error::none) {
    std::erase(submitted, &op);
    op.result.error = error;
    complete(op);
  }
  // A receive gets these bytes.
  void receive(std::string_view text) {
    Op& op = *waiting(OpKind::receive);
    if (op.into.empty()) {
      lent = text;
      op.result.chunk = {.data = reinterpret_cast<std::byte*>(lent.data()),
                         .size = static_cast<uint32_t>(lent.size()),
                         .id = 1};
    } else {
      std::memcpy(op.into.data(), text.data(), text.size());
    }
    op.result.bytes = text.size();
    finish(op);
  }
  // What the send that waits is to send.
  std::string sending() const {
    std::string text;
    const Op* op = waiting(OpKind::send);
    if (op == nullptr) return text;
    for (const Slice& slice : op->gather) {
      text.append(reinterpret_cast<const char*>(slice.data()), slice.size());
    }
    return text;
  }

  Instant time;
  std::vector<Op*> submitted;
  std::vector<Op*> cancelled;
  std::vector<Handle> closed;
  size_t given_back = 0;
  std::string lent;
};

}  // namespace redoubt
