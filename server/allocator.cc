#include "server/allocator.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

// jemalloc's way to ask it; absent when another allocator is linked.
extern "C" __attribute__((weak)) int mallctl(const char* name, void* old_value, size_t* old_size,
                                             void* new_value, size_t new_size);
extern "C" __attribute__((weak)) void malloc_stats_print(void (*write)(void* owner,
                                                                       const char* text),
                                                         void* owner, const char* options);

namespace redoubt {
namespace {

uint64_t statistic(const char* name) {
  size_t value = 0;
  size_t size = sizeof value;
  return mallctl(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

}  // namespace

AllocatorFacts read_allocator_facts() {
  AllocatorFacts facts;
  const char* version = nullptr;
  size_t size = sizeof version;
  if (mallctl == nullptr || mallctl("version", &version, &size, nullptr, 0) != 0) return facts;
  const std::string_view text = version;
  facts.name = fmt::format("jemalloc-{}", text.substr(0, text.find('-')));
  // Statistics are those of the last epoch that was begun.
  uint64_t epoch = 1;
  size = sizeof epoch;
  mallctl("epoch", &epoch, &size, &epoch, sizeof epoch);
  facts.allocated = statistic("stats.allocated");
  facts.active = statistic("stats.active");
  facts.resident = statistic("stats.resident");
  return facts;
}

std::string read_allocator_report() {
  std::string report;
  if (malloc_stats_print == nullptr) return report;
  // Room is there before the call, which is not to allocate: the report has about 40 KB.
  report.reserve(size_t{256} << 10);
  const auto append = [](void* owner, const char* text) {
    std::string& to = *static_cast<std::string*>(owner);
    const std::string_view piece = text;
    if (piece.size() <= to.capacity() - to.size()) to += piece;
  };
  malloc_stats_print(append, &report, "ax");  // without single arenas and mutexes
  return report;
}

}  // namespace redoubt
