// INFO: what a node says about itself, in Redis's sections and words.
//
// A field that speaks of something that this node does not have (replicas, saving to disk, scripts,
// modules) is a constant, as a Redis without any would show it: the tools that read INFO expect the
// field to be there.
#include "engine/commands/server/info.h"
#include "engine/clients/session.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/node/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "engine/commands/families.h"
#include "engine/commands/row_texts.h"
#include "engine/dispatch/context.h"
#include "engine/node/version.h"
#include "engine/store/number.h"
#include "net/text.h"

namespace redoubt {

namespace {

constexpr std::string_view kNoReplid = "0000000000000000000000000000000000000000";

std::string directive(Node& node, std::string_view name) {
  const auto found = node.config().get(std::span<const std::string_view>(&name, 1));
  return found.empty() ? std::string() : found.front().second;
}

// "1.5K": as Redis shortens sizes.
std::string human_bytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{}B", bytes);
  constexpr std::string_view units = "KMGTP";
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{}{}", FixedText(value, 2).view(), units[unit]);
}

double ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string percent_text(uint64_t part, uint64_t whole) {
  return fmt::format("{}%", FixedText(ratio(part, whole) * 100, 2).view());
}

class InfoWriter {
 public:
  explicit InfoWriter(Node& of)
      : node(of), facts(of.env().backend().process_facts()), stats(of.stats()) {}

  Node& node;
  const ProcessFacts facts;
  const Stats& stats;

  void section(std::string_view title) {
    if (!text_.empty()) text_ += "\r\n";
    text_ += fmt::format("# {}\r\n", title);
  }
  template <typename Value>
  void field(std::string_view name, const Value& value) {
    text_ += fmt::format("{}:{}\r\n", name, value);
  }
  void field(std::string_view name, double value, int decimals) {
    field(name, FixedText(value, decimals).view());
  }
  void zero(std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) field(name, 0);
  }
  // The number, and the same for people under `name` + "_human".
  void bytes(std::string_view name, uint64_t value) {
    field(name, value);
    human(name, value);
  }
  void human(std::string_view name, uint64_t value) {
    text_ += fmt::format("{}_human:{}\r\n", name, human_bytes(value));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

// One line for each kind of listener: "name=tcp,bind=127.0.0.1,port=6379".
void write_listeners(InfoWriter& out) {
  const Settings& settings = out.node.settings();
  int count = 0;
  if (out.node.tcp_port() != 0) {
    std::string line = "name=tcp";
    for (const std::string& address : settings.bind) line += ",bind=" + address;
    out.field(fmt::format("listener{}", count++),
              fmt::format("{},port={}", line, out.node.tcp_port()));
  }
  if (!settings.unixsocket.empty()) {
    out.field(fmt::format("listener{}", count),
              fmt::format("name=unix,bind={}", settings.unixsocket));
  }
}

void write_server(InfoWriter& out) {
  Node& node = out.node;
  const int64_t uptime_s = (node.env().now() - node.started()).s();
  const WallTime wall = node.env().wall();
  out.section("Server");
  out.field("redis_version", node.settings().reported_redis_version);
  out.field("redoubt_version", kRedoubtVersion);
  out.field("redis_git_sha1", "00000000");
  out.field("redis_git_dirty", 0);
  out.field("redis_build_id", "0000000000000000");
  out.field("redis_mode", "standalone");
  out.field("os", out.facts.os);
  out.field("arch_bits", 64);
  out.field("monotonic_clock", "POSIX clock_gettime");
  out.field("multiplexing_api", "io_uring");
  out.field("atomicvar_api", "c11-builtin");
  out.field("gcc_version", "0.0.0");  // the same node, whatever compiled it
  out.field("process_id", out.facts.pid);
  out.field("process_supervised", out.facts.supervised);
  out.field("run_id", node.run_id());
  out.field("tcp_port", node.tcp_port());
  out.field("server_time_usec", wall.unix_us);
  out.field("uptime_in_seconds", uptime_s);
  out.field("uptime_in_days", uptime_s / (24 * 3600));
  out.field("hz", node.settings().hz);
  out.field("configured_hz", node.settings().hz);
  out.field("lru_clock", wall.unix_s() & 0xffffff);
  out.field("executable", out.facts.executable);
  out.field("config_file", node.config().file());
  out.field("io_threads_active", 0);
  write_listeners(out);
}

void write_clients(InfoWriter& out) {
  size_t largest_input = 0;
  size_t largest_output = 0;
  for (const Session* s = out.node.clients().first(); s != nullptr; s = s->next) {
    largest_input = std::max(largest_input, s->parser.memory_bytes());
    largest_output = std::max(largest_output, s->output_bytes());
  }
  out.section("Clients");
  out.field("connected_clients", out.node.clients().count());
  out.field("cluster_connections", 0);
  out.field("maxclients", out.node.settings().maxclients);
  out.field("client_recent_max_input_buffer", largest_input);
  out.field("client_recent_max_output_buffer", largest_output);
  const Blocking& blocking = out.node.dispatcher().blocked().table();
  out.field("blocked_clients", blocking.sessions());
  out.field("tracking_clients", out.node.clients().tracking().session_count());
  out.field("pubsub_clients", out.node.clients().pubsub().session_count());
  out.field("watching_clients", out.node.keyspace().watched().clients());
  out.field("clients_in_timeout_table", blocking.sessions_with_deadline());
  out.field("total_watched_keys", out.node.keyspace().watched().keys());
  out.field("total_blocking_keys", blocking.keys());
  out.field("total_blocking_keys_on_nokey", blocking.keys_while_they_exist());
}

// Who took how much of what is counted, and what the system says beside it.
void write_memory_use(InfoWriter& out) {
  const MemoryUse use = memory_use(out.node);
  const uint64_t rss = out.facts.resident_bytes;
  out.bytes("used_memory", use.used);
  out.bytes("used_memory_rss", rss);
  out.bytes("used_memory_peak", use.peak);
  out.field("used_memory_peak_perc", percent_text(use.used, use.peak));
  out.field("used_memory_overhead", use.overhead);
  out.field("used_memory_startup", 0);
  out.field("used_memory_dataset", use.used - use.overhead);
  out.field("used_memory_dataset_perc", percent_text(use.used - use.overhead, use.used));
  out.field("allocator_allocated", use.used);
  out.field("allocator_active", use.used);
  out.field("allocator_resident", rss);
  out.bytes("total_system_memory", out.facts.total_memory_bytes);
}

void write_memory(InfoWriter& out) {
  Node& node = out.node;
  out.section("Memory");
  write_memory_use(out);
  out.zero({"used_memory_lua", "used_memory_vm_eval"});
  out.human("used_memory_lua", 0);
  out.zero({"used_memory_scripts_eval", "number_of_cached_scripts", "number_of_functions",
            "number_of_libraries", "used_memory_vm_functions"});
  out.bytes("used_memory_vm_total", 0);
  out.field("used_memory_functions", 0);
  out.bytes("used_memory_scripts", 0);
  out.bytes("maxmemory", node.settings().maxmemory);
  out.field("maxmemory_policy", directive(node, "maxmemory-policy"));
  const uint64_t used = node.used_memory();
  const uint64_t rss = out.facts.resident_bytes;
  const int64_t difference = static_cast<int64_t>(rss) - static_cast<int64_t>(used);
  out.field("allocator_frag_ratio", 1.0, 2);
  out.field("allocator_frag_bytes", 0);
  out.field("allocator_rss_ratio", ratio(rss, used), 2);
  out.field("allocator_rss_bytes", difference);
  out.field("rss_overhead_ratio", 1.0, 2);
  out.field("rss_overhead_bytes", 0);
  out.field("mem_fragmentation_ratio", ratio(rss, used), 2);
  out.field("mem_fragmentation_bytes", difference);
  out.field("mem_not_counted_for_evict", node.upkeep().not_counted_for_eviction());
  out.zero({"mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves"});
  out.field("mem_clients_normal", node.clients().limits().memory_bytes());
  out.zero({"mem_cluster_links", "mem_aof_buffer"});
  out.field("mem_allocator", "redoubt");
  out.zero({"mem_overhead_db_hashtable_rehashing", "active_defrag_running"});
  out.field("lazyfree_pending_objects", node.keyspace().reclaim().objects());
  out.field("lazyfreed_objects", out.stats.lazyfreed_objects);
}

void write_persistence(InfoWriter& out) {
  out.section("Persistence");
  out.zero(
      {"loading", "async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"});
  out.field("current_fork_perc", 0.0, 2);
  out.zero({"current_save_keys_processed", "current_save_keys_total"});
  out.field("rdb_changes_since_last_save", out.node.keyspace().changes());
  out.field("rdb_bgsave_in_progress", 0);
  out.field("rdb_last_save_time", out.node.started_wall().unix_s());
  out.field("rdb_last_bgsave_status", "ok");
  out.field("rdb_last_bgsave_time_sec", -1);
  out.field("rdb_current_bgsave_time_sec", -1);
  out.zero({"rdb_saves", "rdb_last_cow_size", "rdb_last_load_keys_expired",
            "rdb_last_load_keys_loaded", "aof_enabled", "aof_rewrite_in_progress",
            "aof_rewrite_scheduled"});
  out.field("aof_last_rewrite_time_sec", -1);
  out.field("aof_current_rewrite_time_sec", -1);
  out.field("aof_last_bgrewrite_status", "ok");
  out.zero({"aof_rewrites", "aof_rewrites_consecutive_failures"});
  out.field("aof_last_write_status", "ok");
  out.zero({"aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"});
}

void write_traffic(InfoWriter& out) {
  const Stats& stats = out.stats;
  const auto kilobytes = [](const RateMeter& meter) {
    return static_cast<double>(meter.per_second()) / 1024;
  };
  out.field("total_connections_received", stats.connections_received);
  out.field("total_commands_processed", stats.commands_processed);
  out.field("instantaneous_ops_per_sec", stats.commands_rate.per_second());
  out.field("total_net_input_bytes", stats.net_input_bytes);
  out.field("total_net_output_bytes", stats.net_output_bytes);
  out.zero({"total_net_repl_input_bytes", "total_net_repl_output_bytes"});
  out.field("instantaneous_input_kbps", kilobytes(stats.input_rate), 2);
  out.field("instantaneous_output_kbps", kilobytes(stats.output_rate), 2);
  out.field("instantaneous_input_repl_kbps", 0.0, 2);
  out.field("instantaneous_output_repl_kbps", 0.0, 2);
  out.field("rejected_connections", stats.rejected_connections);
  out.zero({"sync_full", "sync_partial_ok", "sync_partial_err"});
}

void write_stats(InfoWriter& out) {
  const Stats& stats = out.stats;
  uint64_t command_us = 0;
  for_each_command(out.node.commands(),
                   [&](const CommandEntry& entry) { command_us += entry.nsec / 1000; });
  out.section("Stats");
  write_traffic(out);
  out.field("expired_keys", stats.expired_keys);
  out.field("expired_subkeys", stats.expired_parts);
  out.field("expired_stale_perc", stats.expired_stale_percent, 2);
  out.field("expired_time_cap_reached_count", stats.expire_cycle_time_cap);
  out.field("expire_cycle_cpu_milliseconds", stats.expire_cycle_us / 1000);
  out.field("evicted_keys", stats.evicted_keys);
  out.field("evicted_clients", stats.evicted_clients);
  out.zero({"evicted_scripts", "total_eviction_exceeded_time", "current_eviction_exceeded_time"});
  out.field("keyspace_hits", stats.keyspace_hits);
  out.field("keyspace_misses", stats.keyspace_misses);
  const PubSub& pubsub = out.node.clients().pubsub();
  out.field("pubsub_channels", pubsub.of(ChannelKind::channel).size());
  out.field("pubsub_patterns", pubsub.of(ChannelKind::pattern).size());
  out.field("pubsubshard_channels", pubsub.of(ChannelKind::shard).size());
  out.zero({"latest_fork_usec", "total_forks", "migrate_cached_sockets",
            "slave_expires_tracked_keys", "active_defrag_hits", "active_defrag_misses",
            "active_defrag_key_hits", "active_defrag_key_misses", "total_active_defrag_time",
            "current_active_defrag_time"});
  const Tracking& tracking = out.node.clients().tracking();
  out.field("tracking_total_keys", tracking.key_count());
  out.field("tracking_total_items", tracking.item_count());
  out.field("tracking_total_prefixes", tracking.prefix_count());
  out.field("unexpected_error_replies", 0);
  out.field("total_error_replies", stats.error_replies);
  out.field("dump_payload_sanitizations", 0);
  out.field("total_reads_processed", stats.reads_processed);
  out.field("total_writes_processed", stats.writes_processed);
  out.zero({"io_threaded_reads_processed", "io_threaded_writes_processed"});
  out.field("client_query_buffer_limit_disconnections", stats.query_limit_disconnections);
  out.field("client_output_buffer_limit_disconnections", stats.output_limit_disconnections);
  out.zero({"reply_buffer_shrinks", "reply_buffer_expands"});
  out.field("eventloop_cycles", stats.turns);
  out.field("eventloop_duration_cmd_sum", command_us);
  out.field("transactions_rolled_back", stats.transactions_rolled_back);
  out.field("acl_access_denied_auth", stats.denied_auth);
  out.zero({"acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel"});
}

void write_replication(InfoWriter& out) {
  out.section("Replication");
  out.field("role", "master");
  out.field("connected_slaves", 0);
  out.field("master_failover_state", "no-failover");
  out.field("master_replid", out.node.run_id());
  out.field("master_replid2", kNoReplid);
  out.field("master_repl_offset", out.node.effects().end_offset());
  out.field("second_repl_offset", -1);
  out.zero({"repl_backlog_active", "repl_backlog_size", "repl_backlog_first_byte_offset",
            "repl_backlog_histlen"});
}

void write_cpu(InfoWriter& out) {
  const auto seconds = [&](std::string_view name, uint64_t us) {
    out.field(name, static_cast<double>(us) / 1e6, 6);
  };
  out.section("CPU");
  seconds("used_cpu_sys", out.facts.system_cpu_us);
  seconds("used_cpu_user", out.facts.user_cpu_us);
  seconds("used_cpu_sys_children", out.facts.children_system_cpu_us);
  seconds("used_cpu_user_children", out.facts.children_user_cpu_us);
  seconds("used_cpu_sys_main_thread", out.facts.main_thread_system_cpu_us);
  seconds("used_cpu_user_main_thread", out.facts.main_thread_user_cpu_us);
}

void write_modules(InfoWriter& out) {
  out.section("Modules");
}

void write_commandstats(InfoWriter& out) {
  out.section("Commandstats");
  for_each_command(out.node.commands(), [&](const CommandEntry& entry) {
    if (entry.calls == 0 && entry.rejected_calls == 0 && entry.failed_calls == 0) return;
    out.field(fmt::format("cmdstat_{}", entry.name),
              fmt::format("calls={},usec={},usec_per_call={},rejected_calls={},failed_calls={}",
                          entry.calls, entry.nsec / 1000,
                          FixedText(ratio(entry.nsec / 1000, entry.calls), 2).view(),
                          entry.rejected_calls, entry.failed_calls));
  });
}

void write_errorstats(InfoWriter& out) {
  out.section("Errorstats");
  for (const auto& [code, count] : out.stats.errors) {
    out.field(fmt::format("errorstat_{}", code), fmt::format("count={}", count));
  }
}

void write_latencystats(InfoWriter& out) {
  out.section("Latencystats");
  if (!out.node.settings().latency_tracking) return;
  for_each_command(out.node.commands(), [&](const CommandEntry& entry) {
    if (entry.latency == nullptr) return;
    std::string line;
    for (const double percent : out.node.settings().latency_tracking_percentiles) {
      const double usec = static_cast<double>(entry.latency->percentile(percent).ns) / 1000;
      line += fmt::format("{}p{}={}", line.empty() ? "" : ",", DoubleText(percent).view(),
                          FixedText(usec, 3).view());
    }
    out.field(fmt::format("latency_percentiles_usec_{}", entry.name), line);
  });
}

void write_cluster(InfoWriter& out) {
  out.section("Cluster");
  out.field("cluster_enabled", 0);
}

// The mean time to live of a few keys. Its random numbers are its own, so that looking at a node
// does not change what the node does.
int64_t average_ttl_ms(Node& node, const Database& database) {
  Entry* sampled[32];
  Random random(database.size());
  const size_t count = database.dict().sample(random, true, sampled, std::size(sampled));
  const int64_t now_ms = node.env().wall().unix_ms();
  int64_t sum = 0;
  int64_t live = 0;
  for (size_t i = 0; i < count; ++i) {
    const int64_t ttl = sampled[i]->expiry_ms() - now_ms;
    if (ttl < 0) continue;
    sum += std::min(ttl, int64_t{1} << 56);
    ++live;
  }
  return live == 0 ? 0 : sum / live;
}

void write_keyspace(InfoWriter& out) {
  out.section("Keyspace");
  for (int i = 0; i < out.node.keyspace().count(); ++i) {
    const Database& database = out.node.keyspace().database(i);
    if (database.size() == 0) continue;
    out.field(fmt::format("db{}", i),
              fmt::format("keys={},expires={},avg_ttl={},subexpiry={}", database.size(),
                          database.expiring(), average_ttl_ms(out.node, database),
                          database.with_expiring_parts()));
  }
}

// How many keys have how many elements (bytes, for strings), by power of two. Looked at when asked
// for: all keys of a small database, a sample of a large one, whose counts are then scaled.
void write_key_sizes(InfoWriter& out, int index) {
  constexpr size_t kLookedAt = 20'000;
  constexpr std::string_view kNames[] = {"strings_sizes", "lists_items", "sets_items",
                                         "zsets_items", "hashes_items"};
  constexpr std::string_view kUnits[] = {"", "K", "M", "G", "T", "P", "E"};
  const Database& database = out.node.keyspace().database(index);
  std::array<std::array<uint64_t, 64>, std::size(kNames)> counts{};
  uint64_t seen = 0;
  const auto look = [&](const Entry& entry) {
    ++seen;
    const size_t type = static_cast<size_t>(entry.type());
    if (type >= counts.size()) return;
    const uint64_t length = ops_of(entry).length(entry);
    ++counts[type][static_cast<size_t>(std::bit_width(length))];
  };
  if (database.size() <= kLookedAt) {
    database.dict().for_each(look);
  } else {
    // Its random numbers are its own, so that looking at a node does not change what it does.
    Random random(database.size());
    Entry* sampled[64];
    for (size_t round = 0; round < kLookedAt && seen < kLookedAt; ++round) {
      const size_t count = database.dict().sample(random, false, sampled, std::size(sampled));
      for (size_t i = 0; i < count; ++i) look(*sampled[i]);
    }
  }
  out.node.env().count_work(seen);
  for (size_t type = 0; type < counts.size(); ++type) {
    std::string line;
    for (size_t bits = 0; bits < counts[type].size(); ++bits) {
      if (counts[type][bits] == 0) continue;
      const uint64_t count = static_cast<uint64_t>(static_cast<double>(counts[type][bits]) *
                                                   ratio(database.size(), seen));
      const uint64_t low = bits == 0 ? 0 : uint64_t{1} << (bits - 1);
      const size_t unit = bits == 0 ? 0 : (bits - 1) / 10;
      line += fmt::format("{}{}{}={}", line.empty() ? "" : ",", low >> (unit * 10), kUnits[unit],
                          std::max<uint64_t>(count, 1));
    }
    if (!line.empty()) out.field(fmt::format("db{}_distrib_{}", index, kNames[type]), line);
  }
}

void write_keysizes(InfoWriter& out) {
  out.section("Keysizes");
  for (int i = 0; i < out.node.keyspace().count(); ++i) {
    if (out.node.keyspace().database(i).size() > 0) write_key_sizes(out, i);
  }
}

struct Section {
  std::string_view name;
  bool in_default;
  void (*write)(InfoWriter&);
};

constexpr Section kSections[] = {
    {"server", true, write_server},
    {"clients", true, write_clients},
    {"memory", true, write_memory},
    {"persistence", true, write_persistence},
    {"stats", true, write_stats},
    {"replication", true, write_replication},
    {"cpu", true, write_cpu},
    {"modules", true, write_modules},
    {"commandstats", false, write_commandstats},
    {"errorstats", true, write_errorstats},
    {"latencystats", false, write_latencystats},
    {"cluster", true, write_cluster},
    {"keyspace", true, write_keyspace},
    {"keysizes", false, write_keysizes},
};

bool asked_for(const Section& section, std::span<const std::string_view> names) {
  if (names.empty()) return section.in_default;
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
    return equal_ignoring_case(name, section.name) || equal_ignoring_case(name, "all") ||
           equal_ignoring_case(name, "everything") ||
           (section.in_default && equal_ignoring_case(name, "default"));
  });
}

void info_command(Context& c) {
  c.reply.verbatim("txt", info_text(c.node(), c.args.subspan(1)));
}

constexpr Command info_rows[] = {
    {.name = "info",
     .arity = -1,
     .flags = kLoading | kStale,
     .categories = kCatDangerous,
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)",
     .summary = "Get information and statistics about the server",
     .tips = kOfAllShards,
     .arguments = "[section:string...]",
     .history = "7.0.0: Added support for taking multiple section arguments.",
     .handler = info_command},
};

}  // namespace

MemoryUse memory_use(Node& node) {
  MemoryUse use;
  use.used = node.used_memory();
  use.peak = std::max<uint64_t>(node.stats().peak_memory, use.used);
  use.clients = node.clients().limits().memory_bytes();
  for (int i = 0; i < node.keyspace().count(); ++i) {
    use.tables += node.keyspace().database(i).dict().table_bytes();
    use.keys += node.keyspace().database(i).size();
  }
  use.overhead = use.clients + use.tables;
  return use;
}

std::string info_text(Node& node, std::span<const std::string_view> sections) {
  InfoWriter out(node);
  for (const Section& section : kSections) {
    if (asked_for(section, sections)) section.write(out);
  }
  return out.take();
}

std::span<const Command> info_commands() {
  return info_rows;
}

}  // namespace redoubt
