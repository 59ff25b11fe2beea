// Commands that make values and the keyspace large and small again, so that what holds them grows,
// splits, is converted, shrinks and joins: bulk commands of up to 3,000 elements on few keys, ten
// that add to one that removes; then the way back.
#pragma once

#include "sim/model/generator.h"

namespace redoubt::sim {

void make_growth_command(CommandGenerator& generator);

}  // namespace redoubt::sim
