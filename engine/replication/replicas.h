// Replicas: the replicas of this node: who they are, what they get, what they have acknowledged.
//
// A replica that comes back goes on where it was, if the backlog has what it lacks and its history
// is this one; otherwise it waits for a full synchronisation. Those that wait at the same time
// share one snapshot. One such pass runs at a time, so a herd of replicas costs one or two passes.
//
// While a replica gets its snapshot, the stream for it stays in the log. A replica that falls too
// far behind is dropped by client-output-buffer-limit; the limit of a full synchronisation doubles
// each time that it was not enough for the same replica, so that in the end it is.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dispatch/services.h"
#include "engine/persist/snapshots/persist_settings.h"
#include "engine/replication/backlog.h"
#include "engine/replication/full_sync.h"
#include "engine/replication/replica_link.h"
#include "engine/replication/replication_settings.h"

namespace redoubt {

class Session;

class Replicas final : private ReplicaLinkOwner {
 public:
  struct Surroundings {
    Env& env;
    const Services& services;
    const ReplicationSettings& settings;
    const PersistSettings& persist;
    const std::vector<std::string>& functions;  // sources of libraries
    std::function<void()> changed;              // acknowledgements, or the replicas
  };

  explicit Replicas(const Surroundings& surroundings);
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;
  ~Replicas();

  Backlog& backlog() { return backlog_; }
  const Backlog& backlog() const { return backlog_; }

  // What a client has said with REPLCONF.
  ReplicaGreeting& greeting(const Session& session);

  // PSYNC: the client becomes a replica that has everything of history `id` in front of `offset`,
  // or nothing (no offset). SYNC: no id either.
  void take(Session& session, std::string_view id, std::optional<uint64_t> offset, bool psync);

  // Ten times a second; `primary`: this node's stream is its own.
  void cron(bool primary);
  // All replicas are to connect again.
  void drop_all();
  // No bytes of the log are on their way to any of them.
  bool quiet() const;

  const std::vector<std::unique_ptr<ReplicaLink>>& all() const { return links_; }
  size_t connected() const;
  size_t online() const;
  // Online, and not longer ago than min-replicas-max-lag heard of.
  size_t good() const;
  // How many have acknowledged this offset: as applied, or as on their medium.
  size_t count_acked(uint64_t offset) const;
  size_t count_kept(uint64_t offset) const;
  // They are asked for an acknowledgement, once a turn.
  void ask_for_acks();
  // The first one that has announced this address; null: none.
  ReplicaLink* find(std::string_view host, uint16_t port) const;
  // While it is silent, no PING moves the offset.
  void set_silent(bool silent) { silent_ = silent; }

  struct Facts {
    uint64_t full = 0;
    uint64_t partial = 0;
    uint64_t refused = 0;  // partial ones that were asked for and not possible
  };
  const Facts& facts() const { return facts_; }
  void reset_facts() { facts_ = {}; }
  bool synchronising() const { return sync_.running(); }
  size_t memory_bytes() const { return links_.size() * sizeof(ReplicaLink); }

 private:
  struct Trouble {    // of a replica by name
    int dropped = 0;  // full synchronisations that its limit has ended, in a row
  };

  template <typename Has>
  size_t count_replicas(Has has) const;
  void on_replica_progress(ReplicaLink& link) override;
  void decide(ReplicaLink& link, std::string_view id, std::optional<uint64_t> offset);
  bool continue_link(ReplicaLink& link, std::string_view id, uint64_t offset);
  void begin_sync_if_due();
  bool by_file(const ReplicaGreeting& said) const;
  void begin_sync(std::vector<ReplicaLink*> links);
  void end_sync(const std::string& problem);
  void check(ReplicaLink& link);
  bool exceeds_limit(ReplicaLink& link);
  void drop(ReplicaLink& link, std::string_view why);
  void remove_closed();
  void log(LogLevel level, std::string_view text) const;

  Env& env_;
  const Services& services_;
  const ReplicationSettings& settings_;
  const PersistSettings& persist_;
  const std::vector<std::string>& functions_;
  const std::function<void()> changed_;
  Backlog backlog_;
  static constexpr size_t kGreetingsMin = 1024;

  std::map<uint64_t, ReplicaGreeting> greetings_;  // by session
  size_t greetings_max_ = kGreetingsMin;           // beyond it, those of clients that are gone go
  std::vector<std::unique_ptr<ReplicaLink>> links_;
  std::vector<ReplicaLink*> fresh_;      // their clients' turn is not over
  std::vector<ReplicaLink*> undecided_;  // those whose request is answered behind the command
  std::map<std::string, Trouble> troubles_;
  FullSync sync_;
  Instant sync_began_;
  RdbForm form_ = RdbForm::redis10;  // the oldest one that has held all values so far
  TurnHook turn_hook_;
  bool asks_for_acks_ = false;
  bool silent_ = false;
  Instant alone_since_;  // without any replica
  Instant next_ping_;
  Instant next_newline_;
  Facts facts_;
};

}  // namespace redoubt
