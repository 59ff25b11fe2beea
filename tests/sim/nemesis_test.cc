// Faults as plain data: schedules and windows, their text, and that a run given them is the run
// that they were taken from. The budget, and the beginning of liveness.
#include "sim/nemesis.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/sim/crew.h"
#include "tests/sim/strikes.h"

namespace redoubt::sim {
namespace {

constexpr Duration kLength = Duration::seconds(20);

FaultWindow read_window(const std::string& text) {
  FaultWindow window;
  EXPECT_EQ(parse_window(text, &window), "") << text;
  return window;
}

std::string strike_error(const std::string& text) {
  FaultStrike strike;
  return parse_strike(text, &strike);
}

std::string window_error(const std::string& text) {
  FaultWindow window;
  return parse_window(text, &window);
}

std::string all_text(const std::vector<FaultStrike>& strikes) {
  std::string text;
  for (const FaultStrike& strike : strikes) text += strike_text(strike) + "\n";
  return text;
}

TEST(StrikeText, SaysWhatHappens) {
  FaultStrike strike;
  strike.fault = Fault::kill;
  strike.host = "node";
  strike.at.ns = 1'234'567'000;
  strike.lasts = Duration::milliseconds(200);
  EXPECT_EQ(strike_text(strike), "kill node at 1.234567s for 200ms");
  strike.fault = Fault::net_one_way;
  strike.others = {"a", "b"};
  strike.amount = -1;
  strike.lasts = Duration::seconds(12);
  EXPECT_EQ(strike_text(strike), "net_one_way node with a b deaf at 1.234567s for 12s");
  EXPECT_EQ(read_strike(strike_text(strike)), strike);
  for (const char* text :
       {"clock_jump node by -60000ms at 3s", "slow_cpu node by 10 at 0s for 1.000000001s",
        "net_half_open node by 3 at 4s", "pause node at 500ms for 7ms",
        "net_clog node with client1 at 31.5s for 2s", "net_one_way x mute at 1s for 1ms"}) {
    EXPECT_EQ(strike_text(read_strike(text)), text);
  }
  EXPECT_EQ(read_strike("kill  node for 30us at 7ns"), read_strike("kill node at 7ns for 0.03ms"));
}

TEST(StrikeText, SaysWhatIsWrong) {
  EXPECT_EQ(strike_error("kill"), "a strike begins with a fault and a host, not 'kill'");
  EXPECT_EQ(strike_error("net_cut node at 1s"),
            "there is no timed fault 'net_cut'; see redoubt-sim list");
  EXPECT_EQ(strike_error("kill node now"), "there is no place for 'now' in a strike");
  EXPECT_EQ(strike_error("kill node at"), "something is to follow 'at'");
  for (const char* time : {"soon", "1", "-1s", "1.s", ".5s", "1.5ns", "1..5s", "1e3s", "1.1.1s",
                           "99999999999999999999s", "9999999999s", "1m", "s"}) {
    EXPECT_EQ(strike_error("kill node at " + std::string(time) + " for 1s"),
              "a strike is at a time such as 1.5s or 20ms, not '" + std::string(time) + "'");
  }
  EXPECT_EQ(strike_error("kill node at 1s for long"),
            "a strike lasts for a time such as 1.5s or 20ms, not 'long'");
  EXPECT_EQ(strike_error("clock_jump node by much at 1s"), "a strike is by a number, not 'much'");
  EXPECT_EQ(strike_error("clock_jump node by 1 at 1s for 1s"), "clock_jump has no end");
  EXPECT_EQ(strike_error("kill node at 1s"), "kill lasts for some time: 'for 20ms'");
  EXPECT_EQ(strike_error("net_one_way node at 1s for 1s"),
            "net_one_way makes its host 'deaf' or 'mute'");
}

TEST(WindowText, SaysWhen) {
  for (const char* text :
       {"net_cut=5000 from 0s until 12.5s", "io_few_chunks=1 from 1250ms until end"}) {
    EXPECT_EQ(window_text(read_window(text)), text);
  }
  EXPECT_EQ(window_error("net_cut=5000"),
            "a window is 'name=value from 0s until 12.5s', not 'net_cut=5000'");
  EXPECT_EQ(window_error("net_cut=5 from 0s until 1s"),
            "net_cut takes a number from 1000 to 500000, or 0 for off, not '5'");
  EXPECT_EQ(window_error("kill=500 from 0s until 1s"),
            "kill has no windows: it is no fault of chance and no level");
  EXPECT_EQ(window_error("net_cut=5000 from end until 1s"),
            "a window is from and until a time such as 1.5s or 20ms, not in 'net_cut=5000 from end "
            "until 1s'");
}

// The list of a run's strikes, given to another run, makes it the same run.
TEST(Schedule, IsTheRunThatItWasTakenFrom) {
  std::set<Fault> met;
  size_t count = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    WorldOptions options;
    options.faults = all_faults(seed);
    Crew drawn(seed, options);
    drawn.run(kLength);
    std::vector<FaultStrike> schedule;
    for (const FaultStrike& strike : drawn.world.strikes()) {
      schedule.push_back(read_strike(strike_text(strike)));
      met.insert(strike.fault);
    }
    EXPECT_EQ(schedule, drawn.world.strikes());
    count += schedule.size();

    options.schedule = schedule;
    Crew given(seed, options);
    given.run(kLength);
    ASSERT_EQ(all_text(given.world.strikes()), all_text(schedule)) << "seed " << seed;
    ASSERT_EQ(given.world.event_count(), drawn.world.event_count()) << "seed " << seed;
    ASSERT_EQ(given.world.digest_text(), drawn.world.digest_text()) << "seed " << seed;
  }
  EXPECT_GT(count, 1'000u);
  for (size_t i = 0; i < kFaultCount; ++i) {
    if (fault_rows()[i].kind != FaultKind::timed) continue;
    EXPECT_TRUE(met.contains(static_cast<Fault>(i))) << fault_rows()[i].name << " never struck";
  }
}

TEST(Schedule, StrikesAsItSaysAndNothingElse) {
  WorldOptions options;
  options.faults = all_faults(1);
  options.schedule = {read_strike("kill echo0 at 1s for 500ms"),
                      read_strike("kill echo0 at 1.2s for 500ms"),     // it is down
                      read_strike("pause client0 at 1.3s for 100ms"),  // not faultable
                      read_strike("pause nobody at 1.3s for 100ms"),   // not there
                      read_strike("kill echo0 at 2s for 100ms")};
  Crew crew(1, options);
  crew.world.start_faults();
  crew.world.run_for(Duration::milliseconds(1'250));
  EXPECT_FALSE(crew.world.host(0).running());
  crew.world.run_for(Duration::milliseconds(300));
  EXPECT_TRUE(crew.world.host(0).running());
  crew.world.run_for(Duration::seconds(10));
  EXPECT_EQ(all_text(crew.world.strikes()),
            "kill echo0 at 1s for 500ms\nkill echo0 at 2s for 100ms\n");
  EXPECT_EQ(crew.world.fired()[Fault::kill], 2u);
  EXPECT_EQ(crew.world.fired()[Fault::pause], 0u);
  EXPECT_EQ(crew.world.host(0).boots(), 3u);
}

TEST(Windows, AWholeRunIsARunWithout) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    WorldOptions options;
    options.faults = all_faults(seed);
    Crew plain(seed, options);
    plain.run(kLength);
    options.windows = whole_run(options.faults);
    Crew windowed(seed, options);
    windowed.run(kLength);
    ASSERT_EQ(windowed.world.event_count(), plain.world.event_count()) << "seed " << seed;
    ASSERT_EQ(windowed.world.digest_text(), plain.world.digest_text()) << "seed " << seed;
  }
}

TEST(Windows, AFaultHoldsInItsWindowAlone) {
  WorldOptions options;
  options.faults.net_delay = 1'000;  // off, since it has no window
  options.windows = {read_window("net_cut=500000 from 1s until 2s"),
                     read_window("net_cut=1000 from 3s until end"),
                     read_window("net_cut=2000 from 5s until end")};
  Crew crew(5, options);
  crew.world.start_faults();
  std::vector<int64_t> values;
  std::vector<uint64_t> counts;
  for (int half = 0; half < 8; ++half) {
    crew.world.run_for(Duration::milliseconds(500));
    values.push_back(crew.world.faults().net_cut);
    counts.push_back(crew.world.fired()[Fault::net_cut]);
  }
  // At an edge the new value holds.
  EXPECT_EQ(values, (std::vector<int64_t>{0, 500'000, 500'000, 0, 0, 1'000, 1'000, 1'000}));
  EXPECT_EQ(counts[1], 0u);
  EXPECT_GT(counts[3], 50u);
  EXPECT_EQ(counts[3], counts[5]);
  EXPECT_EQ(crew.world.fired()[Fault::net_delay], 0u);

  crew.world.stop_faults();
  crew.world.faults() = FaultOptions();
  crew.world.run_for(Duration::seconds(5));
  EXPECT_EQ(crew.world.faults().net_cut, 0);
}

// One fault more, and what the others draw is what it was.
TEST(Streams, AFaultDrawsFromItsOwn) {
  const auto pauses_of = [](const FaultOptions& faults) {
    WorldOptions options;
    options.faults = faults;
    Crew crew(3, options, 1);
    crew.run(kLength);
    std::vector<FaultStrike> strikes = crew.world.strikes();
    std::erase_if(strikes, [](const FaultStrike& strike) { return strike.fault != Fault::pause; });
    return all_text(strikes);
  };
  FaultOptions faults;
  faults.pause = 700;
  const std::string alone = pauses_of(faults);
  EXPECT_NE(alone, "");
  faults.clock_jump = 200;
  faults.net_delay = 1'000;
  EXPECT_EQ(pauses_of(faults), alone);
}

}  // namespace
}  // namespace redoubt::sim
