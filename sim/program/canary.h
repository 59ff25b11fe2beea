// The scenario `canary`: a tiny world that is the same for the same seed, until one of its bugs is
// planted. Each lets something of the real world in; `compare` and the walls of sandbox.h have to
// notice. It is here and not among the scenarios because its bugs are what those may not contain.
#pragma once

#include "sim/scenario.h"

namespace redoubt::sim {

const Scenario& canary_scenario();

// A scenario of this program by name: the canary too.
const Scenario* find_any_scenario(std::string_view name);

}  // namespace redoubt::sim
