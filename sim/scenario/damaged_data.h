// Data that is damaged while a node is down: a bit of a file of its log, or of its snapshot, is
// another one, or the file has become shorter. The node refuses to start, or starts with the data
// that it had; without the last of its writes only if the damage looks like what a crash leaves: at
// the end of the last file of the log.
#pragma once

#include "sim/scenario/scenario.h"

namespace redoubt::sim {

// The seed says which files there are, with which data, and what is damaged: one place after the
// other, each in a world of its own.
RunResult damage_data(const ScenarioSpec& spec, const RunOptions& options);

}  // namespace redoubt::sim
