// The order that somebody knows, held against real time and the specification: one pass.
#pragma once

#include "sim/linearizability/linearizability.h"

namespace redoubt::linearizability {

// The order of the operations' places when it is a linearization. Nothing when it is none, or when
// an operation that returned has no place.
std::optional<std::vector<uint32_t>> check_witness(const Specification& specification,
                                                   std::span<const Operation> operations,
                                                   std::span<const uint32_t> members);

}  // namespace redoubt::linearizability
