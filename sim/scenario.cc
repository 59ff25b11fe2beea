#include "sim/scenario.h"

#include "sim/scenarios/single.h"

namespace redoubt::sim {

std::span<const Scenario> scenarios() {
  static const Scenario kAll[] = {single_scenario()};
  return kAll;
}

const Scenario* find_scenario(std::string_view name) {
  for (const Scenario& scenario : scenarios()) {
    if (scenario.name == name) return &scenario;
  }
  return nullptr;
}

}  // namespace redoubt::sim
