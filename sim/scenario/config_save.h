// The story of a configuration save, for every crash that it can meet (sim/crash_points.h): a node
// is asked for CONFIG SET and CONFIG REWRITE. Whenever it dies, it starts again with the old file
// or the new one, to the byte; with the new one if the save was acknowledged; and can save again.
#pragma once

#include "sim/scenario/scenario.h"

namespace redoubt::sim {

// The seed says what the old file looks like and whether writes are carried out in pieces.
RunResult save_config_everywhere(const ScenarioSpec& spec, const RunOptions& options);

}  // namespace redoubt::sim
