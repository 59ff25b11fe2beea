// The directives that this server obeys.
#include <array>
#include <cstdint>

#include "engine/config/config_text.h"
#include "engine/config/directive.h"
#include "engine/config/event_classes.h"
#include "engine/store/number.h"
#include "engine/store/stream_idempotency.h"

namespace redoubt {

namespace {

using namespace directive;

void apply_bind(Settings& settings, const DirectiveValue& value) {
  settings.bind = value.words;
}

void apply_output_limits(Settings& settings, const DirectiveValue& value) {
  const auto limit = [&value](size_t at) {
    return OutputLimit{.hard_bytes = parse_unsigned(value.words[at + 1]).value_or(0),
                       .soft_bytes = parse_unsigned(value.words[at + 2]).value_or(0),
                       .soft_seconds = parse_integer(value.words[at + 3]).value_or(0)};
  };
  settings.output_limit_normal = limit(0);
  settings.output_limit_replica = limit(4);
  settings.output_limit_pubsub = limit(8);
}

template <auto Member>
void keep_words(Settings& settings, const DirectiveValue& value) {
  settings.*Member = value.words;
}

void apply_percentiles(Settings& settings, const DirectiveValue& value) {
  settings.latency_tracking_percentiles.clear();
  for (const std::string& word : value.words) {
    settings.latency_tracking_percentiles.push_back(parse_double(word).value_or(0));
  }
}

void apply_oom_scores(Settings& settings, const DirectiveValue& value) {
  const std::vector<std::string>& words = value.words;
  settings.oom_score_of_primary = static_cast<int>(parse_integer(words[0]).value_or(0));
}

void apply_events(Settings& settings, const DirectiveValue& value) {
  settings.notify_events = event_classes(value.text).value_or(0);
}

constexpr int64_t kMb = 1024 * 1024;
// More than anyone has been seen to use; each costs a few hundred bytes.
constexpr int64_t kDatabasesMax = 65536;

constexpr Directive kRows[] = {
    // Network.
    list("bind", "* -::*", parse_bind).sets(apply_bind),
    integer("port", "6379", 0, 65535).sets(store<&Settings::port>),
    integer("tcp-backlog", "511", 0, kMaxInt).immutable().sets(store<&Settings::tcp_backlog>),
    integer("tcp-keepalive", "300", 0, kMaxInt).sets(store<&Settings::tcp_keepalive_s>),
    integer("timeout", "0", 0, kMaxInt).sets(store<&Settings::timeout_s>),
    text("unixsocket", "").immutable().sets(store<&Settings::unixsocket>),
    octal("unixsocketperm", "0", 0777).immutable().sets(store<&Settings::unixsocketperm>),
    text("unixsocketgroup", "").immutable().sets(store<&Settings::unixsocketgroup>),
    integer("socket-mark-id", "0", 0, 4294967295)
        .immutable()
        .sets(store<&Settings::socket_mark_id>),
    boolean("protected-mode", "yes").sets(store<&Settings::protected_mode>),
    integer("maxclients", "10000", 1, 4294967295).sets(store<&Settings::maxclients>),
    memory("proto-max-bulk-len", "536870912", kMb, kLargestBulk)
        .sets(store<&Settings::proto_max_bulk_len>),
    memory("client-query-buffer-limit", "1073741824", kMb)
        .sets(store<&Settings::client_query_buffer_limit>),
    list("client-output-buffer-limit",
         "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", parse_output_limits)
        .lines()
        .sets(apply_output_limits),
    text("requirepass", "").sets(store<&Settings::requirepass>),

    // The process.
    boolean("daemonize", "no").immutable().sets(store<&Settings::daemonize>),
    text("pidfile", "").immutable().sets(store<&Settings::pidfile>),
    choice("supervised", "no", "upstart|systemd|auto|no")
        .immutable()
        .sets(store<&Settings::supervision>),
    boolean("syslog-enabled", "no").immutable().sets(store<&Settings::syslog_enabled>),
    text("syslog-ident", "redis").immutable().sets(store<&Settings::syslog_ident>),
    choice("syslog-facility", "local0",
           "user|local0|local1|local2|local3|local4|local5|local6|local7")
        .immutable()
        .sets(store<&Settings::syslog_facility>),
    choice("oom-score-adj", "no", "no|yes|relative|absolute").sets(store<&Settings::oom_score_adj>),
    list("oom-score-adj-values", "0 200 800", parse_oom_scores).sets(apply_oom_scores),
    text("server-cpulist", "", parse_cpus)
        .also("server_cpulist")
        .immutable()
        .sets(store<&Settings::server_cpus>),
    text("bio-cpulist", "", parse_cpus)
        .also("bio_cpulist")
        .immutable()
        .sets(store<&Settings::background_cpus>),
    boolean("set-proc-title", "yes").immutable().sets(store<&Settings::set_process_title>),
    text("proc-title-template", "{title} {listen-addr} {server-mode}", parse_title)
        .sets(store<&Settings::process_title>),

    // General.
    integer("databases", "16", 1, kDatabasesMax).immutable().sets(store<&Settings::databases>),
    text("dir", ".").immutable().guarded().sets(store<&Settings::dir>),
    text("logfile", "").immutable().sets(store<&Settings::logfile>),
    choice("loglevel", "notice", "debug|verbose|notice|warning|nothing")
        .sets(store<&Settings::loglevel>),
    choice("log-format", "text", "text|json").sets(store<&Settings::log_format>),
    integer("hz", "10", 0, kMaxInt).clamped(1, 500).sets(store<&Settings::hz>),
    text("reported-redis-version", "7.4.0", parse_version)
        .sets(store<&Settings::reported_redis_version>),
    list("shutdown-on-sigint", "default", parse_shutdown_options)
        .sets(keep_words<&Settings::shutdown_on_sigint>),
    list("shutdown-on-sigterm", "default", parse_shutdown_options)
        .sets(keep_words<&Settings::shutdown_on_sigterm>),
    choice("enable-debug-command", "no", "no|yes|local")
        .immutable()
        .sets(store<&Settings::debug_command>),
    choice("enable-protected-configs", "no", "no|yes|local")
        .immutable()
        .sets(store<&Settings::protected_configs>),

    choice("transaction-on-error", "continue", "continue|rollback")
        .sets(store<&Settings::transaction_on_error>),

    // Looking in.
    integer("slowlog-log-slower-than", "10000", -1, kMax)
        .also("commandlog-execution-slower-than")
        .sets(store<&Settings::slowlog_slower_than_us>),
    integer("slowlog-max-len", "128", 0, kMax)
        .also("commandlog-slow-execution-max-len")
        .sets(store<&Settings::slowlog_max_len>),
    integer("slowlog-entry-max-argc", "32", 2, kMaxInt)
        .sets(store<&Settings::slowlog_entry_max_argc>),
    integer("slowlog-entry-max-string-len", "128", 1, kMaxInt)
        .sets(store<&Settings::slowlog_entry_max_string_len>),
    integer("commandlog-request-larger-than", "1048576", -1, kMax)
        .sets(store<&Settings::commandlog_request_larger_than>),
    integer("commandlog-large-request-max-len", "128", 0, kMax)
        .sets(store<&Settings::commandlog_request_max_len>),
    integer("commandlog-reply-larger-than", "1048576", -1, kMax)
        .sets(store<&Settings::commandlog_reply_larger_than>),
    integer("commandlog-large-reply-max-len", "128", 0, kMax)
        .sets(store<&Settings::commandlog_reply_max_len>),
    integer("latency-monitor-threshold", "0", 0, kMax)
        .sets(store<&Settings::latency_monitor_threshold_ms>),
    boolean("latency-tracking", "yes").sets(store<&Settings::latency_tracking>),
    list("latency-tracking-info-percentiles", "50 99 99.9", parse_percentiles)
        .sets(apply_percentiles),

    // Events.
    list("notify-keyspace-events", "", parse_events).sets(apply_events),
    integer("tracking-table-max-keys", "1000000", 0, kMax)
        .sets(store<&Settings::tracking_table_max_keys>),

    // Memory.
    memory("maxmemory", "0").up_to_64_bits().sets(store<&Settings::maxmemory>),
    choice("maxmemory-policy", "noeviction",
           "volatile-lru|volatile-lfu|volatile-random|volatile-ttl|allkeys-lru|allkeys-lfu|"
           "allkeys-random|noeviction|volatile-lrm|allkeys-lrm")
        .sets(store<&Settings::maxmemory_policy>),
    integer("maxmemory-samples", "5", 1, 64).sets(store<&Settings::maxmemory_samples>),
    integer("maxmemory-eviction-tenacity", "10", 0, 100)
        .sets(store<&Settings::maxmemory_eviction_tenacity>),
    memory_or_percent("maxmemory-clients", "0").sets(store<&Settings::maxmemory_clients>),
    integer("lfu-log-factor", "10", 0, kMaxInt).sets(store<&Settings::lfu_log_factor>),
    integer("lfu-decay-time", "1", 0, kMaxInt).sets(store<&Settings::lfu_decay_time_min>),
    integer("active-expire-effort", "1", 1, 10).sets(store<&Settings::active_expire_effort>),
    boolean("lazyfree-lazy-eviction", "no").sets(store<&Settings::lazyfree_lazy_eviction>),
    boolean("lazyfree-lazy-expire", "no").sets(store<&Settings::lazyfree_lazy_expire>),
    boolean("lazyfree-lazy-server-del", "no").sets(store<&Settings::lazyfree_lazy_server_del>),
    boolean("lazyfree-lazy-user-del", "no").sets(store<&Settings::lazyfree_lazy_user_del>),
    boolean("lazyfree-lazy-user-flush", "no").sets(store<&Settings::lazyfree_lazy_user_flush>),

    // Encodings.
    integer("zset-max-listpack-entries", "128", 0, kMax)
        .also("zset-max-ziplist-entries")
        .sets(store<&Settings::zset_max_listpack_entries>),
    memory("zset-max-listpack-value", "64")
        .also("zset-max-ziplist-value")
        .sets(store<&Settings::zset_max_listpack_value>),
    memory("hll-sparse-max-bytes", "3000").sets(store<&Settings::hll_sparse_max_bytes>),
    memory("stream-node-max-bytes", "4096").sets(store<&Settings::stream_node_max_bytes>),
    integer("stream-node-max-entries", "100", 0, kMax)
        .sets(store<&Settings::stream_node_max_entries>),
    integer("stream-idmp-duration", "100", 1, IdempotencyLimits::kDurationMax)
        .sets(store<&Settings::stream_idmp_duration_s>),
    integer("stream-idmp-maxsize", "100", 1, IdempotencyLimits::kRecordsMax)
        .sets(store<&Settings::stream_idmp_maxsize>),
    integer("list-max-listpack-size", "-2", -kMaxInt - 1, kMaxInt)
        .also("list-max-ziplist-size")
        .sets(store<&Settings::list_max_listpack_size>),

    integer("set-max-intset-entries", "512", 0, kMax)
        .sets(store<&Settings::set_max_intset_entries>),
    integer("set-max-listpack-entries", "128", 0, kMax)
        .sets(store<&Settings::set_max_listpack_entries>),
    memory("set-max-listpack-value", "64").sets(store<&Settings::set_max_listpack_value>),
    integer("hash-max-listpack-entries", "512", 0, kMax)
        .also("hash-max-ziplist-entries")
        .sets(store<&Settings::hash_max_listpack_entries>),
    memory("hash-max-listpack-value", "64")
        .also("hash-max-ziplist-value")
        .sets(store<&Settings::hash_max_listpack_value>),

    // Actions of the configuration file.
    line("include"),
    line("rename-command"),
};

}  // namespace

std::span<const Directive> obeyed_directives() {
  return kRows;
}

}  // namespace redoubt
