// The checker of linearizability: to its clients, each key is one value that changes in one moment
// between a command's call and its reply.
//
// From the history of a run (sim/history) it takes the commands of string_operation.h and checks
// each key of each database by itself (sim/linearizability); the place in the node's stream of
// effects is the witness. Behind any other command that may write a key, or give it a deadline,
// every answer is right until the value is known again (key_histories.h), so that keys that all
// kinds of commands use are checked too, where it can be done. What the node removes on its own
// without a deadline, which is evictions, has to be told with removed(), or the key left out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/history/history.h"
#include "sim/linearizability/linearizability.h"
#include "sim/violation.h"

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
  uint64_t others = 0;      // commands and removals in between, a key each
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

  // The node removed this key on its own at this moment, and at this place if that is known.
  void removed(int database, std::string_view key, Instant at, StreamPlace place);
  // Something happened to this key that nobody can tell.
  void leave_out(int database, std::string_view key);

  // Checks the history of a run that is over.
  LinearizabilityReport check(const History& history) const;

 private:
  struct Removal {
    int database;
    std::string key;
    Instant at;
    StreamPlace place;
  };

  const LinearizabilityOptions options_;
  std::vector<Removal> removals_;
  std::vector<std::pair<int, std::string>> left_out_;
};

}  // namespace redoubt::sim
