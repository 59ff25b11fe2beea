// The directives of replication.
#include <array>

#include "engine/config/directive.h"
#include "engine/replication/replication.h"
#include "engine/store/number.h"

namespace redoubt {

namespace {

using namespace directive;

void keep_primary(Settings& settings, const DirectiveValue& value) {
  auto& replication = settings.part<ReplicationSettings>();
  const size_t blank = value.text.find(' ');
  replication.primary_host = value.text.substr(0, blank);
  replication.primary_port =
      blank == std::string::npos
          ? uint16_t{0}
          : static_cast<uint16_t>(parse_integer(value.text.substr(blank + 1)).value_or(0));
}

constexpr std::string_view kPrimaryDecides = "a replica has the data that its primary has";
using R = ReplicationSettings;

}  // namespace

constexpr std::array<Directive, kReplicationDirectiveCount> kReplicationDirectives = {
    // of a replica
    list("replicaof", "", parse_replicaof).also("slaveof").immutable().sets(keep_primary),
    text("masterauth", "").also("primaryauth").sets(store<&R::auth_password>),
    text("masteruser", "").also("primaryuser").sets(store<&R::auth_user>),
    boolean("replica-serve-stale-data", "yes")
        .also("slave-serve-stale-data")
        .sets(store<&R::serve_stale_data>),
    boolean("replica-read-only", "yes").also("slave-read-only").sets(store<&R::read_only>),
    boolean("replica-ignore-maxmemory", "yes")
        .also("slave-ignore-maxmemory")
        .only("yes", kPrimaryDecides),
    boolean("replica-lazy-flush", "no").also("slave-lazy-flush").sets(store<&R::lazy_flush>),
    boolean("replica-announced", "yes").sets(store<&R::announced>),
    boolean("replica-ignore-disk-write-errors", "no")
        .only("no", "a replica that cannot write its log says so to its primary"),
    text("replica-announce-ip", "").also("slave-announce-ip").sets(store<&R::announce_ip>),
    integer("replica-announce-port", "0", 0, 65535)
        .also("slave-announce-port")
        .sets(store<&R::announce_port>),
    integer("replica-priority", "100", 0, kMaxInt).also("slave-priority").sets(store<&R::priority>),
    choice("repl-diskless-load", "disabled", "disabled|on-empty-db|swapdb|flush-before-load")
        .sets(store<&R::diskless_load>),
    choice("propagation-error-behavior", "ignore", "ignore|panic|panic-on-replicas")
        .sets(store<&R::propagation_errors>),

    // of a primary
    boolean("repl-diskless-sync", "yes").sets(store<&R::diskless_sync>),
    integer("repl-diskless-sync-delay", "5", 0, kMaxInt).sets(store<&R::diskless_sync_delay_s>),
    integer("repl-diskless-sync-max-replicas", "0", 0, kMaxInt)
        .sets(store<&R::diskless_sync_replicas>),
    integer("repl-ping-replica-period", "10", 1, kMaxInt)
        .also("repl-ping-slave-period")
        .sets(store<&R::ping_period_s>),
    integer("min-replicas-to-write", "0", 0, kMaxInt)
        .also("min-slaves-to-write")
        .sets(store<&R::replicas_to_write>),
    integer("min-replicas-max-lag", "10", 0, kMaxInt)
        .also("min-slaves-max-lag")
        .sets(store<&R::replicas_lag_s>),

    // of both
    integer("repl-timeout", "60", 1, kMaxInt).sets(store<&R::timeout_s>),
    boolean("repl-disable-tcp-nodelay", "no").harmless("what there is leaves once a turn"),
    memory("repl-backlog-size", "1048576", 1).sets(store<&R::backlog_bytes>),
    integer("repl-backlog-ttl", "3600", 0, kMax).sets(store<&R::backlog_ttl_s>),
    integer("shutdown-timeout", "10", 0, kMaxInt).sets(store<&R::shutdown_timeout_s>),
    boolean("dual-channel-replication-enabled", "no")
        .only("no", "snapshot and stream share one connection"),
    boolean("repl-rdb-channel", "no").only("no", "snapshot and stream share one connection"),
    memory("replica-full-sync-buffer-limit", "0")
        .harmless("what follows a snapshot waits at the primary"),
};

}  // namespace redoubt
