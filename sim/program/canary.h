// The scenario `canary`: a tiny world that is the same for the same seed, until one of its bugs is
// planted. Each lets something of the real world in; `compare` and the walls of sandbox.h have to
// notice. It is here and not among the scenarios because its bugs are what those may not contain.
#pragma once

#include <span>

#include "sim/scenario/scenario.h"

namespace redoubt::sim {

constexpr std::string_view kCanary = "canary";

std::span<const Plant> canary_plants();

// run_scenario(), or the canary where the spec has its name.
RunResult run_any(const ScenarioSpec& spec, const RunOptions& options);

}  // namespace redoubt::sim
