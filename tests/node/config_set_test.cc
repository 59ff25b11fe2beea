// CONFIG GET and CONFIG SET, and the tables behind them.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "engine/config/config.h"
#include "engine/config/directive.h"
#include "tests/node/whole_config.h"

namespace redoubt {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs get(const Config& config, std::vector<std::string_view> patterns) {
  return config.get(patterns);
}

// The error of CONFIG SET; empty when it succeeded.
std::string set(Config& config, std::vector<std::string_view> words, bool local = false) {
  std::string error;
  const bool good = config.set(words, &error, local);
  EXPECT_EQ(good, error.empty());
  return error;
}

std::string failed(const std::string& name, const std::string& why) {
  return "ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + why;
}

TEST(ConfigGet, FindsNamesAndPatterns) {
  const WholeConfig config;
  EXPECT_EQ(get(config, {"maxmemory"}), (Pairs{{"maxmemory", "0"}}));
  EXPECT_EQ(get(config, {"MAXMEMORY"}), (Pairs{{"MAXMEMORY", "0"}}));
  EXPECT_EQ(get(config, {"nosuch"}), Pairs{});
  EXPECT_EQ(get(config, {"*-priority"}),
            (Pairs{{"replica-priority", "100"}, {"slave-priority", "100"}}));
  EXPECT_EQ(get(config, {"slave-prior*"}), (Pairs{{"slave-priority", "100"}}));
  EXPECT_EQ(get(config, {"maxmemory", "MAXMEMORY", "maxmemory"}), (Pairs{{"maxmemory", "0"}}));
  EXPECT_EQ(get(config, {"max[mn]emory-sam?les"}), (Pairs{{"maxmemory-samples", "5"}}));
  EXPECT_EQ(get(config, {"include"}), Pairs{});
  EXPECT_EQ(get(config, {"user"}), Pairs{});
}

TEST(ConfigGet, HiddenOnesOnlyByName) {
  const WholeConfig config;
  EXPECT_EQ(get(config, {"key-load-d*"}), Pairs{});
  EXPECT_EQ(get(config, {"key-load-delay"}), (Pairs{{"key-load-delay", "0"}}));
}

TEST(ConfigGet, EachOnceHoweverManyPatterns) {
  const WholeConfig config;
  const Pairs all = get(config, {"*"});
  EXPECT_EQ(get(config, {"a*", "*", "m*", "maxmemory"}).size(), all.size());
  std::set<std::string> names;
  for (const auto& [name, value] : all) EXPECT_TRUE(names.insert(name).second) << name;
}

// Values as redis-server 7.0.15 prints them.
TEST(ConfigGet, ValuesHaveRedisFormats) {
  const WholeConfig config;
  const Pairs expected = {
      {"client-output-buffer-limit",
       "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"},
      {"client-query-buffer-limit", "1073741824"},
      {"latency-tracking-info-percentiles", "50 99 99.9"},
      {"loglevel", "notice"},
      {"maxmemory-policy", "noeviction"},
      {"notify-keyspace-events", ""},
      {"oom-score-adj-values", "0 200 800"},
      {"replicaof", ""},
      {"save", "3600 1 300 100 60 10000"},
      {"shutdown-on-sigterm", "default"},
      {"unixsocketperm", "0"},
  };
  for (const auto& [name, value] : expected) {
    EXPECT_EQ(get(config, {name}), (Pairs{{name, value}}));
  }
}

TEST(ConfigGet, DirIsAbsoluteWhenKnown) {
  WholeConfig config;
  EXPECT_EQ(get(config, {"dir"}), (Pairs{{"dir", "."}}));
  config.set_working_directory("/var/lib/r");
  EXPECT_EQ(get(config, {"dir"}), (Pairs{{"dir", "/var/lib/r"}}));
  std::string error;
  ASSERT_TRUE(config.parse_arguments(std::vector<std::string>{"--dir", "/srv"}, &error));
  EXPECT_EQ(get(config, {"dir"}), (Pairs{{"dir", "/srv"}}));
}

TEST(ConfigSet, ChangesSettings) {
  WholeConfig config;
  EXPECT_EQ(set(config, {"maxmemory", "100mb", "TimeOut", "5", "lazyfree-lazy-expire", "YES"}), "");
  EXPECT_EQ(config.settings().maxmemory, 100u << 20);
  EXPECT_EQ(config.settings().timeout_s, 5);
  EXPECT_TRUE(config.settings().lazyfree_lazy_expire);
  EXPECT_EQ(get(config, {"maxmemory"}), (Pairs{{"maxmemory", "104857600"}}));
  EXPECT_EQ(get(config, {"lazyfree-lazy-expire"}), (Pairs{{"lazyfree-lazy-expire", "yes"}}));
  EXPECT_EQ(set(config, {}), "");
}

TEST(ConfigSet, AllOrNone) {
  WholeConfig config;
  EXPECT_EQ(set(config, {"maxclients", "7", "hz", "fast"}),
            failed("hz", "argument couldn't be parsed into an integer"));
  EXPECT_EQ(config.settings().maxclients, 10000u);
  EXPECT_EQ(get(config, {"maxclients"}), (Pairs{{"maxclients", "10000"}}));
  EXPECT_EQ(set(config, {"maxclients", "7", "nosuch", "1"}),
            "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'");
  EXPECT_EQ(config.settings().maxclients, 10000u);
}

TEST(ConfigSet, ErrorsAreRedisTexts) {
  WholeConfig config;
  EXPECT_EQ(set(config, {"maxclients", "1", "maxclients", "2"}),
            failed("maxclients", "duplicate parameter"));
  EXPECT_EQ(set(config, {"replica-priority", "1", "slave-priority", "2"}),
            failed("slave-priority", "duplicate parameter"));
  EXPECT_EQ(set(config, {"databases", "1"}), failed("databases", "can't set immutable config"));
  EXPECT_EQ(set(config, {"port", "70000"}),
            failed("port", "argument must be between 0 and 65535 inclusive"));
  EXPECT_EQ(set(config, {"dir", "/"}), failed("dir", "can't set protected config"));
  EXPECT_EQ(set(config, {"dbfilename", "x"}), failed("dbfilename", "can't set protected config"));
  EXPECT_EQ(set(config, {"maxclients", "0"}),
            failed("maxclients", "argument must be between 1 and 4294967295 inclusive"));
  EXPECT_EQ(set(config, {"protected-mode", "1"}),
            failed("protected-mode", "argument must be 'yes' or 'no'"));
  EXPECT_EQ(set(config, {"maxmemory", "1.5gb"}),
            failed("maxmemory", "argument must be a memory value"));
  EXPECT_EQ(
      set(config, {"proto-max-bulk-len", "1"}),
      failed("proto-max-bulk-len", "argument must be between 1048576 and 4293918720 inclusive"));
  EXPECT_EQ(set(config, {"maxmemory-clients", "500%"}),
            failed("maxmemory-clients", "percentage argument must be less or equal to 100"));
  EXPECT_EQ(set(config, {"maxmemory-policy", ""}),
            failed("maxmemory-policy",
                   "argument(s) must be one of the following: volatile-lru, volatile-lfu, "
                   "volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, "
                   "noeviction, volatile-lrm, allkeys-lrm"));
  EXPECT_EQ(set(config, {"client-output-buffer-limit", "master 1 2 3"}),
            failed("client-output-buffer-limit",
                   "Invalid client class specified in buffer limit configuration."));
  EXPECT_EQ(set(config, {"client-output-buffer-limit", "normal a 2 3"}),
            failed("client-output-buffer-limit",
                   "Error in hard, soft or soft_seconds setting in buffer limit configuration."));
  EXPECT_EQ(set(config, {"client-output-buffer-limit", "normal 1 2 3 4"}),
            failed("client-output-buffer-limit",
                   "Wrong number of arguments in buffer limit configuration."));
  EXPECT_EQ(set(config, {"save", "1 2 3"}), failed("save", "Invalid save parameters"));
  EXPECT_EQ(
      set(config, {"notify-keyspace-events", "KQ"}),
      failed("notify-keyspace-events", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."));
  EXPECT_EQ(set(config, {"shutdown-on-sigterm", "save nosave"}),
            failed("shutdown-on-sigterm",
                   "shutdown options SAVE and NOSAVE can't be used simultaneously"));
  EXPECT_EQ(set(config, {"oom-score-adj-values", "1 2 5000"}),
            failed("oom-score-adj-values",
                   "Invalid oom-score-adj-values, elements must be between -2000 and 2000."));
  EXPECT_EQ(set(config, {"latency-tracking-info-percentiles", "101"}),
            failed("latency-tracking-info-percentiles",
                   "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"));
  EXPECT_EQ(set(config, {"maxmemory"}), "ERR syntax error");
  EXPECT_EQ(set(config, {"include", "x"}),
            "ERR Unknown option or number of arguments for CONFIG SET - 'include'");
}

TEST(ConfigSet, SizesUpToWhatCanBeHeld) {
  WholeConfig config;
  EXPECT_EQ(set(config, {"maxmemory", "18446744073709551615"}), "");
  EXPECT_EQ(config.settings().maxmemory, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(get(config, {"maxmemory"}), (Pairs{{"maxmemory", "18446744073709551615"}}));
  const std::string no_memory = failed("maxmemory", "argument must be a memory value");
  EXPECT_EQ(set(config, {"maxmemory", "18446744073709551616"}), no_memory);
  EXPECT_EQ(set(config, {"maxmemory", "18014398509481984kb"}), no_memory);
  EXPECT_EQ(set(config, {"maxmemory", "-1"}), no_memory);
  EXPECT_EQ(set(config, {"maxmemory", "16777215gb"}), "");
  EXPECT_EQ(set(config, {"client-query-buffer-limit", "9223372036854775808"}),
            failed("client-query-buffer-limit",
                   "argument must be between 1048576 and 9223372036854775807 inclusive"));
  EXPECT_EQ(
      set(config, {"proto-max-bulk-len", "6gb"}),
      failed("proto-max-bulk-len", "argument must be between 1048576 and 4293918720 inclusive"));
  EXPECT_EQ(set(config, {"proto-max-bulk-len", "4095mb"}), "");
  EXPECT_EQ(set(config, {"maxmemory-samples", "64"}), "");
  EXPECT_EQ(set(config, {"maxmemory-samples", "65"}),
            failed("maxmemory-samples", "argument must be between 1 and 64 inclusive"));
}

// Two parts that act on changes; the second one refuses odd ports.
struct Listening {
  WholeConfig config;
  std::vector<std::string> told;

  Listening() {
    static constexpr std::string_view kFirst[] = {"timeout", "port"};
    static constexpr std::string_view kSecond[] = {"port"};
    config.add_listener({kFirst,
                         [](void* owner, std::string*) {
                           auto& self = *static_cast<Listening*>(owner);
                           const Settings& s = self.config.settings();
                           self.told.push_back(std::to_string(s.timeout_s) + " " +
                                               std::to_string(s.port));
                           return true;
                         },
                         this});
    config.add_listener({kSecond,
                         [](void* owner, std::string* why) {
                           *why = "odd";
                           return static_cast<Listening*>(owner)->config.settings().port % 2 == 0;
                         },
                         this});
  }
};

TEST(ConfigSet, TellsWhomItConcerns) {
  Listening one;
  EXPECT_EQ(set(one.config, {"hz", "20"}), "");
  EXPECT_EQ(set(one.config, {"timeout", "0", "port", "6379"}), "");  // as they are
  EXPECT_EQ(one.told, std::vector<std::string>());
  EXPECT_EQ(set(one.config, {"timeout", "5", "port", "7000"}), "");
  EXPECT_EQ(one.told, (std::vector<std::string>{"5 7000"}));
}

// When one refuses, all values are as before, for those who had taken them too.
TEST(ConfigSet, TakesBackWhatOneRefuses) {
  Listening one;
  EXPECT_EQ(set(one.config, {"hz", "20", "timeout", "5", "port", "7001"}), failed("port", "odd"));
  EXPECT_EQ(one.told, (std::vector<std::string>{"5 7001", "0 6379"}));
  EXPECT_EQ(one.config.settings().hz, 10);
  EXPECT_EQ(get(one.config, {"hz", "port"}), (Pairs{{"hz", "10"}, {"port", "6379"}}));
}

TEST(ConfigSet, SaysWhatIsNotSupported) {
  WholeConfig config;
  EXPECT_EQ(set(config, {"aof-use-rdb-preamble", "no"}),
            failed("aof-use-rdb-preamble", "\"no\" is not supported yet (only \"yes\")"));
  EXPECT_EQ(set(config, {"aof-use-rdb-preamble", "yes", "save", "3600 1 300 100"}), "");
}

TEST(ConfigSet, OutputLimitsKeepWhatIsNotNamed) {
  WholeConfig config;
  EXPECT_EQ(set(config, {"client-output-buffer-limit", "replica 1mb 2k 7"}), "");
  EXPECT_EQ(set(config, {"client-output-buffer-limit", "NORMAL 0 0 0 pubsub 1 1 1"}), "");
  EXPECT_EQ(get(config, {"client-output-buffer-limit"})[0].second,
            "normal 0 0 0 slave 1048576 2000 7 pubsub 1 1 1");
  EXPECT_EQ(config.settings().output_limit_replica.soft_bytes, 2000u);
}

TEST(ConfigSet, HzIsBroughtIntoItsRange) {
  WholeConfig config;
  EXPECT_EQ(set(config, {"hz", "0"}), "");
  EXPECT_EQ(config.settings().hz, 1);
  EXPECT_EQ(set(config, {"hz", "700"}), "");
  EXPECT_EQ(get(config, {"hz"}), (Pairs{{"hz", "500"}}));
}

TEST(ConfigSet, ListsAreCanonical) {
  WholeConfig config;
  EXPECT_EQ(set(config, {"shutdown-on-sigterm", "force now NOSAVE"}), "");
  EXPECT_EQ(get(config, {"shutdown-on-sigterm"})[0].second, "nosave now force");
  EXPECT_EQ(set(config, {"shutdown-on-sigterm", "default"}), "");
  EXPECT_EQ(get(config, {"shutdown-on-sigterm"})[0].second, "default");
  EXPECT_EQ(set(config, {"latency-tracking-info-percentiles", "0.1 50.0  99.99"}), "");
  EXPECT_EQ(get(config, {"latency-tracking-info-percentiles"})[0].second, "0.1 50 99.99");
  EXPECT_EQ(set(config, {"latency-tracking-info-percentiles", ""}), "");
  EXPECT_EQ(get(config, {"latency-tracking-info-percentiles"})[0].second, "");
}

TEST(ConfigSet, ProtectedOnesNeedPermission) {
  WholeConfig yes;
  std::string error;
  ASSERT_TRUE(
      yes.parse_arguments(std::vector<std::string>{"--enable-protected-configs", "yes"}, &error));
  EXPECT_EQ(set(yes, {"dbfilename", "x.rdb"}), "");
  EXPECT_EQ(set(yes, {"dbfilename", "a/x.rdb"}),
            failed("dbfilename", "dbfilename can't be a path, just a filename"));
  EXPECT_EQ(set(yes, {"dir", "/"}), failed("dir", "can't set immutable config"));

  WholeConfig local;
  ASSERT_TRUE(local.parse_arguments(std::vector<std::string>{"--enable-protected-configs", "local"},
                                    &error));
  EXPECT_EQ(set(local, {"dbfilename", "x.rdb"}),
            failed("dbfilename", "can't set protected config"));
  EXPECT_EQ(set(local, {"dbfilename", "x.rdb"}, true), "");
}

// --- the tables

std::vector<const Directive*> all_rows() {
  std::vector<const Directive*> rows;
  for (const auto table : {obeyed_directives(), accepted_directives()}) {
    for (const Directive& row : table) rows.push_back(&row);
  }
  for (const std::span<const Directive> table : directives_of_parts()) {
    for (const Directive& row : table) rows.push_back(&row);
  }
  return rows;
}

TEST(ConfigTable, EveryRowIsObeyedOrSaysWhyNot) {
  for (const Directive* row : all_rows()) {
    const bool obeyed = row->apply != nullptr;
    const bool action = row->name == "include" || row->name == "rename-command";
    EXPECT_EQ(obeyed || action, row->why.empty()) << row->name;
  }
}

TEST(ConfigTable, NamesAreLowerCaseAndOnce) {
  std::set<std::string_view> names;
  for (const Directive* row : all_rows()) {
    for (const std::string_view name : {row->name, row->alias, row->second_alias}) {
      if (name.empty()) continue;
      EXPECT_TRUE(names.insert(name).second) << name;
      EXPECT_TRUE(std::none_of(name.begin(), name.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || c == ' ';
      })) << name;
    }
  }
}

// What redis-server 7.0.15 answers to CONFIG GET * (with aliases), and the additions of 7.2.
constexpr std::string_view kRedisNames[] = {
    "acl-pubsub-default",
    "aclfile",
    "acllog-max-len",
    "active-defrag-cycle-max",
    "active-defrag-cycle-min",
    "active-defrag-ignore-bytes",
    "active-defrag-max-scan-fields",
    "active-defrag-threshold-lower",
    "active-defrag-threshold-upper",
    "active-expire-effort",
    "activedefrag",
    "activerehashing",
    "always-show-logo",
    "aof-disable-auto-gc",
    "aof-load-truncated",
    "aof-rewrite-cpulist",
    "aof-rewrite-incremental-fsync",
    "aof-timestamp-enabled",
    "aof-use-rdb-preamble",
    "aof_rewrite_cpulist",
    "appenddirname",
    "appendfilename",
    "appendfsync",
    "appendonly",
    "auto-aof-rewrite-min-size",
    "auto-aof-rewrite-percentage",
    "bgsave-cpulist",
    "bgsave_cpulist",
    "bind",
    "bind-source-addr",
    "bio-cpulist",
    "bio_cpulist",
    "busy-reply-threshold",
    "client-output-buffer-limit",
    "client-query-buffer-limit",
    "cluster-allow-pubsubshard-when-down",
    "cluster-allow-reads-when-down",
    "cluster-allow-replica-migration",
    "cluster-announce-bus-port",
    "cluster-announce-hostname",
    "cluster-announce-human-nodename",
    "cluster-announce-ip",
    "cluster-announce-port",
    "cluster-announce-tls-port",
    "cluster-config-file",
    "cluster-enabled",
    "cluster-link-sendbuf-limit",
    "cluster-migration-barrier",
    "cluster-node-timeout",
    "cluster-port",
    "cluster-preferred-endpoint-type",
    "cluster-replica-no-failover",
    "cluster-replica-validity-factor",
    "cluster-require-full-coverage",
    "cluster-slave-no-failover",
    "cluster-slave-validity-factor",
    "crash-log-enabled",
    "crash-memcheck-enabled",
    "daemonize",
    "databases",
    "dbfilename",
    "dir",
    "disable-thp",
    "dynamic-hz",
    "enable-debug-command",
    "enable-module-command",
    "enable-protected-configs",
    "hash-max-listpack-entries",
    "hash-max-listpack-value",
    "hash-max-ziplist-entries",
    "hash-max-ziplist-value",
    "hll-sparse-max-bytes",
    "hz",
    "ignore-warnings",
    "io-threads",
    "io-threads-do-reads",
    "jemalloc-bg-thread",
    "key-load-delay",
    "latency-monitor-threshold",
    "latency-tracking",
    "latency-tracking-info-percentiles",
    "lazyfree-lazy-eviction",
    "lazyfree-lazy-expire",
    "lazyfree-lazy-server-del",
    "lazyfree-lazy-user-del",
    "lazyfree-lazy-user-flush",
    "lfu-decay-time",
    "lfu-log-factor",
    "list-compress-depth",
    "list-max-listpack-size",
    "list-max-ziplist-size",
    "loading-process-events-interval-bytes",
    "locale-collate",
    "logfile",
    "loglevel",
    "lua-enable-deprecated-api",
    "lua-time-limit",
    "masterauth",
    "masteruser",
    "max-new-connections-per-cycle",
    "max-new-tls-connections-per-cycle",
    "maxclients",
    "maxmemory",
    "maxmemory-clients",
    "maxmemory-eviction-tenacity",
    "maxmemory-policy",
    "maxmemory-samples",
    "min-replicas-max-lag",
    "min-replicas-to-write",
    "min-slaves-max-lag",
    "min-slaves-to-write",
    "no-appendfsync-on-rewrite",
    "notify-keyspace-events",
    "oom-score-adj",
    "oom-score-adj-values",
    "pidfile",
    "port",
    "proc-title-template",
    "propagation-error-behavior",
    "protected-mode",
    "proto-max-bulk-len",
    "rdb-del-sync-files",
    "rdb-key-save-delay",
    "rdb-save-incremental-fsync",
    "rdbchecksum",
    "rdbcompression",
    "repl-backlog-size",
    "repl-backlog-ttl",
    "repl-disable-tcp-nodelay",
    "repl-diskless-load",
    "repl-diskless-sync",
    "repl-diskless-sync-delay",
    "repl-diskless-sync-max-replicas",
    "repl-ping-replica-period",
    "repl-ping-slave-period",
    "repl-timeout",
    "replica-announce-ip",
    "replica-announce-port",
    "replica-announced",
    "replica-ignore-disk-write-errors",
    "replica-ignore-maxmemory",
    "replica-lazy-flush",
    "replica-priority",
    "replica-read-only",
    "replica-serve-stale-data",
    "replicaof",
    "requirepass",
    "sanitize-dump-payload",
    "save",
    "server-cpulist",
    "server_cpulist",
    "set-max-intset-entries",
    "set-max-listpack-entries",
    "set-max-listpack-value",
    "set-proc-title",
    "shutdown-on-sigint",
    "shutdown-on-sigterm",
    "shutdown-timeout",
    "slave-announce-ip",
    "slave-announce-port",
    "slave-ignore-maxmemory",
    "slave-lazy-flush",
    "slave-priority",
    "slave-read-only",
    "slave-serve-stale-data",
    "slaveof",
    "slowlog-log-slower-than",
    "slowlog-max-len",
    "socket-mark-id",
    "stop-writes-on-bgsave-error",
    "stream-node-max-bytes",
    "stream-node-max-entries",
    "supervised",
    "syslog-enabled",
    "syslog-facility",
    "syslog-ident",
    "tcp-backlog",
    "tcp-keepalive",
    "timeout",
    "tls-auth-clients",
    "tls-ca-cert-dir",
    "tls-ca-cert-file",
    "tls-cert-file",
    "tls-ciphers",
    "tls-ciphersuites",
    "tls-client-cert-file",
    "tls-client-key-file",
    "tls-client-key-file-pass",
    "tls-cluster",
    "tls-dh-params-file",
    "tls-key-file",
    "tls-key-file-pass",
    "tls-port",
    "tls-prefer-server-ciphers",
    "tls-protocols",
    "tls-replication",
    "tls-session-cache-size",
    "tls-session-cache-timeout",
    "tls-session-caching",
    "tracking-table-max-keys",
    "unixsocket",
    "unixsocketperm",
    "use-exit-on-panic",
    "watchdog-period",
    "zset-max-listpack-entries",
    "zset-max-listpack-value",
    "zset-max-ziplist-entries",
    "zset-max-ziplist-value",
};

TEST(ConfigTable, KnowsEveryDirectiveOfRedis) {
  const WholeConfig config;
  for (const std::string_view name : kRedisNames) {
    EXPECT_EQ(get(config, {name}).size(), 1u) << name;
  }
  EXPECT_GE(std::size(kRedisNames), 200u);
}

}  // namespace
}  // namespace redoubt
