#include "engine/node/node_info.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "engine/clients/clients_info.h"
#include "engine/effects/effects_info.h"
#include "engine/keyspace/keyspace_info.h"
#include "engine/node/node.h"
#include "engine/node/version.h"

namespace redoubt {

namespace {

// The value of a directive, as CONFIG GET shows it.
std::string directive_value(const NodeInfo& info, std::string_view name) {
  const auto found = info.node().config().get(std::span<const std::string_view>(&name, 1));
  return found.empty() ? std::string() : found.front().second;
}

int64_t uptime_s(const NodeInfo& info) {
  return (info.node().env().now() - info.node().started()).s();
}

// --- server

constexpr InfoRow kServer[] = {
    text_row<NodeInfo>(
        "redis_version",
        [](NodeInfo& info) { return info.node().settings().reported_redis_version; }),
    text_row<NodeInfo>("redoubt_version", [](NodeInfo&) { return kRedoubtVersion; }),
    text_row<NodeInfo>("redis_mode", [](NodeInfo&) { return "standalone"; }),
    text_row<NodeInfo>("os", [](NodeInfo& info) { return info.process().os; }),
    gauge<NodeInfo>("arch_bits", [](NodeInfo&) { return 64; }),
    text_row<NodeInfo>("monotonic_clock", [](NodeInfo&) { return "POSIX clock_gettime"; }),
    text_row<NodeInfo>("multiplexing_api", [](NodeInfo&) { return "io_uring"; }),
    gauge<NodeInfo>("process_id", [](NodeInfo& info) { return info.process().pid; }),
    text_row<NodeInfo>("process_supervised",
                       [](NodeInfo& info) { return info.process().supervised; }),
    text_row<NodeInfo>("run_id", [](NodeInfo& info) { return info.node().run_id(); }),
    gauge<NodeInfo>("tcp_port", [](NodeInfo& info) { return info.node().tcp_port(); }),
    gauge<NodeInfo>("server_time_usec",
                    [](NodeInfo& info) { return info.node().env().wall().unix_us; }),
    gauge<NodeInfo>("uptime_in_seconds", [](NodeInfo& info) { return uptime_s(info); }),
    gauge<NodeInfo>("uptime_in_days", [](NodeInfo& info) { return uptime_s(info) / (24 * 3600); }),
    gauge<NodeInfo>("hz", [](NodeInfo& info) { return info.node().settings().hz; }),
    gauge<NodeInfo>("configured_hz", [](NodeInfo& info) { return info.node().settings().hz; }),
    gauge<NodeInfo>("lru_clock",
                    [](NodeInfo& info) { return info.node().env().wall().unix_s() & 0xffffff; }),
    text_row<NodeInfo>("executable", [](NodeInfo& info) { return info.process().executable; }),
    text_row<NodeInfo>("config_file", [](NodeInfo& info) { return info.node().config().file(); }),
};

// One line for each kind of listener: "name=tcp,bind=127.0.0.1,port=6379".
void write_listeners(void* owner, InfoWriter& out) {
  const Node& node = static_cast<const NodeInfo*>(owner)->node();
  const Settings& settings = node.settings();
  int count = 0;
  if (node.tcp_port() != 0) {
    std::string line = "name=tcp";
    for (const std::string& address : settings.bind) line += ",bind=" + address;
    out.field(fmt::format("listener{}", count++), fmt::format("{},port={}", line, node.tcp_port()));
  }
  if (!settings.unixsocket.empty()) {
    out.field(fmt::format("listener{}", count),
              fmt::format("name=unix,bind={}", settings.unixsocket));
  }
}

// --- clients that wait

const Blocking& blocking(const NodeInfo& info) {
  return info.node().dispatcher().blocked().table();
}

constexpr InfoRow kBlocked[] = {
    gauge<NodeInfo>("blocked_clients", [](NodeInfo& info) { return blocking(info).sessions(); }),
};

constexpr InfoRow kTimeouts[] = {
    gauge<NodeInfo>("clients_in_timeout_table",
                    [](NodeInfo& info) { return blocking(info).sessions_with_deadline(); }),
};

constexpr InfoRow kBlockingKeys[] = {
    gauge<NodeInfo>("total_blocking_keys", [](NodeInfo& info) { return blocking(info).keys(); }),
    gauge<NodeInfo>("total_blocking_keys_on_nokey",
                    [](NodeInfo& info) { return blocking(info).keys_while_they_exist(); }),
};

// --- memory

// A number of the allocator, if it can be asked.
template <typename Number>
std::optional<Number> if_asked(const NodeInfo& info, Number number) {
  if (info.allocator().name.empty()) return std::nullopt;
  return number;
}

int64_t difference(uint64_t a, uint64_t b) {
  return static_cast<int64_t>(a) - static_cast<int64_t>(b);
}

constexpr InfoRow kMemoryUse[] = {
    gauge<NodeInfo>("used_memory", [](NodeInfo& info) { return info.memory().used; }),
    text_row<NodeInfo>("used_memory_human",
                       [](NodeInfo& info) { return human_bytes(info.memory().used); }),
    gauge<NodeInfo>("used_memory_rss",
                    [](NodeInfo& info) { return info.process().resident_bytes; }),
    text_row<NodeInfo>("used_memory_rss_human",
                       [](NodeInfo& info) { return human_bytes(info.process().resident_bytes); }),
    gauge<NodeInfo>("used_memory_peak", [](NodeInfo& info) { return info.memory().peak; }),
    text_row<NodeInfo>("used_memory_peak_human",
                       [](NodeInfo& info) { return human_bytes(info.memory().peak); }),
    text_row<NodeInfo>(
        "used_memory_peak_perc",
        [](NodeInfo& info) { return percent_text(info.memory().used, info.memory().peak); }),
    gauge<NodeInfo>("used_memory_overhead", [](NodeInfo& info) { return info.memory().overhead; }),
    gauge<NodeInfo>("used_memory_startup", [](NodeInfo& info) { return info.memory().startup; }),
    gauge<NodeInfo>("used_memory_dataset", [](NodeInfo& info) { return info.memory().dataset(); }),
    text_row<NodeInfo>(
        "used_memory_dataset_perc",
        [](NodeInfo& info) { return percent_text(info.memory().dataset(), info.memory().net()); }),
    gauge<NodeInfo>("allocator_allocated",
                    [](NodeInfo& info) { return if_asked(info, info.allocator().allocated); }),
    gauge<NodeInfo>("allocator_active",
                    [](NodeInfo& info) { return if_asked(info, info.allocator().active); }),
    gauge<NodeInfo>("allocator_resident",
                    [](NodeInfo& info) { return if_asked(info, info.allocator().resident); }),
    gauge<NodeInfo>("total_system_memory",
                    [](NodeInfo& info) { return info.process().total_memory_bytes; }),
    text_row<NodeInfo>(
        "total_system_memory_human",
        [](NodeInfo& info) { return human_bytes(info.process().total_memory_bytes); }),
    gauge<NodeInfo>("maxmemory", [](NodeInfo& info) { return info.node().settings().maxmemory; }),
    text_row<NodeInfo>(
        "maxmemory_human",
        [](NodeInfo& info) { return human_bytes(info.node().settings().maxmemory); }),
    text_row<NodeInfo>("maxmemory_policy",
                       [](NodeInfo& info) { return directive_value(info, "maxmemory-policy"); }),
};

constexpr InfoRow kFragmentation[] = {
    gauge<NodeInfo>("allocator_frag_ratio",
                    [](NodeInfo& info) {
                      const AllocatorFacts& of = info.allocator();
                      return if_asked(info, InfoDecimal{ratio(of.active, of.allocated), 2});
                    }),
    gauge<NodeInfo>("allocator_frag_bytes",
                    [](NodeInfo& info) {
                      const AllocatorFacts& of = info.allocator();
                      return if_asked(info, difference(of.active, of.allocated));
                    }),
    gauge<NodeInfo>("allocator_rss_ratio",
                    [](NodeInfo& info) {
                      const AllocatorFacts& of = info.allocator();
                      return if_asked(info, InfoDecimal{ratio(of.resident, of.active), 2});
                    }),
    gauge<NodeInfo>("allocator_rss_bytes",
                    [](NodeInfo& info) {
                      const AllocatorFacts& of = info.allocator();
                      return if_asked(info, difference(of.resident, of.active));
                    }),
    gauge<NodeInfo>("mem_fragmentation_ratio",
                    [](NodeInfo& info) {
                      return InfoDecimal{ratio(info.process().resident_bytes, info.memory().used),
                                         2};
                    }),
    gauge<NodeInfo>("mem_fragmentation_bytes",
                    [](NodeInfo& info) {
                      return difference(info.process().resident_bytes, info.memory().used);
                    }),
    gauge<NodeInfo>("mem_not_counted_for_evict",
                    [](NodeInfo& info) {
                      return info.node().upkeep().not_counted_for_eviction() +
                             info.memory().effects;
                    }),
};

constexpr InfoRow kAllocator[] = {
    text_row<NodeInfo>("mem_allocator",
                       [](NodeInfo& info) {
                         const std::string& name = info.allocator().name;
                         return name.empty() ? std::string("libc") : name;
                       }),
    gauge<NodeInfo>("active_defrag_running", [](NodeInfo&) { return 0; }),
};

// --- the loop

constexpr InfoRow kLoop[] = {
    counter<NodeInfo>("eventloop_cycles",
                      [](NodeInfo& info) {
                        Node& node = info.node();
                        return node.env().turns() - node.stats().loop_turns_before;
                      }),
    counter<NodeInfo>("eventloop_duration_sum",
                      [](NodeInfo& info) {
                        Node& node = info.node();
                        const auto busy = static_cast<uint64_t>(node.env().busy_time().ns);
                        return (busy - node.stats().loop_busy_before_ns) / 1000;
                      }),
};

// --- processor time

InfoDecimal seconds(uint64_t us) {
  return {static_cast<double>(us) / 1e6, 6};
}

constexpr InfoRow kCpu[] = {
    counter<NodeInfo>("used_cpu_sys",
                      [](NodeInfo& info) { return seconds(info.process().system_cpu_us); }),
    counter<NodeInfo>("used_cpu_user",
                      [](NodeInfo& info) { return seconds(info.process().user_cpu_us); }),
    counter<NodeInfo>(
        "used_cpu_sys_children",
        [](NodeInfo& info) { return seconds(info.process().children_system_cpu_us); }),
    counter<NodeInfo>("used_cpu_user_children",
                      [](NodeInfo& info) { return seconds(info.process().children_user_cpu_us); }),
    counter<NodeInfo>(
        "used_cpu_sys_main_thread",
        [](NodeInfo& info) { return seconds(info.process().main_thread_system_cpu_us); }),
    counter<NodeInfo>(
        "used_cpu_user_main_thread",
        [](NodeInfo& info) { return seconds(info.process().main_thread_user_cpu_us); }),
};

constexpr InfoRow kCluster[] = {
    gauge<NodeInfo>("cluster_enabled", [](NodeInfo&) { return 0; }),
};

void refresh_facts(void* owner) {
  static_cast<NodeInfo*>(owner)->refresh();
}

// The rows about the node as a whole.
void register_node(InfoRegistry& registry, NodeInfo& info) {
  using enum InfoSection;
  registry.add({.section = server,
                .rows = kServer,
                .owner = &info,
                .write = write_listeners,
                .prepare = refresh_facts});
  registry.add({.section = clients, .place = 10, .rows = kBlocked, .owner = &info});
  registry.add({.section = clients, .place = 40, .rows = kTimeouts, .owner = &info});
  registry.add({.section = clients, .place = 60, .rows = kBlockingKeys, .owner = &info});
  registry.add({.section = memory, .rows = kMemoryUse, .owner = &info, .prepare = refresh_facts});
  registry.add({.section = memory, .place = 1, .rows = kFragmentation, .owner = &info});
  registry.add({.section = memory, .place = 30, .rows = kAllocator, .owner = &info});
  registry.add({.section = stats, .place = 30, .rows = kLoop, .owner = &info});
  registry.add({.section = cpu, .rows = kCpu, .owner = &info, .prepare = refresh_facts});
  registry.add({.section = cluster, .rows = kCluster, .owner = &info});
}

}  // namespace

NodeInfo::NodeInfo(Node& node)
    : node_(node), command_stats_{.commands = node.commands(), .settings = node.settings()} {
  register_node(registry_, *this);
  register_stats(registry_, node.stats());
  register_command_stats(registry_, command_stats_);
  register_effects(registry_, node.effects());
  register_keyspace(registry_, node.keyspace());
  register_clients(registry_, node.clients());
  node.parts().register_info(registry_);
}

void NodeInfo::refresh() {
  process_ = node_.env().backend().process_facts();
  allocator_ = node_.env().backend().allocator_facts();
  measure_memory();
}

void NodeInfo::measure_memory() {
  memory_ = {};
  memory_.startup = node_.upkeep().startup_bytes();
  memory_.effects = node_.effects().memory_bytes() + node_.gate().memory_bytes();
  const uint64_t counted = node_.used_memory();
  memory_.used = memory_.startup + counted + memory_.effects;
  memory_.peak = std::max(memory_.used, memory_.startup + node_.stats().peak_memory);
  memory_.clients = node_.clients().memory_bytes();
  for (const auto& database : node_.keyspace().databases()) {
    memory_.tables += database->dict().table_bytes();
    memory_.keys += database->size();
  }
  memory_.overhead = memory_.startup + memory_.clients + memory_.tables + memory_.effects;
  ASSERT(memory_.overhead <= memory_.used);
}

void NodeInfo::sample_loop(int64_t elapsed_ns) {
  Stats& stats = node_.stats();
  const Env& env = node_.env();
  stats.loop_turns_rate.sample(env.turns() - stats.loop_turns_before, elapsed_ns);
  stats.loop_busy_rate.sample(static_cast<uint64_t>(env.busy_time().ns) - stats.loop_busy_before_ns,
                              elapsed_ns);
}

}  // namespace redoubt
