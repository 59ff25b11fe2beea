#include "sim/load/recording.h"

namespace redoubt::sim {

void add_last_pauses(Script& script, const LastPauses& pauses, Instant now) {
  for (const auto& [who, left] : pauses) {
    if (left.empty()) continue;
    ScriptStep& step = script.emplace_back();
    step.node = who.first;
    step.client = who.second;
    step.at = now;
    step.pauses = left;
  }
}

}  // namespace redoubt::sim
