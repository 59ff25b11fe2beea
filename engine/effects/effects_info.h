// Rows of INFO about the stream of effects: its memory.
#pragma once

namespace redoubt {

class EffectLog;
class InfoRegistry;

// Registers the rows; `log` outlives the registry.
void register_effects(InfoRegistry& registry, EffectLog& log);

}  // namespace redoubt
