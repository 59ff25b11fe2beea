// ReplicaTree: nodes that replicate each other, and the operator who says whom each of them
// follows.
//
// The operator's view is what counts: a node that comes back after a crash is started as it says,
// and in the end the nodes have to be as it says. FAILOVER changes roles without it; it notices
// later.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/node/node.h"
#include "engine/replication/replication_plants.h"
#include "sim/replication/history_checker.h"
#include "sim/world.h"

namespace redoubt::sim {

struct TreePlan {
  size_t members = 1;
  std::vector<std::string> arguments;  // of all nodes, as on a command line
  // Of the calls of operate(), in a million: changes of roles, ends of links, CONFIG SET.
  int64_t roles_ppm = 0;
  int64_t failover_percent = 0;  // of the changes: FAILOVER
  int64_t links_ppm = 0;
  int64_t settings_ppm = 0;
  int64_t cuts_ppm = 0;         // of turns that leave half a snapshot or entry: the link ends
  int64_t ballast_bytes = 0;    // of a primary without any data
  bool some_are_newer = false;  // they know a command that the others do not know
  int64_t spare_bytes = 0;      // maxmemory above what an empty node takes; 0: no limit
  ReplicationPlants plants;
};

class ReplicaTree {
 public:
  // Adds the hosts. World and checker outlive it.
  ReplicaTree(World& world, HistoryChecker& checker, TreePlan plan);
  ~ReplicaTree();
  ReplicaTree(const ReplicaTree&) = delete;
  ReplicaTree& operator=(const ReplicaTree&) = delete;

  size_t size() const { return members_.size(); }
  HostId host(size_t member) const { return members_[member]->host; }
  Node* node(size_t member) const { return members_[member]->node; }
  std::vector<Node*> nodes() const;
  size_t primary() const { return primary_; }
  const std::string& address(size_t member) const;

  void stopping(HostId host, StopKind kind, int status);
  // Called often: what an operator does, as the draw says; and what it notices.
  void operate();
  // Fills a primary that has lost everything.
  void put_ballast();
  // Called between all turns: ends a link in the middle of something.
  void cut_short();
  // Whether each replica has been connected since the last forget_links().
  bool all_were_connected() const;
  void forget_links();
  // All replicas go on alone for a moment, and come back at once.
  void return_together();
  // Says once more whom each one follows, where it does not.
  void insist();
  // For a report: what each one is.
  void record();

  // Executes a command on a member, in a turn of its own.
  std::string execute(size_t member, const std::vector<std::string>& words);

 private:
  struct Observer;
  struct Member {
    HostId host = kNoHost;
    Node* node = nullptr;
    std::optional<size_t> follows;  // nothing: it is the primary
    bool told = true;               // it was told so, or will be when it starts
    bool newer = false;
    bool was_connected = false;
    std::unique_ptr<Observer> observer;
  };

  std::vector<std::string> arguments_of(size_t member) const;
  void ready(size_t member, Node& node);
  bool comes(int64_t ppm);
  size_t draw_member() { return static_cast<size_t>(random_.below(members_.size())); }
  bool is_below(size_t member, size_t other) const;
  void tell(size_t member);
  void change_role();
  void promote(size_t member);
  void move(size_t member);
  void begin_failover();
  void notice_roles();
  void change_setting();
  void cut_links();
  void turn_ended(size_t member);

  World& world_;
  HistoryChecker& checker_;
  const TreePlan plan_;
  Random random_;
  std::vector<std::unique_ptr<Member>> members_;
  size_t primary_ = 0;
  std::optional<size_t> fails_over_;  // the primary that was asked to
  std::optional<size_t> cut_next_;
  Random cut_random_;
};

}  // namespace redoubt::sim
