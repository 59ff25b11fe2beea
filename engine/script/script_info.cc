// What INFO shows of scripts.
#include "engine/insight/info_registry.h"
#include "engine/script/scripting.h"

namespace redoubt {

namespace {

uint64_t vm_bytes(Scripting& s) {
  return s.eval_vm().memory_bytes() + s.functions().vm().memory_bytes();
}

constexpr InfoRow kMemoryRows[] = {
    gauge<Scripting>("used_memory_lua", [](Scripting& s) { return s.eval_vm().memory_bytes(); }),
    gauge<Scripting>("used_memory_vm_eval",
                     [](Scripting& s) { return s.eval_vm().memory_bytes(); }),
    gauge<Scripting>("used_memory_scripts_eval",
                     [](Scripting& s) { return s.cache().memory_bytes(); }),
    gauge<Scripting>("number_of_cached_scripts", [](Scripting& s) { return s.cache().size(); }),
    gauge<Scripting>("number_of_functions",
                     [](Scripting& s) { return s.functions().function_count(); }),
    gauge<Scripting>("number_of_libraries",
                     [](Scripting& s) { return s.functions().libraries().size(); }),
    gauge<Scripting>("used_memory_vm_functions",
                     [](Scripting& s) { return s.functions().vm().memory_bytes(); }),
    gauge<Scripting>("used_memory_vm_total", [](Scripting& s) { return vm_bytes(s); }),
    gauge<Scripting>("used_memory_functions",
                     [](Scripting& s) { return s.functions().memory_bytes(); }),
    gauge<Scripting>(
        "used_memory_scripts",
        [](Scripting& s) { return s.cache().memory_bytes() + s.functions().memory_bytes(); }),
};

constexpr InfoRow kStatsRows[] = {
    counter<Scripting>("evicted_scripts", [](Scripting& s) { return s.cache().evicted(); }),
};

}  // namespace

void Scripting::register_info(InfoRegistry& registry) {
  registry.add({.section = InfoSection::memory, .place = 15, .rows = kMemoryRows, .owner = this});
  registry.add({.section = InfoSection::stats, .place = 47, .rows = kStatsRows, .owner = this});
}

}  // namespace redoubt
