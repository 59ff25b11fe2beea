// The scenario `single`: it finds nothing in a sound node, the same seed is the same run, and each
// planted bug is found by the checker that is to find it.
#include <gtest/gtest.h>

#include <set>

#include "sim/scenario/scenario.h"
#include "tests/sanitized.h"

namespace redoubt::sim {
namespace {

RunResult run_single(const RunOptions& options) {
  return run_scenario(*find_scenario("single"), options);
}

RunOptions seed(uint64_t number, uint64_t commands = 5'000) {
  RunOptions options;
  options.seed = number;
  options.commands = commands;
  return options;
}

std::string text(const std::optional<Violation>& violation) {
  if (!violation) return "";
  return violation->checker + ": expected " + violation->expected + ", seen " + violation->seen;
}

TEST(Single, FindsNothing) {
  FaultCounts fired;
  uint64_t commands = 0;
  constexpr size_t kSeeds = affordable(40, 5);
  for (uint64_t number = 1; number <= kSeeds; ++number) {
    const RunResult result = run_single(seed(number));
    EXPECT_EQ(text(result.violation), "") << "seed " << number;
    commands += result.commands;
    for (size_t i = 0; i < kFaultCount; ++i) fired.fired[i] += result.fired.fired[i];
  }
  EXPECT_GT(commands, 2'500 * kSeeds);
  if (kSanitized) return;  // too few seeds for each fault
  EXPECT_GT(fired[Fault::kill], 0u);
  EXPECT_GT(fired[Fault::net_reset], 0u);
}

TEST(Single, SameSeedSameRun) {
  const RunResult first = run_single(seed(7));
  const RunResult second = run_single(seed(7));
  EXPECT_EQ(first.digest, second.digest);
  EXPECT_EQ(first.events, second.events);
  EXPECT_NE(first.digest, run_single(seed(8)).digest);
}

TEST(Scenarios, FindNothing) {
  for (const ScenarioSpec& spec : scenarios()) {
    for (uint64_t number = 1; number <= affordable(4, 4); ++number) {
      const RunResult result = run_scenario(spec, seed(number));
      EXPECT_EQ(text(result.violation), "") << spec.name << " seed " << number;
    }
  }
}

TEST(Single, FaultsCanBeSet) {
  RunOptions options = seed(3);
  options.faults = {"kill=100", "down_ms=5"};
  const RunResult result = run_single(options);
  EXPECT_EQ(text(result.violation), "");
  EXPECT_EQ(result.faults.kill, 100);
  EXPECT_GT(result.fired[Fault::kill], 5u);
}

class Plants : public testing::TestWithParam<Plant> {};

// Seed after seed, until one finds it; what finds it is who should.
TEST_P(Plants, AreFoundAndNamed) {
  const Plant& plant = GetParam();
  // What is kept shows at a start: many short runs have more of them than a few long ones.
  const bool replicates = find_scenario(plant.scenario)->story == "replication";
  // Several nodes for up to forty seeds take too long there, and find the same.
  if (kSanitized && replicates) GTEST_SKIP() << "without sanitizers only";
  const bool starts = plant.scenario == "rewrite" || plant.scenario == "full_disk" ||
                      plant.scenario == "power" || replicates;
  const uint64_t seeds = starts ? 40 : 10;
  for (uint64_t number = 1; number <= seeds; ++number) {
    RunOptions options = seed(number, starts ? 0 : 100'000);
    options.plant = plant.name;
    const RunResult result = run_scenario(*find_scenario(plant.scenario), options);
    if (!result.violation) continue;
    const std::string& found_by = result.violation->checker;
    // What clients happen not to ask for is seen in the end, or by who counts. While all clients
    // pause, nobody is told of anything either.
    EXPECT_TRUE(found_by == plant.found_by ||
                (plant.found_by == "model" && (found_by == "state" || found_by == "statistics")) ||
                (plant.name == "busy_pause" && found_by == "tracking") ||
                // A node that refuses to load what it has serves nobody.
                (plant.found_by == "durability" && found_by == "progress") ||
                // Data that is another one shows at each claim, and at the end.
                (replicates && plant.found_by != "acknowledged" &&
                 (found_by == "history" || found_by == "convergence" || found_by == "loss")) ||
                // Who has no name for what it has is counted by WAIT, too.
                (plant.name == "deaf_to_new_id" && found_by == "acknowledged") ||
                // A rewrite of the log is a snapshot, too.
                (plant.name == "missed_entry" && found_by == "durability"))
        << "seed " << number << " " << text(result.violation);
    EXPECT_GT(result.violation->at.ns, 0);
    EXPECT_TRUE(result.violation->node.starts_with("node"));
    std::printf("%s: found by %s, seed %d\n", std::string(plant.name).c_str(), found_by.c_str(),
                static_cast<int>(number));
    return;
  }
  FAIL() << "not found in " << seeds << " seeds";
}

// Those that a checker finds: one that takes the process with it is for tests/sim/program_test.cc.
std::vector<Plant> plants_of_checkers() {
  std::vector<Plant> plants(all_plants().begin(), all_plants().end());
  std::erase_if(plants, [](const Plant& plant) { return plant.found_by == "crash"; });
  return plants;
}

INSTANTIATE_TEST_SUITE_P(Single, Plants, testing::ValuesIn(plants_of_checkers()),
                         [](const auto& info) { return std::string(info.param.name); });

// Nodes that wait for each other serve as soon as everything is healed: only a majority beside
// others that stay broken shows it.
TEST(Several, OnlyLivenessFindsWhoWaitsForAll) {
  ScenarioSpec without = *find_scenario("several");
  without.number(&ScenarioNumbers::length_liveness) = Choice(0);
  constexpr size_t kSeeds = affordable(10, 3);
  size_t found = 0;
  for (uint64_t number = 1; number <= kSeeds; ++number) {
    RunOptions options = seed(number, 1'000);
    options.plant = "waits_for_all";
    EXPECT_EQ(text(run_scenario(without, options).violation), "") << "seed " << number;
    const RunResult result = run_scenario(*find_scenario("several"), options);
    if (!result.violation) continue;
    ++found;
    EXPECT_EQ(result.violation->checker, "progress");
    EXPECT_TRUE(result.violation->expected.ends_with("after a majority was healed"))
        << result.violation->expected;
  }
  EXPECT_GE(found, kSeeds / 4);
}

// The healed ones serve while others are down for much longer than anybody waits; and these come
// back when everything is healed.
TEST(Several, TheFrozenOnesOweNothing) {
  ScenarioSpec spec = *find_scenario("several");
  spec.number(&ScenarioNumbers::topology_nodes) = Choice(3);
  spec.faults.clear();
  spec.swarm.clear();
  spec.strikes.emplace();
  for (const char* node : {"node", "node1", "node2"}) {
    FaultStrike strike;
    ASSERT_EQ(parse_strike("kill " + std::string(node) + " at 500ms for 100000s", &strike), "");
    spec.strikes->push_back(strike);
  }
  RunOptions options = seed(1, 1'000);
  const RunResult result = run_scenario(spec, options);
  EXPECT_EQ(text(result.violation), "");
  EXPECT_EQ(result.fired[Fault::kill], 3u);
  // Without the phase, or with it, everybody serves in the end.
  EXPECT_GT(result.commands, 300u);
}

// A bug that only an unlucky place brings to light: a sweep finds it in the seeds that draw that
// place, and in no others.
TEST(Unlucky, APlaceBringsABugToLight) {
  constexpr auto kPlace = static_cast<size_t>(UnluckyPlace::free_later);
  constexpr size_t kSeeds = affordable(60, 3);
  size_t found = 0;
  size_t without = 0;
  for (uint64_t number = 1; number <= kSeeds; ++number) {
    RunOptions options = seed(number, 3'000);
    options.plant = "unlucky_loss";
    const RunResult result = run_single(options);
    if (result.unlucky[kPlace] == 0) {
      EXPECT_EQ(text(result.violation), "") << "seed " << number;
      ++without;
    }
    found += result.violation ? 1 : 0;
  }
  EXPECT_GE(found, kSeeds / 20);
  EXPECT_GE(without, kSeeds / 2);
}

// How often a place was unlucky and how often it was asked are part of a run's digest.
TEST(Unlucky, DrawsArePartOfTheDigest) {
  ScenarioSpec spec = *find_scenario("single");
  constexpr auto kPlace = static_cast<size_t>(UnluckyPlace::trim_everything);
  std::set<std::string> digests;
  for (const int64_t ppm : {0, 1, 500'000, 1'000'000}) {
    spec.unlucky.emplace();
    (*spec.unlucky)[kPlace] = ppm;
    const std::string digest = run_scenario(spec, seed(7)).digest;
    EXPECT_EQ(digest, run_scenario(spec, seed(7)).digest);
    digests.insert(digest);
  }
  EXPECT_EQ(digests.size(), 4u);
}

TEST(Single, EveryCheckerHasAPlant) {
  for (const Named& checker : all_checkers()) {
    bool found = false;
    for (const Plant& plant : all_plants()) found = found || plant.found_by == checker.name;
    EXPECT_TRUE(found) << checker.name;
  }
}

}  // namespace
}  // namespace redoubt::sim
