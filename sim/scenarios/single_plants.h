// Bugs that the scenario `single` can be asked to have, so that a test sees each checker find one.
#pragma once

#include <span>
#include <string>

#include "engine/node/node.h"
#include "sim/scenario.h"
#include "sim/scenarios/single_checker.h"

namespace redoubt::sim {

class SinglePlants {
 public:
  explicit SinglePlants(std::string name) : name_(std::move(name)) {}

  static std::span<const Plant> rows();

  bool any() const { return !name_.empty(); }
  bool is(std::string_view name) const { return name_ == name; }
  // Some are hidden by faults, which would explain them.
  bool calm() const { return is("hang_up") || is("exit") || is("stray_eviction"); }

  // Those that show only where many wait, or where there are many transactions.
  bool is_about_waiting() const;
  bool is_about_transactions() const;

  // The node does something that no client has asked for. Within a turn of the node, often.
  void strike(Node& node, SingleChecker& checker);
  // The same, when all clients are through.
  void strike_late(Node& node, SingleChecker& checker);

 private:
  // False: there was nothing that could be changed.
  bool change_data(Node& node, SingleChecker& checker);

  void strike_transactions(Node& node, SingleChecker& checker);
  void strike_waiting(Node& node);
  bool swap_waits(Node& node, Session& a, Session& b);

  const std::string name_;
  uint64_t last_ = 0;
};

}  // namespace redoubt::sim
