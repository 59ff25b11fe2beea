// The directives whose subject this server does not have. A value is accepted when nothing that it
// asks for is missing, and each row says why that is so; any other value stops the start, or is
// refused by CONFIG SET, so that nobody believes in a protection that is not there.
#include <array>
#include <cstdint>

#include "engine/config/directive.h"

namespace redoubt {

namespace {

using namespace directive;

// Why accepting does no harm, or why only some values are accepted.
constexpr std::string_view kCosmetic =
    "it changes what people see of the process, not what it does";
constexpr std::string_view kTuning = "a tuning knob for a mechanism that this engine does not use";
constexpr std::string_view kNoDefragmentation = "memory is not moved to defragment it";
constexpr std::string_view kNoModules = "there are no modules";
constexpr std::string_view kNoCluster = "there is no cluster mode yet";
constexpr std::string_view kNoTls = "there is no TLS yet, and tls-port cannot be opened";
constexpr std::string_view kNoAcl = "there is only the user \"default\" yet";
constexpr std::string_view kThreads = "a node's commands run on one thread";
constexpr std::string_view kNoChildren = "there are no child processes";

constexpr std::array kProcessRows = {
    boolean("always-show-logo", "no").immutable().harmless(kCosmetic),
    boolean("crash-log-enabled", "yes").harmless("a failed assertion is always reported"),
    boolean("crash-memcheck-enabled", "yes").harmless("memory is not tested after a crash"),
    boolean("use-exit-on-panic", "no").hidden().only("no", "a failed assertion aborts"),
    integer("watchdog-period", "0", 0, kMaxInt).hidden().only("0", "there is no watchdog"),
    text("ignore-warnings", "").harmless("there are no such warnings"),
    boolean("disable-thp", "yes")
        .immutable()
        .harmless("huge pages hurt servers that fork, and this one does not"),
    text("aof-rewrite-cpulist", "", parse_cpus)
        .also("aof_rewrite_cpulist")
        .immutable()
        .harmless(kNoChildren),
    text("bgsave-cpulist", "", parse_cpus).also("bgsave_cpulist").immutable().harmless(kNoChildren),
    text("bind-source-addr", "")
        .harmless("what the node connects to is reached from the address that the system chooses"),
    integer("io-threads", "1", 1, 256).immutable().harmless(kThreads),
    boolean("io-threads-do-reads", "no").immutable().harmless(kThreads),
    integer("events-per-io-thread", "2", 0, kMaxInt).hidden().harmless(kThreads),
    integer("prefetch-batch-max-size", "16", 0, 128).harmless(kTuning),
    integer("max-new-connections-per-cycle", "10", 1, 1000).harmless(kTuning),
    integer("max-new-tls-connections-per-cycle", "1", 1, 1000).harmless(kTuning),
    boolean("dynamic-hz", "yes").harmless(kTuning),
    boolean("activerehashing", "yes").harmless(kTuning),
    boolean("jemalloc-bg-thread", "yes").harmless(kTuning),
    boolean("activedefrag", "no").harmless(kNoDefragmentation),
    memory("active-defrag-ignore-bytes", "104857600", 1).harmless(kNoDefragmentation),
    integer("active-defrag-threshold-lower", "10", 0, 1000).harmless(kNoDefragmentation),
    integer("active-defrag-threshold-upper", "100", 0, 1000).harmless(kNoDefragmentation),
    integer("active-defrag-cycle-min", "1", 1, 99).harmless(kNoDefragmentation),
    integer("active-defrag-cycle-us", "500", 0, 100000).harmless(kNoDefragmentation),
    integer("active-defrag-cycle-max", "25", 1, 99).harmless(kNoDefragmentation),
    integer("active-defrag-max-scan-fields", "1000", 1, kMax).harmless(kNoDefragmentation),
    choice("enable-module-command", "no", "no|yes|local").immutable().only("no", kNoModules),
    text("locale-collate", "").only("|C|POSIX", "no command sorts by locale yet"),
    text("availability-zone", "").harmless("no reply names it"),
    boolean("extended-redis-compatibility", "no").harmless("replies are those of Redis already"),
    boolean("hide-user-data-from-log", "yes").harmless("no line of the log shows data of users"),
    boolean("import-mode", "no").only("no", "expired keys cannot be kept for an import"),
    boolean("enable-debug-assert", "no").immutable().hidden().harmless("assertions are always on"),
    integer("list-compress-depth", "0", 0, kMaxInt).harmless("lists are not compressed"),
    boolean("lua-enable-deprecated-api", "no")
        .immutable()
        .hidden()
        .harmless("what scripts see is the same with and without it"),
};

constexpr std::array kClusterRows = {
    boolean("cluster-enabled", "no").immutable().only("no", kNoCluster),
    file_name("cluster-config-file", "nodes.conf").immutable().harmless(kNoCluster),
    integer("cluster-node-timeout", "15000", 0, kMax).harmless(kNoCluster),
    integer("cluster-port", "0", 0, 65535).immutable().harmless(kNoCluster),
    text("cluster-announce-ip", "").harmless(kNoCluster),
    host_name("cluster-announce-hostname", "").harmless(kNoCluster),
    text("cluster-announce-human-nodename", "").harmless(kNoCluster),
    integer("cluster-announce-port", "0", 0, 65535).harmless(kNoCluster),
    integer("cluster-announce-tls-port", "0", 0, 65535).harmless(kNoCluster),
    integer("cluster-announce-bus-port", "0", 0, 65535).harmless(kNoCluster),
    choice("cluster-preferred-endpoint-type", "ip", "ip|hostname|unknown-endpoint")
        .harmless(kNoCluster),
    integer("cluster-migration-barrier", "1", 0, kMaxInt).harmless(kNoCluster),
    boolean("cluster-allow-replica-migration", "yes").harmless(kNoCluster),
    integer("cluster-replica-validity-factor", "10", 0, kMaxInt)
        .also("cluster-slave-validity-factor")
        .harmless(kNoCluster),
    boolean("cluster-replica-no-failover", "no")
        .also("cluster-slave-no-failover")
        .harmless(kNoCluster),
    boolean("cluster-require-full-coverage", "yes").harmless(kNoCluster),
    boolean("cluster-allow-reads-when-down", "no").harmless(kNoCluster),
    boolean("cluster-allow-pubsubshard-when-down", "yes").harmless(kNoCluster),
    memory("cluster-link-sendbuf-limit", "0").up_to_64_bits().harmless(kNoCluster),
    integer("cluster-blacklist-ttl", "60", 0, kMaxInt).harmless(kNoCluster),
    integer("cluster-ping-interval", "1000", 1, kMaxInt).hidden().harmless(kNoCluster),
    integer("cluster-manual-failover-timeout", "5000", 1, kMaxInt).harmless(kNoCluster),
    boolean("cluster-slot-stats-enabled", "no").harmless(kNoCluster),
    integer("cluster-announce-client-port", "0", 0, 65535).harmless(kNoCluster),
    text("cluster-announce-client-ipv4", "").harmless(kNoCluster),
    text("cluster-announce-client-ipv6", "").harmless(kNoCluster),
    integer("cluster-announce-client-tls-port", "0", 0, 65535).harmless(kNoCluster),
};

constexpr std::array kSecurityRows = {
    text("aclfile", "").immutable().only("", kNoAcl),
    choice("acl-pubsub-default", "resetchannels", "allchannels|resetchannels").harmless(kNoAcl),
    integer("acllog-max-len", "128", 0, kMax).harmless(kNoAcl),
    integer("tls-port", "0", 0, 65535).only("0", kNoTls),
    text("tls-cert-file", "").harmless(kNoTls),
    text("tls-key-file", "").harmless(kNoTls),
    text("tls-key-file-pass", "").harmless(kNoTls),
    text("tls-client-cert-file", "").harmless(kNoTls),
    text("tls-client-key-file", "").harmless(kNoTls),
    text("tls-client-key-file-pass", "").harmless(kNoTls),
    text("tls-dh-params-file", "").harmless(kNoTls),
    text("tls-ca-cert-file", "").harmless(kNoTls),
    text("tls-ca-cert-dir", "").harmless(kNoTls),
    choice("tls-auth-clients", "yes", "no|yes|optional").harmless(kNoTls),
    boolean("tls-replication", "no").only("no", kNoTls),
    boolean("tls-cluster", "no").only("no", kNoTls),
    integer("rdma-port", "0", 0, 65535).immutable().only("0", "there is no RDMA yet"),
    text("rdma-bind", "").immutable().harmless("there is no RDMA yet"),
    integer("rdma-rx-size", "1048576", 65536, 16777216)
        .immutable()
        .harmless("there is no RDMA yet"),
    integer("rdma-completion-vector", "-1", -1, 1024).immutable().harmless("there is no RDMA yet"),
    text("tls-protocols", "").harmless(kNoTls),
    text("tls-ciphers", "").harmless(kNoTls),
    text("tls-ciphersuites", "").harmless(kNoTls),
    boolean("tls-prefer-server-ciphers", "no").harmless(kNoTls),
    boolean("tls-session-caching", "yes").harmless(kNoTls),
    integer("tls-session-cache-size", "20480", 0, kMaxInt).harmless(kNoTls),
    integer("tls-session-cache-timeout", "300", 0, kMaxInt).harmless(kNoTls),
};

// Lines that are actions. None of their values asks for nothing.
constexpr std::array kLineRows = {
    line("loadmodule").only({}, kNoModules),
    line("user").only({}, kNoAcl),
    line("sentinel").only({}, "there is no sentinel mode yet"),
};

template <size_t... Sizes>
constexpr auto all_rows(const std::array<Directive, Sizes>&... tables) {
  std::array<Directive, (Sizes + ...)> rows{};
  size_t at = 0;
  const auto append = [&rows, &at](const auto& table) {
    for (const Directive& row : table) rows[at++] = row;
  };
  (append(tables), ...);
  return rows;
}

constexpr auto kRows = all_rows(kProcessRows, kClusterRows, kSecurityRows, kLineRows);

}  // namespace

std::span<const Directive> accepted_directives() {
  return kRows;
}

}  // namespace redoubt
