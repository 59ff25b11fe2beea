// What is left alive: the budget of faults, and the phase in which a majority is healed for good.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/sim/crew.h"
#include "tests/sim/strikes.h"

namespace redoubt::sim {
namespace {

constexpr size_t kEchoes = 5;

// One strike at each echo, for ever.
WorldOptions struck_by(const std::string& fault, const std::string& details = "") {
  WorldOptions options;
  options.schedule.emplace();
  for (size_t i = 0; i < kEchoes; ++i) {
    options.schedule->push_back(
        read_strike(fault + " echo" + std::to_string(i) + details + " at 1s for 100000s"));
  }
  return options;
}

// How often the clients of each echo have been answered within `length`.
std::vector<uint64_t> progress(Crew& crew, Duration length) {
  std::vector<uint64_t> before;
  for (const Seen& seen : crew.seen) before.push_back(seen.rounds);
  crew.world.run_for(length);
  for (size_t i = 0; i < before.size(); ++i) before[i] = crew.seen[i].rounds - before[i];
  return before;
}

class Liveness : public testing::TestWithParam<const char*> {};

// Whatever has struck all of them, a majority works again and the others do not.
TEST_P(Liveness, HealsAMajorityAndFreezesTheRest) {
  const std::string words = GetParam();
  const size_t space = words.find(' ');
  const std::string details = space == std::string::npos ? "" : words.substr(space);
  std::set<std::vector<HostId>> majorities;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Crew crew(seed, struck_by(words.substr(0, space), details), kEchoes);
    crew.run(Duration::seconds(5));
    const std::vector<uint64_t> none = progress(crew, Duration::seconds(2));
    for (size_t i = 0; i < kEchoes; ++i) EXPECT_EQ(none[i], 0u) << i;
    const std::vector<HostId> well = crew.world.begin_liveness();
    majorities.insert(well);
    EXPECT_EQ(well.size(), (kEchoes + 1) / 2 + 1);  // the writer is faultable, too
    // Attempts to connect that were lost come again after a minute at most.
    crew.world.run_for(Duration::seconds(70));
    const std::vector<uint64_t> answers = progress(crew, Duration::seconds(5));
    for (HostId id = 0; id < kEchoes; ++id) {
      const bool is_well = std::find(well.begin(), well.end(), id) != well.end();
      EXPECT_EQ(answers[id] > 250, is_well) << "echo " << id << " " << answers[id];
      EXPECT_EQ(answers[id] == 0, !is_well) << "echo " << id << " " << answers[id];
    }
  }
  EXPECT_GT(majorities.size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Faults, Liveness,
                         testing::Values("kill", "power_loss", "power_loss_io", "restart",
                                         "replace", "disk_wipe", "pause", "net_partition",
                                         "net_one_way deaf", "net_one_way mute", "net_clog"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

TEST(LivenessOf, ARackComesBackInPart) {
  WorldOptions options;
  options.schedule = {
      read_strike("rack echo0 with echo1 echo2 echo3 echo4 writer at 1s for 100000s")};
  Crew crew(3, options, kEchoes);
  crew.run(Duration::seconds(2));
  const std::vector<HostId> well = crew.world.begin_liveness();
  crew.world.run_for(Duration::seconds(100));
  for (HostId id = 0; id < crew.world.host_count(); ++id) {
    const bool is_well = std::find(well.begin(), well.end(), id) != well.end();
    const Host& host = crew.world.host(id);
    EXPECT_EQ(host.running(), is_well || !host.faultable()) << host.name();
  }
  crew.world.heal();
  for (HostId id = 0; id < crew.world.host_count(); ++id) {
    EXPECT_TRUE(crew.world.host(id).running());
  }
}

TEST(LivenessOf, AWriterFreesItsDisk) {
  for (const char* strike :
       {"disk_full writer at 1s for 100000s", "disk_stall writer at 1s for 100000s",
        "disk_old writer at 1s for 4s"}) {
    WorldOptions options;
    options.schedule = {read_strike(strike)};
    Crew crew(3, options, 0);
    crew.run(Duration::seconds(2));
    EXPECT_EQ(crew.world.begin_liveness(), std::vector<HostId>{crew.writer});
    EXPECT_GT(progress(crew, Duration::seconds(10))[0], 100u) << strike;
    EXPECT_EQ(crew.world.host(crew.writer).boots(), 1u);
  }
}

// Nothing touches who is well any more, and no timed fault comes; others meet theirs as before.
TEST(LivenessOf, OneIsThatOfAll) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    WorldOptions options;
    options.faults = all_faults(seed);
    for (const FaultRow& row : fault_rows()) {
      if (row.kind == FaultKind::chance) options.faults.*row.field = 20'000;
    }
    options.windows = whole_run(options.faults);
    options.windows->push_back({Fault::net_cut, 500'000, Instant{10'500'000'000}});
    Crew crew(seed, options, 0);
    crew.run(Duration::seconds(10));
    crew.world.begin_liveness();
    const FaultCounts before = crew.world.fired();
    const size_t strikes = crew.world.strikes().size();
    EXPECT_GT(progress(crew, Duration::seconds(50))[0], 1'000u);
    EXPECT_EQ(crew.world.fired().fired, before.fired);
    EXPECT_EQ(crew.world.strikes().size(), strikes);
    EXPECT_NE(crew.world.faults().net_cut, 500'000);
  }
}

TEST(LivenessOf, AScheduleIsThatOfItsRun) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    WorldOptions options;
    options.faults = all_faults(seed);
    std::string digests[2];
    for (std::string& digest : digests) {
      Crew crew(seed, options, kEchoes);
      crew.run(Duration::seconds(10));
      crew.world.begin_liveness();
      crew.world.run_for(Duration::seconds(20));
      digest = crew.world.digest_text();
      options.schedule = crew.world.strikes();
    }
    EXPECT_EQ(digests[0], digests[1]) << "seed " << seed;
  }
}

// Looks at every death.
class Census final : public WorldObserver {
 public:
  explicit Census(World& world) : world_(world) {}
  void host_stopping(HostId dying, StopKind, int) override {
    size_t down = 0;
    for (HostId id = 0; id < world_.host_count(); ++id) {
      const Host& host = world_.host(id);
      down += host.faultable() && (id == dying || !host.running()) ? 1 : 0;
    }
    most = std::max(most, down);
  }
  size_t most = 0;

 private:
  World& world_;
};

struct Toll {
  size_t down = 0;   // at the same time
  size_t disks = 0;  // that have lost something
  size_t strikes = 0;
};

Toll toll_of(uint64_t seed, const FaultBudget& budget) {
  WorldOptions options;
  options.faults = all_faults(seed);
  options.faults.down_ms = 1'000;
  options.budget = budget;
  Crew crew(seed, options, kEchoes);
  Census census(crew.world);
  crew.world.set_observer(&census);
  crew.run(Duration::seconds(60));
  Toll toll;
  std::set<std::string> disks;
  for (const FaultStrike& strike : crew.world.strikes()) {
    if (strike.fault == Fault::replace || strike.fault == Fault::disk_wipe ||
        strike.fault == Fault::disk_old || strike.fault == Fault::disk_rot) {
      disks.insert(strike.host);
    }
  }
  toll.down = census.most;
  toll.disks = disks.size();
  EXPECT_EQ(crew.world.disks_lost().size(), disks.size());
  toll.strikes = crew.world.strikes().size();
  return toll;
}

TEST(Budget, IsKeptAndUsed) {
  constexpr uint64_t kSeeds = 10;
  size_t most_without = 0;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    most_without = std::max(most_without, toll_of(seed, {}).down);
  }
  EXPECT_EQ(most_without, kEchoes + 1);
  for (const uint32_t down_max : {0u, 1u, 2u, 3u}) {
    size_t most = 0;
    size_t disks = 0;
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      const Toll toll = toll_of(seed, {.down_max = down_max, .disks_lost_max = down_max});
      EXPECT_LE(toll.down, down_max) << "seed " << seed;
      EXPECT_LE(toll.disks, down_max) << "seed " << seed;
      EXPECT_GT(toll.strikes, 50u);
      most = std::max(most, toll.down);
      disks = std::max(disks, toll.disks);
    }
    EXPECT_EQ(most, down_max);
    EXPECT_EQ(disks, down_max);
  }
}

// A schedule does not overdraw it either.
TEST(Budget, HoldsForASchedule) {
  WorldOptions options;
  options.budget.down_max = 1;
  options.budget.disks_lost_max = 1;
  options.schedule = {read_strike("kill echo0 at 1s for 1s"),
                      read_strike("kill echo1 at 1500ms for 1s"),
                      read_strike("rack echo0 with echo1 at 3s for 1s"),
                      read_strike("disk_wipe echo0 at 4s for 100ms"),
                      read_strike("disk_wipe echo1 at 5s for 100ms"),
                      read_strike("disk_wipe echo0 at 6s for 100ms")};
  Crew crew(1, options);
  crew.run(Duration::seconds(10));
  std::string text;
  for (const FaultStrike& strike : crew.world.strikes()) text += strike_text(strike) + "\n";
  EXPECT_EQ(text,
            "kill echo0 at 1s for 1s\ndisk_wipe echo0 at 4s for 100ms\n"
            "disk_wipe echo0 at 6s for 100ms\n");
}

}  // namespace
}  // namespace redoubt::sim
