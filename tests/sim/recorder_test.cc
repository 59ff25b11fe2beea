// The recorder of a run: what it was told comes back, within its bounds, and it changes nothing.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "sim/scenario/scenario.h"
#include "sim/trace/trace_reader.h"
#include "tests/sim/naive.h"

namespace redoubt::sim {
namespace {

struct Told {
  TraceEvent event;
  std::string text;
};

std::vector<Told> read(const RunRecorder& recorder) {
  std::vector<Told> all;
  TraceReader reader(recorder);
  for (TraceEvent event; reader.next(event);) all.push_back({event, std::string(event.text)});
  return all;
}

// A recorder and the time that it follows.
struct Recording {
  explicit Recording(const RecorderLimits& limits = {}) : recorder(limits) {
    recorder.follow(&now);
  }
  Instant now;
  RunRecorder recorder;
};

TEST(Recorder, SaysAgainWhatItWasTold) {
  Recording r;
  r.recorder.add_host(0, "node");
  r.now.ns = 17;
  r.recorder.turn_begins(0);
  r.recorder.sent(0, 3, 0x1'0000'0005, MessageKind::data, 70'000, "hello");
  r.recorder.turn_ends(Duration{2'000});
  r.now.ns = 1'000'000'000'000;  // a gap that takes more than 32 bits
  r.recorder.arrived(3, 0x1'0000'0005, 9, true);
  r.recorder.clock(0, Duration::milliseconds(-86'400'000), -500);
  r.recorder.role(0, "primary", 7);
  r.recorder.offset(0, 0x2'0000'0001);
  const std::vector<Told> all = read(r.recorder);
  ASSERT_EQ(all.size(), 7u);
  EXPECT_EQ(all[0].text, "node");
  EXPECT_EQ(all[1].event.kind, TraceKind::turn);
  EXPECT_EQ(all[1].event.a, 2'000u);
  EXPECT_EQ(all[2].event.at.ns, 17);
  EXPECT_EQ(all[2].event.to(), 3);
  EXPECT_EQ(all[2].event.bytes(), 65'535u);
  EXPECT_EQ(all[2].text, "hello");
  EXPECT_EQ(all[3].event.at.ns, 1'000'000'000'000);
  EXPECT_EQ(all[3].event.a, all[2].event.a);
  EXPECT_EQ(all[3].event.detail, 1);
  EXPECT_EQ(all[4].event.clock_offset().ms(), -86'400'000);
  EXPECT_EQ(all[4].event.clock_drift_ppm(), -500);
  EXPECT_EQ(all[5].event.number(), 7u);
  EXPECT_EQ(all[6].event.number(), 0x2'0000'0001u);
}

TEST(Recorder, RecordsOnlyChangesOfRoleAndOffset) {
  Recording r;
  for (int i = 0; i < 3; ++i) {
    r.recorder.role(1, "replica", 2);
    r.recorder.offset(1, 55);
  }
  r.recorder.role(1, "replica", 3);
  EXPECT_EQ(read(r.recorder).size(), 3u);
}

TEST(Recorder, RepliesComeInTheOrderOfCalls) {
  Recording r;
  const auto call = [&](std::string_view word, bool silent) {
    const std::string_view words[] = {word, "key"};
    r.recorder.called(4, words, silent);
  };
  call("GET", false);
  call("SET", true);
  call("DEL", false);
  call("PING", false);
  r.recorder.returned(4, "$-1\r\n");
  r.recorder.returned(4, ":0\r\n");
  r.recorder.abandoned(4);
  r.recorder.returned(4, "+PONG\r\n");  // nobody has asked
  std::map<uint32_t, std::string> calls;
  std::vector<std::string> replies;
  for (const Told& told : read(r.recorder)) {
    if (told.event.kind == TraceKind::called) {
      calls[told.event.a] = told.text;
    } else {
      replies.push_back(calls[told.event.a] + (told.event.detail != 0 ? "?" : told.text));
    }
  }
  EXPECT_EQ(replies, (std::vector<std::string>{"GET key$-1\r\n", "DEL key:0\r\n", "PING key?"}));
}

TEST(Recorder, ForgetsTheOldestButNotWhatLasts) {
  Recording r({.blocks_max = 3, .records_per_block = 100, .text_bytes_per_block = 1'000});
  r.recorder.add_host(0, "node");
  r.recorder.boot(0, 1);
  for (int i = 0; i < 10'000; ++i) {
    r.now.ns += i == 500 ? 10'000'000'000 : 1'000;
    if (i == 700) r.recorder.pause(0, true);
    r.recorder.remark(0, "remark " + std::to_string(i) + std::string(300, 'x'));
  }
  const std::vector<Told> all = read(r.recorder);
  EXPECT_LE(r.recorder.record_count(), 310u);
  EXPECT_LE(r.recorder.text_bytes(), 3'300u);
  EXPECT_EQ(all.size() + r.recorder.dropped(), 10'003u);
  ASSERT_GT(all.size(), 200u);
  EXPECT_EQ(all[0].text, "node");
  EXPECT_EQ(all[1].event.kind, TraceKind::boot);
  EXPECT_EQ(all[2].event.kind, TraceKind::pause);
  EXPECT_EQ(all[2].event.at.ns, 10'000'700'000);
  EXPECT_EQ(all.back().event.at, r.now);
  for (size_t i = 1; i < all.size(); ++i) EXPECT_LE(all[i - 1].event.at, all[i].event.at);
  // A text is cut, and where a block has no more room, there is none.
  EXPECT_EQ(all[3].text.size(), RunRecorder::kTextMax);
  EXPECT_EQ(all.back().event.kind, TraceKind::remark);
}

// Each message of a world that departs arrives, is lost, or is under way.
TEST(Recorder, FollowsEachMessageOfAWorld) {
  RunRecorder recorder;
  WorldOptions options;
  options.recorder = &recorder;
  options.faults.net_reset = 2'000;
  options.faults.net_partition = 300;
  options.faults.kill = 700;
  Seen seen;
  {
    World world(3, options);
    const HostId server = world.add_host({.name = "server", .faultable = true}, make_echo);
    const HostId client =
        world.add_host({.name = "client"}, story(naive_client, &seen, "10.0.0.1"));
    world.boot(server);
    world.boot(client);
    world.start_faults();
    world.run_for(Duration::seconds(10));
    EXPECT_GT(world.fired()[Fault::kill], 0u);
  }
  std::map<uint32_t, int> under_way;
  std::map<TraceKind, int> counts;
  for (const Told& told : read(recorder)) {
    ++counts[told.event.kind];
    if (told.event.kind == TraceKind::sent) ++under_way[told.event.a];
    if (told.event.kind != TraceKind::arrived) continue;
    if (under_way.count(told.event.a) == 0) continue;  // that time is up departs nowhere
    EXPECT_EQ(under_way[told.event.a], 1);
    under_way.erase(told.event.a);
  }
  EXPECT_GT(counts[TraceKind::arrived], 10);
  EXPECT_LE(under_way.size(), 4u);
  EXPECT_EQ(counts[TraceKind::host], 2);
  EXPECT_EQ(counts[TraceKind::boot], counts[TraceKind::stop] + 2);
  EXPECT_GT(counts[TraceKind::turn], 20);
  EXPECT_GT(counts[TraceKind::fault_end], 0);
}

TEST(Recorder, ChangesNothing) {
  const ScenarioSpec& single = *find_scenario("single");
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    RunOptions options;
    options.seed = seed;
    options.commands = 3'000;
    const RunResult plain = run_scenario(single, options);
    RunRecorder recorder;
    options.recorder = &recorder;
    const RunResult recorded = run_scenario(single, options);
    EXPECT_EQ(recorded.digest, plain.digest);
    EXPECT_GE(recorder.count(TraceKind::called), recorded.commands / 2);
    EXPECT_GE(recorder.count(TraceKind::called), recorder.count(TraceKind::returned));
    EXPECT_GT(recorder.count(TraceKind::offset), 0u);
  }
}

}  // namespace
}  // namespace redoubt::sim
