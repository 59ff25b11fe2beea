// A node as a process of a simulated host.
#pragma once

#include <string>
#include <vector>

#include "engine/commands/families.h"
#include "engine/node/node.h"
#include "sim/process.h"

namespace redoubt::sim {

class NodeProcess final : public Process {
 public:
  // `arguments` as on the command line of redoubt-server: "--port", "6379", ...
  NodeProcess(Env& env, const std::vector<std::string>& arguments, NodeObserver* observer,
              std::vector<std::span<const Command>> families = all_families());

  void stop(Env& env) override;
  Node& node() { return *node_; }

 private:
  std::unique_ptr<Node> node_;
};

}  // namespace redoubt::sim
