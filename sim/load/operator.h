// Who looks after a node: now and then changes a directive and has the configuration file
// rewritten, or has data saved, the log rewritten, or changes how data is kept. What the files may
// say after a crash is the checkers' affair.
#pragma once

#include <string>
#include <vector>

#include "sim/load/connection.h"
#include "sim/model/resp_value.h"

namespace redoubt::sim {

class Operator final : public LoadConnection {
 public:
  Operator(Env& env, LoadPlan& plan, NodeChecker& checker, uint32_t number, Random random);

 private:
  void on_connected() override;
  void on_bytes(std::string_view bytes) override;
  void on_timer() override;

  void change();
  std::vector<std::string> upkeep();

  uint64_t changes_ = 0;
  bool waiting_ = false;
  bool rewrites_file_ = false;  // the last command does
  std::string replies_;
};

}  // namespace redoubt::sim
