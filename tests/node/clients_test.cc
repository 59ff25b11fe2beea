// Clients without a node: sessions, limits and messages over a world that the test plays.
#include "engine/clients/clients.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "engine/config/config.h"
#include "tests/net/fake_backend.h"

namespace redoubt {
namespace {

// Answers with what it is sent, and ends turns as a dispatcher does.
class Echo final : public RequestSink {
 public:
  explicit Echo(std::vector<std::string> arguments = {}) {
    std::string error;
    EXPECT_TRUE(config_.parse_arguments(arguments, &error)) << error;
    const std::vector<std::string> address = {"--bind", "127.0.0.1"};
    EXPECT_TRUE(config_.parse_arguments(address, &error)) << error;
    clients_ = std::make_unique<Clients>(env_, config_.settings(), stats_, logger_, *this);
    clients_->limits().settings_changed();
    EXPECT_TRUE(clients_->acceptor().listen(&error)) << error;
  }

  Clients& clients() { return *clients_; }
  Stats& stats() { return stats_; }
  FakeBackend& world() { return backend_; }
  const std::string& told() const { return told_; }
  void execute_during(Session& session, bool on) { session.executing = on; }

  // A client connects.
  Session& connect() {
    Op& op = *backend_.waiting(OpKind::accept);
    op.result.handle = {next_handle_++, 1};
    op.address = Address::tcp("127.0.0.1", static_cast<uint16_t>(next_handle_));
    backend_.finish(op);
    Session* last = clients_->sessions().first();
    while (last->next != nullptr) last = last->next;
    return *last;
  }
  Op* waiting(const Session& session, OpKind kind) {
    for (Op* op : backend_.submitted) {
      if (op->kind == kind && op->handle == session.connection->handle()) return op;
    }
    return nullptr;
  }
  void say(Session& session, std::string_view text) {
    Op& op = *waiting(session, OpKind::receive);
    std::string& lent = lent_[session.id];
    lent = text;
    op.result.chunk = {.data = reinterpret_cast<std::byte*>(lent.data()),
                       .size = static_cast<uint32_t>(lent.size()),
                       .id = 1};
    op.result.bytes = lent.size();
    backend_.finish(op);
  }
  void end_turn() {
    clients_->end_messages();
    for (size_t i = 0; i < ready_.size(); ++i) {
      Session& session = *ready_[i];
      clients_->io().finish_requests(session);
      send_replies(session);
      clients_->io().read(session);
      clients_->limits().count_after_turn(session);
    }
    clients_->end_turn();
    ready_.clear();
    clients_->free_retired();
    clients_->check_invariants();
  }
  // What was closed comes back.
  void cancel_all_of(Handle handle) {
    for (Op* op : std::vector<Op*>(backend_.submitted)) {
      if (op->handle == handle && op->kind != OpKind::accept)
        backend_.finish(*op, Error::cancelled);
    }
  }

 private:
  void take(Session& session, std::span<const char> bytes) override {
    session.output.append({bytes.data(), bytes.size()});
    ready_.push_back(&session);
  }
  void on_output(Session& session) override { ready_.push_back(&session); }
  void send_replies(Session& session) override {
    if (session.has(kSessionClosing | kSessionLocal)) return;
    session.output.empty() ? clients_->io().flush(session) : clients_->io().send_output(session);
  }
  void request_turn() override {}
  void on_ending(Session&) override {}
  void on_closed(Session& session) override {
    told_ += "closed:" + std::to_string(session.id) + " ";
  }
  void on_freed() override { told_ += "freed "; }
  void on_push(const Session&, std::string_view) override {}
  void on_replies_failed(const Session& session, size_t behind, size_t size,
                         std::string_view replaced) override {
    told_ += "failed:" + std::to_string(session.id) + ":" + std::to_string(behind) + ":" +
             std::to_string(size) + ":" + std::to_string(replaced.size()) + " ";
  }
  void on_tracking_changed() override {}

  FakeBackend backend_;
  Env env_{backend_};
  Config config_;
  Logger logger_{env_, config_.settings()};
  Stats stats_;
  std::unique_ptr<Clients> clients_;
  std::vector<Session*> ready_;
  std::map<uint64_t, std::string> lent_;
  std::string told_;
  uint32_t next_handle_ = 1;
};

TEST(Clients, ASessionFromAcceptToItsEnd) {
  Echo echo;
  Session& session = echo.connect();
  EXPECT_EQ(echo.clients().sessions().count(), 1u);
  EXPECT_EQ(echo.clients().sessions().find(session.id), &session);
  EXPECT_TRUE(echo.clients().sessions().any_connected());
  echo.say(session, "hello");
  echo.end_turn();
  EXPECT_EQ(echo.world().given_back, 1u);
  EXPECT_EQ(echo.world().sending(), "hello");
  EXPECT_EQ(session.traffic.bytes_in, 5u);
  echo.world().finish(*echo.waiting(session, OpKind::send));
  EXPECT_EQ(session.traffic.bytes_out, 5u);

  const Handle handle = session.connection->handle();
  const uint64_t id = session.id;
  echo.clients().close(session, false);
  EXPECT_EQ(echo.clients().sessions().find(id), nullptr);
  echo.end_turn();
  EXPECT_EQ(echo.clients().sessions().count(), 1u) << "its receive is still in flight";
  echo.cancel_all_of(handle);
  echo.end_turn();
  EXPECT_EQ(echo.clients().sessions().count(), 0u);
  EXPECT_EQ(echo.told(), "closed:1 freed ");
  EXPECT_EQ(echo.clients().memory_bytes(), 0u);
}

TEST(Clients, TheSessionThatExecutesIsNotClosedUnderItself) {
  Echo echo;
  Session& session = echo.connect();
  echo.execute_during(session, true);
  echo.clients().close(session, false);
  EXPECT_TRUE(session.has(kSessionDoomed));
  EXPECT_FALSE(session.has(kSessionClosing));
  session.output.append("it may still write");
  echo.clients().messages().push(session, "but hears nothing");
  EXPECT_EQ(session.pushes, nullptr);
  echo.execute_during(session, false);
  echo.end_turn();
  EXPECT_EQ(echo.told(), "closed:1 ");
  echo.cancel_all_of(session.connection->handle());
  echo.end_turn();
  EXPECT_EQ(echo.clients().sessions().count(), 0u);
}

TEST(Clients, OutputLeavesBeforeTheEnd) {
  Echo echo;
  Session& session = echo.connect();
  session.output.append("bye");
  echo.clients().close(session, true);
  echo.end_turn();
  EXPECT_EQ(echo.world().sending(), "bye");
  EXPECT_FALSE(session.has(kSessionClosing));
  echo.world().finish(*echo.waiting(session, OpKind::send));
  EXPECT_TRUE(session.has(kSessionClosing));
}

TEST(Clients, AConnectionBecomesALinkOfSomebodyElse) {
  struct Link final : ConnectionUser {
    void on_bytes(std::span<const char> bytes) override { got.assign(bytes.data(), bytes.size()); }
    void on_end(Error) override {}
    void on_quiet() override {}
    std::string got;
  } link;
  Echo echo;
  Session& session = echo.connect();
  const Handle handle = session.connection->handle();
  session.output.append("+CONTINUE\r\n");
  const std::unique_ptr<Connection> connection = echo.clients().detach(session);
  ASSERT_NE(connection, nullptr);
  connection->set_user(link);
  echo.end_turn();
  EXPECT_EQ(echo.clients().sessions().count(), 0u);
  EXPECT_TRUE(echo.world().closed.empty()) << "the stream lives on";
  connection->flush();
  EXPECT_EQ(echo.world().sending(), "+CONTINUE\r\n");
  echo.world().receive("ack");
  EXPECT_EQ(link.got, "ack");
  connection->release_chunk();
  connection->close();
  echo.cancel_all_of(handle);
  EXPECT_TRUE(connection->quiet());
}

TEST(Clients, RepliesThatAreHeldStay) {
  ReplyGate gate;
  gate.open_source("file", 0);
  Echo echo;
  Session& session = echo.connect();
  Output reply(echo.clients().outputs());
  reply.append("held");
  session.held = std::make_unique<HeldReplies>(gate, session);
  session.held->hold(7, reply, 1);
  EXPECT_EQ(echo.clients().detach(session), nullptr);
  EXPECT_NE(session.connection, nullptr);
}

TEST(Clients, WhoHasNotAuthenticatedHasToListen) {
  Echo echo({"--requirepass", "secret"});
  Session& session = echo.connect();
  for (int turn = 0; turn < 3; ++turn) {
    echo.say(session, std::string(ClientLimits::kUnauthenticatedOutput / 2, 'x'));
    echo.end_turn();
    EXPECT_EQ(session.has(kSessionClosing), turn == 2);
  }
  EXPECT_EQ(echo.stats().output_limit_disconnections, 1u);
  Session& other = echo.connect();
  other.clear(kSessionUnauthenticated);
  for (int turn = 0; turn < 10; ++turn) {
    echo.say(other, std::string(ClientLimits::kUnauthenticatedOutput, 'x'));
    echo.end_turn();
  }
  EXPECT_FALSE(other.has(kSessionClosing));
  // What it was sent before RESET is not held against it.
  other.flags |= kSessionUnauthenticated;
  other.memory.before_reset = other.output_bytes();
  echo.say(other, "x");
  echo.end_turn();
  EXPECT_FALSE(other.has(kSessionClosing));
}

TEST(Clients, MemoryFallsWhileALongReplyLeaves) {
  Echo echo;
  Session& session = echo.connect();
  session.output.append(std::string(8 * Connection::kSendBytes, 'x'));
  echo.say(session, "x");
  echo.end_turn();
  const size_t before = echo.clients().memory_bytes();
  EXPECT_GE(before, 8 * Connection::kSendBytes);
  EXPECT_GE(echo.clients().memory_not_evictable(), 8 * Connection::kSendBytes);
  for (int i = 0; i < 4; ++i) echo.world().finish(*echo.waiting(session, OpKind::send));
  echo.clients().cron();
  EXPECT_LT(echo.clients().memory_bytes(), before - 3 * Connection::kSendBytes);
}

TEST(Clients, ALocalSessionIsNoClient) {
  Echo echo;
  Session& session = echo.clients().make_local();
  EXPECT_FALSE(echo.clients().sessions().any_connected());
  EXPECT_EQ(session.peer(), Address());
  echo.clients().monitors().start(session);
  echo.clients().close(session, false);
  EXPECT_FALSE(session.has(kSessionClosing));
  echo.clients().drop_local(session);
  EXPECT_EQ(echo.clients().sessions().count(), 0u);
  EXPECT_EQ(echo.clients().monitors().size(), 0u);
  echo.end_turn();
}

TEST(Clients, AMonitorMayStopAndStartInOneTurn) {
  Echo echo;
  Session& session = echo.connect();
  Monitors& monitors = echo.clients().monitors();
  for (int i = 0; i < 3; ++i) {
    monitors.start(session);
    monitors.start(session);
    EXPECT_EQ(monitors.size(), 1u);
    monitors.stop(session);
    EXPECT_EQ(monitors.size(), 0u);
  }
  monitors.start(session);
  echo.end_turn();
  EXPECT_EQ(monitors.size(), 1u);
  echo.clients().close(session, false);
  echo.end_turn();
  EXPECT_EQ(monitors.size(), 0u);
}

TEST(Clients, AListenerThatIsClosedAcceptsNobody) {
  Echo echo;
  ListenerSet& listeners = echo.clients().acceptor().listeners();
  EXPECT_EQ(listeners.tcp_port(), 6379);
  Op& op = *echo.world().waiting(OpKind::accept);
  listeners.close_all();
  EXPECT_TRUE(listeners.empty());
  EXPECT_EQ(listeners.tcp_port(), 0);
  op.result.handle = {50, 1};
  echo.world().finish(op);
  EXPECT_EQ(echo.clients().sessions().count(), 0u);
  EXPECT_EQ(echo.world().closed.size(), 2u) << "the listener and the late stream";
}

TEST(Clients, RecentMaximaAreForgotten) {
  RecentMaximum recent;
  EXPECT_EQ(recent.value(0), 0u);
  recent.note(100, 5);
  recent.note(100, 3);
  recent.note(103, 4);
  EXPECT_EQ(recent.value(103), 5u);
  EXPECT_EQ(recent.value(107), 5u);
  EXPECT_EQ(recent.value(108), 4u);
  EXPECT_EQ(recent.value(111), 0u);
  recent.note(111, 1);
  EXPECT_EQ(recent.value(111), 1u);
}

}  // namespace
}  // namespace redoubt
