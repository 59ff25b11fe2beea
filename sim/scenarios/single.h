// The scenario `single`: one node, several clients, each with a connection of its own.
#pragma once

#include "sim/scenario.h"

namespace redoubt::sim {

Scenario single_scenario();

}  // namespace redoubt::sim
