// What is checked of nodes that replicate each other.
//
//   history      At each boundary of a command, a node claims: my data is that of this offset of
//                this history. Whoever claims the same has the same data, by physical digest.
//   convergence  After quiet all have the same history, offset and data.
//   acknowledged WAIT says no more replicas than have applied what was written; what a node says to
//                be on its medium is there after a loss of power.
//   loss         What a client was acknowledged is there in the end, unless a fork of the history
//                left it behind, and the kind of the fork is one that may: FAILOVER is none.
//
// A history that goes on under another id is the same one up to the fork, so a claim about an
// offset in front of the fork is one about the former history.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/node/node.h"
#include "sim/violation.h"
#include "sim/world.h"

namespace redoubt::sim {

class HistoryChecker {
 public:
  // Why a history was continued under another id.
  enum class Fork : uint8_t {
    restart,    // the node came back, with what it had kept
    promotion,  // by an operator, who did not wait
    failover,   // FAILOVER, which waits until the other one has everything
    other,
  };

  // `details`: it remembers each key of each claim, so that it can say which one differs.
  HistoryChecker(World& world, size_t members, bool details);

  // --- what nodes do, within their turns
  void node_made(size_t member, Node& node, HostId host);
  // It has loaded its data.
  void node_started(size_t member);
  void node_ended(size_t member, StopKind kind);
  // The data of the node is that of a boundary between two commands.
  void claim(size_t member);
  // What the member's next fork comes from.
  void expect_fork(size_t member, Fork why) { members_[member].next_fork = why; }
  // A client with this number has appended this number to its list.
  void appended(size_t member, uint32_t client, uint64_t number, uint64_t offset);
  // WAIT was answered; `written`: where the client's last write ends.
  void waited(size_t member, int64_t replicas, uint64_t written);
  // WAITAOF was answered.
  void waited_for_disk(size_t member, int64_t local, uint64_t written);

  // --- what clients are told
  void acknowledged(uint32_t client, uint64_t number) { acknowledged_[client].insert(number); }

  // --- the end
  // Whether all of them are through, with the same history and offset. Not within turns.
  bool converged(const std::vector<Node*>& nodes) const;
  // Then: the same data; and everything acknowledged is in this node, or excused.
  void compare_all(const std::vector<Node*>& nodes);
  // Of each client, the numbers in its list.
  void compare_lists(Node& node, std::map<uint32_t, std::vector<uint64_t>> lists);

  // A disk has lost what it had synced, or is not what it says: promises of this node are void.
  void disk_lied(size_t member) { members_[member].promised.clear(); }

  uint64_t claims() const { return claims_; }
  // Writes that are gone, and may be, by the kind of fork.
  const std::map<Fork, uint64_t>& excused() const { return excused_; }
  void violate(std::string_view checker, size_t member, std::string expected, std::string seen);
  const std::optional<Violation>& violation() const { return violation_; }

 private:
  struct Parent {
    std::string id;
    uint64_t offset = 0;
    Fork why = Fork::other;
  };
  struct Claim {
    std::string digest;
    size_t member = 0;
    Instant at;
    std::map<std::string, std::string> keys;  // digests by database and name; only with details
  };
  using Place = std::pair<std::string, uint64_t>;  // a history and an offset of it
  struct Member {
    Node* node = nullptr;
    HostId host = kNoHost;
    Fork next_fork = Fork::other;
    std::string id;  // as last seen
    Place last;      // of its last claim
    // By history: how far it has ever been, and what it said to be on its medium.
    std::map<std::string, uint64_t> applied;
    std::map<std::string, uint64_t> promised;
    std::string last_promised;  // the history of its data when it ended
    bool lost_power = false;
  };

  void learn_history(Member& member);
  // The oldest history that has this offset in common with it.
  Place resolve(std::string id, uint64_t offset) const;
  // Whether the history of `id` holds what was written up to `offset` of history `older`.
  bool holds(const std::string& id, uint64_t end, const Place& written) const;
  std::string digest_of(Node& node) const;
  static std::map<std::string, std::string> keys_of(Node& node);
  std::string difference(const Claim& claim, Node& node) const;
  static std::string acked_text(Node& node);
  std::string applied_text(const std::string& id) const;
  std::string name_of(size_t member) const;

  World& world_;
  const bool details_;
  std::vector<Member> members_;
  std::map<std::string, Parent> parents_;
  std::map<Place, Claim> claimed_;
  uint64_t claims_ = 0;
  std::map<std::pair<uint32_t, uint64_t>, std::vector<Place>> appended_;  // by client and number
  std::map<uint32_t, std::set<uint64_t>> acknowledged_;
  std::map<Fork, uint64_t> excused_;
  std::optional<Violation> violation_;
};

std::string_view fork_name(HistoryChecker::Fork why);

}  // namespace redoubt::sim
