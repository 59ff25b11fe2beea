// Connections: what is sent arrives whole and in order, whatever the peer does; what is closed or
// cancelled completes once.
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "net/uring/process_facts.h"
#include "tests/uring/support.h"

namespace redoubt {
namespace {

// How an echo connection receives.
enum class Mode { chunks, into, mixed, eager };

class Echo;

// Sends back what comes. `eager` asks for more before the last bytes have left; the others do not,
// so that the peer feels back-pressure.
struct EchoConnection {
  Echo* echo = nullptr;
  Handle handle;
  Op receiving;
  Op sending;
  std::vector<std::byte> memory;
  std::string waiting;
  std::string flying;
  Slice slice;
  Chunk chunk;
  bool ended = false;
  bool closed = false;
};

class Echo {
 public:
  Echo(World& world, const Address& address, Mode mode) : world_(world), mode_(mode) {
    listener_ = world.listen(address);
    accepting_.kind = OpKind::accept;
    accepting_.handle = listener_;
    accepting_.owner = this;
    accepting_.on_done = [](Op& op) { static_cast<Echo*>(op.owner)->accepted(); };
    world.env().submit(accepting_);
  }

  Handle listener() const { return listener_; }
  size_t open() const { return open_; }
  size_t total() const { return connections_.size(); }

 private:
  void accepted() {
    if (!accepting_.result.ok()) {
      EXPECT_EQ(accepting_.result.error, Error::cancelled);
      return;
    }
    connections_.push_back(std::make_unique<EchoConnection>());
    EchoConnection& one = *connections_.back();
    ++open_;
    one.echo = this;
    one.handle = accepting_.result.handle;
    one.receiving.kind = OpKind::receive;
    one.receiving.on_done = [](Op& op) {
      auto& self = *static_cast<EchoConnection*>(op.owner);
      self.echo->received(self);
    };
    one.sending.kind = OpKind::send;
    one.sending.on_done = [](Op& op) {
      auto& self = *static_cast<EchoConnection*>(op.owner);
      self.echo->sent(self);
    };
    for (Op* op : {&one.receiving, &one.sending}) {
      op->handle = one.handle;
      op->owner = &one;
    }
    ask(one);
    world_.env().submit(accepting_);
  }

  void ask(EchoConnection& one) {
    const bool into = mode_ == Mode::into || (mode_ == Mode::mixed && random_() % 2 == 0);
    one.memory.resize(into ? 1 + random_() % 50'000 : 0);
    one.receiving.into = one.memory;
    world_.env().submit(one.receiving);
  }

  void received(EchoConnection& one) {
    OpResult& result = one.receiving.result;
    if (!result.ok()) {
      one.ended = true;
      return finish(one);
    }
    ASSERT_GT(result.bytes, 0u);
    if (mode_ == Mode::eager) {
      one.waiting.append(reinterpret_cast<const char*>(result.chunk.data), result.chunk.size);
      world_.backend().give_back(result.chunk);
      if (!one.sending.in_flight) send_waiting(one);
      return ask(one);
    }
    one.chunk = result.chunk;
    if (one.chunk) {
      one.slice = {one.chunk.data, one.chunk.size};
    } else {
      one.slice = {one.memory.data(), result.bytes};
    }
    one.sending.gather = {&one.slice, 1};
    world_.env().submit(one.sending);
  }

  void send_waiting(EchoConnection& one) {
    one.flying.swap(one.waiting);
    one.waiting.clear();
    one.slice = as_slice(one.flying);
    one.sending.gather = {&one.slice, 1};
    world_.env().submit(one.sending);
  }

  void sent(EchoConnection& one) {
    if (one.chunk) world_.backend().give_back(one.chunk);
    one.chunk = {};
    if (!one.sending.result.ok()) one.ended = true;
    if (mode_ != Mode::eager && !one.ended) return ask(one);
    if (!one.waiting.empty() && one.sending.result.ok()) return send_waiting(one);
    finish(one);
  }

  void finish(EchoConnection& one) {
    if (!one.ended || one.closed || one.receiving.in_flight || one.sending.in_flight) return;
    one.closed = true;
    --open_;
    world_.env().close(one.handle);
  }

  World& world_;
  const Mode mode_;
  Handle listener_;
  Op accepting_;
  std::vector<std::unique_ptr<EchoConnection>> connections_;
  size_t open_ = 0;
  std::mt19937 random_{42};
};

// Sends `size` bytes in random segments while another thread reads them back.
void play_peer(const Address& address, uint64_t seed, size_t size) {
  const int fd = peer_connect(address);
  const std::string bytes = pattern(seed, size);
  std::thread writer([&] {
    std::mt19937 random(static_cast<unsigned>(seed));
    for (size_t at = 0; at < bytes.size();) {
      const size_t most = random() % 4 == 0 ? 100'000 : 300;
      const size_t part = std::min<size_t>(1 + random() % most, bytes.size() - at);
      peer_write(fd, bytes.substr(at, part));
      at += part;
      if (random() % 50 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    shutdown(fd, SHUT_WR);
  });
  const std::string back = peer_read_all(fd);
  writer.join();
  EXPECT_TRUE(back == bytes) << back.size() << " bytes came back of " << bytes.size();
  close(fd);
}

struct EchoCase {
  const char* name;
  const char* host;
  Mode mode;
};

class EchoTest : public testing::TestWithParam<EchoCase> {};

TEST_P(EchoTest, GivesEveryByteBackInOrder) {
  Directory directory;
  World world;
  const bool local = std::string(GetParam().host) == "unix";
  const Address address =
      local ? Address::local(directory / "socket") : Address::tcp(GetParam().host, 0);
  Echo echo(world, address, GetParam().mode);
  const Address where = world.address_of(echo.listener());
  for (uint64_t peer = 0; peer < 4; ++peer) {
    world.beside([=] { play_peer(where, peer, 1'500'000 + peer); });
  }
  world.run([&] { return echo.open() == 0 && echo.total() == 4; });
}

INSTANTIATE_TEST_SUITE_P(All, EchoTest,
                         testing::Values(EchoCase{"v4_chunks", "127.0.0.1", Mode::chunks},
                                         EchoCase{"v4_into", "127.0.0.1", Mode::into},
                                         EchoCase{"v4_mixed", "127.0.0.1", Mode::mixed},
                                         EchoCase{"v4_eager", "127.0.0.1", Mode::eager},
                                         EchoCase{"v6_chunks", "::1", Mode::chunks},
                                         EchoCase{"v6_mixed", "::1", Mode::mixed},
                                         EchoCase{"unix_chunks", "unix", Mode::chunks},
                                         EchoCase{"unix_mixed", "unix", Mode::mixed},
                                         EchoCase{"unix_eager", "unix", Mode::eager}),
                         [](const testing::TestParamInfo<EchoCase>& one) {
                           return std::string(one.param.name);
                         });

// Buffers for far fewer chunks than there are connections.
TEST(Streams, ShareFewBuffers) {
  UringOptions options;
  options.receive_buffer_bytes = 4096;
  options.receive_buffers = 2;
  options.receive_buffers_max = 8;
  World world(options);
  Echo echo(world, Address::tcp("127.0.0.1", 0), Mode::chunks);
  const Address where = world.address_of(echo.listener());
  constexpr size_t kConnections = 300;
  world.beside([=] {
    std::vector<int> peers;
    const std::string bytes = pattern(5, 40'000);
    for (size_t i = 0; i < kConnections; ++i) peers.push_back(peer_connect(where));
    for (int fd : peers) peer_write(fd, bytes);
    for (int fd : peers) EXPECT_TRUE(peer_read(fd, bytes.size()) == bytes);
    for (int fd : peers) close(fd);
  });
  world.run([&] { return echo.open() == 0 && echo.total() == kConnections; });
}

// Reads a little, nothing for a while, then all.
Task<Error> read_late(Env& env, Handle listener, std::atomic<size_t>* written, size_t* stopped_at,
                      std::string* all) {
  OpResult accepted = co_await accept(env, listener);
  Received part = co_await receive(env, accepted.handle);
  all->append(part.bytes);
  co_await Sleep(env, Duration::milliseconds(300));
  *stopped_at = *written;
  for (int round = 0; part.error == Error::none; ++round) {
    // No conditional operator here: gcc 12 mistreats its temporaries in coroutines.
    if (round % 3 == 0) {
      part = co_await receive_into(env, accepted.handle, 100'000);
    } else {
      part = co_await receive(env, accepted.handle);
    }
    all->append(part.bytes);
  }
  EXPECT_EQ(part.error, Error::closed);
  EXPECT_EQ((co_await receive(env, accepted.handle)).error, Error::closed);
  env.close(accepted.handle);
  co_return Error::none;
}

// Connections that push without being listened to take all buffers; one that is listened to is
// served all the same, and later the others get every byte.
Task<Error> listen_later(Env& env, Handle listener, size_t count, size_t size, bool* served,
                         std::atomic<bool>* ready) {
  std::vector<Handle> handles;
  for (size_t i = 0; i < count; ++i) {
    handles.push_back((co_await accept(env, listener)).handle);
  }
  std::vector<std::string> all(count);
  for (size_t i = 0; i < count; ++i) all[i] = (co_await receive(env, handles[i])).bytes;
  *ready = true;
  while (!*served) co_await Sleep(env, Duration::milliseconds(1));
  for (size_t i = 0; i < count; ++i) {
    while (all[i].size() < size) all[i] += (co_await receive(env, handles[i])).bytes;
    EXPECT_TRUE(all[i] == pattern(6, size));
    env.close(handles[i]);
  }
  co_return Error::none;
}

TEST(Streams, ServeOneWhileOthersHoard) {
  UringOptions options;
  options.receive_buffer_bytes = 4096;
  options.receive_buffers = 4;
  options.receive_buffers_max = 8;
  World world(options);
  Echo echo(world, Address::tcp("127.0.0.1", 0), Mode::chunks);
  const Address where = world.address_of(echo.listener());
  const Handle listener = world.listen_tcp();
  const Address hoarders = world.address_of(listener);
  constexpr size_t kSize = 100'000;
  constexpr size_t kCount = 20;
  bool served = false;
  std::atomic<bool> ready{false};
  std::atomic<bool> echoed{false};
  world.tell(listen_later(world.env(), listener, kCount, kSize, &served, &ready));
  world.beside([&] {
    std::vector<int> peers;
    for (size_t i = 0; i < kCount; ++i) peers.push_back(peer_connect(hoarders));
    for (int fd : peers) peer_write(fd, pattern(6, 10));
    while (!ready) std::this_thread::yield();
    for (int fd : peers) peer_write(fd, pattern(6, kSize).substr(10));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const int fd = peer_connect(where);
    for (int round = 0; round < 100; ++round) {
      peer_write(fd, "ping");
      EXPECT_EQ(peer_read(fd, 4), "ping");
    }
    close(fd);
    echoed = true;
    for (int one : peers) EXPECT_EQ(peer_read_all(one), "");
    for (int one : peers) close(one);
  });
  world.run([&] {
    served = echoed;
    return true;
  });
}

// While nobody asks for bytes they stay in the kernel, and the peer is stopped.
TEST(Streams, PushBack) {
  World world;
  const std::string bytes = pattern(9, 32 << 20);
  const Handle listener = world.listen_tcp();
  const Address where = world.address_of(listener);
  std::atomic<size_t> written{0};
  size_t stopped_at = 0;
  std::string got;
  got.reserve(bytes.size());
  const uint64_t before = resident();
  world.beside([&] {
    const int fd = peer_connect(where);
    for (size_t at = 0; at < bytes.size(); at += 1 << 16) {
      peer_write(fd, bytes.substr(at, 1 << 16));
      written = at;
    }
    close(fd);
  });
  world.tell(read_late(world.env(), listener, &written, &stopped_at, &got));
  world.run();
  EXPECT_TRUE(got == bytes);
  EXPECT_LT(stopped_at, bytes.size() / 2) << "the peer was not stopped";
  if (kCountsMemory) {
    EXPECT_LT(resident() - before, bytes.size() + (8u << 20)) << "much is held above the kernel";
  }
}

// A reply of thousands of slices to a peer that reads slowly, and a second peer that is served
// meanwhile.
TEST(Streams, SendWhatASlowReaderTakes) {
  World world;
  Echo echo(world, Address::tcp("127.0.0.1", 0), Mode::chunks);
  PlainOp accepting(OpKind::accept, world.listen_tcp());
  PlainOp sending(OpKind::send);
  std::vector<std::string> parts;
  std::vector<Slice> slices;
  std::string all;
  for (size_t i = 0; i < 3000; ++i) {
    parts.push_back(pattern(i, i % 7 == 0 ? 0 : (i * 37) % 9000));
    all += parts.back();
  }
  for (const std::string& part : parts) slices.push_back(as_slice(part));
  accepting.then = [&] {
    sending.handle = accepting.result.handle;
    sending.gather = slices;
    world.env().submit(sending);
  };
  sending.then = [&] { world.env().close(sending.handle); };
  world.env().submit(accepting);
  const Address slow = world.address_of(accepting.handle);
  const Address quick = world.address_of(echo.listener());
  std::atomic<bool> read_all = false;
  world.beside([&] {
    const int fd = peer_connect(slow);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_TRUE(peer_read_all(fd) == all);
    read_all = true;
    close(fd);
  });
  world.beside([&] {
    const int fd = peer_connect(quick);
    for (int round = 0; round < 200; ++round) {
      peer_write(fd, "ping");
      EXPECT_EQ(peer_read(fd, 4), "ping");
    }
    EXPECT_FALSE(read_all);
    close(fd);
  });
  world.run([&] { return echo.open() == 0; });
  EXPECT_TRUE(sending.result.ok());
  EXPECT_EQ(sending.result.bytes, all.size());
}

// A short send goes on where it stopped: it does not look for the place from the first slice again,
// which for a reply of four million slices took the square of that.
TEST(Streams, SendsInPiecesTakeTimeInProportion) {
  if (!kCountsMemory) GTEST_SKIP() << "sanitizers are slow";
  World world;
  const Handle listener = world.listen_tcp();
  constexpr size_t kSlices = 4'000'000;
  const std::string byte = "x";
  std::vector<Slice> slices(kSlices, as_slice(byte));
  PlainOp sending(OpKind::send);
  PlainOp accepting(OpKind::accept, listener);
  accepting.then = [&] {
    sending.handle = accepting.result.handle;
    sending.gather = slices;
    world.env().submit(sending);
  };
  world.env().submit(accepting);
  const Address where = world.address_of(listener);
  world.beside([=] {
    const int fd = peer_connect(where);
    EXPECT_EQ(peer_read(fd, kSlices).size(), kSlices);
    close(fd);
  });
  const auto used_us = [] { return read_process_facts().main_thread_user_cpu_us; };
  const uint64_t before = used_us();
  world.run([&] { return sending.done; });
  EXPECT_LT(used_us() - before, 1'000'000u);
  EXPECT_EQ(sending.result.bytes, kSlices);
}

// A story with one peer, which connects and then does its part with a plain socket.
void meet(Task<Error> (*story)(Env&, Handle), void (*peer)(int fd)) {
  World world;
  const Handle listener = world.listen_tcp();
  const Address where = world.address_of(listener);
  world.tell(story(world.env(), listener));
  world.beside([=] { peer(peer_connect(where)); });
  world.run();
}

Task<Error> meet_a_reset(Env& env, Handle listener) {
  OpResult accepted = co_await accept(env, listener);
  EXPECT_EQ((co_await receive(env, accepted.handle)).bytes, "x");
  EXPECT_EQ((co_await receive(env, accepted.handle)).error, Error::reset);
  EXPECT_EQ((co_await receive(env, accepted.handle)).error, Error::reset);
  const Error error = co_await send(env, accepted.handle, "too late");
  EXPECT_TRUE(error == Error::closed || error == Error::reset) << describe(error);
  env.close(accepted.handle);
  co_return Error::none;
}

TEST(Streams, TellOfAReset) {
  meet(meet_a_reset, [](int peer) {
    peer_write(peer, "x");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    peer_reset(peer);
  });
}

Task<Error> meet_half_close(Env& env, Handle listener) {
  OpResult accepted = co_await accept(env, listener);
  EXPECT_EQ((co_await receive(env, accepted.handle)).bytes, "question");
  EXPECT_EQ((co_await receive(env, accepted.handle)).error, Error::closed);
  EXPECT_EQ(co_await send(env, accepted.handle, "answer"), Error::none);
  env.close(accepted.handle);
  co_return Error::none;
}

TEST(Streams, AnswerAPeerThatIsDoneSending) {
  meet(meet_half_close, [](int peer) {
    peer_write(peer, "question");
    shutdown(peer, SHUT_WR);
    EXPECT_EQ(peer_read_all(peer), "answer");
    close(peer);
  });
}

Task<Error> meet_a_vanishing_peer(Env& env, Handle listener) {
  OpResult accepted = co_await accept(env, listener);
  const Error error = co_await send(env, accepted.handle, pattern(1, 30 << 20));
  EXPECT_TRUE(error == Error::closed || error == Error::reset) << describe(error);
  env.close(accepted.handle);
  co_return Error::none;
}

TEST(Streams, EndASendWhosePeerVanishes) {
  meet(meet_a_vanishing_peer, [](int peer) {
    EXPECT_EQ(peer_read(peer, 1000).size(), 1000u);
    peer_reset(peer);
  });
}

// Unread bytes of the peer do not cost it the reply.
Task<Error> reply_and_close(Env& env, Handle listener) {
  OpResult accepted = co_await accept(env, listener);
  EXPECT_TRUE((co_await receive(env, accepted.handle)).error == Error::none);
  co_await Sleep(env, Duration::milliseconds(100));
  EXPECT_EQ(co_await send(env, accepted.handle, pattern(3, 200'000)), Error::none);
  env.close(accepted.handle);
  co_return Error::none;
}

class Farewell : public testing::TestWithParam<bool> {};

TEST_P(Farewell, LetsSentBytesArrive) {
  Directory directory;
  World world;
  const Handle listener =
      GetParam() ? world.listen(Address::local(directory / "s")) : world.listen_tcp();
  const Address where = world.address_of(listener);
  world.tell(reply_and_close(world.env(), listener));
  world.beside([=] {
    const int fd = peer_connect(where);
    peer_write(fd, pattern(4, 150'000));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    EXPECT_TRUE(peer_read_all(fd) == pattern(3, 200'000));
    char byte = 0;
    EXPECT_EQ(recv(fd, &byte, 1, 0), 0) << "no orderly end: " << strerror(errno);
    close(fd);
  });
  world.run();
}

INSTANTIATE_TEST_SUITE_P(Both, Farewell, testing::Bool());

// The timer calls `what`, which outlives it.
void call_on_fire(Timer& timer, std::function<void()>& what) {
  timer.owner = &what;
  timer.on_fire = [](Timer& fired) { (*static_cast<std::function<void()>*>(fired.owner))(); };
}

// A pair of connected streams: ours, and a plain socket.
struct Pair {
  Handle ours;
  int peer = -1;
};

Pair make_pair(World& world, PlainOp& accepting) {
  accepting.handle = world.listen_tcp();
  world.env().submit(accepting);
  return {{}, peer_connect(world.address_of(accepting.handle))};
}

TEST(Streams, CompleteWhatIsPendingWhenClosed) {
  World world;
  Env& env = world.env();
  const std::string much = pattern(1, 64 << 20);
  const Slice slice = as_slice(much);
  PlainOp accepting(OpKind::accept);
  PlainOp receiving(OpKind::receive);
  PlainOp sending(OpKind::send);
  PlainOp late(OpKind::receive);
  Pair pair = make_pair(world, accepting);
  const uint64_t descriptors = open_descriptors();
  Timer later;
  accepting.then = [&] {
    receiving.handle = sending.handle = late.handle = accepting.result.handle;
    sending.gather = {&slice, 1};
    env.submit(receiving);
    env.submit(sending);
    env.arm_in(later, Duration::milliseconds(100));
  };
  std::function<void()> close_it = [&] {
    env.close(accepting.result.handle);
    EXPECT_FALSE(receiving.done || sending.done);
    env.close(accepting.result.handle);  // a dead handle: nothing happens
    env.submit(late);
    EXPECT_FALSE(late.done);
  };
  call_on_fire(later, close_it);
  world.run([&] { return receiving.done && sending.done && late.done; });
  for (const PlainOp* op : {&receiving, &sending, &late}) {
    EXPECT_EQ(op->result.error, Error::cancelled);
    EXPECT_EQ(op->times, 1);
  }
  const std::string left = peer_read_all(pair.peer);  // what was sent, then an orderly end
  EXPECT_GT(left.size(), 0u);
  EXPECT_TRUE(much.starts_with(left));
  close(pair.peer);
  EXPECT_EQ(open_descriptors(), descriptors - 1);
}

// close() between the completion of an operation and its delivery.
TEST(Streams, VoidAResultThatWaitsForDelivery) {
  World world;
  Env& env = world.env();
  PlainOp accepting(OpKind::accept);
  PlainOp receiving(OpKind::receive);
  Pair pair = make_pair(world, accepting);
  peer_write(pair.peer, std::string(20'000, 'x'));
  Timer later;
  std::function<void()> story = [&] {
    // The first receive leaves bytes behind in a held buffer, the second is done at once.
    if (!receiving.done) return;
    env.submit(receiving);
    env.close(receiving.handle);
  };
  call_on_fire(later, story);
  std::vector<std::byte> memory(10);
  accepting.then = [&] {
    receiving.handle = accepting.result.handle;
    receiving.into = memory;
    env.submit(receiving);
    env.arm_in(later, Duration::milliseconds(100));
  };
  world.run([&] { return receiving.times == 2; });
  EXPECT_EQ(receiving.result.error, Error::cancelled);
  EXPECT_FALSE(receiving.result.chunk);
  close(pair.peer);
}

TEST(Streams, CanBeAskedToStop) {
  World world;
  Env& env = world.env();
  const std::string much = pattern(1, 64 << 20);
  const Slice slice = as_slice(much);
  PlainOp accepting(OpKind::accept);
  PlainOp chunk(OpKind::receive);
  PlainOp into(OpKind::receive);
  PlainOp sending(OpKind::send);
  PlainOp again(OpKind::accept);
  PlainOp final(OpKind::receive);
  std::vector<std::byte> memory(100);
  into.into = memory;
  Timer later;
  Pair pair = make_pair(world, accepting);
  accepting.then = [&] {
    chunk.handle = into.handle = sending.handle = final.handle = accepting.result.handle;
    sending.gather = {&slice, 1};
    env.submit(sending);
    env.submit(chunk);
    env.cancel(chunk);
    EXPECT_FALSE(chunk.done);
    again.handle = accepting.handle;
    env.submit(again);
    env.cancel(again);
    env.arm_in(later, Duration::milliseconds(100));
  };
  chunk.then = [&] { env.submit(into); };
  std::function<void()> stop = [&] {
    env.cancel(into);
    env.cancel(sending);
  };
  call_on_fire(later, stop);
  into.then = [&] {
    env.submit(final);
    peer_write(pair.peer, "still here");
  };
  world.run([&] { return final.done && sending.done && again.done; });
  for (const PlainOp* op : {&chunk, &into, &sending, &again}) {
    EXPECT_EQ(op->result.error, Error::cancelled);
    EXPECT_EQ(op->times, 1);
  }
  ASSERT_TRUE(final.result.ok());
  EXPECT_EQ(final.result.bytes, 10u);
  world.backend().give_back(final.result.chunk);
  close(pair.peer);
}

Task<Error> into_after_chunk(Env& env, Handle listener) {
  OpResult accepted = co_await accept(env, listener);
  const Handle handle = accepted.handle;
  EXPECT_EQ((co_await receive(env, handle)).bytes, "head");
  // The kernel's multishot is armed now; bytes come while it is being ended.
  Received body = co_await receive_exactly(env, handle, 3'000'000);
  EXPECT_TRUE(body.bytes == pattern(8, 3'000'000));
  EXPECT_EQ((co_await receive(env, handle)).bytes, "tail");
  EXPECT_EQ((co_await receive_into(env, handle, 10)).error, Error::closed);
  env.close(handle);
  co_return Error::none;
}

TEST(Streams, ReceiveIntoTheCallersMemory) {
  meet(into_after_chunk, [](int peer) {
    peer_write(peer, "head");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    peer_write(peer, pattern(8, 3'000'000));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    peer_write(peer, "tail");
    close(peer);
  });
}

Task<Error> connect_everywhere(Env& env, Address tcp, Address local, uint16_t free_port) {
  const Address wrong[] = {Address::tcp("127.0.0.1", free_port), Address::tcp("localhost", 1),
                           Address::local("/nowhere/socket"),
                           Address::local(std::string(200, 'x'))};
  const Error errors[] = {Error::refused, Error::invalid, Error::not_found, Error::invalid};
  for (size_t i = 0; i < 4; ++i) {
    OpResult result = co_await connect(env, wrong[i]);
    EXPECT_EQ(result.error, errors[i]) << i << " " << describe(result.error);
    EXPECT_FALSE(result.handle);
  }
  const Address right[] = {tcp, local};
  for (const Address& address : right) {
    OpResult result = co_await connect(env, address);
    EXPECT_EQ(result.error, Error::none) << describe(result.error);
    EXPECT_EQ(co_await send(env, result.handle, "hello"), Error::none);
    EXPECT_EQ((co_await receive(env, result.handle)).bytes, "hello");
    if (!address.unix_socket) {
      EXPECT_EQ(env.backend().local_address(result.handle).host, "127.0.0.1");
    }
    env.backend().set_keepalive(result.handle, 300);
    env.backend().set_keepalive(result.handle, 0);
    env.close(result.handle);
  }
  co_return Error::none;
}

TEST(Streams, Connect) {
  Directory directory;
  UringOptions options;
  options.directory = directory.path();
  World world(options);
  Echo tcp(world, Address::tcp("127.0.0.1", 0), Mode::chunks);
  Echo local(world, Address::local("socket"), Mode::chunks);  // relative to the directory
  Address unused = Address::tcp("127.0.0.1", 0);
  close(peer_listen(&unused, 1));
  world.tell(connect_everywhere(world.env(), world.address_of(tcp.listener()),
                                Address::local("socket"), unused.port));
  world.run();
}

// A listener whose backlog is full answers nobody.
TEST(Streams, GiveUpAConnect) {
  World world;
  Address full = Address::tcp("127.0.0.1", 0);
  const int listener = peer_listen(&full, 0);
  const int first = peer_connect(full);
  std::vector<std::unique_ptr<PlainOp>> ops;
  for (int i = 0; i < 4; ++i) {
    ops.push_back(std::make_unique<PlainOp>(OpKind::connect));
    ops.back()->address = full;
    world.env().submit(*ops.back());
  }
  Timer later;
  std::function<void()> stop = [&] {
    for (const auto& op : ops) world.env().cancel(*op);
  };
  call_on_fire(later, stop);
  world.env().arm_in(later, Duration::milliseconds(100));
  const auto done = [&] {
    return std::all_of(ops.begin(), ops.end(), [](const auto& op) { return op->done; });
  };
  world.run(done);
  EXPECT_EQ(ops.back()->result.error, Error::cancelled);
  close(first);
  close(listener);
}

}  // namespace
}  // namespace redoubt
