// The values of a node's directives. What they are called, their ranges and defaults as text, and
// how they are parsed is in the tables of table.cc and accepted.cc; this struct is
// what the code reads.
#pragma once

#include <any>
#include <cstdint>
#include <string>
#include <vector>

#include "net/assert.h"

namespace redoubt {

// The enumerators stand in the order of the words in the rows of their directives.
enum class EvictionPolicy : uint8_t {
  volatile_lru,
  volatile_lfu,
  volatile_random,
  volatile_ttl,
  allkeys_lru,
  allkeys_lfu,
  allkeys_random,
  noeviction,
  volatile_lrm,
  allkeys_lrm,
};

enum class LogLevel : uint8_t { debug, verbose, notice, warning, nothing };
enum class LogFormat : uint8_t { text, json };
// What a command that fails means for the rest of its transaction.
enum class TransactionOnError : uint8_t { go_on, rollback };

// Who may do something; local: connections from this machine.
enum class Permission : uint8_t { no, yes, local };

inline bool permits(Permission permission, bool local_client) {
  return permission == Permission::yes || (permission == Permission::local && local_client);
}

// The largest value of proto-max-bulk-len: sizes of arguments, elements and pieces of replies have
// 32 bits.
inline constexpr int64_t kLargestBulk = (int64_t{4} << 30) - (1 << 20);

// Who has started the process, and wants to be told when it is ready.
enum class Supervision : uint8_t { upstart, systemd, automatic, none };
enum class OomScoreAdj : uint8_t { no, yes, relative, absolute };

struct OutputLimit {
  uint64_t hard_bytes = 0;  // 0: none
  uint64_t soft_bytes = 0;
  int64_t soft_seconds = 0;
};

struct Settings {
  // network
  std::vector<std::string> bind = {"*", "-::*"};
  int port = 6379;
  int tcp_backlog = 511;
  int tcp_keepalive_s = 300;
  int timeout_s = 0;
  std::string unixsocket;
  uint32_t unixsocketperm = 0;
  std::string unixsocketgroup;
  uint32_t socket_mark_id = 0;  // for packet filters; 0: none
  bool protected_mode = true;
  uint64_t maxclients = 10000;
  uint64_t proto_max_bulk_len = 512ull * 1024 * 1024;
  uint64_t client_query_buffer_limit = 1024ull * 1024 * 1024;
  OutputLimit output_limit_normal;
  OutputLimit output_limit_replica{256ull << 20, 64ull << 20, 60};
  OutputLimit output_limit_pubsub{32ull << 20, 8ull << 20, 60};
  std::string requirepass;

  // the process: read by server/
  bool daemonize = false;
  std::string pidfile;
  Supervision supervision = Supervision::none;
  bool syslog_enabled = false;
  std::string syslog_ident = "redis";
  int syslog_facility = 1;  // 0: user; n: local(n - 1)
  OomScoreAdj oom_score_adj = OomScoreAdj::no;
  int oom_score_of_primary = 0;
  std::string server_cpus;      // of the thread that runs the node: "0-7:2,8"; empty: any
  std::string background_cpus;  // of the threads beside it
  bool set_process_title = true;
  std::string process_title = "{title} {listen-addr} {server-mode}";
  // What tools are told in INFO, HELLO and --version: the Redis whose commands this node has.
  std::string reported_redis_version = "7.4.0";

  // general
  int databases = 16;
  TransactionOnError transaction_on_error = TransactionOnError::go_on;
  std::string dir = ".";
  std::string logfile;
  LogLevel loglevel = LogLevel::notice;
  LogFormat log_format = LogFormat::text;
  int hz = 10;
  Permission debug_command = Permission::no;
  Permission protected_configs = Permission::no;

  // instrumentation
  int64_t slowlog_slower_than_us = 10000;  // negative: off
  uint64_t slowlog_max_len = 128;
  uint64_t slowlog_entry_max_argc = 32;
  uint64_t slowlog_entry_max_string_len = 128;
  int64_t commandlog_request_larger_than = 1024 * 1024;  // bytes; negative: off
  uint64_t commandlog_request_max_len = 128;
  int64_t commandlog_reply_larger_than = 1024 * 1024;
  uint64_t commandlog_reply_max_len = 128;
  int64_t latency_monitor_threshold_ms = 0;  // 0: off
  bool latency_tracking = true;
  std::vector<double> latency_tracking_percentiles = {50, 99, 99.9};

  // events
  uint32_t notify_events = 0;  // bits of classes: engine/config/event_classes.h
  uint64_t tracking_table_max_keys = 1000000;

  // memory
  uint64_t maxmemory = 0;
  EvictionPolicy maxmemory_policy = EvictionPolicy::noeviction;
  int maxmemory_samples = 5;
  int maxmemory_eviction_tenacity = 10;
  int64_t maxmemory_clients = 0;  // bytes; negative: percent of maxmemory; 0: no limit
  int lfu_log_factor = 10;
  int lfu_decay_time_min = 1;
  int active_expire_effort = 1;
  bool lazyfree_lazy_eviction = false;
  bool lazyfree_lazy_expire = false;
  bool lazyfree_lazy_server_del = false;
  bool lazyfree_lazy_user_del = false;
  bool lazyfree_lazy_user_flush = false;

  // encodings: up to which size a value is one packed block
  uint64_t zset_max_listpack_entries = 128;
  uint64_t zset_max_listpack_value = 64;
  uint64_t hll_sparse_max_bytes = 3000;
  uint64_t stream_node_max_bytes = 4096;
  int64_t stream_node_max_entries = 100;
  int64_t stream_idmp_duration_s = 100;
  int64_t stream_idmp_maxsize = 100;
  int list_max_listpack_size = -2;
  // of lists, sets and hashes
  uint64_t set_max_intset_entries = 512;
  uint64_t set_max_listpack_entries = 128;
  uint64_t set_max_listpack_value = 64;
  uint64_t hash_max_listpack_entries = 512;
  uint64_t hash_max_listpack_value = 64;

  // stopping: words out of save, nosave, now, force
  std::vector<std::string> shutdown_on_sigint;
  std::vector<std::string> shutdown_on_sigterm;

  // The settings of a part of the node, of a type of its own; made when they are first asked for.
  // References are valid until settings change.
  template <typename T>
  T& part() {
    for (std::any& settings : parts) {
      if (T* found = std::any_cast<T>(&settings)) return *found;
    }
    return parts.emplace_back().emplace<T>();
  }
  template <typename T>
  const T& part() const {
    for (const std::any& settings : parts) {
      if (const T* found = std::any_cast<T>(&settings)) return *found;
    }
    UNREACHABLE();  // its directives have been applied
  }
  std::vector<std::any> parts;
};

}  // namespace redoubt
