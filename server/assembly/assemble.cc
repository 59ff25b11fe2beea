#include "server/assembly/assemble.h"

#include <utility>

#include "engine/commands/families.h"
#include "engine/persist/persist.h"
#include "engine/replication/replication.h"
#include "engine/script/scripting.h"

namespace redoubt {

std::span<const PartKind* const> all_parts() {
  static constexpr const PartKind* kParts[] = {&Persistence::kKind, &Replication::kKind,
                                               &Scripting::kKind};
  return kParts;
}

std::vector<std::span<const Command>> all_commands() {
  const auto families = all_families();
  std::vector<std::span<const Command>> all(families.begin(), families.end());
  for (const PartKind* part : all_parts()) all.push_back(part->commands);
  return all;
}

std::unique_ptr<Config> make_config() {
  std::vector<std::span<const Directive>> directives;
  for (const PartKind* part : all_parts()) directives.push_back(part->directives);
  return std::make_unique<Config>(directives);
}

std::unique_ptr<Node> make_node(Env& env, std::unique_ptr<Config> config) {
  return make_node(env, std::move(config), all_families());
}

std::unique_ptr<Node> make_node(Env& env, std::unique_ptr<Config> config,
                                std::span<const std::span<const Command>> families) {
  return std::make_unique<Node>(env, std::move(config),
                                NodeMake{.families = families, .parts = all_parts()});
}

}  // namespace redoubt
