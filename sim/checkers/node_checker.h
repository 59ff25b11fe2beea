// What is checked of one node and its clients.
//
// The node says what it executes, in its order (NodeObserver). The checker holds that against three
// things: what the clients have sent, connection by connection (nothing lost, twice or out of
// order); what the model answers to the same commands in the same order; and what the clients
// receive, byte for byte. What happens to commands whose connection broke is known too: they were
// executed or they were not.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/node/node.h"
#include "sim/checkers/durability.h"
#include "sim/checkers/messages.h"
#include "sim/checkers/replay.h"
#include "sim/checkers/side_checkers.h"
#include "sim/checkers/snapshots.h"
#include "sim/checkers/waiting.h"
#include "sim/history/history.h"
#include "sim/model/model.h"
#include "sim/model/resp_value.h"
#include "sim/model/transactions.h"
#include "sim/violation.h"
#include "sim/world.h"

namespace redoubt::sim {

// One connection of a client, as the checker follows it.
struct Link {
  uint32_t client = 0;
  Address address;  // the client's side

  // The pipeline under way, encoded, with where each command begins and a hash of its arguments.
  std::string pipeline;
  std::vector<size_t> starts;
  std::vector<uint64_t> hashes;
  // Of the effects, behind what each has written; 0: it has written nothing. As far as executed.
  std::vector<uint64_t> offsets;
  uint64_t written = 0;         // the last one that was not 0
  std::vector<uint8_t> silent;  // without a reply, after CLIENT REPLY OFF or SKIP
  size_t replies_due = 0;       // of the pipeline
  size_t executed = 0;          // commands of it
  bool quits = false;           // its last command is QUIT
  bool subscriber = false;      // gets messages between its replies
  bool killed = false;          // by CLIENT KILL
  bool slow = false;            // reads slowly: its own fault when it loses patience
  bool hostile = false;         // says what it likes, and reads or not
  bool operates = false;        // an operator, who sees to it himself what he is answered
  int64_t waits_ms = 0;         // what the commands of the pipeline may wait together
  bool waits_forever = false;

  // Replies that were written and not yet received and understood.
  std::string replies;
  size_t received = 0;    // bytes of `replies`
  size_t understood = 0;  // bytes of `replies`, at the end of a reply
  size_t answered = 0;    // replies of the pipeline
  // For the history: of each of the pipeline's commands its number there, or kNoOperation when it
  // has a reply; what the node said of those that it has executed; and whether the client has given
  // up, so that what is executed yet is news of an operation that has ended.
  struct Executed {
    StreamPlace place;
    uint16_t database = 0;
  };
  std::vector<OperationId> operations;
  std::vector<Executed> places;
  bool given_up = false;
  size_t replying = 0;  // the command that the next reply is about
  ReplyFramer framer;

  void begin_pipeline();
  // Appends a command to the pipeline; as an inline command, if asked for and if it can be one.
  void add(std::span<const std::string_view> arguments, bool is_silent, bool inline_form);
  bool complete() const { return answered == replies_due; }
};

constexpr OperationId kNoOperation = 0xffffffff;

// The directive that operators change: harmless, and a number.
inline constexpr std::string_view kOperatorsDirective = "slowlog-max-len";

class NodeChecker final : public NodeObserver {
 public:
  // `rollback`: transaction-on-error is "rollback".
  NodeChecker(World& world, ModelConfig config, std::string password, bool rollback);

  // Only these checkers are heard; all, if there are none.
  void only(std::span<const std::string> checkers);

  Instant now() const { return world_.now(); }

  // --- clients
  std::shared_ptr<Link> connected(uint32_t client, const Address& address);
  void received(Link& link, std::string_view bytes);
  // The connection of a client failed, or could not be made (without a link).
  void connection_failed(uint32_t client, const Link* link, Error error);
  // A connection that CLIENT KILL can name, other than this one; none now and then.
  std::optional<uint64_t> session_of_another(const Link& link, Random& random) const;
  // An operator is about to change the configuration file for the n-th time; the directive's value.
  std::string changes_file(uint64_t n);
  // And was told that the file has it.
  void file_written(uint64_t n);
  // For a report: a client has put a command into its pipeline; its connection is over. Behind the
  // node's host are those of its clients, by number.
  void record_call(const Link& link, std::span<const std::string_view> words, bool is_silent) {
    if (RunRecorder* to = world_.recorder()) to->called(host_ + 1 + link.client, words, is_silent);
  }
  void record_end(const Link& link) {
    if (RunRecorder* to = world_.recorder()) to->abandoned(host_ + 1 + link.client);
  }
  // From now on whoever waits in vain is a matter of progress.
  void farewell() { farewell_ = true; }

  // --- the history of what clients have asked and were told
  // It is kept from now on, of so many operations.
  void keep_history(uint64_t operations_max) { history_max_ = operations_max; }
  bool keeps_history() const { return history_max_ > 0; }
  const History& history() const { return history_; }
  // A command was put into the pipeline.
  void called(Link& link, std::span<const std::string_view> arguments);
  // Nothing more will come for those commands of the pipeline that have no reply.
  void pipeline_over(Link& link) {
    if (!link.operations.empty()) connection_over(link);
  }
  // Of the pipeline only so many bytes will be sent.
  void cut_off(Link& link, size_t bytes);
  // Nothing more will come.
  void connection_over(Link& link);
  // Checks it, when the load is over.
  void check_history();

  // --- the node
  void node_started(Node& node, HostId host, bool evicts);
  // `stalled`: how long at most an operation of its disk was held up.
  void node_ended(StopKind kind, Duration stalled);
  void on_command(const Session& session, int db_before, std::span<const std::string_view> args,
                  WallTime wall, std::string_view reply) override;
  void on_queued_command(const Session& session, std::span<const std::string_view> args,
                         std::string_view reply) override;
  void on_wait(const Session& session, std::span<const std::string_view> args) override;
  void on_turn_end() override;
  void on_evicted(int db, std::string_view key) override;
  void on_expired(int db, std::string_view key) override;
  void on_parts_expired(int db, std::string_view key,
                        std::span<const std::string_view> names) override;
  void on_session_closed(const Session& session) override;
  void on_push(const Session& session, std::string_view message) override;
  void on_replies_failed(const Session& session, size_t behind, size_t size,
                         std::string_view replaced) override;

  // Compares what the effects of the node give with its data, within a turn of the node.
  void compare_replay();
  void lose_effects(uint64_t one_in) { replay_->lose_one_in(one_in); }

  // From now on snapshots are taken and compared.
  void take_snapshots(Random random) { snapshots_.emplace(*node_, random); }
  // Ends them, within a turn of the node.
  void finish_snapshots();

  // Compares the whole of the node's data with the model's, within a turn of the node.
  void compare_state();
  // The side checkers look at the node from inside, within a turn of it.
  void look_inside();
  void look_after_quiet();
  // The words that go on with a walk over keys or elements that the connection has begun.
  std::vector<std::string> next_of_walk(const Link& link) const;
  SideCheckers& side_checkers() { return sides_; }

  Model& model() { return model_; }
  const ModelTransactions& transactions() const { return transactions_; }
  uint64_t commands() const { return commands_; }
  void violate(std::string_view checker, std::string expected, std::string seen);
  const std::optional<Violation>& violation() const { return violation_; }
  // What people should know of a run that is no violation.
  const std::vector<std::string>& remarks() const { return remarks_; }

 private:
  struct Peer {
    uint64_t session = 0;
    std::shared_ptr<Link> link;
    ModelSession model;
    std::string name;
  };

  Peer* find(const Session& session);
  void check_command(const Session& session, int db_before, std::span<const std::string_view> args,
                     WallTime wall, std::string_view reply);
  void on_hostile_command(Peer& peer, std::span<const std::string_view> args, WallTime wall,
                          std::string_view reply);
  // Returns the command's number in its pipeline.
  // What the command of this number has written has to be kept when its reply is received.
  static void note_written(Link& link, size_t number, const Session& session);
  size_t check_order(Link& link, std::span<const std::string_view> args);
  void learn_unseen(Peer& peer, std::span<const std::string_view> args, WallTime wall);
  void check_reply(Peer& peer, std::span<const std::string_view> args, WallTime wall,
                   std::string_view reply);
  void check_kill(std::span<const std::string_view> args, std::span<const Peer> closed,
                  std::string_view reply);
  std::optional<ModelReply> expect_connection_command(Peer& peer,
                                                      std::span<const std::string_view> args);
  std::optional<ModelReply> expect_client_command(Peer& peer,
                                                  std::span<const std::string_view> args);
  ModelReply expect_dbsize(int db, int64_t now_ms) const;
  ModelReply expect(ModelSession& session, std::span<const std::string_view> args, int64_t now_ms);
  bool may_refuse(std::span<const std::string_view> args, std::string_view reply) const;
  bool may_break(Error error) const;
  bool watches(std::string_view checker) const;
  void check_file(Node& node);
  void check_snapshot(const std::optional<std::string>& difference);
  // node_checker_history.cc
  void returned(Link& link, std::string_view reply);
  StreamPlace place_of(const Link& link, size_t number);
  // node_checker_order.cc
  void end_wait(Peer& peer, std::span<const std::string_view> args, std::string_view reply);
  bool check_queueing(Peer& peer, std::span<const std::string_view> args, WallTime wall,
                      std::string_view reply);
  bool check_unblock(std::span<const std::string_view> args, std::string_view reply);
  // Of what the node does now, behind all that it did before.
  StreamPlace next_place();
  void executed(Link& link, size_t number, int database);
  void trace(const Session& session, std::span<const std::string_view> args, std::string_view what);
  bool check_messages(Peer& peer, std::span<const std::string_view> args, std::string_view reply);

  World& world_;
  const std::string password_;
  Model model_;
  ModelTransactions transactions_;
  WaitingChecker waiting_;
  MessageChecker messages_;
  SideCheckers sides_;
  DurabilityChecker durability_;
  Node* node_ = nullptr;
  std::unique_ptr<ReplayChecker> replay_;
  std::optional<SnapshotChecker> snapshots_;
  HostId host_ = kNoHost;
  bool evicts_ = false;
  Instant started_;
  bool farewell_ = false;
  std::vector<std::shared_ptr<Link>> unclaimed_;
  std::map<uint64_t, Peer> peers_;
  std::vector<Peer> closed_;  // since the last command
  Peer* last_ = nullptr;
  uint64_t commands_ = 0;
  std::optional<Violation> violation_;
  std::vector<std::string> only_;
  History history_;
  uint64_t history_max_ = 0;
  bool history_is_cut_ = false;
  StreamPlace last_place_;
  struct Removal {
    int database;
    std::string key;
    Instant at;
    StreamPlace place;
  };
  std::vector<Removal> removals_;  // evictions
  std::vector<Instant> losses_;    // the node came back without what it had
  std::vector<std::string> remarks_;
  // What the configuration file may say: what was written last, and whatever was tried since.
  std::vector<std::string> file_values_;
  // What was tried without an answer since the node's start. Its operator may have given up while
  // the node still has the commands before it, so it may also come behind what was tried later.
  std::vector<std::string> file_unanswered_;
};

// Short texts for messages: of bytes, of a command.
std::string shown_bytes(std::string_view bytes);
std::string command_text(std::span<const std::string_view> args);

}  // namespace redoubt::sim
