// Who looks after a node: now and then changes a directive and has the configuration file
// rewritten. What the file may say after a crash is the checker's affair.
#pragma once

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

  uint64_t changes_ = 0;
  bool waiting_ = false;
  std::string replies_;
};

}  // namespace redoubt::sim
