// Scenario files: TOML to ScenarioSpec and back. docs/simulator.md says what may stand in one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sim/scenario/spec.h"

namespace redoubt::sim {

// The text of a file, whose name is for messages. Nothing: *error is one line that says file, line,
// what was expected and what is there.
std::optional<ScenarioSpec> parse_scenario(std::string_view file, std::string_view text,
                                           std::string* error);

// The text of a file that parse_scenario() reads back as `spec`. Each line of `comment` stands at
// its top.
std::string scenario_text(const ScenarioSpec& spec, std::string_view comment);

// Of it, one step.
std::string step_text(const ScriptStep& step);

// "1.5s", "20ms", "7us", "12ns"; as short as it can be said exactly.
std::string duration_text(Duration duration);
std::optional<Duration> parse_duration(std::string_view text);

// The built-in ones, by name: the files of sim/scenarios.
struct ScenarioFile {
  std::string_view name;  // "single.toml"
  std::string_view text;
};
std::span<const ScenarioFile> builtin_scenarios();

}  // namespace redoubt::sim
