// A node as a process of a simulated host.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/commands/families.h"
#include "engine/node/node.h"
#include "net/task.h"
#include "server/assembly/assemble.h"
#include "sim/process.h"

namespace redoubt::sim {

// Where the nodes of scenarios listen.
inline constexpr uint16_t kNodePort = 6379;

// How a node is started.
struct NodeStart {
  // As on the command line of redoubt-server: "--port", "6379", ...
  std::vector<std::string> arguments;
  // Read before the arguments, and made empty if it is not there; empty: none.
  std::string config_file;
  NodeObserver* observer = nullptr;
  std::vector<std::span<const Command>> families = all_families();
  // Called when the node has been made, before it starts.
  std::function<void(Node&)> made;
  // Called when the node has loaded its data and listens. Without a file and data to load that is
  // within the constructor.
  std::function<void(Node&)> ready;
};

class NodeProcess final : public Process {
 public:
  NodeProcess(Env& env, NodeStart start);
  NodeProcess(Env& env, const std::vector<std::string>& arguments, NodeObserver* observer,
              std::vector<std::span<const Command>> families = all_families());

  ~NodeProcess() override;

  void stop(Env& env) override;
  // Exists from the beginning, unless a file has to be read first.
  Node& node() { return *node_; }

 private:
  Task<Error> read_until_read();
  Task<Error> read_file();
  void begin(std::string_view text);
  void give_up(const std::string& reason);
  void on_started(Error error);

  Env& env_;
  const NodeStart start_;
  std::string text_;
  Task<Error> reading_;
  std::unique_ptr<Node> node_;
  Timer again_;
};

}  // namespace redoubt::sim
