// A configuration with the directives of the node and of all parts, as the server has it.
#pragma once

#include <span>
#include <vector>

#include "engine/config/config.h"
#include "engine/dispatch/part.h"
#include "server/assembly/assemble.h"

namespace redoubt {

inline std::vector<std::span<const Directive>> directives_of_parts() {
  std::vector<std::span<const Directive>> tables;
  for (const PartKind* part : all_parts()) tables.push_back(part->directives);
  return tables;
}

class WholeConfig : public Config {
 public:
  WholeConfig() : Config(directives_of_parts()) {}
};

}  // namespace redoubt
