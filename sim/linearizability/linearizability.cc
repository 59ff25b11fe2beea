#include "sim/linearizability/linearizability.h"

#include <algorithm>

#include "net/assert.h"
#include "sim/linearizability/search.h"
#include "sim/linearizability/witness.h"

namespace redoubt::linearizability {
namespace {

// When a violation shows: when the operation returned that could not follow.
int64_t moment(std::span<const Operation> operations, const Result& result) {
  return operations[result.stuck.front()].returned;
}

}  // namespace

Result check_object(const Specification& specification, std::span<const Operation> operations,
                    std::span<const uint32_t> members, const Limits& limits) {
  std::optional<std::vector<uint32_t>> order = check_witness(specification, operations, members);
  if (!order) return Search(specification, operations, members, limits).run();
  Result result;
  result.by_witness = true;
  result.order = std::move(*order);
  return result;
}

Report check(const Specification& specification, std::span<const Operation> operations,
             const Limits& limits) {
  ASSERT(operations.size() < UINT32_MAX);
  std::vector<uint32_t> by_key(operations.size());
  for (uint32_t i = 0; i < by_key.size(); ++i) by_key[i] = i;
  std::ranges::sort(by_key, [&](uint32_t left, uint32_t right) {
    const uint64_t a = operations[left].key;
    const uint64_t b = operations[right].key;
    return a != b ? a < b : left < right;
  });
  Report report;
  Limits left = limits;
  for (size_t begin = 0; begin < by_key.size();) {
    const uint64_t key = operations[by_key[begin]].key;
    size_t end = begin;
    while (end < by_key.size() && operations[by_key[end]].key == key) ++end;
    const std::span members(by_key.data() + begin, end - begin);
    begin = end;
    Result result = check_object(specification, operations, members, left);
    ++report.keys;
    ++(result.by_witness ? report.by_witness : report.by_search);
    report.states += result.states;
    left.states -= std::min(left.states, result.states);
    if (result.verdict == Verdict::undecided) report.undecided.push_back(key);
    if (result.verdict != Verdict::violation) continue;
    if (report.violation && moment(operations, *report.violation) <= moment(operations, result)) {
      continue;
    }
    report.violation = std::move(result);
    report.key = key;
  }
  return report;
}

}  // namespace redoubt::linearizability
