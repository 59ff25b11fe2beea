#include "engine/effects/effects_info.h"

#include <string>

#include "engine/effects/effect_log.h"
#include "engine/insight/info_registry.h"

namespace redoubt {

namespace {

std::string id_or_zeros(const std::string& id) {
  return id.empty() ? std::string(History::kIdLength, '0') : id;
}

// A history that ended says nothing about the data, so its id is not shown.
std::string current_id(const EffectLog& log) {
  return id_or_zeros(log.follows_data() ? log.history().id : std::string());
}

int64_t second_offset(const EffectLog& log) {
  const uint64_t offset = log.history().second_offset;
  return offset == History::kNoSecond ? -1 : static_cast<int64_t>(offset);
}

constexpr InfoRow kHistory[] = {
    text_row<EffectLog>("master_replid", [](const EffectLog& log) { return current_id(log); }),
    text_row<EffectLog>("master_replid2",
                        [](const EffectLog& log) { return id_or_zeros(log.history().second_id); }),
    gauge<EffectLog>("master_repl_offset", [](const EffectLog& log) { return log.end_offset(); }),
    gauge<EffectLog>("second_repl_offset", [](const EffectLog& log) { return second_offset(log); }),
    gauge<EffectLog>("repl_backlog_active",
                     [](const EffectLog& log) { return log.active() ? 1 : 0; }),
};

// Offsets of a backlog begin with 1.
constexpr InfoRow kBacklog[] = {
    gauge<EffectLog>(
        "repl_backlog_first_byte_offset",
        [](const EffectLog& log) { return log.active() ? log.first_offset() + 1 : 0; }),
    gauge<EffectLog>("repl_backlog_histlen",
                     [](const EffectLog& log) {
                       return log.active() ? log.end_offset() - log.first_offset() : 0;
                     }),
};

constexpr InfoRow kMemory[] = {
    gauge<EffectLog>("mem_replication_backlog",
                     [](const EffectLog& log) { return log.memory_bytes(); }),
    gauge<EffectLog>("mem_total_replication_buffers",
                     [](const EffectLog& log) { return log.memory_bytes(); }),
};

}  // namespace

void register_effects(InfoRegistry& registry, EffectLog& log) {
  registry.add({.section = InfoSection::replication, .place = 10, .rows = kHistory, .owner = &log});
  registry.add({.section = InfoSection::replication, .place = 30, .rows = kBacklog, .owner = &log});
  registry.add({.section = InfoSection::memory, .place = 10, .rows = kMemory, .owner = &log});
}

}  // namespace redoubt
