// Bugs that a run can be asked to have, so that a test sees each checker find one.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "engine/node/node.h"
#include "sim/checkers/node_checker.h"
#include "sim/scenario/scenario.h"

namespace redoubt::sim {

class Plants {
 public:
  explicit Plants(std::string name) : name_(std::move(name)) {}

  bool any() const { return !name_.empty(); }
  bool is(std::string_view name) const { return name_ == name; }
  // Some are hidden by faults, which would explain them.
  bool calm() const { return is("hang_up") || is("exit") || is("stray_eviction"); }

  // Those that show only where many wait, or where there are many transactions.
  bool is_about_waiting() const;
  bool is_about_transactions() const;
  bool is_about_messages() const;
  bool is_about_files() const;
  // Events of keys, tracking and pauses.
  bool is_about_keys() const;
  // File operations that do nothing and say that all is well.
  std::optional<OpKind> skipped_sync() const;

  // What is wrong from before the start of the node on.
  void plant_in(Node& node) const;
  // The node does something that no client has asked for. Within a turn of the node, often.
  // `at_once`: without waiting for other commands first.
  void strike(Node& node, NodeChecker& checker, bool at_once);
  // The same, when all clients are through.
  void strike_late(Node& node, NodeChecker& checker);

 private:
  // False: there was nothing that could be changed.
  static bool has_live_key(Node& node, NodeChecker& checker);
  bool change_data(Node& node, NodeChecker& checker);

  static void mark_entries(Node& node);
  bool strike_beside(Node& node);
  static void crash_over(NodeChecker& checker);
  void strike_transactions(Node& node, NodeChecker& checker);
  void strike_waiting(Node& node);
  bool swap_waits(Node& node, Session& a, Session& b);

  const std::string name_;
  uint64_t last_ = 0;
};

}  // namespace redoubt::sim
