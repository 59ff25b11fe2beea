// Each fault breaks a program that does not reckon with it, and the same program lives without it.
// The table has a row for each fault of sim/faults.h; a fault without one fails the test.
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "tests/sim/scenes.h"

namespace redoubt::sim {
namespace {

// What `others` says holds with the fault and without it.
struct Case {
  Fault fault;
  int64_t value;
  Scene scene;
  std::string complaint;  // a part of it; "" for one that waits for ever
  FaultOptions others = {};
};

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {Fault::net_delay, 20'000, ask_an_echo, "answer late"},
      {Fault::net_jitter, 50'000, ask_an_echo, "answer late"},
      {Fault::net_cut, 500'000, ask_an_echo, "answer in pieces"},
      {Fault::net_reset, 20'000, ask_an_echo, "receive: connection reset"},
      {Fault::net_reset_mid, 20'000, receive_messages, "half a message"},
      {Fault::net_reorder, 100'000, send_on_two_streams, "later bytes came first"},
      {Fault::net_corrupt, 10'000, ask_an_echo, "another answer"},
      {Fault::net_small_buffers, 64, ask_an_echo, "answer in pieces"},
      {Fault::net_slow, 20, ask_an_echo, "answer late"},
      {Fault::net_partition, 100, ask_an_echo, "answer late", {.net_cut_off_ms = 20}},
      {Fault::net_one_way, 100, ask_an_echo, "answer late", {.net_cut_off_ms = 20}},
      {Fault::net_clog, 50, ask_an_echo, "answer late"},
      {Fault::net_half_open, 50, ask_an_echo, ""},
      {Fault::net_refuse, 1'000'000, ask_an_echo, "connect: connection refused"},
      {Fault::net_hang, 1'000'000, ask_an_echo, "connect: timed out"},
      {Fault::kill, 50, ask_an_echo, "receive: connection"},
      {Fault::power_loss, 50, ask_an_echo, ""},
      {Fault::power_loss_io, 1'000, write_and_trust, "the file is", {.disk_lost = 1'000'000}},
      {Fault::rack, 5'000, ask_one_of_two, "both are gone", {.down_ms = 5'000}},
      {Fault::replace, 2'000, keep_a_file, "the file is empty"},
      {Fault::restart, 50, ask_an_echo, "receive: connection"},
      {Fault::pause, 50, ask_an_echo, "answer late"},
      {Fault::slow_cpu, 200, ask_an_echo, "answer late", {.slow_cpu_factor = 10'000}},
      {Fault::disk_error, 20'000, write_a_file, "input/output"},
      {Fault::disk_sync_error,
       300'000,
       sync_then_lose_power,
       "the file has changed",
       {.disk_lost = 1'000'000, .disk_torn = 500'000}},
      {Fault::disk_short_write, 20'000, write_a_file, "write: "},
      {Fault::disk_sync_slow, 20'000, write_and_sync, "write late"},
      {Fault::disk_slow, 10'000, write_a_file, "write late"},
      {Fault::disk_split, 500'000, read_beside_a_write, "half a write"},
      {Fault::disk_stall, 200, write_a_file, "write late"},
      {Fault::disk_full, 50, write_a_file, "write: no space left"},
      {Fault::disk_lost, 1'000'000, overwrite_then_lose_power, "lost"},
      {Fault::disk_torn, 1'000'000, overwrite_then_lose_power, "torn"},
      {Fault::disk_garbage, 1'000'000, overwrite_then_lose_power, "garbage"},
      {Fault::disk_name_lost, 1'000'000, create_then_lose_power, "the name is gone"},
      {Fault::disk_rename_lost, 1'000'000, rename_then_lose_power, "it has its old name"},
      {Fault::disk_rot, 2'000, keep_a_file, "the file has changed"},
      {Fault::disk_wipe, 2'000, keep_a_file, "the file is empty"},
      {Fault::disk_old, 2'000, keep_a_file, "the file is old"},
      {Fault::clock_skew, 10'000, trust_clocks, "clocks differ"},
      {Fault::clock_drift, 500, trust_clocks, "clocks run apart"},
      {Fault::clock_jump, 5'000, trust_clocks, "wall clock jumped"},
      {Fault::timer_jitter, 5'000, trust_clocks, "timer late"},
      {Fault::io_reorder, 300'000, send_and_receive_at_once, "received sent"},
      {Fault::io_late, 300'000, send_and_receive_at_once, "received sent", {.io_late_us = 10'000}},
      {Fault::io_cancel_late, 300'000, cancel_and_look, "not over"},
      {Fault::io_cancel_missed, 300'000, cancel_and_forget, "it completed all the same"},
      {Fault::io_unordered, 500'000, sync_behind_a_write, "not saved", {.disk_lost = 1'000'000}},
      {Fault::io_few_chunks, 3, keep_what_is_lent, ""},
      {Fault::io_few_handles, 3, collect_connections, "open files"},
      {Fault::io_short_receive, 500'000, ask_an_echo, "answer in pieces"},
  };
  return kCases;
}

void PrintTo(const Case& chosen, std::ostream* out) {
  *out << fault_row(chosen.fault).name;
}

class NaiveNode : public testing::TestWithParam<Case> {};

TEST_P(NaiveNode, LivesWithoutTheFault) {
  const Case& chosen = GetParam();
  WorldOptions options;
  options.faults = chosen.others;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    World world(seed, options);
    const Seen seen = chosen.scene(world);
    EXPECT_EQ(seen.complaint, "");
    EXPECT_TRUE(seen.finished);
    EXPECT_EQ(world.fired()[chosen.fault], 0u);
  }
}

// Chance may spare a world, but not ten of them.
TEST_P(NaiveNode, BreaksWithIt) {
  const Case& chosen = GetParam();
  WorldOptions options;
  options.faults = chosen.others;
  options.faults.*fault_row(chosen.fault).field = chosen.value;
  std::string complaints;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    World world(seed, options);
    const Seen seen = chosen.scene(world);
    const bool broke = !seen.finished || !seen.complaint.empty();
    EXPECT_TRUE(!broke || world.fired()[chosen.fault] > 0) << seen.complaint;
    if (broke && seen.complaint.find(chosen.complaint) != std::string::npos) return;
    complaints += seen.complaint + "\n";
  }
  ADD_FAILURE() << complaints;
}

INSTANTIATE_TEST_SUITE_P(Faults, NaiveNode, testing::ValuesIn(cases()), [](const auto& info) {
  return std::string(fault_row(info.param.fault).name);
});

TEST(FaultTable, EveryFaultBreaksSomebody) {
  std::set<Fault> tested;
  for (const Case& chosen : cases()) {
    EXPECT_TRUE(tested.insert(chosen.fault).second) << fault_row(chosen.fault).name << " is twice";
  }
  for (size_t i = 0; i < kFaultCount; ++i) {
    EXPECT_TRUE(tested.contains(static_cast<Fault>(i)))
        << fault_rows()[i].name << " has no naive node that it breaks";
  }
}

TEST(FaultTable, IsComplete) {
  size_t strengths = 0;
  std::set<std::string_view> names;
  for (const FaultRow& row : fault_rows()) {
    EXPECT_FALSE(row.description.empty());
    EXPECT_LE(row.low, row.high);
    EXPECT_EQ(find_fault(row.name), &row);
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(row.strength || row.initial == 0) << row.name;
    EXPECT_EQ(row.strength, row.kind == FaultKind::strength);
    EXPECT_EQ(row.kind == FaultKind::timed, row.description.starts_with("every so often"));
    EXPECT_EQ(row.kind == FaultKind::chance, !row.strength && row.high <= 1'000'000 &&
                                                 row.unit == "ppm" && row.name != "clock_drift");
    strengths += row.strength ? 1 : 0;
  }
  EXPECT_EQ(fault_rows().size(), kFaultCount + strengths);
  EXPECT_EQ(fault_row(Fault::net_delay).name, "net_delay");
  EXPECT_EQ(fault_row(Fault::io_short_receive).name, "io_short_receive");
  FaultOptions options;
  options.io_short_receive = 7;
  EXPECT_EQ(value_of(options, Fault::io_short_receive), 7);
}

// Each strength is one of faults that there are.
TEST(FaultTable, StrengthsBelongToFaults) {
  for (const FaultRow& row : fault_rows()) {
    EXPECT_EQ(row.strength, !row.of.empty()) << row.name;
    std::istringstream names{std::string(row.of)};
    for (std::string name; names >> name;) {
      const FaultRow* fault = find_fault(name);
      ASSERT_NE(fault, nullptr) << name;
      EXPECT_FALSE(fault->strength) << name;
      FaultOptions options;
      options.*row.field = row.initial + 1;
      options.*fault->field = 1;
      EXPECT_NE(faults_text(options).find(std::string(row.name) + "="), std::string::npos) << name;
    }
  }
}

TEST(FaultTable, SetByName) {
  FaultOptions options;
  EXPECT_EQ(set_fault(options, "kill=700"), "");
  EXPECT_EQ(options.kill, 700);
  EXPECT_EQ(set_fault(options, "down_ms=20"), "");
  EXPECT_EQ(faults_text(options), "kill=700 down_ms=20");
  EXPECT_EQ(set_fault(options, "kill=0"), "");
  EXPECT_EQ(faults_text(options), "");  // a strength of nothing
  EXPECT_EQ(set_fault(options, "pause=700"), "");
  EXPECT_EQ(faults_text(options), "pause=700");
  EXPECT_EQ(set_fault(options, "rack=900"), "");
  EXPECT_EQ(faults_text(options), "rack=900 pause=700 down_ms=20");
  for (const std::string fault : {"pause", "rack"}) EXPECT_EQ(set_fault(options, fault + "=0"), "");
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
