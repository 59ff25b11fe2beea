// The gate of replies, and the table of writes against a naive map.
#include "engine/effects/reply_gate.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace redoubt {
namespace {

class Client final : public ReplyHolder {
 public:
  explicit Client(ReplyGate& gate) : held(gate, *this) {}

  void reply(uint64_t need, std::string_view text) {
    Output output(pool);
    output.append(text);
    held.hold(need, output, 1);
    held.take_ready(sent);
  }
  std::string take() {
    std::string bytes = sent.copy_from(0);
    sent.clear();
    return bytes;
  }

  OutputPool pool;
  HeldReplies held;
  Output sent{pool};

 private:
  void on_replies_ready(HeldReplies& ready) override { ready.take_ready(sent); }
  void on_replies_failed(size_t, size_t, std::string_view) override {}
};

TEST(ReplyGate, WithoutASourceNothingWaits) {
  ReplyGate gate;
  Client client(gate);
  client.reply(1000, "+OK\r\n");
  EXPECT_EQ(client.take(), "+OK\r\n");
  EXPECT_FALSE(gate.active());
}

TEST(ReplyGate, TheLeastOfSeveralSourcesCounts) {
  ReplyGate gate;
  const auto file = gate.open_source("file", 0);
  const auto quorum = gate.open_source("quorum", 0);
  Client client(gate);
  client.reply(10, "a");
  client.reply(20, "b");
  gate.release(file, 20);
  EXPECT_EQ(client.take(), "");
  gate.release(quorum, 10);
  EXPECT_EQ(client.take(), "a");
  gate.release(file, 5);  // never goes back
  gate.close_source(quorum);
  EXPECT_EQ(client.take(), "b");
  EXPECT_EQ(gate.holders(), 0U);
}

TEST(ReplyGate, RepliesOfAClientStayInOrder) {
  ReplyGate gate;
  const auto file = gate.open_source("file", 0);
  Client client(gate);
  Client other(gate);
  client.reply(10, "a");
  client.reply(0, "b");  // of a key that nobody touched, but behind the first
  other.reply(0, "c");
  EXPECT_EQ(client.take(), "");
  EXPECT_EQ(other.take(), "c");
  gate.release(file, 10);
  EXPECT_EQ(client.take(), "ab");
}

TEST(ReplyGate, AReplyNeedsTheLastWriteOfItsKeys) {
  ReplyGate gate;
  const auto file = gate.open_source("file", 0);
  gate.key_written(1);
  gate.key_written(2);
  gate.entry_ended(100);
  gate.key_written(2);
  gate.entry_ended(200);
  gate.key_written(3);
  gate.entry_abandoned();
  gate.entry_ended(200);
  EXPECT_EQ(gate.need_of(1), 100U);
  EXPECT_EQ(gate.need_of(2), 200U);
  EXPECT_EQ(gate.need_of(3), 0U);
  EXPECT_EQ(gate.need_of_all(), 200U);
  gate.release(file, 100);
  EXPECT_EQ(gate.need_of(1), 0U);
  gate.all_written();
  gate.entry_ended(300);
  EXPECT_EQ(gate.need_of(77), 300U);
}

TEST(ReplyGate, OnFailureWhatIsHeldBecomesErrors) {
  ReplyGate gate;
  const auto file = gate.open_source("file", 0);
  gate.release(file, 10);
  Client client(gate);
  client.reply(20, "+OK\r\n");
  client.reply(30, ":1\r\n");
  EXPECT_EQ(gate.held(), 2U);
  gate.fail(file, "MISCONF the disk is full");
  EXPECT_EQ(client.take(), "-MISCONF the disk is full\r\n-MISCONF the disk is full\r\n");
  EXPECT_EQ(gate.held(), 0U);
  // What comes later and needs more fails at once; what needs nothing passes.
  client.reply(40, "+OK\r\n");
  client.reply(5, "$1\r\nx\r\n");
  EXPECT_EQ(client.take(), "-MISCONF the disk is full\r\n$1\r\nx\r\n");
  gate.release(file, 100);  // a failed source releases nothing
  EXPECT_EQ(gate.released(), 10U);
  gate.recover(file, 40);
  client.reply(50, "+OK\r\n");
  EXPECT_EQ(client.take(), "");
  gate.release(file, 50);
  EXPECT_EQ(client.take(), "+OK\r\n");
  gate.check_invariants();
}

RC_GTEST_PROP(WriteTable, KnowsWhatANaiveMapKnows, ()) {
  WriteTable table;
  std::map<uint64_t, uint64_t> naive;
  uint64_t offset = 0;
  uint64_t released = 0;
  const int steps = *rc::gen::inRange(1, 400);
  for (int step = 0; step < steps; ++step) {
    // Hashes that collide in the table.
    const uint64_t hash = static_cast<uint64_t>(*rc::gen::inRange(0, 12))
                          << *rc::gen::inRange(0, 8);
    if (*rc::gen::inRange(0, 8) > 0) {
      offset += static_cast<uint64_t>(*rc::gen::inRange(0, 3)) + (offset == 0 ? 1 : 0);
      table.add(hash, offset);
      naive[hash] = offset;
    } else {
      released += static_cast<uint64_t>(*rc::gen::inRange<uint64_t>(0, offset - released + 1));
      table.release(released);
      std::erase_if(naive, [&](const auto& write) { return write.second <= released; });
    }
    RC_ASSERT(table.size() == naive.size());
    for (uint64_t shift = 0; shift < 8; ++shift) {
      for (uint64_t i = 0; i < 12; ++i) {
        const auto found = naive.find(i << shift);
        RC_ASSERT(table.find(i << shift) == (found == naive.end() ? 0 : found->second));
      }
    }
  }
}

}  // namespace
}  // namespace redoubt
