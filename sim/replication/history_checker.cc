#include "sim/replication/history_checker.h"

#include <algorithm>

#include "engine/store/digest.h"
#include "sim/model/resp_value.h"
#include "sim/replication/parts_of.h"

namespace redoubt::sim {

namespace {

std::string place_text(const std::string& id, uint64_t offset) {
  return "offset " + std::to_string(offset) + " of history " + id.substr(0, 8);
}

std::string seconds_text(Instant at) {
  const int64_t ms = at.ns / 1'000'000;
  const std::string digits = std::to_string(1'000 + ms % 1'000);
  return std::to_string(ms / 1'000) + "." + digits.substr(1) + " s";
}

}  // namespace

std::string_view fork_name(HistoryChecker::Fork why) {
  switch (why) {
    case HistoryChecker::Fork::restart: return "restart";
    case HistoryChecker::Fork::promotion: return "promotion";
    case HistoryChecker::Fork::failover: return "failover";
    case HistoryChecker::Fork::given_up: return "failover that was given up";
    case HistoryChecker::Fork::other: return "other";
  }
  return "";
}

HistoryChecker::HistoryChecker(World& world, size_t members, bool details)
    : world_(world), details_(details), members_(members) {}

std::string HistoryChecker::name_of(size_t member) const {
  const HostId host = members_[member].host;
  return host == kNoHost ? "node" : world_.host(host).name();
}

void HistoryChecker::violate(std::string_view checker, size_t member, std::string expected,
                             std::string seen) {
  if (violation_) return;
  violation_ = {std::string(checker), world_.now(), name_of(member), std::move(expected),
                std::move(seen)};
  world_.halt();
}

// --- histories

void HistoryChecker::learn_history(size_t index) {
  Member& member = members_[index];
  const History& history = member.node->effects().history();
  if (history.id == member.id) return;
  member.id = history.id;
  Fork why = std::exchange(member.next_fork, Fork::other);
  // A history that begins late, with the first reader, comes from the start all the same.
  const bool first = !std::exchange(member.has_history, true);
  if (first && why == Fork::other && member.lives > 1) why = Fork::restart;
  const Parent parent = {.id = history.second_id,
                         .offset = history.second_offset,
                         .why = why,
                         .member = index,
                         .kept_log = member.ended_with_log};
  if (history.second_id.empty() || history.second_offset == History::kNoSecond) {
    if (!parents_.contains(history.id))
      roots_.try_emplace(history.id, parent).first->second.id = {};
    return;
  }
  // A replica that goes on under its primary's new id forks where it was, which is not further than
  // where its primary did.
  const auto [at, is_new] = parents_.try_emplace(history.id);
  if (is_new) at->second = parent;
  if (at->second.id == history.second_id) {
    at->second.offset = std::max(at->second.offset, history.second_offset);
  }
}

HistoryChecker::Place HistoryChecker::resolve(std::string id, uint64_t offset) const {
  for (;;) {
    const auto parent = parents_.find(id);
    if (parent == parents_.end() || offset > parent->second.offset) return {std::move(id), offset};
    id = parent->second.id;
  }
}

bool HistoryChecker::holds(const std::string& id, uint64_t end, const Place& written) const {
  std::string at = id;
  uint64_t most = end;
  for (;;) {
    if (at == written.first) return written.second <= most;
    const auto parent = parents_.find(at);
    if (parent == parents_.end()) return false;
    at = parent->second.id;
    most = std::min(most, parent->second.offset);
  }
}

std::string HistoryChecker::digest_of(Node& node) const {
  redoubt::Digest digest;
  for (int db = 0; db < node.keyspace().count(); ++db) {
    const Database& database = node.keyspace().database(db);
    if (database.size() > 0) database.digest(digest, db);
  }
  return digest.hex();
}

std::map<std::string, std::string> HistoryChecker::keys_of(Node& node) {
  std::map<std::string, std::string> keys;
  for (int db = 0; db < node.keyspace().count(); ++db) {
    node.keyspace().database(db).dict().for_each([&](Entry& entry) {
      redoubt::Digest digest;
      digest_entry(entry, digest);
      digest.end_element();
      keys[std::to_string(db) + " " + quote_bytes(entry.key())] =
          digest.hex().substr(0, 8) + " type " + std::to_string(static_cast<int>(entry.type())) +
          (entry.has_expiry() ? " until " + std::to_string(entry.expiry_ms()) : "");
    });
  }
  return keys;
}

std::string HistoryChecker::difference(const Claim& claim, Node& node) const {
  if (!details_) return {};
  std::string text;
  const auto keys = keys_of(node);
  const auto tell = [&](const std::string& name, const std::string& was, const std::string& is) {
    if (text.size() < 500) text += "; " + name + ": " + was + ", here " + is;
  };
  for (const auto& [name, value] : claim.keys) {
    const auto here = keys.find(name);
    if (here == keys.end()) {
      tell(name, value, "missing");
    } else if (here->second != value) {
      tell(name, value, here->second);
    }
  }
  for (const auto& [name, value] : keys) {
    if (!claim.keys.contains(name)) tell(name, "missing", value);
  }
  return text + "; the wall clock is at " + std::to_string(node.env().wall().unix_ms());
}

void HistoryChecker::claim(size_t member) {
  Member& m = members_[member];
  if (m.node == nullptr || violation_) return;
  const EffectLog& log = m.node->effects();
  if (!log.follows_data() || log.history().id.empty() || log.in_group()) return;
  learn_history(member);
  note_promise(m);
  const Place place = resolve(log.history().id, log.end_offset());
  // A full synchronisation from a node that is behind: what was promised before is no matter.
  if (m.last.first == place.first && place.second < m.last.second) m.promised.clear();
  m.last = place;
  uint64_t& applied = m.applied[place.first];
  applied = std::max(applied, place.second);
  if (const std::optional<uint64_t> kept = persistence_of(*m.node).kept_offset()) {
    const Place on_medium = resolve(log.history().id, *kept);
    uint64_t& promised = m.promised[on_medium.first];
    promised = std::max(promised, on_medium.second);
  }
  note_kept(m);
  ++claims_;
  const std::string digest = digest_of(*m.node);
  const auto [at, is_new] = claimed_.try_emplace(place);
  if (is_new) {
    at->second = {digest, member, world_.now(), {}};
    if (details_) at->second.keys = keys_of(*m.node);
    return;
  }
  if (at->second.digest == digest) return;
  violate("history", member,
          "the data of " + place_text(place.first, place.second) + ", which " +
              name_of(at->second.member) + " had at " + seconds_text(at->second.at),
          "other data (" + digest.substr(0, 8) + ", not " + at->second.digest.substr(0, 8) + ")" +
              difference(at->second, *m.node));
}

// --- nodes

void HistoryChecker::node_made(size_t member, Node& node, HostId host) {
  Member& m = members_[member];
  m.node = &node;
  m.host = host;
  m.id.clear();
  m.last = {};
  ++m.lives;
  m.has_history = false;
  // A replica that is started as a primary is promoted.
  if (m.next_fork == Fork::other) {
    m.next_fork = m.ended_as_replica ? Fork::promotion : Fork::restart;
  }
}

void HistoryChecker::node_started(size_t member) {
  Member& m = members_[member];
  Node& node = *m.node;
  claim(member);
  m.next_fork = Fork::other;
  const EffectLog& log = node.effects();
  const auto promised = std::exchange(m.promised, {});
  if (!persistence_of(node).settings().append_only) return;
  for (const auto& [id, offset] : promised) {
    // Only the last one is its data's; what was before was replaced by a full synchronisation.
    if (m.applied.empty() || id != m.last_promised) continue;
    if (log.follows_data() && holds(log.history().id, log.end_offset(), {id, offset})) continue;
    // What is missing may have been no effect.
    auto said = claimed_.upper_bound({id, offset});
    const bool known = said != claimed_.begin() && (--said)->first.first == id;
    if (known && said->second.digest == digest_of(node)) continue;
    violate(
        "acknowledged", member, place_text(id, offset) + " is on the medium, as the node has said",
        std::string(m.lost_power ? "after a loss of power" : "when it comes back") + " it has " +
            (log.follows_data() ? place_text(log.history().id, log.end_offset())
                                : std::string("no history")));
  }
}

void HistoryChecker::node_ended(size_t member, StopKind kind) {
  Member& m = members_[member];
  m.lost_power = kind == StopKind::power_loss;
  note_kept(m);
  if (m.node != nullptr) {
    m.ended_with_log = persistence_of(*m.node).settings().append_only;
    m.ended_as_replica = replication_of(*m.node).is_replica();
  }
  if (m.node != nullptr) {
    const EffectLog& log = m.node->effects();
    m.last_promised.clear();
    // A log that is switched off keeps nothing.
    if (!persistence_of(*m.node).settings().append_only) m.promised.clear();
    if (log.follows_data() && !log.history().id.empty()) {
      if (const auto kept = persistence_of(*m.node).kept_offset()) {
        m.last_promised = resolve(log.history().id, *kept).first;
      }
    }
  }
  m.node = nullptr;
}

void HistoryChecker::appended(size_t member, uint32_t client, uint64_t number, uint64_t offset) {
  const Member& m = members_[member];
  if (m.node == nullptr) return;
  const EffectLog& log = m.node->effects();
  const bool placed = log.follows_data() && !log.history().id.empty();
  appended_[{client, number}].push_back({placed ? resolve(log.history().id, offset) : Place(),
                                         member, placed && m.always, m.promise});
}

// Whether appendfsync always is in force.
void HistoryChecker::note_promise(Member& member) {
  const Persistence& persistence = persistence_of(*member.node);
  const bool always = persistence.settings().append_fsync == AppendFsync::always &&
                      persistence.kept_offset().has_value();
  if (!always && member.always) ++member.promise;
  member.always = always;
}

void HistoryChecker::acknowledged(uint32_t client, uint64_t number) {
  acknowledged_[client].insert(number);
  const auto appends = appended_.find({client, number});
  if (appends == appended_.end()) return;
  const Append& last = appends->second.back();
  if (last.always && last.promise == members_[last.member].promise) {
    durable_.insert({client, number});
  }
}

// How far each node has ever been in a history.
std::string HistoryChecker::applied_text(const std::string& id) const {
  std::string text;
  for (size_t i = 0; i < members_.size(); ++i) {
    const auto at = members_[i].applied.find(id);
    text += "; " + name_of(i) + " has had " +
            (at == members_[i].applied.end() ? "nothing of it" : place_text(id, at->second));
  }
  return text;
}

std::string HistoryChecker::acked_text(Node& node) {
  std::string text;
  for (const auto& link : replication_of(node).replicas().all()) {
    text += "; " + link->name() + " has acknowledged " + std::to_string(link->acked());
  }
  return text;
}

void HistoryChecker::waited(size_t member, int64_t replicas, uint64_t written) {
  const Member& m = members_[member];
  if (m.node == nullptr || replicas <= 0 || written == 0) return;
  const EffectLog& log = m.node->effects();
  if (!log.follows_data()) return;
  const Place place = resolve(log.history().id, written);
  int64_t have = 0;
  for (size_t i = 0; i < members_.size(); ++i) {
    if (i == member) continue;
    for (const auto& [id, offset] : members_[i].applied) {
      if (!holds(id, offset, place)) continue;
      ++have;
      break;
    }
  }
  if (have >= replicas) return;
  violate("acknowledged", member,
          "WAIT says at most " + std::to_string(have) + ", as many have " +
              place_text(place.first, place.second),
          std::to_string(replicas) + acked_text(*m.node) + applied_text(place.first));
}

void HistoryChecker::waited_for_disk(size_t member, int64_t local, int64_t replicas,
                                     uint64_t written) {
  Member& m = members_[member];
  if (m.node == nullptr) return;
  const EffectLog& log = m.node->effects();
  if (!log.follows_data() || log.history().id.empty()) return;
  const Place place = resolve(log.history().id, written);
  if (local > 0) {
    uint64_t& promised = m.promised[place.first];
    promised = std::max(promised, place.second);
  }
  if (replicas <= 0 || written == 0) return;
  int64_t have = 0;
  for (size_t i = 0; i < members_.size(); ++i) {
    note_kept(members_[i]);
    if (i != member && has_kept(members_[i], place)) ++have;
  }
  if (have >= replicas) return;
  violate("acknowledged", member,
          "WAITAOF says at most " + std::to_string(have) + ", as many have " +
              place_text(place.first, place.second) + " on their medium",
          std::to_string(replicas) + acked_text(*m.node));
}

void HistoryChecker::note_kept(Member& member) const {
  if (member.node == nullptr) return;
  const EffectLog& log = member.node->effects();
  if (!log.follows_data() || log.history().id.empty()) return;
  const std::optional<uint64_t> kept = persistence_of(*member.node).kept_offset();
  if (!kept) return;
  const Place place = resolve(log.history().id, *kept);
  uint64_t& ever = member.kept[place.first];
  ever = std::max(ever, place.second);
}

bool HistoryChecker::has_kept(const Member& member, const Place& place) const {
  return std::any_of(member.kept.begin(), member.kept.end(),
                     [&](const auto& item) { return holds(item.first, item.second, place); });
}

// --- the end

bool HistoryChecker::converged(const std::vector<Node*>& nodes) const {
  const Node* first = nullptr;
  for (Node* node : nodes) {
    if (node == nullptr) return false;
    Replication& replication = replication_of(*node);
    if (replication.is_replica() && !replication.primary().connected()) return false;
    const EffectLog& log = node->effects();
    if (nodes.size() > 1 && !log.follows_data()) return false;
    if (first == nullptr) first = node;
    if (log.history().id != first->effects().history().id) return false;
    if (log.end_offset() != first->effects().end_offset()) return false;
  }
  return true;
}

void HistoryChecker::compare_all(const std::vector<Node*>& nodes) {
  const std::string expected = digest_of(*nodes.front());
  for (size_t i = 1; i < nodes.size(); ++i) {
    const std::string digest = digest_of(*nodes[i]);
    if (digest == expected) continue;
    violate("convergence", i, "the data of " + name_of(0) + ", with the same offset",
            "other data (" + digest.substr(0, 8) + ", not " + expected.substr(0, 8) + ")");
  }
}

// The fork that keeps what is at this place from being in front of `end` of history `id`.
HistoryChecker::Parent HistoryChecker::left_behind_by(const std::string& id, uint64_t end,
                                                      const Place& place) const {
  // The histories that the place's own one comes from: how far, and the fork behind.
  std::map<std::string, std::pair<uint64_t, Parent>> line;
  Parent branch;
  for (Place at = place;;) {
    line.try_emplace(at.first, at.second, branch);
    const auto parent = parents_.find(at.first);
    if (parent == parents_.end()) break;
    branch = parent->second;
    at = {branch.id, std::min(at.second, branch.offset)};
  }
  Parent fork = {.id = id, .offset = end};
  uint64_t most = end;
  for (std::string at = id; !line.contains(at);) {
    const auto parent = parents_.find(at);
    if (parent == parents_.end()) {
      const auto root = roots_.find(at);
      return root == roots_.end() ? fork : root->second;
    }
    if (parent->second.offset <= most) {
      fork = parent->second;
      most = parent->second.offset;
    }
    at = parent->second.id;
    const auto common = line.find(at);
    if (common == line.end() || most < common->second.first) continue;
    // The place is on a branch of its own, of which this history knows nothing.
    const Fork why = common->second.second.why;
    if (why == Fork::promotion || why == Fork::given_up) return common->second.second;
  }
  return fork;
}

// Why the write may be gone; empty: it may not.
std::string HistoryChecker::excuse_of(const Parent& fork, const Append& append,
                                      bool durable) const {
  switch (fork.why) {
    case Fork::promotion: return "another node was made the primary";
    case Fork::failover: return {};
    case Fork::given_up: return "FAILOVER was given up when the replica had taken over";
    case Fork::restart: break;
    case Fork::other:
      // The history began with data whose own one had ended: nobody read its stream.
      if (!fork.id.empty() || !promotes_) return {};
      return "another node was made the primary, without a history";
  }
  if (!fork.kept_log) return "a primary without a log was restarted";
  // What was on the medium, or was promised to be.
  if (has_kept(members_[fork.member], append.place)) return {};
  if (durable && fork.member == append.member) return {};
  return "a primary was restarted, whose medium did not have it";
}

void HistoryChecker::judge_loss(uint32_t client, uint64_t number, const EffectLog& log) {
  const std::string what = "append " + std::to_string(number) + " of client " +
                           std::to_string(client) + ", which was acknowledged";
  const auto appends = appended_.find({client, number});
  if (appends == appended_.end()) {
    return violate("loss", 0, what, "no node has executed it");
  }
  const Append& append = appends->second.back();
  if (append.place.first.empty()) {
    ++excused_["it was written to a node without a log and without replicas"];
    return;
  }
  if (holds(log.history().id, log.end_offset(), append.place)) {
    return violate("loss", 0, what + ", at " + place_text(append.place.first, append.place.second),
                   "it is not there, though the history holds it");
  }
  const bool durable = durable_.contains({client, number});
  const Parent fork = left_behind_by(log.history().id, log.end_offset(), append.place);
  const std::string excuse = excuse_of(fork, append, durable);
  if (!excuse.empty()) {
    ++excused_[excuse];
    return;
  }
  violate("loss", 0,
          what + (durable ? " under appendfsync always" : "") + ", at " +
              place_text(append.place.first, append.place.second) + " on " + name_of(append.member),
          "left behind by a " + std::string(fork_name(fork.why)) + " of " + name_of(fork.member) +
              " at " + place_text(fork.id, fork.offset));
}

void HistoryChecker::compare_lists(Node& node, std::map<uint32_t, std::vector<uint64_t>> lists) {
  const EffectLog& log = node.effects();
  // What was on its way on a connection that was given up may come behind what was sent later.
  for (auto& [client, numbers] : lists) {
    std::sort(numbers.begin(), numbers.end());
    const auto twice = std::adjacent_find(numbers.begin(), numbers.end());
    if (twice == numbers.end()) continue;
    violate("loss", 0, "what client " + std::to_string(client) + " has appended, each once",
            std::to_string(*twice) + " is there twice");
  }
  for (const auto& [client, numbers] : acknowledged_) {
    const auto list = lists.find(client);
    for (const uint64_t number : numbers) {
      if (list != lists.end() &&
          std::binary_search(list->second.begin(), list->second.end(), number)) {
        continue;
      }
      judge_loss(client, number, log);
      if (violation_) return;
    }
  }
}

}  // namespace redoubt::sim
