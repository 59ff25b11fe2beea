// The allocator that the process is linked with: jemalloc, which can be asked, or another one.
#pragma once

#include <string>

#include "net/backend.h"

namespace redoubt {

// What jemalloc counts. Without a name when the process has another allocator.
AllocatorFacts read_allocator_facts();
// The text of jemalloc's own report; empty with another allocator.
std::string read_allocator_report();

}  // namespace redoubt
