#include "engine/insight/command_stats.h"

#include <fmt/format.h>

#include <string>

#include "engine/insight/info_registry.h"
#include "engine/store/number.h"

namespace redoubt {

namespace {

uint64_t command_us(const CommandStats& stats) {
  uint64_t sum_ns = 0;
  for_each_command(stats.commands, [&](const CommandEntry& entry) { sum_ns += entry.nsec; });
  return sum_ns / 1000;
}

constexpr InfoRow kAllCommands[] = {
    counter<CommandStats>("eventloop_duration_cmd_sum",
                          [](const CommandStats& stats) { return command_us(stats); }),
};

void write_commandstats(void* owner, InfoWriter& out) {
  const CommandStats& stats = *static_cast<const CommandStats*>(owner);
  for_each_command(stats.commands, [&](const CommandEntry& entry) {
    if (entry.calls == 0 && entry.rejected_calls == 0 && entry.failed_calls == 0) return;
    out.field(fmt::format("cmdstat_{}", entry.name),
              fmt::format("calls={},usec={},usec_per_call={},rejected_calls={},failed_calls={}",
                          entry.calls, entry.nsec / 1000,
                          FixedText(ratio(entry.nsec / 1000, entry.calls), 2).view(),
                          entry.rejected_calls, entry.failed_calls));
  });
}

void write_latencystats(void* owner, InfoWriter& out) {
  const CommandStats& stats = *static_cast<const CommandStats*>(owner);
  if (!stats.settings.latency_tracking) return;
  for_each_command(stats.commands, [&](const CommandEntry& entry) {
    if (entry.latency == nullptr) return;
    std::string line;
    for (const double percent : stats.settings.latency_tracking_percentiles) {
      const double usec = static_cast<double>(entry.latency->percentile(percent).ns) / 1000;
      line += fmt::format("{}p{}={}", line.empty() ? "" : ",", DoubleText(percent).view(),
                          FixedText(usec, 3).view());
    }
    out.field(fmt::format("latency_percentiles_usec_{}", entry.name), line);
  });
}

}  // namespace

void register_command_stats(InfoRegistry& registry, CommandStats& stats) {
  registry.add({.section = InfoSection::stats, .place = 40, .rows = kAllCommands, .owner = &stats});
  registry.add(
      {.section = InfoSection::commandstats, .owner = &stats, .write = write_commandstats});
  registry.add(
      {.section = InfoSection::latencystats, .owner = &stats, .write = write_latencystats});
}

}  // namespace redoubt
