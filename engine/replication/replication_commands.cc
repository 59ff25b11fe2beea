// REPLICAOF, SLAVEOF, ROLE, REPLCONF, PSYNC, SYNC, FAILOVER, WAIT and WAITAOF.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "engine/clients/session.h"
#include "engine/dispatch/context.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/persist/persist.h"
#include "engine/replication/replication.h"
#include "engine/store/number.h"
#include "net/places.h"

namespace redoubt {

namespace {

constexpr size_t kAddressBytesMax = 255;

// --- roles

void replicaof_command(Context& c) {
  auto& replication = c.part<Replication>();
  if (replication.failover().state() != Failover::State::none) {
    c.error("ERR REPLICAOF not allowed while failing over.");
    return;
  }
  if (c.is(1, "no") && c.is(2, "one")) {
    replication.promote();
    c.reply.ok();
    return;
  }
  const std::optional<int64_t> port = c.integer_between(2, 0, 65535, "ERR Invalid master port");
  if (!port) return;
  const PrimaryLink& primary = replication.primary();
  if (replication.is_replica() && primary.host() == c.args[1] && primary.port() == *port) {
    c.reply.simple("OK Already connected to specified master");
    return;
  }
  replication.follow(std::string(c.args[1]), static_cast<uint16_t>(*port));
  c.reply.ok();
}

std::string_view role_state(PrimaryLink::State state) {
  switch (state) {
    case PrimaryLink::State::none: return "none";
    case PrimaryLink::State::connect: return "connect";
    case PrimaryLink::State::connecting: return "connecting";
    case PrimaryLink::State::handshake: return "handshake";
    case PrimaryLink::State::sync: return "sync";
    case PrimaryLink::State::connected: return "connected";
  }
  UNREACHABLE();
}

void role_command(Context& c) {
  auto& replication = c.part<Replication>();
  if (replication.is_replica()) {
    const PrimaryLink& primary = replication.primary();
    c.reply.array(5);
    c.reply.bulk("slave");
    c.reply.bulk(primary.host());
    c.reply.integer(primary.port());
    c.reply.bulk(role_state(primary.state()));
    c.reply.integer(primary.connected() ? static_cast<int64_t>(c.effects().end_offset()) : -1);
    return;
  }
  c.reply.array(3);
  c.reply.bulk("master");
  c.reply.integer(static_cast<int64_t>(c.effects().end_offset()));
  c.reply.array(replication.replicas().online());
  for (const auto& link : replication.replicas().all()) {
    if (link->closed() || link->state() != ReplicaLink::State::online) continue;
    c.reply.array(3);
    c.reply.bulk(link->host());
    c.reply.bulk(IntegerText(link->port()).view());
    c.reply.bulk(IntegerText(static_cast<int64_t>(link->acked())).view());
  }
}

// --- what a replica says

// True when the option is known and its value good.
bool take_option(Context& c, ReplicaGreeting& said, size_t i) {
  const std::string_view value = c.args[i + 1];
  if (c.is(i, "listening-port")) {
    const std::optional<int64_t> port = c.integer(i + 1);
    if (!port) return false;
    if (*port < 0 || *port > 65535) {
      c.error("ERR value is out of range");
      return false;
    }
    said.port = static_cast<uint16_t>(*port);
  } else if (c.is(i, "ip-address")) {
    if (value.size() > kAddressBytesMax) {
      c.error(
          fmt::format("ERR REPLCONF ip-address provided by replica instance is too long: {} bytes",
                      value.size()));
      return false;
    }
    said.address = value;
  } else if (c.is(i, "capa")) {
    said.can_eof |= c.is(i + 1, "eof");
    said.can_redoubt |= c.is(i + 1, "redoubt");
  } else if (c.is(i, "version")) {
    said.version = value.substr(0, kAddressBytesMax);
  } else if (c.is(i, "rdb-only")) {
    const std::optional<int64_t> only = c.integer(i + 1);
    if (!only) return false;
    if (*only < 0 || *only > 1) {
      c.error("ERR value is out of range, value must between 0 and 1");
      return false;
    }
    said.snapshot_only = *only == 1;
  } else if (c.is(i, "rdb-filter-only")) {
    said.filtered = true;
    said.wants_functions = false;
    for (std::string_view rest = value; !rest.empty();) {
      const size_t end = std::min(rest.find(' '), rest.size());
      const std::string_view word = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (word.empty()) continue;
      if (word != "functions") {
        c.error(fmt::format("ERR Unsupported rdb-filter-only option: {}", word.substr(0, 128)));
        return false;
      }
      said.wants_functions = true;
    }
  } else {
    c.error(fmt::format("ERR Unrecognized REPLCONF option: {}", c.args[i].substr(0, 128)));
    return false;
  }
  return true;
}

void replconf_command(Context& c) {
  if (c.args.size() % 2 == 0) {
    c.syntax_error();
    return;
  }
  if (c.session.connection == nullptr) {
    c.error("ERR REPLCONF is for replicas");
    return;
  }
  ReplicaGreeting& said = c.part<Replication>().replicas().greeting(c.session);
  for (size_t i = 1; i + 1 < c.args.size(); i += 2) {
    // Those are for links; they are never answered, and a client that is none says nothing with
    // them.
    if (c.is(i, "ack") || c.is(i, "fack") || c.is(i, "getack")) return;
    if (!take_option(c, said, i)) return;
  }
  c.reply.ok();
}

// --- what a replica asks for

// Why this node, or this connection, cannot serve a replica; empty: it can.
std::string_view refusal(const Context& c, Replication& replication, const ReplicaGreeting& said,
                         bool takes_over) {
  if (!takes_over && replication.is_replica() && !replication.primary().connected()) {
    return "NOMASTERLINK Can't SYNC while not connected with my master";
  }
  // While it waits for a replica, one that has lost its link may come back.
  if (replication.failover().state() == Failover::State::in_progress) {
    return "NOMASTERLINK Can't SYNC while failing over";
  }
  // What is on its way already is sent in front.
  const bool pending = !c.session.output.empty() || c.session.held != nullptr ||
                       !c.session.connection->queue().empty() || c.session.stored != nullptr;
  if (pending) return "ERR SYNC and PSYNC are invalid with pending output";
  if (said.filtered && !said.can_eof) return "ERR Filtered replica requires EOF capability";
  return {};
}

void sync_with(Context& c, std::string_view id, std::optional<uint64_t> offset, bool psync,
               bool takes_over = false) {
  auto& replication = c.part<Replication>();
  if (c.session.connection == nullptr) {
    c.error("ERR Only connections can be replicas");
    return;
  }
  const std::string_view why =
      refusal(c, replication, replication.replicas().greeting(c.session), takes_over);
  if (!why.empty()) {
    c.error(why);
    return;
  }
  if (takes_over) replication.promote();
  replication.replicas().take(c.session, id, offset, psync);
}

void psync_command(Context& c) {
  auto& replication = c.part<Replication>();
  const std::optional<int64_t> next = c.integer(2);
  if (!next) return;
  const bool takes_over = c.args.size() > 3 && c.is(3, "failover");
  if (takes_over) {
    if (!replication.is_replica()) {
      c.error("ERR PSYNC FAILOVER can't be sent to a master.");
      return;
    }
    if (c.args[1] != c.effects().history().id) {
      c.error("ERR PSYNC FAILOVER replid must match my replid.");
      return;
    }
  }
  // The wire counts from 1: the next byte that is wanted.
  std::optional<uint64_t> offset;
  if (*next > 0) offset = static_cast<uint64_t>(*next) - 1;
  if (c.args[1] == "?") offset.reset();
  sync_with(c, c.args[1], offset, true, takes_over);
}

void sync_command(Context& c) {
  sync_with(c, {}, std::nullopt, false);
}

// --- FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]

struct FailoverWords {
  Failover::Request request;
  bool abort = false;
  bool to = false;
};

// Nothing: the client has got an error.
std::optional<FailoverWords> parse_failover(Context& c) {
  FailoverWords said;
  Failover::Request& request = said.request;
  for (size_t i = 1; i < c.args.size(); ++i) {
    const size_t behind = c.args.size() - i - 1;
    if (c.is(i, "timeout") && behind >= 1 && !request.timeout) {
      const std::optional<int64_t> ms = c.integer(++i);
      if (!ms) return std::nullopt;
      if (*ms <= 0) {
        c.error("ERR FAILOVER timeout must be greater than 0");
        return std::nullopt;
      }
      request.timeout = Duration::milliseconds(std::min<int64_t>(*ms, int64_t{1} << 40));
    } else if (c.is(i, "abort") && c.args.size() == 2) {
      said.abort = true;
    } else if (c.is(i, "to") && behind >= 2 && !said.to) {
      const std::optional<int64_t> port = c.integer(i + 2);
      if (!port) return std::nullopt;
      request.host = c.args[i + 1];
      // A port that is none is no replica's.
      request.port = *port < 0 || *port > 65535 ? uint16_t{0} : static_cast<uint16_t>(*port);
      said.to = true;
      i += 2;
    } else if (c.is(i, "force") && !request.force) {
      request.force = true;
    } else {
      c.syntax_error();
      return std::nullopt;
    }
  }
  return said;
}

void failover_command(Context& c) {
  auto& replication = c.part<Replication>();
  Failover& failover = replication.failover();
  const std::optional<FailoverWords> said = parse_failover(c);
  if (!said) return;
  const Failover::Request& request = said->request;
  if (said->abort) {
    if (failover.state() == Failover::State::none) {
      c.error("ERR No failover in progress.");
      return;
    }
    failover.abort("FAILOVER ABORT");
    c.reply.ok();
    return;
  }
  if (failover.state() != Failover::State::none) {
    c.error("ERR FAILOVER already in progress.");
    return;
  }
  if (replication.is_replica()) {
    c.error("ERR FAILOVER is not valid when server is a replica.");
    return;
  }
  const Replicas& replicas = replication.replicas();
  if (replicas.connected() == 0) {
    c.error("ERR FAILOVER requires connected replicas.");
    return;
  }
  if (request.force && (!said->to || !request.timeout)) {
    c.error("ERR FAILOVER with force option requires both a timeout and target HOST and IP.");
    return;
  }
  if (said->to) {
    const ReplicaLink* target = replicas.find(request.host, request.port);
    if (target == nullptr) {
      c.error("ERR FAILOVER target HOST and PORT is not a replica.");
      return;
    }
    if (target->state() != ReplicaLink::State::online) {
      c.error("ERR FAILOVER target replica is not online.");
      return;
    }
  }
  failover.begin(request);
  c.reply.ok();
}

// --- waiting for replicas

// WAIT numreplicas timeout
void wait_command(Context& c) {
  auto& replication = c.part<Replication>();
  const std::optional<int64_t> wanted = c.integer(1);
  if (!wanted) return;
  const std::optional<Instant> deadline = c.timeout_ms(2);
  if (!deadline) return;
  if (replication.is_replica()) {
    c.error(
        "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if "
        "a replica is configured to be writable (which is not the default) writes to replicas are "
        "just local and are not propagated.");
    return;
  }
  const auto have = static_cast<int64_t>(replication.replicas().count_acked(c.written_offset()));
  if (have >= *wanted || !c.dispatcher().may_block(c.session)) {
    c.reply.integer(have);
    return;
  }
  if (c.session.wait == nullptr) replication.replicas().ask_for_acks();
  c.wait_until(*deadline, BlockReply::number, {.first = have});
}

// WAITAOF numlocal numreplicas timeout
void waitaof_command(Context& c) {
  // How often the log of this node is looked at; replicas say by themselves what they have.
  constexpr Duration kPeriod = Duration::milliseconds(5);
  auto& replication = c.part<Replication>();
  const std::optional<int64_t> local =
      c.integer_between(1, 0, 1, "ERR value is out of range, value must between 0 and 1");
  if (!local) return;
  const std::optional<int64_t> wanted = c.integer_between(
      2, 0, std::numeric_limits<int64_t>::max(), "ERR value is out of range, must be positive");
  if (!wanted) return;
  const std::optional<Instant> deadline = c.timeout_ms(3);
  if (!deadline) return;
  if (replication.is_replica()) {
    c.error(
        "ERR WAITAOF cannot be used with replica instances. Please also note that writes to "
        "replicas are just local and are not propagated.");
    return;
  }
  const Aof& aof = replication.persistence().aof();
  if (*local > 0 && aof.state() == Aof::State::off) {
    c.error("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
    return;
  }
  std::optional<uint64_t> kept = replication.persistence().kept_offset();
  if (kSimulation && kept && replication.settings().plants->waitaof_early) {
    kept = c.effects().end_offset();
  }
  const bool counts_self = kSimulation && replication.settings().plants->waitaof_counts_self &&
                           kept && c.written_offset() <= *kept;
  const BlockNumbers have{
      .first = kept && c.written_offset() <= *kept ? 1 : 0,
      .second = static_cast<int64_t>(replication.replicas().count_kept(c.written_offset())) +
                (counts_self ? 1 : 0)};
  const bool enough = have.first >= *local && have.second >= *wanted;
  if (enough || !c.dispatcher().may_block(c.session)) {
    write_block_reply(c.reply, BlockReply::two_numbers, have);
    return;
  }
  if (c.session.wait == nullptr && *wanted > 0) replication.replicas().ask_for_acks();
  const bool looks_again = have.first < *local;
  c.wait_until(*deadline, BlockReply::two_numbers, have,
               looks_again ? c.env().now() + kPeriod : Instant::never());
}

constexpr Command replicaof_row(std::string_view name, std::string_view since) {
  return {.name = name,
          .arity = 3,
          .flags = kAdmin | kNoScript | kStale | kNoAsyncLoading,
          .since = since,
          .group = "server",
          .complexity = "O(1)",
          .arguments = "args:<host-port:{host:string port:integer}|no-one:{no(NO) one(ONE)}>",
          .handler = replicaof_command};
}

constexpr Command slaveof_row() {
  Command row = replicaof_row("slaveof", "1.0.0");
  row.summary = "Make the server a replica of another instance, or promote it as master.";
  row.deprecated = "5.0.0: `REPLICAOF`";
  return row;
}

constexpr Command named_replicaof_row() {
  Command row = replicaof_row("replicaof", "5.0.0");
  row.summary = "Make the server a replica of another instance, or promote it as master.";
  return row;
}

}  // namespace

constexpr std::array<Command, kReplicationCommandCount> kReplicationCommands = {
    Command{.name = "failover",
            .arity = -1,
            .flags = kAdmin | kNoScript | kStale,
            .since = "6.2.0",
            .group = "server",
            .complexity = "O(1)",
            .summary = "Start a coordinated failover between this server and one of its "
                       "replicas.",
            .arguments = "[target:{host:string port:integer [force(FORCE)]}(TO)] [abort(ABORT)] "
                         "[milliseconds:integer(TIMEOUT)]",
            .handler = failover_command},
    Command{.name = "psync",
            .arity = -3,
            .flags = kAdmin | kNoMulti | kNoScript | kStale | kNoAsyncLoading,
            .since = "2.8.0",
            .group = "server",
            .summary = "Internal command used for replication",
            .arguments = "replicationid:string offset:integer",
            .handler = psync_command},
    Command{.name = "replconf",
            .arity = -1,
            .flags = kAdmin | kNoScript | kLoading | kStale | kAllowBusy | kSystemCommand,
            .since = "3.0.0",
            .group = "server",
            .complexity = "O(1)",
            .summary = "An internal command for configuring the replication stream",
            .handler = replconf_command},
    named_replicaof_row(),
    Command{.name = "role",
            .arity = 1,
            .flags = kNoScript | kLoading | kStale | kFast,
            .categories = kCatAdmin | kCatDangerous,
            .since = "2.8.12",
            .group = "server",
            .complexity = "O(1)",
            .summary = "Return the role of the instance in the context of replication",
            .handler = role_command},
    slaveof_row(),
    Command{.name = "sync",
            .arity = 1,
            .flags = kAdmin | kNoMulti | kNoScript | kNoAsyncLoading,
            .since = "1.0.0",
            .group = "server",
            .summary = "Internal command used for replication",
            .handler = sync_command},
    Command{.name = "wait",
            .arity = 3,
            .flags = kNoScript,
            .categories = kCatConnection,
            .since = "3.0.0",
            .group = "generic",
            .complexity = "O(1)",
            .summary = "Wait for the synchronous replication of all the write commands sent in the "
                       "context of the current connection",
            .tips = "request_policy:all_shards response_policy:agg_min",
            .arguments = "numreplicas:integer timeout:integer",
            .handler = wait_command},
    Command{.name = "waitaof",
            .arity = 4,
            .flags = kNoScript | kBlocking,
            .categories = kCatConnection,
            .since = "7.2.0",
            .group = "generic",
            .complexity = "O(1)",
            .summary = "Waits until what the connection wrote is in the append-only file of this "
                       "server, of so many replicas, or of both.",
            .tips = "request_policy:all_shards response_policy:agg_min",
            .arguments = "numlocal:integer numreplicas:integer timeout:integer",
            .handler = waitaof_command},
};

}  // namespace redoubt
