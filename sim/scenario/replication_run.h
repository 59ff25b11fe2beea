// The story "replication": a primary with its replicas under load and faults, and an operator who
// changes roles. In the end all have to be the same (history_checker.h).
#pragma once

#include "sim/scenario/scenario.h"

namespace redoubt::sim {

RunResult replicate(const ScenarioSpec& spec, const RunOptions& options);

}  // namespace redoubt::sim
