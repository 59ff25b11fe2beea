// The parts of a node that checkers of replication look at.
#pragma once

#include "engine/node/node.h"
#include "engine/persist/persist.h"
#include "engine/replication/replication.h"

namespace redoubt::sim {

inline Persistence& persistence_of(Node& node) {
  return static_cast<Persistence&>(*node.parts().find(Persistence::kKind));
}

inline Replication& replication_of(Node& node) {
  return static_cast<Replication&>(*node.parts().find(Replication::kKind));
}

}  // namespace redoubt::sim
