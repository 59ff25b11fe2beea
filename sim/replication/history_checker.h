// What is checked of nodes that replicate each other.
//
//   history      At each boundary of a command, a node claims: my data is that of this offset of
//                this history. Whoever claims the same has the same data, by physical digest.
//   convergence  After quiet all have the same history, offset and data.
//   acknowledged WAIT says no more replicas than have applied what was written; what a node says to
//                be on its medium is there after a loss of power.
//   loss         What a client was acknowledged is there in the end, unless a fork of the history
//                left it behind, and the kind of the fork is one that may. FAILOVER is none, and a
//                restart only of what the node did not have on its medium, or not promise to keep.
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
    given_up,   // of the former primary, when the other one may have taken over already
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
  void expect_fork(size_t member, Fork why) {
    members_[member].next_fork = why;
    promotes_ |= why == Fork::promotion;
  }
  // A client with this number has appended this number to its list.
  void appended(size_t member, uint32_t client, uint64_t number, uint64_t offset);
  // WAIT was answered; `written`: where the client's last write ends.
  void waited(size_t member, int64_t replicas, uint64_t written);
  // WAITAOF was answered.
  void waited_for_disk(size_t member, int64_t local, int64_t replicas, uint64_t written);

  // --- what clients are told
  void acknowledged(uint32_t client, uint64_t number);

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
  // Writes that are gone, and may be, by the reason.
  const std::map<std::string, uint64_t>& excused() const { return excused_; }
  void violate(std::string_view checker, size_t member, std::string expected, std::string seen);
  const std::optional<Violation>& violation() const { return violation_; }

 private:
  // Where a history comes from.
  struct Parent {
    std::string id;  // empty: it begins with nothing, or with data whose history had ended
    uint64_t offset = 0;
    Fork why = Fork::other;
    size_t member = 0;
    bool kept_log = false;  // the member had a log before
  };
  struct Claim {
    std::string digest;
    size_t member = 0;
    Instant at;
    std::map<std::string, std::string> keys;  // digests by database and name; only with details
  };
  using Place = std::pair<std::string, uint64_t>;  // a history and an offset of it
  // A write, as a node has executed it.
  struct Append {
    Place place;  // without a history: nobody read the stream
    size_t member = 0;
    bool always = false;   // replies wait for the medium
    uint64_t promise = 0;  // the number of the member's promise
  };
  struct Member {
    Node* node = nullptr;
    HostId host = kNoHost;
    Fork next_fork = Fork::other;
    std::string id;  // as last seen
    Place last;      // of its last claim
    // By history: how far it has ever been, and what it said to be on its medium.
    std::map<std::string, uint64_t> applied;
    std::map<std::string, uint64_t> promised;
    std::map<std::string, uint64_t> kept;  // the furthest of that, ever
    std::string last_promised;             // the history of its data when it ended
    bool lost_power = false;
    bool always = false;   // appendfsync always is in force
    uint64_t promise = 0;  // how often that has ended
    bool ended_with_log = false;
    bool ended_as_replica = false;
    uint64_t lives = 0;
    bool has_history = false;  // in this life
  };

  void note_kept(Member& member) const;
  bool has_kept(const Member& member, const Place& place) const;
  void learn_history(size_t index);
  void note_promise(Member& member);
  Parent left_behind_by(const std::string& id, uint64_t end, const Place& place) const;
  std::string excuse_of(const Parent& fork, const Append& append, bool durable) const;
  void judge_loss(uint32_t client, uint64_t number, const EffectLog& log);
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
  std::map<std::string, Parent> roots_;
  std::map<Place, Claim> claimed_;
  uint64_t claims_ = 0;
  std::map<std::pair<uint32_t, uint64_t>, std::vector<Append>> appended_;  // by client and number
  std::map<uint32_t, std::set<uint64_t>> acknowledged_;
  std::set<std::pair<uint32_t, uint64_t>> durable_;  // acknowledged under appendfsync always
  std::map<std::string, uint64_t> excused_;
  bool promotes_ = false;  // an operator has chosen another primary
  std::optional<Violation> violation_;
};

std::string_view fork_name(HistoryChecker::Fork why);

}  // namespace redoubt::sim
