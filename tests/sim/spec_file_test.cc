// Scenario files: the built-in ones are read, what is wrong in one is named with its line, and what
// is written is read back.
#include "sim/scenario/spec_file.h"

#include <gtest/gtest.h>

#include "sim/program/shrink.h"
#include "sim/scenario/scenario.h"

namespace redoubt::sim {
namespace {

std::string problem(std::string_view text) {
  std::string error;
  const auto spec = parse_scenario("f.toml", text, &error);
  return spec ? "none" : error;
}

TEST(SpecFile, TheBuiltInOnesAreRead) {
  for (const ScenarioFile& file : builtin_scenarios()) {
    std::string error;
    const auto spec = parse_scenario(file.name, file.text, &error);
    ASSERT_TRUE(spec) << error;
    EXPECT_EQ(spec->name + ".toml", file.name);
    EXPECT_NE(spec->description, "");
  }
  for (const char* name : {"single", "crowd", "memory", "power", "clocks", "soak", "registers",
                           "config_save", "several"}) {
    EXPECT_NE(find_scenario(name), nullptr) << name;
  }
}

TEST(SpecFile, SaysFileLineAndWhatWasExpected) {
  EXPECT_EQ(problem(""), "f.toml:1: expected a name for the scenario: name = \"...\"");
  EXPECT_EQ(problem("name = 3"), "f.toml:1: expected a string for name, not an integer");
  EXPECT_EQ(problem("name = \"x\"\n[topology]\nclients = \"many\"\n"),
            "f.toml:3: expected numbers from 0 to 10000 for clients, not 'many'");
  EXPECT_EQ(problem("name = \"x\"\n[topology]\nclients = \"9..1\"\n"),
            "f.toml:3: expected a range with the lower end first, not '9..1'");
  EXPECT_EQ(problem("name = \"x\"\n[topology]\nclients = [1, 20000]\n"),
            "f.toml:3: expected numbers from 0 to 10000 for clients, not '1 | 20000'");
  EXPECT_EQ(problem("name = \"x\"\n[memory]\nsize = 1\n"),
            "f.toml:3: expected one of spare_bytes in [memory], not 'size'");
  EXPECT_EQ(problem("name = \"x\"\n\n[faults]\nkil = 100\n"),
            "f.toml:4: expected a fault (see redoubt-sim list), not 'kil'");
  EXPECT_EQ(problem("name = \"x\"\n[faults]\nswarm = [\"down_ms\"]\n"),
            "f.toml:3: expected a fault, not a strength");
  EXPECT_EQ(problem("name = \"x\"\n[workload]\nkeys = []\n"),
            "f.toml:3: expected something to choose from for keys, not an empty array");
  EXPECT_EQ(problem("name = \"x\"\nstory = \"tale\"\n"),
            "f.toml:2: expected one of config_save, kept_data, damaged_data, replication, "
            "not 'tale'");
  EXPECT_EQ(problem("name = \"x\"\nplant = \"tree\"\n"),
            "f.toml:2: expected a planted bug (see redoubt-sim list), not 'tree'");
  EXPECT_EQ(problem("name = \"x\"\n[[step]]\nclient = 0\nsend = ['GET \"k']\n"),
            "f.toml:4: expected the words of a command, in quotes where needed, not 'GET \"k'");
  EXPECT_EQ(problem("name = \"x\"\n[[step]]\npauses = [\"soon\"]\nsend = [\"PING\"]\n"),
            "f.toml:3: expected a time such as \"1.5s\" or \"20ms\" for pauses, not 'soon'");
  EXPECT_NE(problem("name = \"x\"\nstrikes = [\"kill\"]\n").find("f.toml:2: "), std::string::npos);
  EXPECT_NE(problem("name = \n").find("f.toml:1: "), std::string::npos);
  EXPECT_NE(problem("name = \"x\"\nnodes = 2\n").find("f.toml:2: expected one of name,"),
            std::string::npos);
}

TEST(SpecFile, WhatIsWrittenIsReadBack) {
  for (const ScenarioSpec& spec : scenarios()) {
    const std::string text = scenario_text(spec, "a comment\nof two lines");
    std::string error;
    const auto again = parse_scenario("again", text, &error);
    ASSERT_TRUE(again) << error << "\n" << text;
    EXPECT_EQ(scenario_text(*again, "a comment\nof two lines"), text);
  }
}

// A failing run, recorded, written, read and played, fails in the same way.
TEST(SpecFile, ARecordedRunPlaysAgain) {
  for (const char* plant : {"lost_write", "blind_watch", "last_come", "torn_rollback",
                            "forgotten_write", "forgotten_file", "lost_subscription"}) {
    RunOptions options;
    options.plant = plant;
    options.commands = 20'000;
    options.record = true;
    RunResult result;
    for (options.seed = 1; options.seed <= 10 && !result.violation; ++options.seed) {
      result = run_scenario(*find_scenario(find_plant(plant)->scenario), options);
    }
    ASSERT_TRUE(result.violation) << plant;
    std::string error;
    const auto spec = parse_scenario("again", scenario_text(result.fixed, ""), &error);
    ASSERT_TRUE(spec) << error;
    RunOptions same;
    same.seed = *spec->seed;
    same.plant = spec->plant;
    const RunResult again = run_scenario(*spec, same);
    ASSERT_TRUE(again.violation) << plant;
    EXPECT_EQ(again.violation->checker, result.violation->checker) << plant;
    EXPECT_EQ(run_scenario(*spec, same).digest, again.digest) << plant;
  }
}

// Event for event: also where passwords are guessed and connections end before anything else is
// said, where clients have nothing more to say before the others are through or are told to say
// farewell, and where some read slowly.
TEST(SpecFile, ARecordedRunIsTheSame) {
  const auto expect_the_same = [](std::string_view scenario, RunOptions options) {
    const std::string what = std::string(scenario) + " " + std::to_string(options.seed);
    options.record = true;
    const RunResult result = run_scenario(*find_scenario(scenario), options);
    EXPECT_EQ(result.violation.has_value(), !options.plant.empty()) << what;
    std::string error;
    const auto spec = parse_scenario("again", scenario_text(result.fixed, ""), &error);
    ASSERT_TRUE(spec) << error;
    RunOptions same;
    same.seed = options.seed;
    same.plant = options.plant;
    const RunResult again = run_scenario(*spec, same);
    EXPECT_EQ(again.digest, result.digest) << what;
    EXPECT_EQ(again.events, result.events) << what;
    EXPECT_EQ(again.commands, result.commands) << what;
  };
  RunOptions options;
  options.plant = "blind_watch";
  for (const uint64_t seed : {2, 5, 7, 9, 18, 24}) {
    options.seed = seed;
    expect_the_same("single", options);
  }
  options.commands = 1'000;
  options.plant = "late_loss";
  for (options.seed = 1; options.seed <= 5; ++options.seed) expect_the_same("single", options);
  options.plant.clear();
  for (const ScenarioSpec& spec : scenarios()) {
    if (!spec.story.empty()) continue;
    for (options.seed = 1; options.seed <= 3; ++options.seed) expect_the_same(spec.name, options);
  }
}

TEST(SpecFile, Durations) {
  for (const int64_t ns : {0ll, 1ll, 999ll, 1'000ll, 1'500'000ll, 20'000'000ll, 1'234'567'890ll,
                           3'600'000'000'000ll}) {
    const std::string text = duration_text(Duration{ns});
    ASSERT_TRUE(parse_duration(text)) << text;
    EXPECT_EQ(parse_duration(text)->ns, ns) << text;
  }
  EXPECT_EQ(parse_duration("1.5s")->ns, 1'500'000'000);
  for (const char* wrong : {"", "s", "1", "1.2.3s", "-1s", "1h", "99999999999999999s"}) {
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  }
}

TEST(Choice, IsDrawnFromAllOfIt) {
  Random random(1);
  const Choice choice = Choice::of("0 | 5..7 | 100..1000 log");
  std::array<int, 3> seen{};
  for (int i = 0; i < 1'000; ++i) {
    const int64_t drawn = choice.draw(random);
    ASSERT_TRUE(drawn == 0 || (drawn >= 5 && drawn <= 7) || (drawn >= 100 && drawn <= 1'000));
    ++seen[drawn == 0 ? 0 : drawn < 100 ? 1 : 2];
  }
  for (const int count : seen) EXPECT_GT(count, 250);
  EXPECT_EQ(choice.text(), "0 | 5..7 | 100..1000 log");
  EXPECT_FALSE(choice.fixed());
  EXPECT_TRUE(Choice(3).fixed());
}

TEST(Minimise, LeavesWhatIsNeeded) {
  std::vector<int> items(100);
  for (int i = 0; i < 100; ++i) items[static_cast<size_t>(i)] = i;
  const auto holds = [](const std::vector<int>& left) {
    const auto has = [&](int item) {
      return std::find(left.begin(), left.end(), item) != left.end();
    };
    return has(3) && has(64) && (has(65) || has(99));
  };
  const auto never = [] { return false; };
  EXPECT_EQ(minimise(items, holds, never), (std::vector<int>{3, 64, 65}));
  EXPECT_EQ(minimise(items, [](const auto&) { return true; }, never), std::vector<int>());
  EXPECT_EQ(minimise(items, holds, [] { return true; }), items);
}

}  // namespace
}  // namespace redoubt::sim
