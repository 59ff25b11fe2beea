#include "engine/replication/replicas.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/clients/clients.h"
#include "engine/config/settings.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/insight/logger.h"
#include "engine/keyspace/keyspace.h"
#include "engine/node/node.h"
#include "net/places.h"

namespace redoubt {

namespace {

// The limit of a full synchronisation grows to this multiple.
constexpr int kDoublingsMax = 10;

}  // namespace

Replicas::Replicas(const Surroundings& surroundings)
    : env_(surroundings.env),
      services_(surroundings.services),
      settings_(surroundings.settings),
      persist_(surroundings.persist),
      functions_(surroundings.functions),
      changed_(surroundings.changed),
      backlog_(services_.effects),
      sync_({.env = env_, .services = services_, .persist = persist_}),
      alone_since_(env_.now()) {
  turn_hook_.owner = this;
  turn_hook_.run = [](TurnHook& hook) {
    auto& replicas = *static_cast<Replicas*>(hook.owner);
    for (ReplicaLink* link : std::exchange(replicas.fresh_, {})) link->begin_reading();
    if (std::exchange(replicas.asks_for_acks_, false)) {
      constexpr std::string_view kWords[] = {"REPLCONF", "GETACK", "*"};
      replicas.services_.effects.append_control(kWords);
    }
  };
}

Replicas::~Replicas() {
  env_.withdraw(turn_hook_);
}

void Replicas::log(LogLevel level, std::string_view text) const {
  services_.logger.log(level, text);
}

ReplicaGreeting& Replicas::greeting(const Session& session) {
  if (greetings_.size() > greetings_max_) {
    std::erase_if(greetings_, [&](const auto& item) {
      return services_.clients.sessions().find(item.first) == nullptr;
    });
    greetings_max_ = std::max(kGreetingsMin, 2 * greetings_.size());
  }
  return greetings_[session.id];
}

// --- a replica comes

void Replicas::take(Session& session, std::string_view id, std::optional<uint64_t> offset,
                    bool psync) {
  ReplicaGreeting said = greeting(session);
  said.psync = psync;
  greetings_.erase(session.id);
  const uint64_t session_id = session.id;
  std::unique_ptr<Connection> connection = services_.clients.detach(session);
  ASSERT(connection != nullptr);
  links_.push_back(
      std::make_unique<ReplicaLink>(ReplicaLink::Make{.env = env_,
                                                      .effects = services_.effects,
                                                      .links = services_.clients.links(),
                                                      .owner = *this,
                                                      .id = session_id,
                                                      .greeting = std::move(said)},
                                    std::move(connection)));
  fresh_.push_back(links_.back().get());
  undecided_.push_back(links_.back().get());
  env_.request(turn_hook_);
  services_.effects.after_group(
      [this, &link = *links_.back(), id = std::string(id), offset] { decide(link, id, offset); });
}

void Replicas::decide(ReplicaLink& link, std::string_view id, std::optional<uint64_t> offset) {
  std::erase(undecided_, &link);
  if (offset && continue_link(link, id, *offset)) {
    ++facts_.partial;
    log(LogLevel::notice,
        fmt::format("Partial resynchronization request from {} accepted. Sending {} bytes of "
                    "backlog starting from offset {}.",
                    link.name(), services_.effects.end_offset() - *offset, *offset + 1));
    return changed_();
  }
  if (offset) {
    ++facts_.refused;
    log(LogLevel::notice,
        fmt::format("Partial resynchronization of {} is not possible: it has {} up to {}, this "
                    "node has {} from {} to {}",
                    link.name(), id, *offset, services_.effects.history().id, backlog_.first(),
                    backlog_.end()));
  }
  log(LogLevel::notice, fmt::format("Replica {} asks for a full synchronization", link.name()));
  // A stream that nobody has read begins a history of its own.
  backlog_.start();
  if (!services_.effects.follows_data()) services_.effects.continue_history();
}

bool Replicas::continue_link(ReplicaLink& link, std::string_view id, uint64_t offset) {
  const EffectLog& effects = services_.effects;
  if (!backlog_.active() || !effects.follows_data()) return false;
  const History& history = effects.history();
  bool known = history.continues(id, offset, backlog_.first(), backlog_.end());
  if (kSimulation && offset >= backlog_.first() && offset <= backlog_.end()) {
    known = known || settings_.plants->any_history ||
            (settings_.plants->second_id_unbounded && id == history.second_id);
  }
  if (!known) return false;
  link.send(fmt::format("+CONTINUE {}\r\n", effects.history().id));
  const bool skips = kSimulation && settings_.plants->one_entry_skipped && offset < backlog_.end();
  return link.continue_from(skips ? offset + 1 : offset);
}

// --- full synchronisations

void Replicas::begin_sync_if_due() {
  // What a suspended command has changed so far is in no snapshot.
  if (sync_.running() || services_.effects.in_group()) return;
  std::vector<ReplicaLink*> waiting;
  Instant since = env_.now();
  bool all_can_eof = true;
  for (const auto& link : links_) {
    if (link->closed() || link->state() != ReplicaLink::State::waiting) continue;
    waiting.push_back(link.get());
    since = std::min(since, link->connected());
    all_can_eof = all_can_eof && link->greeting().can_eof;
  }
  if (waiting.empty()) return;
  // Others may be about to come.
  const bool enough =
      settings_.diskless_sync_replicas > 0 && waiting.size() >= settings_.diskless_sync_replicas;
  const bool delayed = settings_.diskless_sync && all_can_eof && !enough;
  if (delayed && env_.now() - since < Duration::seconds(settings_.diskless_sync_delay_s)) return;
  begin_sync(std::move(waiting));
}

// A part of the data is never a file.
bool Replicas::by_file(const ReplicaGreeting& said) const {
  return !said.can_eof || !(settings_.diskless_sync || said.filtered);
}

void Replicas::begin_sync(std::vector<ReplicaLink*> links) {
  // Those that ask for the same: what the first one wants.
  const ReplicaGreeting& first = links.front()->greeting();
  std::erase_if(links, [&](const ReplicaLink* link) {
    const ReplicaGreeting& other = link->greeting();
    return other.filtered != first.filtered || other.wants_functions != first.wants_functions ||
           by_file(other) != by_file(first);
  });
  const bool ours = std::all_of(links.begin(), links.end(), [](const ReplicaLink* link) {
    return link->greeting().can_redoubt;
  });
  RdbForm form = rdb_form(persist_.rdb_version);
  if (form == RdbForm::automatic) form = ours ? RdbForm::redoubt1 : form_;
  const bool functions = !first.filtered || first.wants_functions;
  FullSync::Plan plan{.by_file = by_file(first),
                      .form = form,
                      .keys = !first.filtered,
                      .functions = functions ? functions_ : std::vector<std::string>()};
  const size_t count = links.size();
  if (kSimulation && settings_.plants->starts_early) plan.planted_bytes = 14;
  plan.planted_db_lost = kSimulation && settings_.plants->stream_db_lost;
  if (!sync_.begin(plan, std::move(links), [this](const std::string& p) { end_sync(p); })) return;
  facts_.full += count;
  sync_began_ = env_.now();
  log(LogLevel::notice, fmt::format("Full synchronization of {} replicas begins, {}, at offset {}",
                                    count, plan.by_file ? "by a file" : "straight to their sockets",
                                    services_.effects.end_offset()));
}

void Replicas::end_sync(const std::string& problem) {
  for (const auto& link : links_) {
    if (link->closed()) continue;
    if (kSimulation && settings_.plants->joins_late &&
        link->state() == ReplicaLink::State::loading) {
      link->take(link->unread());
    }
    if (link->state() == ReplicaLink::State::receiving) {
      drop(*link, problem);
    } else if (link->greeting().snapshot_only && link->state() != ReplicaLink::State::waiting) {
      link->close();
    }
  }
  if (problem.empty()) {
    services_.instrumentation.note_latency("sync-of-replicas", env_.now() - sync_began_);
    log(LogLevel::notice, "Full synchronization: the snapshot is sent");
    return;
  }
  log(LogLevel::warning, fmt::format("Full synchronization has failed: {}", problem));
  // The next form may hold what this one does not.
  if (!sync_.form_is_too_old() || rdb_form(persist_.rdb_version) != RdbForm::automatic) return;
  if (form_ == RdbForm::redis10) {
    form_ = RdbForm::redis11;
  } else if (form_ == RdbForm::redis11) {
    form_ = RdbForm::redis12;
  }
}

// --- time

void Replicas::cron(bool primary) {
  backlog_.set_size(settings_.backlog_bytes);
  const Instant now = env_.now();
  for (const auto& link : links_) check(*link);
  remove_closed();
  if (!links_.empty()) alone_since_ = now;
  if (now >= next_newline_) {
    next_newline_ = now + Duration::seconds(1);
    for (const auto& link : links_) {
      if (link->state() == ReplicaLink::State::waiting) link->send("\n");
    }
  }
  if (!links_.empty() && primary && !silent_ && now >= next_ping_ &&
      !services_.effects.in_group()) {
    next_ping_ = now + Duration::seconds(settings_.ping_period_s);
    constexpr std::string_view kWords[] = {"PING"};
    services_.effects.append_control(kWords);
  }
  const bool expires = settings_.backlog_ttl_s > 0 && primary && backlog_.active();
  if (expires && now - alone_since_ > Duration::seconds(settings_.backlog_ttl_s)) {
    log(LogLevel::notice,
        "The replication backlog is freed: there was no replica for as long as "
        "repl-backlog-ttl says");
    backlog_.stop();
  }
  begin_sync_if_due();
}

void Replicas::check(ReplicaLink& link) {
  if (link.closed()) return;
  using State = ReplicaLink::State;
  const Instant oldest = env_.now() - Duration::seconds(settings_.timeout_s);
  // The others that get the same snapshot wait for it.
  if (kSimulation && settings_.plants->no_timeout) return;
  if (link.sending_since() < oldest) return drop(link, "it takes nothing for repl-timeout");
  const bool silent = link.last_ack() < oldest;
  // The acknowledgements of one that asked with SYNC are its own affair.
  if (silent && link.greeting().psync && link.state() == State::online) {
    return drop(link, "it has acknowledged nothing for repl-timeout");
  }
  if (silent && link.state() == State::loading) return drop(link, "it does not become ready");
  if (exceeds_limit(link)) {
    drop(link, "it is too slow: what waits for it exceeds client-output-buffer-limit replica");
  }
}

bool Replicas::exceeds_limit(ReplicaLink& link) {
  const OutputLimit& limit = services_.settings.output_limit_replica;
  const bool syncs = link.state() != ReplicaLink::State::online;
  const auto trouble = troubles_.find(link.name());
  const int doublings = syncs && trouble != troubles_.end() ? trouble->second.dropped : 0;
  const auto scaled = [&](uint64_t bytes) {
    // Less than the backlog would cut off those that could go on.
    return std::max(bytes, settings_.backlog_bytes) << std::min(doublings, kDoublingsMax);
  };
  const uint64_t behind = link.behind();
  bool over = limit.hard_bytes > 0 && behind > scaled(limit.hard_bytes);
  if (limit.soft_bytes > 0 && behind > scaled(limit.soft_bytes)) {
    link.over_soft_limit = std::min(link.over_soft_limit, env_.now());
    const Duration grace = Duration::seconds(limit.soft_seconds << std::min(doublings, 4));
    over = over || env_.now() - link.over_soft_limit > grace;
  } else {
    link.over_soft_limit = Instant::never();
  }
  if (over && syncs) ++troubles_[link.name()].dropped;
  if (!over && !syncs && trouble != troubles_.end()) troubles_.erase(trouble);
  if (over) ++services_.stats.output_limit_disconnections;
  return over;
}

void Replicas::drop(ReplicaLink& link, std::string_view why) {
  log(LogLevel::warning, fmt::format("Disconnecting replica {}: {}", link.name(), why));
  link.close();
  changed_();
}

void Replicas::drop_all() {
  for (const auto& link : links_) {
    // One that comes at this moment, such as the former primary with FAILOVER, is served next.
    const bool decided =
        std::find(undecided_.begin(), undecided_.end(), link.get()) == undecided_.end();
    if (decided && !link->closed()) {
      drop(*link, "the role or the history of this node has changed");
    }
  }
}

bool Replicas::quiet() const {
  return std::all_of(links_.begin(), links_.end(), [](const auto& link) { return link->quiet(); });
}

void Replicas::remove_closed() {
  const size_t before = links_.size();
  for (const auto& link : links_) {
    if (link->closed()) sync_.forget(*link);
  }
  std::erase_if(links_, [&](const auto& link) {
    return link->quiet() && std::find(fresh_.begin(), fresh_.end(), link.get()) == fresh_.end();
  });
  if (links_.size() != before) changed_();
}

void Replicas::on_replica_progress(ReplicaLink& link) {
  if (link.closed()) {
    if (!link.complaint().empty()) {
      log(LogLevel::warning,
          fmt::format("Disconnecting replica {}: {}", link.name(), link.complaint()));
    }
    log(LogLevel::verbose, fmt::format("Connection with replica {} is closed", link.name()));
    return changed_();  // it is removed at the next cron
  }
  if (sync_.running()) sync_.on_progress();
  changed_();
}

// --- what they have

size_t Replicas::connected() const {
  return static_cast<size_t>(std::count_if(links_.begin(), links_.end(),
                                           [](const auto& link) { return !link->closed(); }));
}

size_t Replicas::online() const {
  return static_cast<size_t>(std::count_if(links_.begin(), links_.end(), [](const auto& link) {
    return !link->closed() && link->state() == ReplicaLink::State::online;
  }));
}

// Each replica once: of one that has come back, the former link may not have ended yet.
template <typename Has>
size_t Replicas::count_replicas(Has has) const {
  std::vector<std::string> names;
  size_t nameless = 0;  // they have not said where they listen: they are told apart by their links
  for (const auto& link : links_) {
    if (link->closed() || link->state() != ReplicaLink::State::online || !has(*link)) continue;
    if (link->port() == 0) {
      ++nameless;
    } else {
      names.push_back(link->name());
    }
  }
  std::sort(names.begin(), names.end());
  const bool twice = kSimulation && settings_.plants->wait_counts_links;
  const auto end = twice ? names.end() : std::unique(names.begin(), names.end());
  return nameless + static_cast<size_t>(end - names.begin());
}

size_t Replicas::good() const {
  const Instant oldest = env_.now() - Duration::seconds(settings_.replicas_lag_s);
  const bool any = kSimulation && settings_.plants->lagging_counted;
  return count_replicas([&](const ReplicaLink& link) { return any || link.last_ack() >= oldest; });
}

size_t Replicas::count_acked(uint64_t offset) const {
  const bool all = kSimulation && settings_.plants->wait_counts_all;
  return count_replicas([&](const ReplicaLink& link) { return all || link.acked() >= offset; });
}

size_t Replicas::count_kept(uint64_t offset) const {
  return count_replicas([&](const ReplicaLink& link) { return link.acked_kept() >= offset; });
}

void Replicas::ask_for_acks() {
  asks_for_acks_ = true;
  env_.request(turn_hook_);
}

ReplicaLink* Replicas::find(std::string_view host, uint16_t port) const {
  if (port == 0) return nullptr;  // it has not said where it listens
  for (const auto& link : links_) {
    if (!link->closed() && link->host() == host && link->port() == port) return link.get();
  }
  return nullptr;
}

}  // namespace redoubt
