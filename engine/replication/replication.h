// Replication: the part of a node that is a primary of replicas, or a replica of a primary, or
// both.
//
// A node has one role at a time. As a primary its stream of effects is its own, under its own
// history; what expires and is evicted is its decision. As a replica its stream is its primary's,
// byte for byte: it decides nothing, and its own replicas get the same bytes, under the same
// history and offsets. So all nodes that claim the same (history id, offset) have the same data.
//
//   REPLICAOF host port    a primary becomes a replica. Its history and offset go with it: if the
//                          new primary continues them, only what is missing is sent.
//   REPLICAOF NO ONE       a replica becomes a primary. The history goes on under a new id, and the
//                          former one is known as its past, so that its siblings can follow.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/dispatch/part.h"
#include "engine/dispatch/services.h"
#include "engine/replication/failover.h"
#include "engine/replication/local_deadlines.h"
#include "engine/replication/primary_link.h"
#include "engine/replication/replicas.h"
#include "engine/replication/replication_settings.h"

namespace redoubt {

class Persistence;

class Replication final : public Part, private PrimaryLinkOwner {
 public:
  static const PartKind kKind;

  explicit Replication(Node& node);
  ~Replication() override;

  Task<Error> start() override;
  Task<Error> before_stop(const StopRequest& request) override;
  void abort_stop() override { stop_aborted_ = true; }
  void settings_changed() override;
  void cron() override;
  void register_info(InfoRegistry& registry) override;
  size_t memory_bytes() const override;

  Node& node() { return node_; }
  const ReplicationSettings& settings() const { return settings_; }
  bool is_replica() const { return is_replica_; }
  PrimaryLink& primary() { return primary_; }
  Replicas& replicas() { return replicas_; }
  const Replicas& replicas() const { return replicas_; }
  Failover& failover() { return failover_; }
  const LocalDeadlines& local_deadlines() const { return local_deadlines_; }
  // Of this part's directives: the replicas of the data that a log keeps.
  Persistence& persistence() { return persistence_; }

  // Bugs that a simulation plants, before start().
  void plant(const ReplicationPlants& plants) {
    plants_ = plants;
    settings_.plants = &plants_;
  }

  // This node becomes a replica of another one, or goes to another primary: behind the command or
  // transaction that runs, if there is one. `takes_over`: that one has been its replica, and is to
  // become the primary.
  void follow(std::string host, uint16_t port, bool takes_over = false);
  // This node becomes a primary, at the same moment.
  void promote();

 private:
  void on_link_changed() override;
  Task<Error> leave_history() override;
  void enter_history(std::string_view id, uint64_t offset, int stream_db) override;
  void rename_history(std::string_view id) override;
  void on_takeover(bool accepted, std::string_view answer) override;

  void go_follow(const std::string& host, uint16_t port, bool takes_over);
  void go_lead();
  void become_replica();
  void update_admission();
  void keep_data_again();
  void on_replicas_changed();
  void note_primary_in_config();
  void log(LogLevel level, std::string_view text) const;

  Node& node_;
  Env& env_;
  const Services& services_;
  ReplicationPlants plants_;
  ReplicationSettings settings_;  // as of the last change
  Persistence& persistence_;
  Replicas replicas_;
  PrimaryLink primary_;
  Failover failover_;
  LocalDeadlines local_deadlines_;
  bool is_replica_ = false;
  bool started_ = false;
  bool stop_aborted_ = false;
};

// The directives and commands of the part.
inline constexpr size_t kReplicationDirectiveCount = 28;
extern const std::array<Directive, kReplicationDirectiveCount> kReplicationDirectives;
inline constexpr size_t kReplicationCommandCount = 9;
extern const std::array<Command, kReplicationCommandCount> kReplicationCommands;

}  // namespace redoubt
