#include "sim/replication/replica_tree.h"

#include <algorithm>
#include <utility>

#include "engine/clients/session.h"
#include "net/text.h"
#include "sim/node_process.h"
#include "sim/replication/client.h"
#include "sim/replication/manners.h"
#include "sim/replication/newer_command.h"
#include "sim/replication/parts_of.h"

namespace redoubt::sim {

namespace {

std::optional<int64_t> number_behind(std::string_view reply, std::string_view prefix) {
  if (!reply.starts_with(prefix)) return std::nullopt;
  reply.remove_prefix(prefix.size());
  return std::strtoll(std::string(reply).c_str(), nullptr, 10);
}

}  // namespace

// Tells the checker what a member does.
struct ReplicaTree::Observer final : NodeObserver {
  Observer(ReplicaTree& of, size_t number) : tree(of), checker(of.checker_), member(number) {}

  void on_command(const Session& session, int, std::span<const std::string_view> args, WallTime,
                  std::string_view reply) override {
    checker.claim(member);
    if (args.empty() || session.connection == nullptr) return;
    Node* node = tree.members_[member]->node;
    if (const auto ill = node == nullptr ? std::nullopt : ill_mannered(*node, args, reply)) {
      checker.violate("manners", member, ill->first, ill->second);
    }
    if (equal_ignoring_case(args[0], "exec")) {
      for (const auto& [client, number] : std::exchange(queued, {})) {
        checker.appended(member, client, number, session.written_offset);
      }
    } else if (equal_ignoring_case(args[0], "rpush") && reply.starts_with(':')) {
      note_append(args, session.written_offset);
    } else if (equal_ignoring_case(args[0], "wait")) {
      if (const auto replicas = number_behind(reply, ":")) {
        checker.waited(member, *replicas, session.written_offset);
      }
    } else if (equal_ignoring_case(args[0], "waitaof")) {
      if (const auto local = number_behind(reply, "*2\r\n:")) {
        const size_t second = reply.rfind(':');
        checker.waited_for_disk(member, *local, *number_behind(reply.substr(second), ":"),
                                session.written_offset);
      }
    }
  }
  void on_queued_command(const Session&, std::span<const std::string_view> args,
                         std::string_view reply) override {
    if (!equal_ignoring_case(args[0], "rpush") || !reply.starts_with(':')) return;
    if (const auto who = appender_of(args)) queued.push_back(*who);
  }
  void on_stream_position() override { checker.claim(member); }
  void on_turn_end() override {
    checker.claim(member);
    tree.turn_ended(member);
  }
  void on_evicted(int, std::string_view) override {}
  void on_expired(int, std::string_view) override {}
  void on_session_closed(const Session&) override {}

  static std::optional<std::pair<uint32_t, uint64_t>> appender_of(
      std::span<const std::string_view> args) {
    const auto client = number_behind(args[1], ReplicationClient::list_name(0).substr(0, 9));
    const auto number = number_behind(args[2], "");
    if (!client || !number) return std::nullopt;
    return std::pair(static_cast<uint32_t>(*client), static_cast<uint64_t>(*number));
  }
  void note_append(std::span<const std::string_view> args, uint64_t offset) {
    if (const auto who = appender_of(args))
      checker.appended(member, who->first, who->second, offset);
  }

  ReplicaTree& tree;
  HistoryChecker& checker;
  const size_t member;
  std::vector<std::pair<uint32_t, uint64_t>> queued;
};

ReplicaTree::ReplicaTree(World& world, HistoryChecker& checker, TreePlan plan)
    : world_(world),
      checker_(checker),
      plan_(std::move(plan)),
      random_(world.random("operator")),
      cut_random_(world.random("cuts")) {
  for (size_t i = 0; i < plan_.members; ++i) {
    auto& member = *members_.emplace_back(std::make_unique<Member>());
    // Chains, too.
    if (i > 0) member.follows = random_.below(3) == 0 ? random_.below(i) : 0;
    member.newer = plan_.some_are_newer && (i == 0 || random_.below(2) == 0);
    member.observer = std::make_unique<Observer>(*this, i);
    member.host = world.add_host({.name = "node" + std::to_string(i), .faultable = true},
                                 [this, i](Env& env) {
                                   NodeStart start;
                                   start.arguments = arguments_of(i);
                                   start.observer = members_[i]->observer.get();
                                   if (members_[i]->newer) {
                                     start.families.push_back(newer_commands());
                                   }
                                   start.made = [this, i](Node& node) {
                                     replication_of(node).plant(plan_.plants);
                                     checker_.node_made(i, node, members_[i]->host);
                                   };
                                   start.ready = [this, i](Node& node) { ready(i, node); };
                                   return std::make_unique<NodeProcess>(env, start);
                                 });
  }
}

ReplicaTree::~ReplicaTree() = default;

const std::string& ReplicaTree::address(size_t member) const {
  return world_.host(members_[member]->host).address();
}

std::vector<Node*> ReplicaTree::nodes() const {
  std::vector<Node*> nodes;
  nodes.reserve(members_.size());
  for (const auto& member : members_) nodes.push_back(member->node);
  return nodes;
}

std::vector<std::string> ReplicaTree::arguments_of(size_t member) const {
  std::vector<std::string> words = {
      "--bind",           "0.0.0.0", "--port", std::to_string(kNodePort),
      "--protected-mode", "no",      "--save", ""};
  words.insert(words.end(), plan_.arguments.begin(), plan_.arguments.end());
  if (const auto& follows = members_[member]->follows) {
    words.emplace_back("--replicaof");
    words.push_back(address(*follows) + " " + std::to_string(kNodePort));
  }
  return words;
}

void ReplicaTree::ready(size_t member, Node& node) {
  Member& m = *members_[member];
  m.node = &node;
  m.told = replication_of(node).is_replica() == m.follows.has_value();
  const int64_t spare = plan_.spare_bytes;
  if (spare > 0) {
    const std::string text = std::to_string(node.used_memory() + static_cast<uint64_t>(spare));
    const std::string_view pair[] = {"maxmemory", text};
    std::string error;
    ASSERT(node.config().set(pair, &error));
    node.settings_changed();
  }
  checker_.node_started(member);
}

void ReplicaTree::stopping(HostId host, StopKind kind, int status) {
  for (size_t i = 0; i < members_.size(); ++i) {
    Member& member = *members_[i];
    if (member.host != host) continue;
    const bool asked = world_.fired()[Fault::restart] > 0 && status == 0;
    if (kind == StopKind::exit && !asked) {
      checker_.violate("process", i, "the node runs",
                       "it exits with status " + std::to_string(status));
    }
    checker_.node_ended(i, kind);
    member.node = nullptr;
    member.observer->queued.clear();
  }
}

std::string ReplicaTree::execute(size_t member, const std::vector<std::string>& words) {
  struct Context {
    Node* node;
    const std::vector<std::string>* words;
    std::string reply;
  } context = {members_[member]->node, &words, {}};
  if (context.node == nullptr) return {};
  world_.visit(
      members_[member]->host,
      [](Host&, void* pointer) {
        auto& in = *static_cast<Context*>(pointer);
        Session& session = in.node->clients().make_local();
        in.reply = in.node->dispatcher().execute(
            session, std::vector<std::string_view>(in.words->begin(), in.words->end()));
        in.node->clients().drop_local(session);
      },
      &context);
  return context.reply;
}

// --- the operator

bool ReplicaTree::comes(int64_t ppm) {
  return static_cast<int64_t>(random_.below(1'000'000)) < ppm;
}

void ReplicaTree::operate() {
  notice_roles();
  put_ballast();
  for (size_t i = 0; i < members_.size(); ++i) {
    // It takes the operator a while to go round.
    if (!members_[i]->told && random_.below(10) == 0) tell(i);
  }
  if (comes(plan_.roles_ppm)) change_role();
  if (comes(plan_.links_ppm)) cut_links();
  if (comes(plan_.settings_ppm)) change_setting();
}

// Does what this member was to do from the start.
void ReplicaTree::tell(size_t member) {
  Member& m = *members_[member];
  if (m.node == nullptr || world_.host(m.host).paused()) return;
  m.told = true;
  const bool is_replica = replication_of(*m.node).is_replica();
  if (!m.follows) {
    if (!is_replica) return;
    checker_.expect_fork(member, HistoryChecker::Fork::promotion);
    execute(member, {"REPLICAOF", "NO", "ONE"});
    return;
  }
  const PrimaryLink& link = replication_of(*m.node).primary();
  if (is_replica && link.host() == address(*m.follows)) return;
  const std::string reply =
      execute(member, {"REPLICAOF", address(*m.follows), std::to_string(kNodePort)});
  m.told = reply.starts_with("+");
}

bool ReplicaTree::is_below(size_t member, size_t other) const {
  std::optional<size_t> at = member;
  for (size_t steps = 0; at && steps <= members_.size(); ++steps) {
    if (*at == other) return true;
    at = members_[*at]->follows;
  }
  return false;
}

void ReplicaTree::change_role() {
  if (members_.size() < 2) return;
  const int64_t percent = plan_.failover_percent;
  if (static_cast<int64_t>(random_.below(100)) < percent) return begin_failover();
  if (fails_over_) return;
  const size_t member = draw_member();
  if (member == primary_) return;
  if (random_.below(2) == 0) {
    promote(member);
  } else {
    move(member);
  }
}

// This one becomes the primary, whatever it has; the others follow it sooner or later.
void ReplicaTree::promote(size_t member) {
  const size_t former = std::exchange(primary_, member);
  members_[member]->follows.reset();
  members_[member]->told = false;
  members_[former]->follows = member;
  members_[former]->told = false;
  for (size_t i = 0; i < members_.size(); ++i) {
    Member& other = *members_[i];
    if (i == member || i == former) continue;
    if (other.follows == former && random_.below(3) > 0) {
      other.follows = member;
      other.told = false;
    }
  }
  tell(member);
}

void ReplicaTree::move(size_t member) {
  const size_t to = draw_member();
  if (to == member || is_below(to, member)) return;
  members_[member]->follows = to;
  members_[member]->told = false;
  tell(member);
}

void ReplicaTree::begin_failover() {
  if (fails_over_ || members_[primary_]->node == nullptr) return;
  if (world_.host(members_[primary_]->host).paused()) return;
  std::vector<std::string> words = {"FAILOVER"};
  const size_t to = draw_member();
  if (to != primary_ && random_.below(2) == 0) {
    words.insert(words.end(), {"TO", address(to), std::to_string(kNodePort)});
  }
  if (random_.below(3) > 0) {
    words.insert(words.end(), {"TIMEOUT", std::to_string(random_.between_log(10, 20'000))});
  }
  for (size_t i = 0; i < members_.size(); ++i) {
    if (i != primary_) checker_.expect_fork(i, HistoryChecker::Fork::failover);
  }
  if (!execute(primary_, words).starts_with("+OK")) return;
  fails_over_ = primary_;
  checker_.expect_fork(primary_, HistoryChecker::Fork::given_up);
}

// FAILOVER has ended, one way or the other.
void ReplicaTree::notice_roles() {
  if (!fails_over_) return;
  const size_t former = *fails_over_;
  Node* node = members_[former]->node;
  if (node != nullptr) {
    Replication& replication = replication_of(*node);
    if (replication.failover().state() != Failover::State::none) {
      if (random_.below(200) == 0) execute(former, {"FAILOVER", "ABORT"});
      return;
    }
  }
  fails_over_.reset();
  for (size_t i = 0; i < members_.size(); ++i) {
    Member& member = *members_[i];
    if (i == former || !member.follows || member.node == nullptr) continue;
    if (replication_of(*member.node).is_replica()) continue;
    // The former primary stands still where it is: it may be cut off from the new one.
    primary_ = i;
    member.follows.reset();
    member.told = true;
    members_[former]->follows = i;
    members_[former]->told = false;
    for (size_t other = 0; other < members_.size(); ++other) {
      if (other == i || other == former || members_[other]->follows != former) continue;
      members_[other]->follows = i;
      members_[other]->told = false;
    }
    return;
  }
  // It is as before, unless it stands between the two roles.
  checker_.expect_fork(former, HistoryChecker::Fork::other);
  members_[former]->told = false;
}

void ReplicaTree::cut_links() {
  const size_t member = draw_member();
  execute(member, {"CLIENT", "KILL", "TYPE", random_.below(2) == 0 ? "master" : "replica"});
}

// Within a turn of the node.
void ReplicaTree::turn_ended(size_t member) {
  Member& m = *members_[member];
  if (m.node == nullptr) return;
  Replication& replication = replication_of(*m.node);
  if (!replication.is_replica()) return;
  const PrimaryLink& link = replication.primary();
  m.was_connected |= link.connected();
  if (plan_.cuts_ppm == 0) return;
  const bool in_snapshot =
      link.state() == PrimaryLink::State::sync && link.transfer().read_bytes > 0;
  const bool in_entry = link.received_offset() != m.node->effects().end_offset();
  if (!in_snapshot && !in_entry) return;
  const bool cuts = static_cast<int64_t>(cut_random_.below(1'000'000)) < plan_.cuts_ppm;
  if (cuts) cut_next_ = member;
}

void ReplicaTree::cut_short() {
  if (!cut_next_) return;
  const size_t member = *std::exchange(cut_next_, {});
  Node* node = members_[member]->node;
  if (node == nullptr || world_.host(members_[member]->host).paused()) return;
  const PrimaryLink& link = replication_of(*node).primary();
  if (link.connected()) {
    execute(member, {"CLIENT", "KILL", "TYPE", "master"});
    return;
  }
  // A link that synchronises is ended at its other side.
  for (size_t i = 0; i < members_.size(); ++i) {
    const HostId host = members_[i]->host;
    if (address(i) != link.host() || world_.host(host).paused()) continue;
    execute(i, {"CLIENT", "KILL", "TYPE", "replica"});
  }
}

bool ReplicaTree::all_were_connected() const {
  return std::all_of(members_.begin(), members_.end(),
                     [](const auto& member) { return !member->follows || member->was_connected; });
}

void ReplicaTree::forget_links() {
  for (const auto& member : members_) member->was_connected = false;
}

void ReplicaTree::return_together() {
  for (size_t i = 0; i < members_.size(); ++i) {
    Member& member = *members_[i];
    if (!member.follows || member.node == nullptr) continue;
    checker_.expect_fork(i, HistoryChecker::Fork::promotion);
    execute(i, {"REPLICAOF", "NO", "ONE"});
    member.told = false;
  }
}

// So that a snapshot takes its time.
void ReplicaTree::put_ballast() {
  constexpr int64_t kValueBytes = 2'000;
  Node* node = members_[primary_]->node;
  if (plan_.ballast_bytes == 0 || node == nullptr || node->keyspace().database(0).size() > 0) {
    return;
  }
  if (world_.host(members_[primary_]->host).paused()) return;
  for (int64_t i = 0; i * kValueBytes < plan_.ballast_bytes; ++i) {
    std::string value(kValueBytes, ' ');
    for (char& byte : value) byte = static_cast<char>(cut_random_.below(256));
    execute(primary_, {"SET", "ballast:" + std::to_string(i), value});
  }
}

void ReplicaTree::change_setting() {
  struct Setting {
    std::string_view name;
    std::vector<std::string_view> values;
  };
  static const auto settings = [] {
    return std::vector<Setting>{
        {"repl-backlog-size", {"1", "20000", "200000", "2000000"}},
        {"repl-diskless-sync", {"yes", "no"}},
        {"repl-diskless-sync-delay", {"0", "1", "5"}},
        {"repl-diskless-load", {"disabled", "on-empty-db", "swapdb", "flush-before-load"}},
        {"repl-timeout", {"2", "10", "60"}},
        {"repl-ping-replica-period", {"1", "5", "20"}},
        {"appendonly", {"yes", "no"}},
        {"appendfsync", {"always", "everysec", "no"}},
        {"replica-lazy-flush", {"yes", "no"}},
        {"min-replicas-to-write", {"0", "0", "1"}},
        {"min-replicas-max-lag", {"2", "5", "10"}},
        {"replica-serve-stale-data", {"yes", "no"}},
    };
  }();
  const Setting& setting = settings[random_.below(settings.size())];
  const std::string_view value = setting.values[random_.below(setting.values.size())];
  execute(draw_member(), {"CONFIG", "SET", std::string(setting.name), std::string(value)});
}

void ReplicaTree::insist() {
  for (size_t i = 0; i < members_.size(); ++i) {
    members_[i]->told = false;
    tell(i);
  }
}

void ReplicaTree::record() {
  RunRecorder* recorder = world_.recorder();
  if (recorder == nullptr) return;
  for (const auto& member : members_) {
    if (member->node == nullptr) continue;
    Replication& replication = replication_of(*member->node);
    const EffectLog& log = member->node->effects();
    std::string role = "primary";
    if (replication.is_replica()) {
      role = "replica of " + replication.primary().host();
      if (!replication.primary().connected()) role += ", link down";
    }
    role += log.follows_data() ? ", history " + log.history().id.substr(0, 8) : ", no history";
    recorder->role(member->host, role, 0);
    recorder->offset(member->host, log.end_offset());
  }
}

}  // namespace redoubt::sim
