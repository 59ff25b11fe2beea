// Each fault breaks a program that does not reckon with it, and the same program lives without it.
#include <gtest/gtest.h>

#include <functional>

#include "tests/sim/naive.h"
#include "tests/sim/stories.h"

namespace redoubt::sim {
namespace {

struct Case {
  Fault fault;
  int64_t value;
  std::string complaint;  // a part of it; "" for one that waits for ever
  FaultOptions strengths = {};
};

void PrintTo(const Case& chosen, std::ostream* out) {
  *out << fault_row(chosen.fault).name;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return std::string(fault_row(info.param.fault).name);
}

WorldOptions with(const Case& chosen, bool on) {
  WorldOptions options;
  options.faults = chosen.strengths;
  if (on) options.faults.*fault_row(chosen.fault).field = chosen.value;
  return options;
}

// Runs it with and without the fault. `scene` builds the world, runs it and returns what was seen;
// a complaint or an unfinished story means that the program broke.
void breaks(const Case& chosen, const std::function<Seen(World&)>& scene) {
  {
    World calm(11, with(chosen, false));
    const Seen seen = scene(calm);
    EXPECT_EQ(seen.complaint, "");
    EXPECT_TRUE(seen.finished);
    EXPECT_EQ(calm.fired()[chosen.fault], 0u);
  }
  World world(11, with(chosen, true));
  const Seen seen = scene(world);
  EXPECT_FALSE(seen.finished && seen.complaint.empty());
  EXPECT_TRUE(seen.complaint.find(chosen.complaint) != std::string::npos) << seen.complaint;
  EXPECT_GT(world.fired()[chosen.fault], 0u);
}

class NaiveClient : public testing::TestWithParam<Case> {};

TEST_P(NaiveClient, Breaks) {
  breaks(GetParam(), [](World& world) {
    Seen seen;
    const HostId server = world.add_host({.name = "server", .faultable = true}, make_echo);
    const HostId client =
        world.add_host({.name = "client"}, story(naive_client, &seen, "10.0.0.1"));
    world.boot(server);
    world.boot(client);
    world.start_faults();
    world.run_for(Duration::seconds(200));
    return seen;
  });
}

INSTANTIATE_TEST_SUITE_P(
    Faults, NaiveClient,
    testing::Values(Case{Fault::net_delay, 20'000, "answer late"},
                    Case{Fault::net_cut, 500'000, "answer in pieces"},
                    Case{Fault::net_reset, 20'000, "receive: connection reset"},
                    Case{Fault::net_small_buffers, 64, "answer in pieces"},
                    Case{Fault::net_slow, 20, "answer late"},
                    Case{Fault::net_partition, 100, "answer late", {.net_cut_off_ms = 20}},
                    Case{Fault::net_one_way, 100, "answer late", {.net_cut_off_ms = 20}},
                    Case{Fault::net_clog, 50, "answer late"}, Case{Fault::net_half_open, 50, ""},
                    Case{Fault::net_refuse, 1'000'000, "connect: connection refused"},
                    Case{Fault::net_hang, 1'000'000, "connect: timed out"},
                    Case{Fault::kill, 50, "receive: connection"}, Case{Fault::power_loss, 50, ""},
                    Case{Fault::restart, 50, "receive: connection"},
                    Case{Fault::pause, 50, "answer late"},
                    Case{Fault::slow_cpu, 200, "answer late", {.slow_cpu_factor = 10'000}},
                    Case{Fault::io_short_receive, 500'000, "answer in pieces"}),
    name_of);

class NaiveWriter : public testing::TestWithParam<Case> {};

TEST_P(NaiveWriter, Breaks) {
  breaks(GetParam(), [](World& world) {
    Seen seen;
    const HostId host =
        world.add_host({.name = "writer", .faultable = true}, story(naive_writer, &seen, ""));
    world.boot(host);
    world.start_faults();
    world.run_for(Duration::seconds(20));
    return seen;
  });
}

INSTANTIATE_TEST_SUITE_P(Faults, NaiveWriter,
                         testing::Values(Case{Fault::disk_error, 20'000, "input/output"},
                                         Case{Fault::disk_slow, 10'000, "write late"},
                                         Case{Fault::disk_stall, 200, "write late"},
                                         Case{Fault::disk_full, 50, "write: no space left"}),
                         name_of);

// What a program may find of a file after its machine has been off.
Seen write_then_lose_power(World& world, const std::string& mode) {
  Seen seen;
  const HostId host =
      world.add_host({.name = "writer", .faultable = true}, story(naive_writer, &seen, mode));
  world.boot(host);
  world.run_for(Duration::seconds(20));
  EXPECT_TRUE(seen.finished);
  const std::string before = world.host(host).disk().contents("naive.txt").value();
  // Somebody has seen to the name.
  Disk& disk = world.host(host).disk();
  disk.end_sync_names(disk.find("/data").value(), disk.names_mark());
  world.crash(host, StopKind::power_loss);
  if (world.host(host).disk().contents("naive.txt").value() != before) {
    seen.complain("the file has changed");
  }
  return seen;
}

TEST(NaiveSync, BreaksWhenASyncFails) {
  breaks({Fault::disk_sync_error, 300'000, "the file has changed"},
         [](World& world) { return write_then_lose_power(world, "sync"); });
}

TEST(NaiveSync, BreaksWithoutSync) {
  // The fault power_loss as it meets disks: a write is not on the medium.
  int changed = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    WorldOptions options;
    World world(seed, options);
    changed += write_then_lose_power(world, "").complaint.empty() ? 0 : 1;
  }
  EXPECT_GT(changed, 5);
  EXPECT_LT(changed, 20);
}

// A reader believes that it sees a write as a whole.
TEST(NaiveReader, BreaksWhenWritesComeInPieces) {
  breaks({Fault::disk_split, 500'000, "half a write"}, [](World& world) {
    Seen seen;
    const HostId host =
        world.add_host({.faultable = true},
                       story(
                           [](Env& env, Seen* result, std::string) -> Task<int> {
                             IoOp file(env);
                             file.op.kind = OpKind::open;
                             file.op.path = "f";
                             file.op.flags = {.read = true, .write = true, .create = true};
                             co_await file;
                             const Handle handle = file.op.result.handle;
                             for (int i = 0; i < 200; ++i) {
                               const std::string text(1'000, static_cast<char>('a' + i % 26));
                               const Slice slice = as_slice(text);
                               Op write;
                               write.kind = OpKind::write;
                               write.handle = handle;
                               write.gather = {&slice, 1};
                               write.on_done = [](Op&) {};
                               env.submit(write);
                               std::string back(1'000, ' ');
                               file.op.kind = OpKind::read;
                               file.op.handle = handle;
                               file.op.into = std::as_writable_bytes(std::span(back));
                               co_await file;
                               back.resize(file.op.result.bytes);
                               if (back.find_first_not_of(back.substr(0, 1)) != std::string::npos) {
                                 result->complain("half a write");
                               }
                               co_await Sleep(env, Duration::milliseconds(2));
                             }
                             result->finished = true;
                             co_return 0;
                           },
                           &seen));
    world.boot(host);
    world.run_for(Duration::seconds(20));
    return seen;
  });
}

// One who takes his clocks for the clocks of others, and the wall clock for a stopwatch.
Task<int> naive_clocks(Env& env, Seen* seen, std::string) {
  const int64_t wall_before = env.wall().unix_us;
  const Instant before = env.now();
  for (int i = 0; i < 1'000; ++i) {
    const Instant due = env.now() + Duration::milliseconds(100);
    const int64_t wall = env.wall().unix_us;
    co_await Sleep(env, Duration::milliseconds(100));
    if (env.now() - due > Duration::milliseconds(1)) seen->complain("timer late");
    const int64_t passed_us = env.wall().unix_us - wall;
    if (passed_us < 99'000 || passed_us > 120'000) seen->complain("wall clock jumped");
  }
  seen->lines.push_back(std::to_string(wall_before));
  seen->lines.push_back(std::to_string((env.now() - before).us()));
  seen->finished = true;
  co_return 0;
}

class NaiveClocks : public testing::TestWithParam<Case> {};

TEST_P(NaiveClocks, Breaks) {
  breaks(GetParam(), [](World& world) {
    Seen here;
    Seen there;
    world.boot(world.add_host({.faultable = true}, story(naive_clocks, &here)));
    world.boot(world.add_host({.faultable = true}, story(naive_clocks, &there)));
    world.start_faults();
    world.run_for(Duration::seconds(99));
    const int64_t drift_us = world.host(0).clock().wall(world.now()).unix_us -
                             world.host(1).clock().wall(world.now()).unix_us;
    world.run_for(Duration::seconds(60));
    if (here.complaint.empty()) here.complaint = there.complaint;
    here.finished = here.finished && there.finished;
    if (here.finished && here.complaint.empty()) {
      const int64_t skew_us = std::stoll(here.lines[0]) - std::stoll(there.lines[0]);
      if (std::abs(skew_us) > 1'000) here.complain("clocks differ");
      if (std::abs(drift_us) > 1'000) here.complain("clocks run apart");
    }
    return here;
  });
}

INSTANTIATE_TEST_SUITE_P(Faults, NaiveClocks,
                         testing::Values(Case{Fault::clock_skew, 10'000, "clocks differ"},
                                         Case{Fault::clock_drift, 500, "clocks run apart"},
                                         Case{Fault::clock_jump, 5'000, "wall clock jumped"},
                                         Case{Fault::timer_jitter, 5'000, "timer late"}),
                         name_of);

// One who believes that a send completes before its answer comes.
Task<int> naive_order(Env& env, Seen* seen, std::string) {
  struct Wait {
    Seen* seen;
    std::string text;
  } wait{seen, ""};
  const Got stream = co_await connect_to(env, Address::tcp("10.0.0.1", 7));
  Op send;
  send.kind = OpKind::send;
  send.handle = stream.handle;
  send.owner = &wait;
  send.on_done = [](Op& op) { static_cast<Wait*>(op.owner)->text += "sent "; };
  Op receive;
  receive.kind = OpKind::receive;
  receive.handle = stream.handle;
  std::string buffer(100, ' ');
  receive.into = std::as_writable_bytes(std::span(buffer));
  receive.owner = &wait;
  receive.on_done = [](Op& op) { static_cast<Wait*>(op.owner)->text += "received "; };
  const Slice slice = as_slice("x");
  send.gather = {&slice, 1};
  for (int i = 0; i < 100; ++i) {
    wait.text.clear();
    env.submit(send);
    env.submit(receive);
    // Busy, so that both are there when it looks again.
    env.backend().stall(Duration::milliseconds(2));
    co_await Sleep(env, Duration::milliseconds(500));
    if (wait.text != "sent received ") seen->complain(wait.text);
  }
  seen->finished = true;
  co_return 0;
}

class NaiveOrder : public testing::TestWithParam<Case> {};

TEST_P(NaiveOrder, Breaks) {
  breaks(GetParam(), [](World& world) {
    Seen seen;
    world.boot(world.add_host({.faultable = true}, make_echo));
    world.boot(world.add_host({.faultable = true}, story(naive_order, &seen)));
    world.run_for(Duration::seconds(100));
    return seen;
  });
}

INSTANTIATE_TEST_SUITE_P(
    Faults, NaiveOrder,
    testing::Values(Case{Fault::io_reorder, 300'000, "received sent"},
                    Case{Fault::io_late, 300'000, "received sent", {.io_late_us = 10'000}}),
    name_of);

// One who believes that what is cancelled is over at once.
TEST(NaiveCancel, BreaksWhenTheCancelledCompletes) {
  breaks({Fault::io_cancel_late, 300'000, "not over"}, [](World& world) {
    Seen seen;
    world.boot(world.add_host({.faultable = true}, make_echo));
    world.boot(world.add_host({}, story(
                                      [](Env& env, Seen* result, std::string) -> Task<int> {
                                        const Got stream =
                                            co_await connect_to(env, Address::tcp("10.0.0.1", 7));
                                        Op receive;
                                        std::string buffer(100, ' ');
                                        receive.kind = OpKind::receive;
                                        receive.handle = stream.handle;
                                        receive.into = std::as_writable_bytes(std::span(buffer));
                                        receive.on_done = [](Op&) {};
                                        for (int i = 0; i < 50; ++i) {
                                          env.submit(receive);
                                          env.cancel(receive);
                                          co_await Sleep(env, Duration::microseconds(10));
                                          if (receive.in_flight) result->complain("not over");
                                          co_await Sleep(env, Duration::seconds(1));
                                        }
                                        result->finished = true;
                                        co_return 0;
                                      },
                                      &seen)));
    world.run_for(Duration::seconds(100));
    return seen;
  });
}

// One who keeps what he was lent until he has four.
TEST(NaiveHoarder, BreaksWhenChunksRunOut) {
  breaks({Fault::io_few_chunks, 3, ""}, [](World& world) {
    Seen seen;
    world.boot(world.add_host({.faultable = true}, make_echo));
    world.boot(world.add_host({}, story(
                                      [](Env& env, Seen* result, std::string) -> Task<int> {
                                        const Got stream =
                                            co_await connect_to(env, Address::tcp("10.0.0.1", 7));
                                        IoOp receive(env);
                                        receive.op.kind = OpKind::receive;
                                        receive.op.handle = stream.handle;
                                        for (int i = 0; i < 4; ++i) {
                                          co_await send_text(env, stream.handle, "x");
                                          co_await receive;
                                        }
                                        result->finished = true;
                                        co_return 0;
                                      },
                                      &seen)));
    world.run_for(Duration::seconds(100));
    return seen;
  });
}

// One who takes it that a connection can always be had.
TEST(NaiveCollector, BreaksWhenHandlesRunOut) {
  breaks({Fault::io_few_handles, 3, "open files"}, [](World& world) {
    Seen seen;
    world.boot(world.add_host({.faultable = true}, make_echo));
    const auto collector = [](Env& env, Seen* result, std::string) -> Task<int> {
      for (int i = 0; i < 4; ++i) {
        const Got stream = co_await connect_to(env, Address::tcp("10.0.0.1", 7));
        if (stream.error != Error::none) result->complain(said(stream.error));
      }
      result->finished = true;
      co_return 0;
    };
    world.boot(world.add_host({}, story(collector, &seen)));
    world.run_for(Duration::seconds(100));
    return seen;
  });
}

TEST(FaultTable, IsComplete) {
  EXPECT_EQ(fault_rows().size(), kFaultCount + 10);
  for (const FaultRow& row : fault_rows()) {
    EXPECT_FALSE(row.description.empty());
    EXPECT_LE(row.low, row.high);
    EXPECT_EQ(find_fault(row.name), &row);
    EXPECT_TRUE(row.strength || row.initial == 0) << row.name;
  }
  EXPECT_EQ(fault_row(Fault::net_delay).name, "net_delay");
  EXPECT_EQ(fault_row(Fault::io_short_receive).name, "io_short_receive");
}

TEST(FaultTable, SetByName) {
  FaultOptions options;
  EXPECT_EQ(set_fault(options, "kill=700"), "");
  EXPECT_EQ(options.kill, 700);
  EXPECT_EQ(set_fault(options, "down_ms=20"), "");
  EXPECT_EQ(faults_text(options), "kill=700 down_ms=20");
  EXPECT_EQ(set_fault(options, "kill=0"), "");
  EXPECT_EQ(faults_text(options), "down_ms=20");
  EXPECT_EQ(set_fault(options, "kill"), "--fault takes name=value, not 'kill'");
  EXPECT_EQ(set_fault(options, "kil=1"), "there is no fault 'kil'; see redoubt-sim list");
  EXPECT_EQ(set_fault(options, "kill=1x"),
            "kill takes a number from 100 to 30000, or 0 for off, not '1x'");
  EXPECT_EQ(set_fault(options, "down_ms=0"), "down_ms takes a number from 1 to 10000, not '0'");
}

TEST(FaultTable, SwarmDrawsOnlyWhatIsEligible) {
  constexpr Fault kEligible[] = {Fault::kill, Fault::net_cut};
  int with_kill = 0;
  int with_none = 0;
  for (uint64_t seed = 0; seed < 1'000; ++seed) {
    Random random(seed);
    const FaultOptions options = draw_faults(random, kEligible);
    EXPECT_EQ(options.net_reset, 0);
    with_kill += options.kill > 0;
    with_none += options.kill == 0 && options.net_cut == 0;
    if (options.kill > 0) {
      EXPECT_GE(options.kill, 100);
      EXPECT_LE(options.kill, 30'000);
    }
  }
  EXPECT_GT(with_kill, 150);
  EXPECT_LT(with_kill, 320);
  EXPECT_GT(with_none, 400);
}

}  // namespace
}  // namespace redoubt::sim
