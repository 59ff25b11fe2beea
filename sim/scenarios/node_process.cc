#include "sim/scenarios/node_process.h"

#include "engine/node/config.h"

namespace redoubt::sim {

NodeProcess::NodeProcess(Env& env, const std::vector<std::string>& arguments,
                         NodeObserver* observer, std::vector<std::span<const Command>> families) {
  auto config = std::make_unique<Config>();
  std::string error;
  const bool configured = config->parse_arguments(arguments, &error);
  if (!configured) env.backend().log(Level::warning, error);
  ASSERT(configured);
  node_ = std::make_unique<Node>(env, std::move(config), families);
  node_->set_observer(observer);
  if (node_->listen(&error)) return;
  node_->log(LogLevel::warning, error);
  env.backend().request_exit(1);
}

void NodeProcess::stop(Env&) {
  node_->stop("Received a stop signal: ending in order.");
}

}  // namespace redoubt::sim
