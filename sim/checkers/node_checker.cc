#include "sim/checkers/node_checker.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>
#include <utility>

#include "engine/store/set_type.h"
#include "sim/checkers/key_changes.h"
#include "sim/model/call.h"

namespace redoubt::sim {

namespace {

constexpr size_t kShown = 200;
// After a node's start a refusal from before it may still be on its way.
constexpr Duration kStarting = Duration::seconds(10);

// Up to eight bytes as a number; all of them count.
uint64_t short_word(const char* at, size_t size) {
  uint64_t word = 0;
  if (size == sizeof word) {
    std::memcpy(&word, at, sizeof word);
  } else if (size >= 4) {
    uint32_t first = 0;
    uint32_t last = 0;
    std::memcpy(&first, at, sizeof first);
    std::memcpy(&last, at + size - sizeof last, sizeof last);
    word = first | (uint64_t{last} << 32);
  } else {
    for (size_t i = 0; i < size; ++i) word = (word << 8) | static_cast<unsigned char>(at[i]);
  }
  return word;
}

uint64_t hash_of(std::span<const std::string_view> arguments) {
  uint64_t hash = arguments.size();
  for (const std::string_view argument : arguments) {
    hash = (hash ^ argument.size()) * 0x9fb21c651e98df25;
    const char* at = argument.data();
    size_t left = argument.size();
    while (left > 0) {
      const size_t size = std::min(left, sizeof(uint64_t));
      hash = (hash ^ (hash >> 29) ^ short_word(at, size)) * 0xc2b2ae3d27d4eb4f;
      at += size;
      left -= size;
    }
  }
  return hash ^ (hash >> 32);
}

bool same(std::string_view a, std::string_view upper_case) {
  return same_word(a, upper_case);
}

// Needs no quotes in an inline command.
bool is_plain(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != '\'' && c != '*';
  });
}

// Writes "*2\r\n" or "$5\r\n"; the end of it.
char* put_header(char* at, char type, size_t count) {
  constexpr size_t kDigits = 20;
  *at++ = type;
  at = std::to_chars(at, at + kDigits, count).ptr;
  *at++ = '\r';
  *at++ = '\n';
  return at;
}

// Appends a command as an array of bulk strings.
void append_array(std::string& out, std::span<const std::string_view> arguments) {
  constexpr size_t kFrameMost = 32;  // of an argument, without its bytes
  size_t most = kFrameMost;
  for (const std::string_view argument : arguments) most += kFrameMost + argument.size();
  const size_t start = out.size();
  out.resize(start + most);
  char* at = put_header(out.data() + start, '*', arguments.size());
  for (const std::string_view argument : arguments) {
    at = put_header(at, '$', argument.size());
    at = std::copy(argument.begin(), argument.end(), at);
    *at++ = '\r';
    *at++ = '\n';
  }
  out.resize(static_cast<size_t>(at - out.data()));
}

// Of two long replies, from where on they are not the same.
std::string where_it_differs(const ModelReply& expected, std::string_view seen) {
  constexpr size_t kBefore = 20;
  constexpr size_t kAround = 80;
  if (expected.rule != ModelReply::Rule::exact || seen.size() <= kShown) return {};
  const std::string_view bytes = expected.bytes;
  size_t at = 0;
  while (at < std::min(bytes.size(), seen.size()) && bytes[at] == seen[at]) ++at;
  const size_t from = at - std::min(at, kBefore);
  return "; they differ from byte " + std::to_string(at) + " on: expected " +
         quote_bytes(bytes.substr(std::min(from, bytes.size()), kAround)) + ", seen " +
         quote_bytes(seen.substr(from, kAround));
}

}  // namespace

std::string shown_bytes(std::string_view bytes) {
  return quote_bytes(bytes.substr(0, kShown)) + (bytes.size() > kShown ? "..." : "");
}

std::string command_text(std::span<const std::string_view> args) {
  std::string text;
  for (const std::string_view arg : args) {
    if (text.size() > kShown) return text + " ...";
    if (!text.empty()) text += ' ';
    const bool plain = !arg.empty() && std::all_of(arg.begin(), arg.end(),
                                                   [](char c) { return c > ' ' && c <= '~'; });
    text += plain ? std::string(arg.substr(0, kShown)) : shown_bytes(arg);
  }
  return text;
}

void Link::begin_pipeline() {
  pipeline.clear();
  starts.clear();
  hashes.clear();
  operations.clear();
  places.clear();
  silent.clear();
  replies_due = executed = answered = replying = 0;
  offsets.clear();
  quits = waits_forever = given_up = false;
  waits_ms = 0;
}

void Link::add(std::span<const std::string_view> arguments, bool is_silent, bool inline_form) {
  starts.push_back(pipeline.size());
  hashes.push_back(hash_of(arguments));
  silent.push_back(is_silent ? 1 : 0);
  replies_due += is_silent ? 0 : 1;
  if (const std::optional<WaitTerms> terms = wait_terms(arguments)) {
    waits_ms += terms->ms;
    waits_forever = waits_forever || terms->ms == 0;
  }
  // What a line may be long.
  constexpr size_t kLineMost = 16'000;
  size_t bytes = 0;
  for (const std::string_view argument : arguments) bytes += argument.size() + 1;
  if (inline_form && bytes < kLineMost &&
      std::all_of(arguments.begin(), arguments.end(), is_plain)) {
    for (const std::string_view argument : arguments) {
      if (argument.data() != arguments[0].data()) pipeline += ' ';
      pipeline += argument;
    }
    pipeline += "\r\n";
    return;
  }
  append_array(pipeline, arguments);
}

NodeChecker::NodeChecker(World& world, ModelConfig config, std::string password, bool rollback)
    : world_(world),
      password_(std::move(password)),
      model_(config),
      transactions_(model_, rollback),
      sides_(
          model_,
          [this](std::string_view checker, std::string expected, std::string seen) {
            violate(checker, std::move(expected), std::move(seen));
          },
          world.random("side checkers")) {}

void NodeChecker::violate(std::string_view checker, std::string expected, std::string seen) {
  if (violation_ || !watches(checker)) return;
  violation_ = {std::string(checker), world_.now(),
                host_ == kNoHost ? "" : world_.host(host_).name(), std::move(expected),
                std::move(seen)};
  if (RunRecorder* to = world_.recorder()) to->violation(host_);
  world_.halt();
}

void NodeChecker::only(std::span<const std::string> checkers) {
  only_.assign(checkers.begin(), checkers.end());
}

bool NodeChecker::watches(std::string_view checker) const {
  return only_.empty() || std::find(only_.begin(), only_.end(), checker) != only_.end();
}

std::shared_ptr<Link> NodeChecker::connected(uint32_t client, const Address& address) {
  auto link = std::make_shared<Link>();
  link->client = client;
  link->address = address;
  // An older one from there whose session the node never saw is of the past.
  std::erase_if(unclaimed_, [&](const auto& other) { return other->address == address; });
  unclaimed_.push_back(link);
  return link;
}

NodeChecker::Peer* NodeChecker::find(const Session& session) {
  if (last_ != nullptr && last_->session == session.id) return last_;
  const auto known = peers_.find(session.id);
  if (known != peers_.end()) return last_ = &known->second;
  const auto claimed = std::find_if(unclaimed_.begin(), unclaimed_.end(), [&](const auto& link) {
    return link->address == session.peer();
  });
  if (claimed == unclaimed_.end()) return nullptr;
  Peer peer;
  peer.session = session.id;
  peer.link = *claimed;
  unclaimed_.erase(claimed);
  return last_ = &peers_.emplace(session.id, std::move(peer)).first->second;
}

void NodeChecker::node_started(Node& node, HostId host, bool evicts) {
  node_ = &node;
  host_ = host;
  evicts_ = evicts;
  started_ = world_.now();
  check_file(node);
  const std::optional<std::string> lost = durability_.node_started(node);
  if (lost && watches("durability")) {
    violate("durability", "a start finds what was promised to be kept", *lost);
  }
  replay_ = std::make_unique<ReplayChecker>(node);
  replay_->tell([this](std::span<const std::string_view> words) {
    transactions_.effect(words);
    sides_.tell([&](SideChecker& side) { side.effect(words); });
  });
  sides_.tell([&](SideChecker& side) { side.node_started(node); });
}

void NodeChecker::node_ended(StopKind kind, Duration stalled) {
  losses_.push_back(world_.now());
  // What is kept is looked at when it starts again, and then removed: it comes back empty.
  durability_.node_ended(kind, world_.now(), stalled, world_.fired()[Fault::disk_sync_error] > 0);
  replay_.reset();
  snapshots_.reset();
  if (node_ != nullptr) sides_.tell([](SideChecker& side) { side.node_ended(); });
  node_ = nullptr;
  last_ = nullptr;
  peers_.clear();
  closed_.clear();
  model_.clear();
  messages_.clear();
  transactions_.clear();
  waiting_.clear();
}

void NodeChecker::on_command(const Session& session, int db_before,
                             std::span<const std::string_view> args, WallTime wall,
                             std::string_view reply) {
  if (session.has(kSessionLocal)) return;
  const bool waited = waiting_.waits(session.id);
  Peer* peer = find(session);
  CheckedCommand command;
  command.session = session.id;
  // A command that waited is executed in the database of its time.
  command.database = peer != nullptr ? peer->model.database : db_before;
  command.args = args;
  command.reply = reply;
  command.waited = waited;
  command.undoable = same_word(args[0], "EXEC") && transactions_.may_be_undone();
  if (peer != nullptr && !peer->link->hostile && !peer->link->operates) {
    command.others_wait = waiting_.count() > 0;
    sides_.tell([&](SideChecker& side) { side.began(command); });
    check_command(session, db_before, args, wall, reply);
    command.resp = peer->model.resp;
    if (!violation_) sides_.tell([&](SideChecker& side) { side.done(command); });
    return;
  }
  check_command(session, db_before, args, wall, reply);
  sides_.begin_anew();
}

void NodeChecker::check_command(const Session& session, int db_before,
                                std::span<const std::string_view> args, WallTime wall,
                                std::string_view reply) {
  const std::vector<Peer> closed = std::exchange(closed_, {});
  Peer* peer = find(session);
  if (peer == nullptr) {
    return violate("order", "a command of a connection that a client has made",
                   session.peer().to_string() + ": " + command_text(args));
  }
  ++commands_;
  if (world_.traced()) trace(session, args, "-> " + shown_bytes(reply));
  Link& link = *peer->link;
  if (waiting_.waits(session.id)) {
    if (link.executed > 0) note_written(link, link.executed - 1, session);
    return end_wait(*peer, args, reply);
  }
  if (link.hostile) return on_hostile_command(*peer, args, wall, reply);
  const size_t number = check_order(link, args);
  note_written(link, number, session);
  if (link.operates) return;
  if (!link.operations.empty()) executed(link, number, db_before);
  if (check_messages(*peer, args, reply)) return;
  if (number < link.silent.size() && link.silent[number] != 0) {
    if (!reply.empty()) violate("model", command_text(args) + " -> no reply", shown_bytes(reply));
    if (!expect_connection_command(*peer, args)) {
      expect(peer->model, args, wall.unix_ms());
      learn_unseen(*peer, args, wall);
    }
    return;
  }
  if (check_unblock(args, reply) || check_queueing(*peer, args, wall, reply)) {
  } else if (args.size() == 4 && same(args[0], "CLIENT") && same(args[1], "KILL")) {
    check_kill(args, closed, reply);
  } else {
    check_reply(*peer, args, wall, reply);
  }
  link.replies += reply;
}

void NodeChecker::note_written(Link& link, size_t number, const Session& session) {
  link.offsets.resize(std::max(link.offsets.size(), number + 1));
  const bool writes = session.written_offset > link.written;
  link.offsets[number] = writes ? session.written_offset : 0;
  if (writes) link.written = session.written_offset;
}

// Of what it sends, some may be a command.
void NodeChecker::on_hostile_command(Peer& peer, std::span<const std::string_view> args,
                                     WallTime wall, std::string_view reply) {
  if (reply.starts_with('-')) return;
  check_reply(peer, args, wall, reply);
}

void NodeChecker::on_push(const Session& session, std::string_view message) {
  const bool of_keys =
      KeyEventChecker::is_event(message) || TrackingChecker::is_invalidation(message);
  if (of_keys) {
    sides_.tell([&](SideChecker& side) { side.pushed(session.id, message); });
  } else {
    messages_.pushed(session.id, message);
  }
  Peer* peer = find(session);
  if (peer == nullptr) return violate("messages", "a message to a client", shown_bytes(message));
  if (world_.traced()) {
    world_.remark(host_,
                  "message to session " + std::to_string(session.id) + ": " + shown_bytes(message));
  }
  peer->link->replies += message;
}

// True: the command was about subscriptions, and its reply is checked.
bool NodeChecker::check_messages(Peer& peer, std::span<const std::string_view> args,
                                 std::string_view reply) {
  if (const auto problem = messages_.executed(args)) {
    violate("messages", command_text(args) + " -> " + shown_bytes(problem->expected),
            shown_bytes(problem->seen));
  }
  const auto confirmation = messages_.confirmation(peer.session, peer.model.resp, args);
  if (!confirmation) return false;
  if (reply != *confirmation) {
    violate("messages", command_text(args) + " -> " + shown_bytes(*confirmation),
            shown_bytes(reply));
  }
  peer.link->replies += reply;
  return true;
}

size_t NodeChecker::check_order(Link& link, std::span<const std::string_view> args) {
  const size_t number = link.executed++;
  if (number < link.hashes.size() && link.hashes[number] == hash_of(args)) return number;
  const std::string client = "client " + std::to_string(link.client) + ", command " +
                             std::to_string(number + 1) + " of its pipeline: ";
  if (number >= link.hashes.size()) {
    violate("order", client + "none", command_text(args));
    return number;
  }
  const size_t end =
      number + 1 < link.starts.size() ? link.starts[number + 1] : link.pipeline.size();
  const std::string_view bytes(link.pipeline);
  violate("order",
          client + shown_bytes(bytes.substr(link.starts[number], end - link.starts[number])),
          command_text(args));
  return number;
}

// The commands of the connection family that the model leaves alone.
std::optional<ModelReply> NodeChecker::expect_connection_command(
    Peer& peer, std::span<const std::string_view> args) {
  if (same(args[0], "RESET") && args.size() == 1) {
    peer.model = ModelSession();
    peer.name.clear();
    transactions_.reset(peer.session);
    return reply_status("RESET");
  }
  if (same(args[0], "QUIT")) return reply_ok();
  if (same(args[0], "PUBLISH") && args.size() == 3) return reply_integer(messages_.receivers());
  if (same(args[0], "AUTH") && args.size() == 2 && !password_.empty()) {
    if (args[1] == password_) return reply_ok();
    return reply_error("WRONGPASS invalid username-password pair or user is disabled.");
  }
  if (same(args[0], "CONFIG") && args.size() == 4 && same(args[1], "SET")) {
    if (same(args[2], "maxmemory-policy")) model_.set_lfu(args[3].ends_with("-lfu"));
    return reply_ok();
  }
  if (same(args[0], "CLIENT") && args.size() >= 2) return expect_client_command(peer, args);
  return std::nullopt;
}

std::optional<ModelReply> NodeChecker::expect_client_command(
    Peer& peer, std::span<const std::string_view> args) {
  if (same(args[1], "ID") && args.size() == 2) {
    return reply_integer(static_cast<int64_t>(peer.session));
  }
  if (same(args[1], "GETNAME") && args.size() == 2) {
    return peer.name.empty() ? reply_null(peer.model.resp) : reply_bulk(peer.name);
  }
  if (same(args[1], "SETNAME") && args.size() == 3) {
    const bool printable =
        std::all_of(args[2].begin(), args[2].end(), [](char c) { return c >= '!' && c <= '~'; });
    if (!printable) {
      return reply_error("ERR Client names cannot contain spaces, newlines or special characters.");
    }
    peer.name = args[2];
    return reply_ok();
  }
  if (same(args[1], "TRANSACTION") && args.size() == 4 && same(args[2], "ROLLBACK")) {
    transactions_.choose_rollback(peer.session, same(args[3], "ON"));
    return reply_ok();
  }
  if (same(args[1], "TRACKING") || same(args[1], "CACHING")) {
    return reply_rule(ModelReply::Rule::anything);
  }
  for (const std::string_view plain : {"NO-TOUCH", "NO-EVICT", "PAUSE", "UNPAUSE", "REPLY"}) {
    if (same(args[1], plain)) return reply_ok();
  }
  return std::nullopt;
}

// The keys that live, and those that the node still holds after their time, which is its own
// affair: all of them have a deadline.
ModelReply NodeChecker::expect_dbsize(int db, int64_t now_ms) const {
  int64_t live = 0;
  int64_t live_with_deadline = 0;
  for (const auto& [key, entry] : model_.database(db)) {
    if (entry.expired_at(now_ms)) continue;
    ++live;
    live_with_deadline += entry.deadline_ms != ModelEntry::no_deadline;
  }
  const auto with_deadline = static_cast<int64_t>(node_->keyspace().database(db).expiring());
  return reply_integer(live + with_deadline - live_with_deadline);
}

ModelReply NodeChecker::expect(ModelSession& session, std::span<const std::string_view> args,
                               int64_t now_ms) {
  const EvictionPolicy policy = node_->settings().maxmemory_policy;
  model_.set_lfu(policy == EvictionPolicy::allkeys_lfu || policy == EvictionPolicy::volatile_lfu);
  if (args.size() == 1 && same(args[0], "DBSIZE")) return expect_dbsize(session.database, now_ms);
  if (session.in_transaction) return model_.apply(session, args, now_ms);
  transactions_.before_command(session.database, args);
  ModelReply reply = model_.apply(session, args, now_ms);
  transactions_.after_command(now_ms);
  return reply;
}

// What a SPOP chose that replied to nobody: the members that the set has no longer.
void NodeChecker::learn_unseen(Peer& peer, std::span<const std::string_view> args, WallTime wall) {
  if (args.size() < 2 || !same(args[0], "SPOP")) return;
  const auto& keys = model_.database(peer.model.database);
  const auto known = keys.find(args[1]);
  if (known == keys.end()) return;
  const Database& database = node_->keyspace().database(peer.model.database);
  const Entry* entry = database.find(args[1], database.hash(args[1]));
  if (entry != nullptr && entry->type() != Type::set) return;
  std::vector<std::string> gone;
  for (const std::string& member : known->second.set) {
    if (entry == nullptr || !SetView(*entry).contains(SetMember(member))) gone.push_back(member);
  }
  std::string reply = resp_header('*', gone.size());
  for (const std::string& member : gone) reply += resp_bulk(member);
  model_.learn(peer.model, args, reply, wall.unix_ms());
}

// Whether the command may have been answered with this error instead of being executed: memory is
// used up, or what it writes could not be kept.
bool NodeChecker::may_refuse(std::span<const std::string_view> args, std::string_view reply) const {
  if (reply.starts_with("-OOM ")) return evicts_ && Model::denied_when_out_of_memory(args);
  if (!reply.starts_with("-MISCONF ")) return false;
  return node_->dispatcher().admission().is_set(Alert::refuses_writes) ||
         node_->gate().failure().starts_with("MISCONF ");
}

void NodeChecker::on_replies_failed(const Session& session, size_t behind, size_t size,
                                    std::string_view replaced) {
  Peer* peer = find(session);
  if (peer == nullptr || peer->link->hostile || peer->link->operates) return;
  std::string& replies = peer->link->replies;
  if (behind + size > replies.size() - peer->link->received) {
    return violate("replies", "what failed has not left", std::to_string(size) + " bytes");
  }
  replies.replace(replies.size() - behind - size, size, replaced);
}

void NodeChecker::check_reply(Peer& peer, std::span<const std::string_view> args, WallTime wall,
                              std::string_view reply) {
  if (may_refuse(args, reply)) return;
  const std::optional<ModelReply> special = expect_connection_command(peer, args);
  const ModelReply expected = special ? *special : expect(peer.model, args, wall.unix_ms());
  if (expected.waits) {
    return violate("blocking", command_text(args) + " waits", shown_bytes(reply));
  }
  if (expected.matches(reply)) [[likely]] {
    if (!special) model_.learn(peer.model, args, reply, wall.unix_ms());
    return;
  }
  violate("model", command_text(args) + " -> " + expected.expected_text(),
          shown_bytes(reply) + where_it_differs(expected, reply));
}

// CLIENT KILL ID of another connection. `closed` are those that were closed since the command
// before; one that ended by itself in this turn is not there to be killed.
void NodeChecker::check_kill(std::span<const std::string_view> args, std::span<const Peer> closed,
                             std::string_view reply) {
  const auto is_target = [&](uint64_t session) { return std::to_string(session) == args[3]; };
  for (const auto& [session, peer] : peers_) {
    if (is_target(session)) {
      return violate("connection", command_text(args) + " closes the connection", "it is open");
    }
  }
  const auto target = std::find_if(closed.begin(), closed.end(),
                                   [&](const Peer& peer) { return is_target(peer.session); });
  if (reply == ":0\r\n") return;
  if (target == closed.end() || reply != ":1\r\n") {
    return violate("model", command_text(args) + " -> the number of connections that it closed",
                   shown_bytes(reply));
  }
  target->link->killed = true;
}

std::optional<uint64_t> NodeChecker::session_of_another(const Link& link, Random& random) const {
  if (peers_.empty()) return std::nullopt;
  const auto peer = std::next(peers_.begin(), static_cast<ptrdiff_t>(random.below(peers_.size())));
  if (peer->second.link.get() == &link) return std::nullopt;
  return peer->first;
}

void NodeChecker::on_evicted(int db, std::string_view key) {
  if (!evicts_) violate("eviction", "no eviction without maxmemory", "evicted " + shown_bytes(key));
  if (world_.traced()) world_.remark(host_, "evicted " + shown_bytes(key));
  if (keeps_history()) removals_.push_back({db, std::string(key), world_.now(), next_place()});
  sides_.tell([&](SideChecker& side) { side.evicted(db, key); });
  model_.forget(db, key);
  transactions_.removed(db, key);
}

void NodeChecker::on_parts_expired(int db, std::string_view key,
                                   std::span<const std::string_view> names) {
  const int64_t now_ms = node_->env().wall().unix_ms();
  for (std::string_view name : names) {
    const bool lives = model_.part_exists(db, key, name, now_ms);
    // A transaction that might have been undone tells late, and has set the part again.
    if (lives && transactions_.may_be_undone()) continue;
    if (lives) {
      violate("expiry", "the part " + shown_bytes(name) + " lives on", "expired");
    }
    model_.forget_part(db, key, name);
  }
  sides_.tell([&](SideChecker& side) { side.parts_expired(db, key); });
  transactions_.removed(db, key);
}

void NodeChecker::on_expired(int db, std::string_view key) {
  const int64_t now_ms = node_->env().wall().unix_ms();
  if (world_.traced()) world_.remark(host_, "expired " + shown_bytes(key));
  const bool lives = model_.exists(db, key, now_ms);
  // A transaction that might have been undone tells late, and has set the key again.
  if (lives && transactions_.may_be_undone()) {
    sides_.tell([&](SideChecker& side) { side.expired(db, key); });
    return;
  }
  if (lives) {
    violate("expiry", "key " + shown_bytes(key) + " of database " + std::to_string(db) + " lives",
            "it expired at " + std::to_string(now_ms));
  }
  sides_.tell([&](SideChecker& side) { side.expired(db, key); });
  model_.forget(db, key);
  transactions_.removed(db, key);
}

void NodeChecker::on_session_closed(const Session& session) {
  if (last_ != nullptr && last_->session == session.id) last_ = nullptr;
  messages_.session_closed(session.id);
  sides_.tell([&](SideChecker& side) { side.session_closed(session.id); });
  transactions_.reset(session.id);
  waiting_.session_closed(session.id);
  const auto peer = peers_.find(session.id);
  if (peer == peers_.end()) return;
  closed_.push_back(std::move(peer->second));
  peers_.erase(peer);
}

void NodeChecker::received(Link& link, std::string_view bytes) {
  const std::string_view written = std::string_view(link.replies).substr(link.received);
  if (written.substr(0, bytes.size()) != bytes) {
    size_t differs = 0;
    while (differs < std::min(bytes.size(), written.size()) && bytes[differs] == written[differs]) {
      ++differs;
    }
    return violate(link.subscriber ? "messages" : "replies",
                   "client " + std::to_string(link.client) +
                       " receives what the node wrote: " + shown_bytes(written.substr(differs)),
                   shown_bytes(bytes.substr(differs)));
  }
  link.received += bytes.size();
  for (;;) {
    const std::string_view open =
        std::string_view(link.replies).substr(link.understood, link.received - link.understood);
    size_t end = 0;
    const RespParse parse = open.empty() ? RespParse::incomplete : link.framer.find_end(open, end);
    if (parse == RespParse::invalid) {
      return violate("replies", "a RESP value", shown_bytes(open));
    }
    if (parse == RespParse::incomplete) break;
    link.understood += end;
    if (open[0] == '>' && !link.subscriber) continue;  // an invalidation
    if (link.answered < link.offsets.size() && link.offsets[link.answered] > 0 &&
        !open.starts_with("-MISCONF ")) {
      durability_.acknowledged(link.offsets[link.answered], world_.now());
    }
    ++link.answered;
    if (!link.operations.empty()) returned(link, open.substr(0, end));
    if (RunRecorder* to = world_.recorder())
      to->returned(host_ + 1 + link.client, open.substr(0, end));
  }
  if (link.answered > link.replies_due && !link.subscriber) {
    violate("replies", std::to_string(link.replies_due) + " replies",
            std::to_string(link.answered) + " replies");
  }
  if (link.understood == link.replies.size()) {
    link.replies.clear();
    link.received = link.understood = 0;
  }
}

// Whether some fault that has happened explains it.
bool NodeChecker::may_break(Error error) const {
  const FaultCounts& fired = world_.fired();
  const auto any = [&](std::initializer_list<Fault> faults) {
    return std::any_of(faults.begin(), faults.end(), [&](Fault fault) { return fired[fault] > 0; });
  };
  const bool died = any({Fault::kill, Fault::power_loss, Fault::power_loss_io, Fault::restart,
                         Fault::rack, Fault::replace, Fault::disk_wipe, Fault::disk_old});
  switch (error) {
    case Error::refused: {
      const bool starts = node_ == nullptr || world_.now() - started_ < kStarting;
      return starts || died || any({Fault::net_refuse});
    }
    case Error::reset: return died || any({Fault::net_reset, Fault::net_reset_mid});
    case Error::closed: return died;
    default:
      return died ||
             any({Fault::net_delay, Fault::net_small_buffers, Fault::net_slow, Fault::net_partition,
                  Fault::net_one_way, Fault::net_clog, Fault::net_half_open, Fault::net_hang,
                  Fault::net_cut, Fault::net_jitter, Fault::net_reorder, Fault::pause,
                  Fault::slow_cpu, Fault::io_late, Fault::timer_jitter, Fault::io_few_handles,
                  Fault::io_short_receive}) ||
             // Replies that wait for the disk.
             any({Fault::disk_stall, Fault::disk_slow, Fault::disk_sync_slow, Fault::io_unordered,
                  Fault::disk_full});
  }
}

void NodeChecker::connection_failed(uint32_t client, const Link* link, Error error) {
  if (link != nullptr && (link->hostile || (link->slow && error == Error::timed_out))) return;
  if (link != nullptr && link->killed && error != Error::timed_out) return;
  if (may_break(error) || (farewell_ && error == Error::timed_out)) return;
  if (link != nullptr && link->quits && link->complete() && error == Error::closed) return;
  violate("connection", "no connection fails without a fault that explains it",
          "client " + std::to_string(client) + ": " + std::string(describe(error)));
}

// --- The configuration file

std::string NodeChecker::changes_file(uint64_t n) {
  file_values_.push_back(std::to_string(1'000 + n));
  file_unanswered_.push_back(file_values_.back());
  return file_values_.back();
}

void NodeChecker::file_written(uint64_t n) {
  const std::string value = std::to_string(1'000 + n);
  std::erase(file_unanswered_, value);
  file_values_ = file_unanswered_;
  file_values_.push_back(value);
}

// A node has read its file: what it has of the operator's directive was written to it.
void NodeChecker::check_file(Node& node) {
  file_unanswered_.clear();
  const std::string_view name[] = {kOperatorsDirective};
  const auto seen = node.config().get(name);
  if (file_values_.empty()) file_values_.push_back(seen.at(0).second);
  const auto known = std::find(file_values_.begin(), file_values_.end(), seen.at(0).second);
  if (known != file_values_.end()) return;
  std::string expected;
  for (const std::string& value : file_values_) {
    expected += (expected.empty() ? "" : " or ") + value;
  }
  violate("files", std::string(kOperatorsDirective) + " is " + expected + " after a start",
          seen.at(0).second);
}

void NodeChecker::compare_replay() {
  if (!watches("replay")) return;
  const std::optional<std::string> difference = replay_->compare();
  if (difference) violate("replay", "the effects give the node's data", *difference);
}

void NodeChecker::check_snapshot(const std::optional<std::string>& difference) {
  if (!difference || !watches("snapshot")) return;
  violate("snapshot", "a snapshot has the data of its beginning", *difference);
}

void NodeChecker::finish_snapshots() {
  if (snapshots_) check_snapshot(snapshots_->finish());
}

void NodeChecker::look_inside() {
  if (violation_ || node_ == nullptr) return;
  sides_.look(*node_);
}

void NodeChecker::look_after_quiet() {
  if (violation_ || node_ == nullptr || node_->dispatcher().pause().mode() != PauseMode::none)
    return;
  sides_.look_after_quiet(node_->env().wall().unix_ms());
}

std::vector<std::string> NodeChecker::next_of_walk(const Link& link) const {
  for (const auto& [id, peer] : peers_) {
    if (peer.link.get() == &link) return sides_.next_of_walk(id);
  }
  return {};
}

void NodeChecker::compare_state() {
  Session& session = node_->clients().make_local();
  ModelSession model_session;
  const int64_t now_ms = node_->env().wall().unix_ms();
  const auto compare = [&](std::initializer_list<std::string_view> words) {
    const std::vector<std::string_view> args(words);
    const std::string reply = node_->dispatcher().execute(session, args);
    const ModelReply expected = expect(model_session, args, now_ms);
    if (!expected.matches(reply)) {
      violate("state", command_text(args) + " -> " + expected.expected_text(), shown_bytes(reply));
    }
  };
  for (int db = 0; db < model_.config().databases && !violation_; ++db) {
    compare({"SELECT", std::to_string(db)});
    std::vector<std::string> keys;
    for (const auto& [key, entry] : model_.database(db)) keys.push_back(key);
    for (const std::string& key : keys) {
      compare({"TYPE", key});
      compare({"PEXPIRETIME", key});
      const auto found = model_.database(db).find(key);
      if (found == model_.database(db).end()) continue;
      switch (found->second.type) {
        case ModelType::string: compare({"GET", key}); break;
        case ModelType::list: compare({"LRANGE", key, "0", "-1"}); break;
        case ModelType::set: compare({"SMEMBERS", key}); break;
        case ModelType::hash: compare({"HGETALL", key}); break;
        case ModelType::zset: compare({"ZRANGE", key, "0", "-1", "WITHSCORES"}); break;
        case ModelType::stream:
          compare({"XRANGE", key, "-", "+"});
          compare({"XINFO", "GROUPS", key});
          break;
      }
    }
    compare({"DBSIZE"});
  }
  node_->clients().drop_local(session);
}

}  // namespace redoubt::sim
