// What the system says of this process, and its limit of descriptors.
#pragma once

#include <cstdint>

#include "net/backend.h"

namespace redoubt {

// To be called on the thread that runs the node, whose processor time is among the facts.
ProcessFacts read_process_facts();

// Raises the limit of open descriptors towards `wanted`, also above the hard limit where the
// process may. Returns the limit reached, which is not lowered when it is above.
uint64_t raise_file_limit(uint64_t wanted);

}  // namespace redoubt
