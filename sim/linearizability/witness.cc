#include "sim/linearizability/witness.h"

#include <algorithm>

namespace redoubt::linearizability {
namespace {

// The members that have a place, in that order; nothing when one that returned has none.
std::optional<std::vector<uint32_t>> in_order(std::span<const Operation> operations,
                                              std::span<const uint32_t> members) {
  std::vector<uint32_t> order;
  order.reserve(members.size());
  for (const uint32_t member : members) {
    if (operations[member].witness != 0) {
      order.push_back(member);
    } else if (!operations[member].unknown()) {
      return std::nullopt;
    }
  }
  std::ranges::sort(order, [&](uint32_t left, uint32_t right) {
    const Operation& a = operations[left];
    const Operation& b = operations[right];
    if (a.witness != b.witness) return a.witness < b.witness;
    return a.call != b.call ? a.call < b.call : left < right;
  });
  return order;
}

}  // namespace

std::optional<std::vector<uint32_t>> check_witness(const Specification& specification,
                                                   std::span<const Operation> operations,
                                                   std::span<const uint32_t> members) {
  std::optional<std::vector<uint32_t>> order = in_order(operations, members);
  if (!order) return std::nullopt;
  std::string state = specification.initial();
  std::string next;
  int64_t latest_call = std::numeric_limits<int64_t>::min();
  for (const uint32_t member : *order) {
    // It returned before one was called that stands before it.
    if (operations[member].returned < latest_call) return std::nullopt;
    latest_call = std::max(latest_call, operations[member].call);
    if (!specification.step(state, member, next)) return std::nullopt;
    std::swap(state, next);
  }
  return order;
}

}  // namespace redoubt::linearizability
