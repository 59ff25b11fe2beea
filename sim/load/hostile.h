// A client that means no good: it breaks the protocol, sends half a request and falls silent, sends
// byte by byte, never reads what it asked for, or only connects and goes. Nobody else may suffer
// from it, and nothing of it may be left.
#pragma once

#include "sim/load/connection.h"

namespace redoubt::sim {

class HostileClient final : public LoadConnection {
 public:
  HostileClient(Env& env, LoadPlan& plan, NodeChecker& checker, uint32_t number, Random random);

 private:
  void on_connected() override;
  void on_sent() override;
  void on_bytes(std::string_view) override {}
  void on_timer() override { hang_up(); }

  void choose();
  void send_next();
  std::string broken_request();

  std::string bytes_;
  size_t sent_ = 0;
  size_t piece_ = 0;   // bytes sent at once
  bool deaf_ = false;  // reads nothing
};

}  // namespace redoubt::sim
