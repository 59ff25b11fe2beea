// The bugs of replication that a run can be asked to have (sim/scenario/plants.cc names them).
#pragma once

#include <string_view>

#include "engine/replication/replication_plants.h"

namespace redoubt::sim {

// With the one of this name, or with none.
ReplicationPlants planted(std::string_view name);

}  // namespace redoubt::sim
