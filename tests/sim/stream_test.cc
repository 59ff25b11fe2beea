#include <gtest/gtest.h>

#include <set>

#include "tests/sim/naive.h"
#include "tests/sim/stories.h"

namespace redoubt::sim {
namespace {

const Address kServer = Address::tcp("10.0.0.1", 80);

// Two hosts, a story each.
struct Pair {
  explicit Pair(StoryProcess::Story serve, StoryProcess::Story ask, WorldOptions options = {},
                uint64_t seed = 1)
      : world(seed, options) {
    server = world.add_host({.name = "server"}, story(serve, &served));
    client = world.add_host({.name = "client"}, story(ask, &asked));
    world.boot(server);
    world.boot(client);
  }

  Seen served;
  Seen asked;
  World world;
  HostId server = 0;
  HostId client = 0;
};

using Lines = std::vector<std::string>;

Task<int> serve_nothing(Env&, Seen*, std::string) {
  co_return 0;
}

// Accepts one, receives until the end, and says what it got.
Task<int> serve_one(Env& env, Seen* seen, std::string) {
  const Handle listener = listen_on(env, 80);
  const Got stream = co_await accept_one(env, listener);
  const Got all = co_await receive_all(env, stream.handle);
  seen->lines.push_back(all.text.size() < 100 ? all.text : std::to_string(all.text.size()));
  seen->lines.push_back(said(all.error));
  env.close(stream.handle);
  co_return 0;
}

TEST(Stream, BytesThenTheEnd) {
  Pair pair(serve_one, [](Env& env, Seen*, std::string) -> Task<int> {
    const Got stream = co_await connect_to(env, kServer);
    co_await send_text(env, stream.handle, "one ");
    co_await send_text(env, stream.handle, "two");
    env.close(stream.handle);
    co_return 0;
  });
  pair.world.run_for(Duration::seconds(1));
  EXPECT_EQ(pair.served.lines, (Lines{"one two", "connection closed by peer"}));
  EXPECT_EQ(pair.world.network().connection_count(), 0u);
}

TEST(Stream, NobodyListens) {
  Pair pair(serve_nothing, [](Env& env, Seen* seen, std::string) -> Task<int> {
    seen->lines.push_back(said((co_await connect_to(env, kServer)).error));
    seen->lines.push_back(said((co_await connect_to(env, Address::tcp("10.9.9.9", 80))).error));
    seen->lines.push_back(said((co_await connect_to(env, Address::tcp("some.name", 80))).error));
    seen->lines.push_back(said((co_await connect_to(env, Address::local("/run/x.sock"))).error));
    co_return 0;
  });
  pair.world.run_for(Duration::seconds(1));
  EXPECT_EQ(pair.asked.lines, (Lines{"connection refused", "host or network unreachable",
                                     "invalid argument", "no such file or directory"}));
}

TEST(Stream, AHostWithoutPowerDoesNotAnswer) {
  Pair pair(serve_nothing, [](Env& env, Seen* seen, std::string) -> Task<int> {
    const Instant before = env.now();
    seen->lines.push_back(said((co_await connect_to(env, kServer)).error));
    seen->lines.push_back(std::to_string((env.now() - before).s()));
    co_return 0;
  });
  pair.world.crash(pair.server, StopKind::power_loss);
  pair.world.run_for(Duration::seconds(200));
  EXPECT_EQ(pair.asked.lines, (Lines{"timed out", "127"}));
}

TEST(Stream, ListenSaysWhatIsWrong) {
  WorldOptions options;
  World world(1, options);
  Seen seen;
  world.boot(world.add_host(
      {}, story(
              [](Env& env, Seen* result, std::string) -> Task<int> {
                Backend& door = env.backend();
                const Handle any = door.listen(Address::tcp("0.0.0.0", 0), 4, 0).value();
                result->lines.push_back(door.local_address(any).to_string());
                const auto error = [&](const Address& address) {
                  auto listener = door.listen(address, 4, 0);
                  return said(listener.ok() ? Error::none : listener.error());
                };
                result->lines.push_back(error(Address::tcp("10.0.0.1", 80)));
                result->lines.push_back(error(Address::tcp("10.0.0.1", 80)));
                result->lines.push_back(error(Address::tcp("10.0.0.2", 80)));
                result->lines.push_back(error(Address::tcp("fd00::1", 80)));
                result->lines.push_back(error(Address::local("/run/redoubt.sock")));
                co_return 0;
              },
              &seen)));
  EXPECT_EQ(seen.lines, (Lines{"0.0.0.0:32768", "no error", "address already in use",
                               "address not available on this machine", "no error", "no error"}));
}

TEST(Stream, AddressesOfBothSides) {
  Pair pair(
      [](Env& env, Seen* seen, std::string) -> Task<int> {
        const Handle listener = listen_on(env, 80);
        const Got stream = co_await accept_one(env, listener);
        seen->lines.push_back(stream.address.to_string());
        seen->lines.push_back(env.backend().local_address(stream.handle).to_string());
        co_return 0;
      },
      [](Env& env, Seen* seen, std::string) -> Task<int> {
        const Got stream = co_await connect_to(env, kServer);
        seen->lines.push_back(env.backend().local_address(stream.handle).to_string());
        co_return 0;
      });
  pair.world.run_for(Duration::seconds(1));
  EXPECT_EQ(pair.served.lines, (Lines{"10.0.0.2:32768", "10.0.0.1:80"}));
  EXPECT_EQ(pair.asked.lines, Lines{"10.0.0.2:32768"});
}

TEST(Stream, UnixSocketsAndLoopback) {
  WorldOptions options;
  World world(1, options);
  Seen served;
  Seen asked;
  // Both on one host: the server's story starts the client's.
  world.boot(world.add_host(
      {}, story(
              [](Env& env, Seen* seen, std::string) -> Task<int> {
                Backend& door = env.backend();
                const Handle unix_listener = door.listen(Address::local("/run/s"), 4, 0700).value();
                const Handle tcp_listener = listen_on(env, 80);
                IoOp accept(env);
                for (const Address& address :
                     {Address::local("/run/s"), Address::tcp("127.0.0.1", 80)}) {
                  const Got out = co_await connect_to(env, address);
                  seen->lines.push_back(said(out.error));
                  const Handle listener = address.unix_socket ? unix_listener : tcp_listener;
                  const Got in = co_await accept_one(env, listener);
                  seen->lines.push_back(in.address.to_string());
                  co_await send_text(env, out.handle, "hello");
                  seen->lines.push_back((co_await receive_some(env, in.handle)).text);
                }
                co_return 0;
              },
              &served)));
  world.run_for(Duration::seconds(1));
  EXPECT_EQ(served.lines,
            (Lines{"no error", "/run/s:0", "hello", "no error", "127.0.0.1:32768", "hello"}));
}

TEST(Stream, ClosingWithUnreadBytesResets) {
  Pair pair(
      [](Env& env, Seen*, std::string) -> Task<int> {
        const Handle listener = listen_on(env, 80);
        const Got stream = co_await accept_one(env, listener);
        co_await Sleep(env, Duration::milliseconds(10));
        env.close(stream.handle);
        co_return 0;
      },
      [](Env& env, Seen* seen, std::string) -> Task<int> {
        const Got stream = co_await connect_to(env, kServer);
        co_await send_text(env, stream.handle, "nobody reads this");
        seen->lines.push_back(said((co_await receive_some(env, stream.handle)).error));
        seen->lines.push_back(said(co_await send_text(env, stream.handle, "more")));
        co_return 0;
      });
  pair.world.run_for(Duration::seconds(1));
  EXPECT_EQ(pair.asked.lines, (Lines{"connection reset by peer", "connection reset by peer"}));
}

TEST(Stream, SendingToOneWhoHasClosedResets) {
  Pair pair(
      [](Env& env, Seen*, std::string) -> Task<int> {
        const Handle listener = listen_on(env, 80);
        env.close((co_await accept_one(env, listener)).handle);
        co_return 0;
      },
      [](Env& env, Seen* seen, std::string) -> Task<int> {
        const Got stream = co_await connect_to(env, kServer);
        seen->lines.push_back(said((co_await receive_some(env, stream.handle)).error));
        seen->lines.push_back(said(co_await send_text(env, stream.handle, "x")));
        co_await Sleep(env, Duration::milliseconds(10));
        seen->lines.push_back(said(co_await send_text(env, stream.handle, "y")));
        co_return 0;
      });
  pair.world.run_for(Duration::seconds(1));
  EXPECT_EQ(pair.asked.lines,
            (Lines{"connection closed by peer", "no error", "connection reset by peer"}));
}

TEST(Stream, CloseAndCancelCompleteWhatIsInFlight) {
  Pair pair(serve_one, [](Env& env, Seen* seen, std::string) -> Task<int> {
    const Got stream = co_await connect_to(env, kServer);
    Op receive;
    receive.kind = OpKind::receive;
    receive.handle = stream.handle;
    receive.owner = seen;
    receive.on_done = [](Op& op) {
      static_cast<Seen*>(op.owner)->lines.push_back(said(op.result.error));
    };
    env.submit(receive);
    env.cancel(receive);
    seen->lines.push_back("cancelled");
    co_await Sleep(env, Duration::milliseconds(1));
    env.submit(receive);
    env.close(stream.handle);
    seen->lines.push_back("closed");
    co_await Sleep(env, Duration::milliseconds(1));
    env.submit(receive);
    seen->lines.push_back("submitted on a dead handle");
    co_await Sleep(env, Duration::milliseconds(1));
    co_return 0;
  });
  pair.world.run_for(Duration::seconds(1));
  EXPECT_EQ(pair.asked.lines, (Lines{"cancelled", "cancelled", "closed", "cancelled",
                                     "submitted on a dead handle", "cancelled"}));
}

TEST(Stream, BackPressureHoldsTheSender) {
  WorldOptions options;
  options.socket_buffer_bytes = 10'000;
  Pair pair(
      [](Env& env, Seen* seen, std::string) -> Task<int> {
        const Handle listener = listen_on(env, 80);
        const Got stream = co_await accept_one(env, listener);
        co_await Sleep(env, Duration::milliseconds(2'100));
        seen->lines.push_back(
            std::to_string((co_await receive_all(env, stream.handle)).text.size()));
        co_return 0;
      },
      [](Env& env, Seen* seen, std::string) -> Task<int> {
        const Got stream = co_await connect_to(env, kServer);
        const Instant before = env.now();
        co_await send_text(env, stream.handle, std::string(20'000, 'a'));
        seen->lines.push_back(std::to_string((env.now() - before).s()));
        co_await send_text(env, stream.handle, std::string(20'000, 'b'));
        seen->lines.push_back(std::to_string((env.now() - before).s()));
        env.close(stream.handle);
        co_return 0;
      },
      options);
  pair.world.run_for(Duration::seconds(10));
  // What two buffers hold goes at once; the rest waits until somebody reads.
  EXPECT_EQ(pair.asked.lines, (Lines{"0", "2"}));
  EXPECT_EQ(pair.served.lines, Lines{"40000"});
}

TEST(Stream, AFullBacklogLetsOthersWait) {
  WorldOptions options;
  World world(1, options);
  Seen served;
  world.boot(world.add_host({}, story(
                                    [](Env& env, Seen* seen, std::string) -> Task<int> {
                                      const Handle listener = listen_on(env, 80, 2);
                                      co_await Sleep(env, Duration::seconds(1));
                                      for (int i = 0; i < 5; ++i) {
                                        co_await accept_one(env, listener);
                                        ++seen->rounds;
                                      }
                                      co_return 0;
                                    },
                                    &served)));
  std::vector<Seen> asked(5);
  for (Seen& seen : asked) {
    world.boot(world.add_host(
        {}, story(
                [](Env& env, Seen* result, std::string) -> Task<int> {
                  result->finished = (co_await connect_to(env, kServer)).error == Error::none;
                  co_return 0;
                },
                &seen)));
  }
  world.run_for(Duration::milliseconds(500));
  EXPECT_EQ(asked[0].finished + asked[1].finished + asked[2].finished + asked[3].finished +
                asked[4].finished,
            2);
  world.run_for(Duration::seconds(10));
  EXPECT_EQ(served.rounds, 5u);
}

TEST(Stream, OutOfHandles) {
  WorldOptions options;
  options.handles_max = 2;
  Pair pair(
      [](Env& env, Seen* seen, std::string) -> Task<int> {
        const Handle listener = listen_on(env, 80);
        seen->lines.push_back(said((co_await accept_one(env, listener)).error));
        seen->lines.push_back(said((co_await accept_one(env, listener)).error));
        co_return 0;
      },
      [](Env& env, Seen* seen, std::string) -> Task<int> {
        for (int i = 0; i < 3; ++i) {
          seen->lines.push_back(said((co_await connect_to(env, kServer)).error));
        }
        co_return 0;
      },
      options);
  pair.world.run_for(Duration::seconds(1));
  EXPECT_EQ(pair.served.lines, (Lines{"no error", "too many open files"}));
  EXPECT_EQ(pair.asked.lines, (Lines{"no error", "no error", "too many open files"}));
}

Task<int> send_for_ever(Env& env, Seen* seen, std::string) {
  const Got stream = co_await connect_to(env, kServer);
  env.backend().set_keepalive(stream.handle, 0);
  for (;;) {
    const Error error = co_await send_text(env, stream.handle, "tick");
    if (error != Error::none) {
      seen->lines.push_back(said(error));
      co_return 1;
    }
    ++seen->rounds;
    co_await Sleep(env, Duration::milliseconds(100));
  }
}

TEST(Stream, ARebootAnswersWithAReset) {
  Pair pair(serve_one, send_for_ever);
  pair.world.run_for(Duration::seconds(1));
  pair.world.crash(pair.server, StopKind::power_loss);
  pair.world.run_for(Duration::seconds(3));
  EXPECT_TRUE(pair.asked.lines.empty());  // half-open: it believes that the link lives
  pair.world.boot(pair.server);
  pair.world.run_for(Duration::seconds(5));
  EXPECT_EQ(pair.asked.lines, Lines{"connection reset by peer"});
}

TEST(Stream, AKilledProcessIsMissedAtOnce) {
  Pair pair(serve_one, send_for_ever);
  pair.world.run_for(Duration::seconds(1));
  pair.world.crash(pair.server, StopKind::kill);
  pair.world.run_for(Duration::seconds(1));
  EXPECT_EQ(pair.asked.lines, Lines{"connection reset by peer"});
}

TEST(Stream, KeepaliveFindsADeadPeer) {
  for (const int idle_s : {0, 5}) {
    Pair pair(serve_one, [](Env& env, Seen* seen, std::string) -> Task<int> {
      const Got stream = co_await connect_to(env, kServer);
      env.backend().set_keepalive(stream.handle, static_cast<int>(seen->rounds));
      seen->lines.push_back(said((co_await receive_some(env, stream.handle)).error));
      co_return 0;
    });
    pair.asked.rounds = static_cast<uint64_t>(idle_s);
    pair.world.run_for(Duration::seconds(1));
    pair.world.crash(pair.server, StopKind::power_loss);
    pair.world.run_for(Duration::seconds(30));
    EXPECT_EQ(pair.asked.lines, idle_s == 0 ? Lines{} : Lines{"timed out"});
  }
}

TEST(Stream, WhatACutLoosesArrivesAfterIt) {
  for (const CutKind kind : {CutKind::lost, CutKind::held}) {
    for (const bool one_way : {false, true}) {
      Pair pair(serve_one, [](Env& env, Seen* seen, std::string) -> Task<int> {
        const Got stream = co_await connect_to(env, kServer);
        for (; seen->rounds < 40; ++seen->rounds) {
          co_await send_text(env, stream.handle, "x");
          co_await Sleep(env, Duration::milliseconds(100));
        }
        env.close(stream.handle);
        co_return 0;
      });
      pair.world.run_for(Duration::seconds(1));
      const uint32_t cut = pair.world.network().cut({pair.client}, true, !one_way, kind);
      pair.world.run_for(Duration::seconds(10));
      EXPECT_TRUE(pair.served.lines.empty());
      EXPECT_EQ(pair.asked.rounds, 40u);
      pair.world.network().heal(cut);
      pair.world.run_for(kind == CutKind::held ? Duration::seconds(1) : Duration::seconds(30));
      EXPECT_EQ(pair.served.lines, (Lines{std::string(40, 'x'), "connection closed by peer"}));
    }
  }
}

// What a clog has held comes all at once: bytes of every stream, and attempts to connect.
TEST(Stream, AClogReleasesInABurst) {
  WorldOptions options;
  World world(1, options);
  Seen served;
  const HostId server = world.add_host({}, make_echo);
  world.boot(server);
  std::vector<Seen> asked(10);
  const auto late = [](Env& env, Seen* seen, std::string wait) -> Task<int> {
    co_await Sleep(env, Duration::milliseconds(std::stoll(wait)));
    const Got stream = co_await connect_to(env, Address::tcp("10.0.0.1", 7));
    co_await Sleep(env, Duration::milliseconds(100));
    co_await send_text(env, stream.handle, "x");
    co_await receive_some(env, stream.handle);
    seen->lines.push_back(std::to_string((env.now() - Instant()).ms()));
    seen->finished = true;
    co_return 0;
  };
  for (size_t i = 0; i < asked.size(); ++i) {
    // Half of them have connected before the links clog, the others try while they are.
    world.boot(world.add_host({}, story(late, &asked[i], i % 2 == 0 ? "0" : "1000")));
  }
  world.run_for(Duration::milliseconds(50));
  const uint32_t cut = world.network().cut({server}, true, true, CutKind::held);
  world.run_for(Duration::seconds(60));
  for (const Seen& seen : asked) EXPECT_FALSE(seen.finished);
  world.network().heal(cut);
  world.run_for(Duration::milliseconds(10));
  for (size_t i = 0; i < asked.size(); ++i) EXPECT_EQ(asked[i].finished, i % 2 == 0);
  world.run_for(Duration::milliseconds(110));  // the new ones wait that long before they send
  for (const Seen& seen : asked) EXPECT_TRUE(seen.finished);
}

// A reset within a segment leaves the first part of it to be read.
TEST(Stream, AResetCutsASegment) {
  std::set<size_t> sizes;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    WorldOptions options;
    options.faults.net_reset_mid = 1'000'000;
    Pair pair(
        serve_one,
        [](Env& env, Seen*, std::string) -> Task<int> {
          const Got stream = co_await connect_to(env, kServer);
          co_await send_text(env, stream.handle, "0123456789");
          co_await Sleep(env, Duration::seconds(10));
          co_return 0;
        },
        options, seed);
    pair.world.run_for(Duration::seconds(1));
    ASSERT_EQ(pair.served.lines.size(), 2u);
    EXPECT_EQ(pair.served.lines[0],
              std::string("0123456789").substr(0, pair.served.lines[0].size()));
    EXPECT_EQ(pair.served.lines[1], "connection reset by peer");
    sizes.insert(pair.served.lines[0].size());
  }
  EXPECT_EQ(*sizes.begin(), 1u);
  EXPECT_EQ(*sizes.rbegin(), 9u);
}

TEST(Stream, LentChunksAreBounded) {
  WorldOptions options;
  options.chunk_count = 2;
  WorldOptions plenty;
  for (const WorldOptions& chosen : {options, plenty}) {
    Pair pair(
        [](Env& env, Seen* seen, std::string) -> Task<int> {
          const Handle listener = listen_on(env, 80);
          const Got stream = co_await accept_one(env, listener);
          IoOp receive(env);
          receive.op.kind = OpKind::receive;
          receive.op.handle = stream.handle;
          Chunk first;
          for (int i = 0; i < 4; ++i) {
            co_await receive;
            first = receive.op.result.chunk;
            ++seen->rounds;
            if (seen->rounds == 2) co_await Sleep(env, Duration::milliseconds(500));
          }
          co_return 0;
        },
        [](Env& env, Seen*, std::string) -> Task<int> {
          const Got stream = co_await connect_to(env, kServer);
          for (;;) {
            co_await send_text(env, stream.handle, "x");
            co_await Sleep(env, Duration::milliseconds(10));
          }
        },
        chosen);
    pair.world.run_for(Duration::seconds(3));
    EXPECT_EQ(pair.served.rounds, chosen.chunk_count == 2 ? 2u : 4u);
  }
}

Task<int> collect(Env& env, Seen* seen, std::string) {
  const Handle listener = listen_on(env, 80);
  const Got stream = co_await accept_one(env, listener);
  seen->lines.emplace_back();
  for (int i = 0;; ++i) {
    const Got got = co_await receive_some(env, stream.handle, i % 3 == 0 ? 700 : 0);
    seen->lines[0] += got.text;
    if (got.error == Error::none) continue;
    seen->lines.push_back(said(got.error));
    co_return 0;
  }
}

Task<int> send_much(Env& env, Seen* seen, std::string) {
  const Got stream = co_await connect_to(env, kServer);
  seen->lines.emplace_back();
  for (int i = 0; i < 100; ++i) {
    std::string text(1 + env.entropy() % 3'000, ' ');
    for (char& c : text) c = static_cast<char>(env.entropy());
    seen->lines[0] += text;
    co_await send_text(env, stream.handle, text);
    if (i % 10 == 0) co_await Sleep(env, Duration::milliseconds(200));
  }
  env.close(stream.handle);
  seen->lines.push_back("connection closed by peer");
  co_return 0;
}

// Whatever the network does short of breaking the stream, the bytes are the same.
TEST(Stream, TheSameBytesWithEveryHarmlessFault) {
  FaultCounts total;
  constexpr Fault kHarmless[] = {
      Fault::net_delay,     Fault::net_cut,         Fault::net_slow,          Fault::net_clog,
      Fault::net_partition, Fault::net_one_way,     Fault::net_small_buffers, Fault::pause,
      Fault::net_jitter,    Fault::net_reorder,     Fault::slow_cpu,          Fault::timer_jitter,
      Fault::io_late,       Fault::io_short_receive};
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed, "options");
    WorldOptions options;
    options.faults = draw_faults(random, kHarmless);
    World world(seed, options);
    Seen served;
    Seen asked;
    world.boot(world.add_host({.name = "server", .faultable = true}, story(collect, &served)));
    world.boot(world.add_host({.name = "client", .faultable = true}, story(send_much, &asked)));
    world.start_faults();
    world.run_for(Duration::seconds(60));
    world.stop_faults();
    world.heal();
    world.run_for(Duration::seconds(300));
    EXPECT_TRUE(served.lines == asked.lines)
        << "seed " << seed << " " << faults_text(options.faults);
    for (size_t i = 0; i < kFaultCount; ++i) total.fired[i] += world.fired().fired[i];
  }
  for (const Fault fault : kHarmless) {
    EXPECT_GT(total[fault], 0u) << fault_row(fault).name << " never fired";
  }
}

}  // namespace
}  // namespace redoubt::sim
