#include "sim/world.h"

#include <gtest/gtest.h>

#include "tests/sim/naive.h"

namespace redoubt::sim {
namespace {

struct EchoRun {
  std::string digest;
  uint64_t network_draws = 0;
  Seen seen;
};

EchoRun echo_run(uint64_t seed, WorldOptions options, bool disturb = false) {
  EchoRun run;
  World world(seed, options);
  const HostId server = world.add_host({.name = "server", .faultable = true}, make_echo);
  const HostId client =
      world.add_host({.name = "client"}, story(naive_client, &run.seen, "10.0.0.1"));
  world.boot(server);
  world.boot(client);
  world.start_faults();
  if (disturb) world.host(server).disk().random().next();
  world.run_for(Duration::seconds(10));
  run.digest = world.digest_text();
  return run;
}

TEST(World, SameSeedSameDigest) {
  WorldOptions options;
  options.faults.net_delay = 200;
  options.faults.net_cut = 1'000;
  options.faults.clock_jump = 500;
  const EchoRun first = echo_run(5, options);
  EXPECT_EQ(first.digest, echo_run(5, options).digest);
  EXPECT_NE(first.digest, echo_run(6, options).digest);
}

TEST(World, OneMoreDrawLeavesTheOtherStreamsAlone) {
  WorldOptions options;
  options.faults.net_delay = 200;
  const EchoRun first = echo_run(5, options);
  const EchoRun second = echo_run(5, options, true);
  // The count of draws is part of the digest; what happened is the same.
  EXPECT_NE(first.digest, second.digest);
  EXPECT_EQ(first.seen.rounds, second.seen.rounds);
  EXPECT_EQ(first.seen.complaint, second.seen.complaint);
}

TEST(World, AnIdleHourIsFree) {
  WorldOptions options;
  World world(1, options);
  const HostId server = world.add_host({}, make_echo);
  world.boot(server);
  world.run_for(Duration::seconds(3'600));
  EXPECT_EQ(world.now().ns, 3'600'000'000'000);
  EXPECT_LT(world.event_count(), 10u);
}

TEST(World, WorkTakesTime) {
  WorldOptions options;
  World world(1, options);
  Seen seen;
  const HostId host = world.add_host(
      {}, story(
              [](Env& env, Seen* result, std::string) -> Task<int> {
                const Instant before = env.precise_now();
                env.count_work(1'000);
                result->lines.push_back(std::to_string((env.precise_now() - before).ns));
                env.backend().stall(Duration::seconds(1));
                co_await Sleep(env, Duration::milliseconds(1));
                // The timer was due long ago; the process was busy.
                result->lines.push_back(std::to_string((env.now() - before).ms()));
                co_return 0;
              },
              &seen));
  world.boot(host);
  world.run_for(Duration::seconds(10));
  EXPECT_EQ(seen.lines, (std::vector<std::string>{"400000", "1000"}));
}

TEST(World, CompletionsOfOneInstantComeInOneTurn) {
  // A hook runs once a turn: two sends that complete together see it run once after both.
  class Counter final : public Process {
   public:
    Counter(Env& env, Seen* seen) : env_(env), seen_(seen) {
      hook_.owner = this;
      hook_.run = [](TurnHook& hook) {
        auto& self = *static_cast<Counter*>(hook.owner);
        self.seen_->lines.push_back(std::to_string(self.done_));
      };
      for (Op& op : ops_) {
        op.kind = OpKind::receive;
        op.handle = {77, 1};  // no such handle
        op.owner = this;
        op.on_done = [](Op& done) {
          auto& self = *static_cast<Counter*>(done.owner);
          EXPECT_EQ(done.result.error, Error::cancelled);
          ++self.done_;
          self.env_.request(self.hook_);
        };
        env.submit(op);
      }
      EXPECT_EQ(done_, 0);  // never from inside submit
    }

   private:
    Env& env_;
    Seen* seen_;
    TurnHook hook_;
    Op ops_[3];
    int done_ = 0;
  };
  WorldOptions options;
  World world(1, options);
  Seen seen;
  world.boot(
      world.add_host({}, [&seen](Env& env) { return std::make_unique<Counter>(env, &seen); }));
  world.run_for(Duration::seconds(1));
  EXPECT_EQ(seen.lines, std::vector<std::string>{"3"});
}

TEST(World, BackgroundJobsRunLaterAndOnce) {
  WorldOptions options;
  World world(1, options);
  Seen seen;
  world.boot(world.add_host({}, story(
                                    [](Env& env, Seen* result, std::string) -> Task<int> {
                                      IoOp job(env);
                                      job.op.kind = OpKind::background;
                                      job.op.work = [](Op& op) { op.result.bytes = 42; };
                                      co_await job;
                                      result->lines.push_back(std::to_string(job.op.result.bytes));
                                      co_return 0;
                                    },
                                    &seen)));
  EXPECT_TRUE(seen.lines.empty());
  world.run_for(Duration::seconds(1));
  EXPECT_EQ(seen.lines, std::vector<std::string>{"42"});
}

TEST(World, ACrashForgetsWhatWasInFlight) {
  for (const StopKind kind : {StopKind::kill, StopKind::power_loss}) {
    WorldOptions options;
    World world(1, options);
    Seen seen;
    const HostId server = world.add_host({}, make_echo);
    const HostId client = world.add_host({}, story(naive_client, &seen, "10.0.0.1"));
    world.boot(server);
    world.boot(client);
    world.run_for(Duration::milliseconds(105));
    const uint64_t rounds = seen.rounds;
    EXPECT_GT(rounds, 3u);
    world.crash(client, kind);
    world.run_for(Duration::seconds(5));
    EXPECT_EQ(seen.rounds, rounds);
    EXPECT_EQ(world.host(client).backend().in_flight_count(), 0u);
    EXPECT_EQ(world.host(client).backend().open_count(), 0u);
    world.boot(client);
    world.run_for(Duration::seconds(5));
    EXPECT_TRUE(seen.finished);
    // The server heard the end of the killed client, and nothing of the one without power.
    EXPECT_EQ(world.host(server).backend().open_count(), kind == StopKind::kill ? 2u : 3u);
  }
}

TEST(World, AnExitEndsTheProcessAfterItsTurn) {
  class Exit final : public WorldObserver {
   public:
    void host_stopping(HostId, StopKind kind, int status) override {
      EXPECT_EQ(kind, StopKind::exit);
      status_ = status;
    }
    int status_ = -1;
  };
  WorldOptions options;
  World world(1, options);
  Exit observer;
  world.set_observer(&observer);
  Seen seen;
  const HostId host = world.add_host({}, story(
                                             [](Env& env, Seen*, std::string) -> Task<int> {
                                               co_await Sleep(env, Duration::seconds(1));
                                               env.backend().request_exit(3);
                                               co_return 0;
                                             },
                                             &seen));
  world.boot(host);
  world.run_for(Duration::milliseconds(900));
  EXPECT_TRUE(world.host(host).running());
  world.run_for(Duration::milliseconds(200));
  EXPECT_FALSE(world.host(host).running());
  EXPECT_EQ(observer.status_, 3);
}

TEST(World, AReplacedMachineHasItsOwnClocksAndAnEmptyDisk) {
  WorldOptions options;
  options.faults.clock_skew = 3'600'000;
  options.schedule.emplace();
  ASSERT_EQ(parse_strike("replace node at 100s for 1s", &options.schedule->emplace_back()), "");
  World world(1, options);
  Seen seen;
  const HostId host = world.add_host(
      {.name = "node", .faultable = true},
      story(
          [](Env& env, Seen* result, std::string) -> Task<int> {
            IoOp file(env);
            file.op.kind = OpKind::open;
            file.op.path = "f";
            file.op.flags = {.read = true, .write = true, .create = true, .exclusive = true};
            co_await file;
            result->lines.push_back(std::string(describe(file.op.result.error)));
            result->lines.push_back(std::to_string(env.now().ns / 1'000'000'000));
            result->lines.push_back(std::to_string(env.wall().unix_s()));
            co_return 0;
          },
          &seen));
  world.boot(host);
  world.start_faults();
  world.run_for(Duration::seconds(200));
  ASSERT_EQ(seen.lines.size(), 6u);
  EXPECT_EQ(seen.lines[0], "no error");
  EXPECT_EQ(seen.lines[3], "no error");
  EXPECT_EQ(seen.lines[1], "1000");
  EXPECT_EQ(seen.lines[4], "1001");
  EXPECT_NE(std::stoll(seen.lines[2]) + 101, std::stoll(seen.lines[5]));
  EXPECT_EQ(world.fired()[Fault::clock_skew], 2u);
}

TEST(World, SpeedIsAMatterOfNanoseconds) {
  // Not a measurement, but an event must not cost tens of microseconds either.
  WorldOptions options;
  World world(1, options);
  std::vector<Seen> seen(20);
  world.boot(world.add_host({}, make_echo));
  for (Seen& one : seen) world.boot(world.add_host({}, story(naive_client, &one, "10.0.0.1")));
  world.run_for(Duration::seconds(20));
  for (const Seen& one : seen) EXPECT_TRUE(one.finished) << one.complaint;
  EXPECT_GT(world.event_count(), 20'000u);
}

}  // namespace
}  // namespace redoubt::sim
