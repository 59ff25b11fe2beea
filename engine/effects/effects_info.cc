#include "engine/effects/effects_info.h"

#include "engine/effects/effect_log.h"
#include "engine/insight/info_registry.h"

namespace redoubt {

namespace {

constexpr InfoRow kMemory[] = {
    gauge<EffectLog>("mem_replication_backlog",
                     [](const EffectLog& log) { return log.memory_bytes(); }),
    gauge<EffectLog>("mem_total_replication_buffers",
                     [](const EffectLog& log) { return log.memory_bytes(); }),
};

}  // namespace

void register_effects(InfoRegistry& registry, EffectLog& log) {
  registry.add({.section = InfoSection::memory, .place = 10, .rows = kMemory, .owner = &log});
}

}  // namespace redoubt
