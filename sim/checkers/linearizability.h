// The checker of linearizability: to its clients, each key is one value that changes in one moment
// between a command's call and its reply.
//
// From the history of a run (sim/history) it takes the commands of string_operation.h and checks
// each key of each database by itself (sim/linearizability); the place in the node's stream of
// effects is the witness. Commands that only read and are not among those are passed over. A key
// is left out of the check, and counted, when anything else may have changed it:
//   - another command that writes, also with an option that sets a deadline;
//   - a transaction, whose commands execute at another time than they are sent;
//   - an eviction, of which the caller has to tell with leave_out().
// After FLUSHALL, SWAPDB and whatever else names no keys, every key is left out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/history/history.h"
#include "sim/linearizability/linearizability.h"
#include "sim/scenario/scenario.h"

namespace redoubt::sim {

struct LinearizabilityOptions {
  linearizability::Limits limits;
  // A node that keeps nothing came back empty at these moments, in order: what was called before
  // took effect before, or never.
  std::vector<Instant> losses;
  // Of hosts, by number.
  std::vector<std::string> node_names;
};

struct LinearizabilityReport {
  std::optional<Violation> violation;
  // The end of the longest order that was found, and what cannot follow it: an operation a line.
  std::vector<std::string> lines;
  // Keys for which the work was not enough: "key of database 0".
  std::vector<std::string> undecided;
  uint64_t operations = 0;  // that were checked
  uint64_t keys = 0;        // of these; a key counts again after each loss
  uint64_t by_witness = 0;
  uint64_t by_search = 0;
  uint64_t states = 0;  // that the searches visited
  uint64_t left_out_keys = 0;
  uint64_t left_out_operations = 0;
};

class LinearizabilityChecker {
 public:
  explicit LinearizabilityChecker(LinearizabilityOptions options = {});

  // Something that is not in the history changed this key, such as an eviction.
  void leave_out(int database, std::string_view key);

  // Checks the history of a run that is over.
  LinearizabilityReport check(const History& history) const;

 private:
  const LinearizabilityOptions options_;
  std::vector<std::pair<int, std::string>> left_out_;
};

}  // namespace redoubt::sim
