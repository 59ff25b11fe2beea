// What INFO shows of replication.
#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/effects/effect_log.h"
#include "engine/insight/info_registry.h"
#include "engine/node/node.h"
#include "engine/replication/replication.h"

namespace redoubt {

namespace {

int64_t seconds_since(Replication& replication, Instant then) {
  return (replication.node().env().now() - then).ns / 1'000'000'000;
}

// A row of a replica, absent on a primary.
template <typename Value>
std::optional<Value> of_replica(Replication& r, Value value) {
  return r.is_replica() ? std::optional<Value>(value) : std::nullopt;
}

constexpr InfoRow kRole[] = {
    text_row<Replication>("role",
                          [](Replication& r) { return r.is_replica() ? "slave" : "master"; }),
};

std::string id_or_zeros(const std::string& id) {
  return id.empty() ? std::string(History::kIdLength, '0') : id;
}

std::string_view link_state(const ReplicaLink& link) {
  switch (link.state()) {
    case ReplicaLink::State::waiting: return "wait_bgsave";
    case ReplicaLink::State::receiving:
    case ReplicaLink::State::loading: return "send_bulk";
    case ReplicaLink::State::online: return "online";
  }
  UNREACHABLE();
}

void write_primary(Replication& r, InfoWriter& out) {
  const PrimaryLink& primary = r.primary();
  const EffectLog& effects = r.node().effects();
  out.field("master_host", primary.host());
  out.field("master_port", primary.port());
  out.field("master_link_status", primary.connected() ? "up" : "down");
  out.field("master_last_io_seconds_ago",
            primary.connected() ? seconds_since(r, primary.last_io()) : int64_t{-1});
  out.field("master_sync_in_progress", primary.state() == PrimaryLink::State::sync ? 1 : 0);
  out.field("slave_read_repl_offset", primary.received_offset());
  out.field("slave_repl_offset", effects.end_offset());
  const PrimaryLink::Transfer& transfer = primary.transfer();
  if (transfer.running) {
    const uint64_t total = transfer.total_bytes;
    out.field("master_sync_total_bytes", total);
    out.field("master_sync_read_bytes", transfer.read_bytes);
    out.field("master_sync_left_bytes",
              static_cast<int64_t>(total) - static_cast<int64_t>(transfer.read_bytes));
    const double part =
        total == 0 ? 0
                   : static_cast<double>(transfer.read_bytes) / static_cast<double>(total) * 100;
    out.field("master_sync_perc", InfoDecimal{part, 2});
    out.field("master_sync_last_io_seconds_ago", seconds_since(r, primary.last_io()));
  }
  if (!primary.connected()) {
    out.field("master_link_down_since_seconds",
              primary.ever_up() ? seconds_since(r, primary.down_since()) : int64_t{-1});
  }
  out.field("slave_priority", r.settings().priority);
  out.field("slave_read_only", r.settings().read_only ? 1 : 0);
  out.field("replica_announced", r.settings().announced ? 1 : 0);
}

void write_replicas(Replication& r, InfoWriter& out) {
  size_t connected = 0;
  for (const auto& link : r.replicas().all()) connected += link->closed() ? 0 : 1;
  out.field("connected_slaves", connected);
  if (r.settings().replicas_to_write > 0 && r.settings().replicas_lag_s > 0) {
    out.field("min_slaves_good_slaves", r.replicas().good());
  }
  size_t index = 0;
  for (const auto& link : r.replicas().all()) {
    if (link->closed()) continue;
    const bool online = link->state() == ReplicaLink::State::online;
    out.field(fmt::format("slave{}", index++),
              fmt::format("ip={},port={},state={},offset={},lag={},type=replica,behind={}",
                          link->host(), link->port(), link_state(*link), link->acked(),
                          online ? seconds_since(r, link->last_ack()) : 0, link->behind()));
  }
}

void write_links(void* owner, InfoWriter& out) {
  auto& r = *static_cast<Replication*>(owner);
  if (r.is_replica()) write_primary(r, out);
  write_replicas(r, out);
  const EffectLog& effects = r.node().effects();
  const History& history = effects.history();
  const Backlog& backlog = r.replicas().backlog();
  // A history that ended says nothing about the data, so its id is not shown.
  const bool known = effects.follows_data();
  out.field("master_failover_state", r.failover().state_name());
  out.field("master_replid", id_or_zeros(known ? history.id : std::string()));
  out.field("master_replid2", id_or_zeros(history.second_id));
  out.field("master_repl_offset", effects.end_offset());
  out.field("second_repl_offset", history.second_offset == History::kNoSecond
                                      ? int64_t{-1}
                                      : static_cast<int64_t>(history.second_offset) + 1);
  out.field("repl_backlog_active", backlog.active() ? 1 : 0);
  out.field("repl_backlog_size", r.settings().backlog_bytes);
  // Offsets of a backlog begin with 1.
  out.field("repl_backlog_first_byte_offset", backlog.active() ? backlog.first() + 1 : 0);
  out.field("repl_backlog_histlen", backlog.active() ? backlog.end() - backlog.first() : 0);
}

constexpr InfoRow kSyncs[] = {
    counter<Replication>("sync_full", [](Replication& r) { return r.replicas().facts().full; }),
    counter<Replication>("sync_partial_ok",
                         [](Replication& r) { return r.replicas().facts().partial; }),
    counter<Replication>("sync_partial_err",
                         [](Replication& r) { return r.replicas().facts().refused; }),
    gauge<Replication>("slave_expires_tracked_keys",
                       [](Replication& r) { return r.local_deadlines().count(); }),
};

}  // namespace

void Replication::register_info(InfoRegistry& registry) {
  registry.add({.section = InfoSection::replication,
                .place = 0,
                .rows = kRole,
                .owner = this,
                .write = write_links});
  registry.add({.section = InfoSection::stats, .place = 45, .rows = kSyncs, .owner = this});
}

}  // namespace redoubt
