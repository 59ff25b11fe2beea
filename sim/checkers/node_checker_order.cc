// The checker's part about commands that are not executed when they are sent: those that are
// queued, and those that wait.
#include "sim/checkers/node_checker.h"
#include "sim/model/call.h"

namespace redoubt::sim {

void NodeChecker::trace(const Session& session, std::span<const std::string_view> args,
                        std::string_view what) {
  world_.remark(host_, "session " + std::to_string(session.id) + " at " +
                           std::to_string(node_->env().wall().unix_ms()) + ": " +
                           command_text(args) + " " + std::string(what));
}

// --- Transactions

void NodeChecker::on_queued_command(const Session& session, std::span<const std::string_view> args,
                                    std::string_view reply) {
  if (session.has(kSessionLocal)) return;
  if (world_.traced()) trace(session, args, "within EXEC -> " + shown_bytes(reply));
  Peer* peer = find(session);
  if (peer == nullptr) {
    return violate("order", "a transaction of a connection that a client has made",
                   command_text(args));
  }
  CheckedCommand command;
  command.session = session.id;
  command.database = peer->model.database;
  command.args = args;
  command.reply = reply;
  command.within_exec = true;
  RespValue value;
  size_t end = 0;
  if (parse_resp(reply, value, end) != RespParse::complete || end != reply.size()) {
    return violate("transactions", command_text(args) + " within EXEC -> one element",
                   shown_bytes(reply));
  }
  const WallTime wall = node_->env().wall();
  const int64_t now_ms = wall.unix_ms();
  if (const auto problem = transactions_.begin_queued(peer->session, peer->model, args, now_ms)) {
    return violate("transactions", problem->expected, problem->seen);
  }
  command.undoable = transactions_.may_be_undone();
  command.others_wait = waiting_.count() > 0;
  sides_.tell([&](SideChecker& side) { side.began(command); });
  const auto own = transactions_.apply(peer->session, peer->model, args, now_ms, reply);
  const ModelReply* expected = own ? &*own : nullptr;
  if (expected == nullptr) {
    check_reply(*peer, args, wall, reply);
  } else if (!expected->matches(reply)) {
    violate("transactions", command_text(args) + " -> " + expected->expected_text(),
            shown_bytes(reply));
  }
  transactions_.end_queued(peer->session, reply, now_ms);
  command.resp = peer->model.resp;
  if (!violation_) sides_.tell([&](SideChecker& side) { side.done(command); });
}

// True: the command is about transactions or was queued, and its reply is checked.
bool NodeChecker::check_queueing(Peer& peer, std::span<const std::string_view> args, WallTime wall,
                                 std::string_view reply) {
  const uint64_t session = peer.session;
  const bool is_exec = same_word(args[0], "EXEC");
  if (transactions_.open(session)) {
    constexpr std::string_view kDiscarded = "-EXECABORT Transaction discarded because of: ";
    if (is_exec && reply.starts_with(kDiscarded)) {
      const std::string reason = "-" + std::string(reply.substr(kDiscarded.size()));
      if ((evicts_ && reason.starts_with("-OOM ")) || may_refuse(args, reason)) {
        transactions_.discard(session);
        return true;
      }
    }
    if (!is_exec && ((evicts_ && reply.starts_with("-OOM ")) || may_refuse(args, reply))) {
      transactions_.abort(session);
      return true;
    }
  }
  const int64_t now_ms = wall.unix_ms();
  const std::optional<ModelReply> expected =
      is_exec ? transactions_.end_exec(session, peer.model, now_ms)
              : transactions_.apply(session, peer.model, args, now_ms, reply);
  if (!expected) return false;
  if (!expected->matches(reply)) {
    violate("transactions", command_text(args) + " -> " + expected->expected_text(),
            shown_bytes(reply));
  }
  return true;
}

// --- Commands that wait

void NodeChecker::on_wait(const Session& session, std::span<const std::string_view> args) {
  Peer* peer = find(session);
  if (peer == nullptr) {
    return violate("order", "a command of a connection that a client has made", command_text(args));
  }
  if (world_.traced()) trace(session, args, "waits");
  check_order(*peer->link, args);
  sides_.tell([&](SideChecker& side) { side.waits(session.id, args); });
  const int64_t now_ms = node_->env().wall().unix_ms();
  const ModelReply expected = expect(peer->model, args, now_ms);
  const std::optional<WaitTerms> terms = wait_terms(args);
  if (!terms || !expected.waits || transactions_.open(peer->session)) {
    return violate("blocking", command_text(args) + " -> " + expected.expected_text(), "it waits");
  }
  waiting_.began(peer->session, peer->model, args, *terms, node_->env().now(), model_, now_ms);
}

void NodeChecker::end_wait(Peer& peer, std::span<const std::string_view> args,
                           std::string_view reply) {
  const int64_t now_ms = node_->env().wall().unix_ms();
  transactions_.before_command(peer.model.database, args);
  const auto problem =
      waiting_.ended(peer.session, args, reply, model_, node_->env().now(), now_ms);
  transactions_.after_command(now_ms);
  if (problem) violate("blocking", problem->expected, problem->seen);
  Link& link = *peer.link;
  if (!link.operations.empty()) executed(link, link.executed - 1, peer.model.database);
  link.replies += reply;
}

// True: the command was CLIENT UNBLOCK, and its reply is checked.
bool NodeChecker::check_unblock(std::span<const std::string_view> args, std::string_view reply) {
  const std::optional<ModelReply> expected = waiting_.executed(args);
  if (const auto problem = waiting_.sent_away()) {
    violate("blocking", problem->expected, problem->seen);
  }
  if (!expected) return false;
  if (!expected->matches(reply)) {
    violate("blocking", command_text(args) + " -> " + expected->expected_text(),
            shown_bytes(reply));
  }
  return true;
}

void NodeChecker::on_turn_end() {
  if (RunRecorder* to = world_.recorder()) {
    to->role(host_, "primary", 0);
    to->offset(host_, node_->effects().end_offset());
  }
  transactions_.settle();
  durability_.look(world_.now());
  if (snapshots_) check_snapshot(snapshots_->turn_ended());
  if (!violation_) sides_.tell([](SideChecker& side) { side.turn_ended(); });
  if (violation_ || waiting_.count() == 0 || node_->dispatcher().pause().mode() != PauseMode::none)
    return;
  const int64_t now_ms = node_->env().wall().unix_ms();
  if (const auto problem = waiting_.turn_ended(model_, now_ms)) {
    violate("blocking", problem->expected, problem->seen);
  }
}

}  // namespace redoubt::sim
