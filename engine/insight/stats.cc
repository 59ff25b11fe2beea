#include "engine/insight/stats.h"

#include <algorithm>

#include "engine/insight/info_registry.h"

namespace redoubt {

void RateMeter::sample(uint64_t total, int64_t elapsed_ns) {
  if (elapsed_ns <= 0) return;
  const uint64_t difference = total >= last_total_ ? total - last_total_ : 0;
  rates_[next_] = difference * 1'000'000'000 / static_cast<uint64_t>(elapsed_ns);
  next_ = (next_ + 1) % kSamples;
  last_total_ = total;
}

uint64_t RateMeter::per_second() const {
  uint64_t sum = 0;
  for (const uint64_t rate : rates_) sum += rate;
  return sum / kSamples;
}

void RecentMaximum::note(int64_t second, uint64_t value) {
  Slot& slot = slots_[static_cast<uint64_t>(second) % kSeconds];
  if (slot.second != second) slot = {second, 0};
  slot.value = std::max(slot.value, value);
}

uint64_t RecentMaximum::value(int64_t second) const {
  uint64_t largest = 0;
  for (const Slot& slot : slots_) {
    if (slot.second >= 0 && second - slot.second < static_cast<int64_t>(kSeconds)) {
      largest = std::max(largest, slot.value);
    }
  }
  return largest;
}

// --- INFO

namespace {

InfoDecimal kilobytes(const RateMeter& meter) {
  return {static_cast<double>(meter.per_second()) / 1024, 2};
}

constexpr InfoRow kTraffic[] = {
    counter<Stats>("total_connections_received",
                   [](const Stats& s) { return s.connections_received; }),
    counter<Stats>("total_commands_processed", [](const Stats& s) { return s.commands_processed; }),
    gauge<Stats>("instantaneous_ops_per_sec",
                 [](const Stats& s) { return s.commands_rate.per_second(); }),
    counter<Stats>("total_net_input_bytes", [](const Stats& s) { return s.net_input_bytes; }),
    counter<Stats>("total_net_output_bytes", [](const Stats& s) { return s.net_output_bytes; }),
    gauge<Stats>("instantaneous_input_kbps",
                 [](const Stats& s) { return kilobytes(s.input_rate); }),
    gauge<Stats>("instantaneous_output_kbps",
                 [](const Stats& s) { return kilobytes(s.output_rate); }),
    counter<Stats>("rejected_connections", [](const Stats& s) { return s.rejected_connections; }),
    counter<Stats>("expired_keys", [](const Stats& s) { return s.expired_keys; }),
    counter<Stats>("expired_subkeys", [](const Stats& s) { return s.expired_parts; }),
    gauge<Stats>("expired_stale_perc",
                 [](const Stats& s) { return InfoDecimal{s.expired_stale_percent, 2}; }),
    counter<Stats>("expired_time_cap_reached_count",
                   [](const Stats& s) { return s.expire_cycle_time_cap; }),
    counter<Stats>("expire_cycle_cpu_milliseconds",
                   [](const Stats& s) { return s.expire_cycle_ns / 1'000'000; }),
    counter<Stats>("evicted_keys", [](const Stats& s) { return s.evicted_keys; }),
    counter<Stats>("evicted_clients", [](const Stats& s) { return s.evicted_clients; }),
    counter<Stats>("keyspace_hits", [](const Stats& s) { return s.keyspace_hits; }),
    counter<Stats>("keyspace_misses", [](const Stats& s) { return s.keyspace_misses; }),
};

constexpr InfoRow kErrors[] = {
    counter<Stats>("unexpected_error_replies", [](const Stats& s) { return s.unexpected_errors; }),
    counter<Stats>("total_error_replies", [](const Stats& s) { return s.error_replies; }),
    counter<Stats>("total_reads_processed", [](const Stats& s) { return s.reads_processed; }),
    counter<Stats>("total_writes_processed", [](const Stats& s) { return s.writes_processed; }),
    counter<Stats>("client_query_buffer_limit_disconnections",
                   [](const Stats& s) { return s.query_limit_disconnections; }),
    counter<Stats>("client_output_buffer_limit_disconnections",
                   [](const Stats& s) { return s.output_limit_disconnections; }),
};

constexpr InfoRow kRefused[] = {
    counter<Stats>("acl_access_denied_auth", [](const Stats& s) { return s.denied_auth; }),
    counter<Stats>("transactions_rolled_back",
                   [](const Stats& s) { return s.transactions_rolled_back; }),
};

// How long a turn of the loop took on average, of those of the last seconds.
uint64_t turn_us(const Stats& stats) {
  const uint64_t turns = stats.loop_turns_rate.per_second();
  return turns == 0 ? 0 : stats.loop_busy_rate.per_second() / turns / 1000;
}

constexpr InfoRow kLoopRates[] = {
    gauge<Stats>("instantaneous_eventloop_cycles_per_sec",
                 [](const Stats& s) { return s.loop_turns_rate.per_second(); }),
    gauge<Stats>("instantaneous_eventloop_duration_usec",
                 [](const Stats& s) { return turn_us(s); }),
};

constexpr InfoRow kLazyfreed[] = {
    counter<Stats>("lazyfreed_objects", [](const Stats& s) { return s.lazyfreed_objects; }),
};

void write_errorstats(void* owner, InfoWriter& out) {
  for (const auto& [code, count] : static_cast<const Stats*>(owner)->errors) {
    out.field("errorstat_" + code, "count=" + std::to_string(count));
  }
}

}  // namespace

void register_stats(InfoRegistry& registry, Stats& stats) {
  registry.add({.section = InfoSection::stats, .place = 0, .rows = kTraffic, .owner = &stats});
  registry.add({.section = InfoSection::stats, .place = 20, .rows = kErrors, .owner = &stats});
  registry.add({.section = InfoSection::stats, .place = 50, .rows = kLoopRates, .owner = &stats});
  registry.add({.section = InfoSection::stats, .place = 60, .rows = kRefused, .owner = &stats});
  registry.add({.section = InfoSection::memory, .place = 50, .rows = kLazyfreed, .owner = &stats});
  registry.add({.section = InfoSection::errorstats, .owner = &stats, .write = write_errorstats});
}

void Stats::count_error(std::string_view text) {
  constexpr size_t kCodesMax = 128;
  ++error_replies;
  const std::string_view code = text.substr(0, text.find(' '));
  const auto found = errors.find(code);
  if (found != errors.end()) {
    ++found->second;
  } else if (errors.size() < kCodesMax) {
    errors.emplace(code, 1);
  } else {
    // Scripts can make up codes without end.
    ++errors["ERRORSTATS_OVERFLOW"];
  }
}

}  // namespace redoubt
