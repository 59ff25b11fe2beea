// The stories of data that is kept, for every crash that they can meet (sim/crash_points.h): a node
// is asked for writes, and for a save, a rewrite of its log, or a switch of the log on and off.
// Whenever it dies, it starts again with the state after some of the commands, in their order: all
// that it promised to keep, and at most those that it was sent. Then it can be asked again.
#pragma once

#include "sim/scenario/scenario.h"

namespace redoubt::sim {

// The seed says which story is told, with which data, and whether writes are carried out in pieces.
RunResult keep_data_everywhere(const ScenarioSpec& spec, const RunOptions& options);

}  // namespace redoubt::sim
