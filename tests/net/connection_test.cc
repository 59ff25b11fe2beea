#include "net/connection.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/net/fake_backend.h"

namespace redoubt {
namespace {

// One connection and what its user was told.
class ConnectionTest : public testing::Test, public ConnectionUser {
 protected:
  void on_open() override { told_ += "open "; }
  void on_bytes(std::span<const char> bytes) override {
    told_ += "bytes:" + std::string(bytes.data(), bytes.size()) + " ";
  }
  void on_direct(size_t bytes) override { told_ += "direct:" + std::to_string(bytes) + " "; }
  void on_sent(size_t bytes) override {
    told_ += "sent:" + std::to_string(bytes) + " ";
    if (!next_.empty()) connection_->queue().append(std::exchange(next_, {}));
  }
  void on_end(Error error) override {
    told_ += "end:" + std::string(describe(error)) + " ";
    connection_->close();
  }
  void on_quiet() override { told_ += "quiet "; }

  std::string told() { return std::exchange(told_, {}); }
  Connection& adopted() {
    connection_->adopt({7, 1}, Address::tcp("127.0.0.1", 5));
    return *connection_;
  }

  FakeBackend backend_;
  Env env_{backend_};
  SendPool pool_;
  std::optional<Connection> connection_{std::in_place, env_, pool_, *this};
  std::string told_;
  std::string next_;  // queued by on_sent()
};

TEST_F(ConnectionTest, ReceivesOnlyWhenAsked) {
  Connection& c = adopted();
  EXPECT_EQ(c.peer().port, 5);
  EXPECT_EQ(c.local().port, 6379);
  EXPECT_EQ(backend_.waiting(OpKind::receive), nullptr);
  c.read();
  c.read();  // is under way already
  EXPECT_EQ(backend_.submitted.size(), 1u);
  backend_.receive("abc");
  EXPECT_EQ(told(), "bytes:abc ");
  EXPECT_FALSE(c.reading());
  EXPECT_GT(c.memory_bytes(), sizeof(Connection)) << "the chunk counts";
  EXPECT_EQ(backend_.given_back, 0u);
  c.release_chunk();
  c.release_chunk();
  EXPECT_EQ(backend_.given_back, 1u);
  EXPECT_EQ(c.memory_bytes(), sizeof(Connection));
}

TEST_F(ConnectionTest, AChunkThatNobodyHasSeenIsNotReleased) {
  Connection& c = adopted();
  c.read();
  // Worlds lend a chunk before they tell of it.
  backend_.waiting(OpKind::receive)->result.chunk = {.data = nullptr, .size = 3, .id = 1};
  std::byte memory[3];
  backend_.waiting(OpKind::receive)->result.chunk.data = memory;
  c.release_chunk();
  EXPECT_EQ(backend_.given_back, 0u);
  EXPECT_EQ(c.memory_bytes(), sizeof(Connection));
  backend_.receive("abc");
  EXPECT_EQ(told(), "bytes:abc ");
  c.release_chunk();
  EXPECT_EQ(backend_.given_back, 1u);
}

TEST_F(ConnectionTest, ReceivesIntoTheUsersMemory) {
  Connection& c = adopted();
  char room[8] = {};
  c.read(room);
  backend_.receive("abc");
  EXPECT_EQ(told(), "direct:3 ");
  EXPECT_EQ(std::string_view(room), "abc");
}

TEST_F(ConnectionTest, OneSendAtATime) {
  Connection& c = adopted();
  c.queue().append("one");
  c.flush();
  c.queue().append("two");
  c.flush();
  EXPECT_EQ(backend_.submitted.size(), 1u);
  EXPECT_EQ(backend_.sending(), "one");
  EXPECT_EQ(c.unsent_bytes(), 6u);
  next_ = "three";
  backend_.finish(*backend_.waiting(OpKind::send));
  EXPECT_EQ(told(), "sent:3 ");
  EXPECT_EQ(backend_.sending(), "twothree");
  backend_.finish(*backend_.waiting(OpKind::send));
  EXPECT_EQ(told(), "sent:8 ");
  EXPECT_FALSE(c.sending());
  EXPECT_EQ(c.unsent_bytes(), 0u);
}

TEST_F(ConnectionTest, MemoryGoesBackWhileALongReplyLeaves) {
  Connection& c = adopted();
  const std::string text(10 * Connection::kSendBytes, 'x');
  c.queue().append("head");
  c.queue().append(text);
  const size_t all = c.memory_bytes();
  EXPECT_GE(all, text.size());
  c.flush();
  std::string sent;
  size_t sends = 0;
  for (; c.sending(); ++sends) {
    EXPECT_LE(backend_.sending().size(), Connection::kSendBytes);
    EXPECT_LE(backend_.waiting(OpKind::send)->gather.size(), 17u);
    sent += backend_.sending();
    const size_t before = c.memory_bytes();
    const size_t size = backend_.sending().size();
    backend_.finish(*backend_.waiting(OpKind::send));
    EXPECT_LE(c.memory_bytes() + size, before);
  }
  EXPECT_GE(sends, 10u);
  EXPECT_EQ(sent, "head" + text);
  EXPECT_EQ(c.memory_bytes(), sizeof(Connection));
}

TEST_F(ConnectionTest, ShortRepliesOfManyTurnsShareTheirChunks) {
  Connection& c = adopted();
  c.queue().append("first");
  c.flush();
  for (int turn = 0; turn < 1000; ++turn) {
    Output replies(pool_.outputs());
    replies.append("+OK\r\n");
    replies.move_to(c.queue());
    c.flush();
  }
  EXPECT_EQ(c.unsent_bytes(), 5005u);
  EXPECT_LT(c.memory_bytes(), 20'000u);
}

TEST_F(ConnectionTest, SendsTheUsersOwnBytes) {
  Connection& c = adopted();
  const Slice slices[] = {as_slice("ab"), as_slice("cd")};
  c.send(slices);
  EXPECT_EQ(backend_.sending(), "abcd");
  EXPECT_EQ(c.unsent_bytes(), 4u);
  backend_.finish(*backend_.waiting(OpKind::send));
  EXPECT_EQ(told(), "sent:4 ");
}

TEST_F(ConnectionTest, AnEndIsTold) {
  Connection& c = adopted();
  c.read();
  backend_.finish(*backend_.waiting(OpKind::receive), Error::closed);
  EXPECT_EQ(told(), "end:" + std::string(describe(Error::closed)) + " ");
  EXPECT_TRUE(c.closed());
  EXPECT_TRUE(c.quiet());
}

TEST_F(ConnectionTest, AFailedSendIsAnEnd) {
  Connection& c = adopted();
  c.queue().append("x");
  c.flush();
  backend_.finish(*backend_.waiting(OpKind::send), Error::reset);
  EXPECT_EQ(told(), "end:" + std::string(describe(Error::reset)) + " ");
  EXPECT_EQ(c.memory_bytes(), sizeof(Connection));
}

TEST_F(ConnectionTest, CloseWaitsForWhatIsInFlight) {
  Connection& c = adopted();
  c.read();
  c.queue().append("x");
  c.flush();
  c.queue().append("never sent");
  c.close();
  c.close();
  EXPECT_EQ(backend_.closed.size(), 1u);
  EXPECT_FALSE(c.quiet());
  EXPECT_EQ(c.unsent_bytes(), 1u);
  backend_.receive("late");
  EXPECT_EQ(told(), "");
  EXPECT_EQ(backend_.given_back, 1u);
  backend_.finish(*backend_.waiting(OpKind::send), Error::cancelled);
  EXPECT_EQ(told(), "quiet ");
  EXPECT_TRUE(c.quiet());
  c.read();
  c.flush();
  EXPECT_TRUE(backend_.submitted.empty());
}

TEST_F(ConnectionTest, CloseAfterOutput) {
  Connection& c = adopted();
  c.queue().append("bye");
  c.close_after_output();
  c.read();
  EXPECT_TRUE(backend_.submitted.empty());
  c.flush();
  backend_.finish(*backend_.waiting(OpKind::send));
  EXPECT_EQ(told(), "sent:3 end:" + std::string(describe(Error::none)) + " ");
  EXPECT_EQ(backend_.closed.size(), 1u);
}

TEST_F(ConnectionTest, CloseAfterOutputWithNothingToSend) {
  Connection& c = adopted();
  c.close_after_output();
  c.flush();
  EXPECT_EQ(told(), "end:" + std::string(describe(Error::none)) + " ");
}

TEST_F(ConnectionTest, Connects) {
  connection_->connect(Address::tcp("10.0.0.1", 7));
  EXPECT_FALSE(connection_->open());
  Op& op = *backend_.waiting(OpKind::connect);
  EXPECT_EQ(op.address.port, 7);
  op.result.handle = {9, 1};
  backend_.finish(op);
  EXPECT_EQ(told(), "open ");
  EXPECT_EQ(connection_->handle().index, 9u);
  EXPECT_EQ(connection_->peer().port, 7);
}

TEST_F(ConnectionTest, AnAttemptThatFails) {
  connection_->connect(Address::tcp("10.0.0.1", 7));
  backend_.finish(*backend_.waiting(OpKind::connect), Error::refused);
  EXPECT_EQ(told(), "end:" + std::string(describe(Error::refused)) + " ");
}

TEST_F(ConnectionTest, AnAttemptThatIsGivenUpAndSucceedsIsClosed) {
  connection_->connect(Address::tcp("10.0.0.1", 7));
  connection_->close();
  EXPECT_EQ(backend_.cancelled.size(), 1u);
  EXPECT_FALSE(connection_->quiet());
  Op& op = *backend_.waiting(OpKind::connect);
  op.result.handle = {9, 1};
  backend_.finish(op);
  EXPECT_EQ(told(), "quiet ");
  ASSERT_EQ(backend_.closed.size(), 1u);
  EXPECT_EQ(backend_.closed[0].index, 9u);
}

TEST_F(ConnectionTest, ChangesHands) {
  struct Other final : ConnectionUser {
    void on_bytes(std::span<const char> bytes) override { got.assign(bytes.data(), bytes.size()); }
    void on_end(Error) override {}
    void on_quiet() override {}
    std::string got;
  } other;
  Connection& c = adopted();
  c.read();
  c.set_user(other);
  backend_.receive("for you");
  EXPECT_EQ(other.got, "for you");
  EXPECT_EQ(told(), "");
  c.release_chunk();
}

}  // namespace
}  // namespace redoubt
