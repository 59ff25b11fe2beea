// redoubt-sim compare: one seed twice, in processes with different surroundings, and the first
// event in which the two runs differ.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sim/scenario/scenario.h"

namespace redoubt::sim {

class CompareCommand {
 public:
  // Adds the command to the program's.
  explicit CompareCommand(CLI::App& app);

  bool asked() const;
  // The exit status: 0 when the runs are the same, 1 when they differ, 2 when that is not known.
  int run();

 private:
  int check();
  int record();
  int compare_files();
  int compare_processes();
  std::vector<std::string> child_arguments(std::string_view surroundings) const;
  std::string replay_line() const;

  CLI::App* app_;
  std::string scenario_;
  RunOptions options_;
  std::optional<ScenarioSpec> spec_;
  std::string against_;
  std::vector<std::string> files_;
  std::string record_;
  std::string surroundings_ = "as they are";
};

}  // namespace redoubt::sim
