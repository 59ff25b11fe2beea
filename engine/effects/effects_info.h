// What INFO shows of the stream of effects: where replication would stand.
#pragma once

namespace redoubt {

class EffectLog;
class InfoRegistry;

// Registers the rows; `log` outlives the registry.
void register_effects(InfoRegistry& registry, EffectLog& log);

}  // namespace redoubt
