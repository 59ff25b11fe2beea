// All side checkers of a node (side_checker.h), told together.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/checkers/invariants.h"
#include "sim/checkers/promises.h"
#include "sim/checkers/scans.h"
#include "sim/checkers/side_checker.h"

namespace redoubt::sim {

class SideCheckers {
 public:
  SideCheckers(const Model& model, const SideChecker::Report& report, Random random);

  template <typename Tell>
  void tell(Tell tell) {
    for (const auto& checker : all_) tell(*checker);
  }
  // The next words of a session's walk.
  std::vector<std::string> next_of_walk(uint64_t session) const {
    return scans_->next_words(session);
  }
  // Looks at the node from inside, between two commands: its store, and draws at random.
  void look(Node& node);
  // The node has looked for keys, and no command told of it.
  void begin_anew() { statistics_->begin_anew(); }
  void look_after_quiet(int64_t now_ms);
  void overlook_pages(uint64_t one_in) { scans_->overlook_one_in(one_in); }

 private:
  template <typename Checker, typename... Arguments>
  Checker* add(Arguments&&... arguments) {
    auto checker = std::make_unique<Checker>(std::forward<Arguments>(arguments)...);
    Checker* added = checker.get();
    all_.push_back(std::move(checker));
    return added;
  }

  const SideChecker::Report report_;
  Random random_;
  std::vector<std::unique_ptr<SideChecker>> all_;
  ScanChecker* scans_;
  InvariantChecker* invariants_;
  StatisticsChecker* statistics_;
};

}  // namespace redoubt::sim
