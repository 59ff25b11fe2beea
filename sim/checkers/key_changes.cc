#include "sim/checkers/key_changes.h"

#include <algorithm>
#include <array>

#include "sim/model/call.h"
#include "sim/model/resp_value.h"
#include "sim/model/transactions.h"

namespace redoubt::sim {

namespace {

constexpr std::string_view kQueued = "+QUEUED\r\n";

// The event that a command is known for, when it changes a key that stays.
struct KnownEvent {
  std::string_view command;
  std::string_view event;
};
constexpr KnownEvent kKnown[] = {{"SET", "set"},
                                 {"SETEX", "set"},
                                 {"PSETEX", "set"},
                                 {"SETNX", "set"},
                                 {"GETSET", "set"},
                                 {"MSET", "set"},
                                 {"MSETNX", "set"},
                                 {"APPEND", "append"},
                                 {"INCR", "incrby"},
                                 {"DECR", "incrby"},
                                 {"INCRBY", "incrby"},
                                 {"DECRBY", "incrby"},
                                 {"INCRBYFLOAT", "incrbyfloat"},
                                 {"SETRANGE", "setrange"},
                                 {"SETBIT", "setbit"},
                                 {"LPUSH", "lpush"},
                                 {"LPUSHX", "lpush"},
                                 {"RPUSH", "rpush"},
                                 {"RPUSHX", "rpush"},
                                 {"LPOP", "lpop"},
                                 {"RPOP", "rpop"},
                                 {"LSET", "lset"},
                                 {"LINSERT", "linsert"},
                                 {"LTRIM", "ltrim"},
                                 {"LREM", "lrem"},
                                 {"SADD", "sadd"},
                                 {"SREM", "srem"},
                                 {"SPOP", "spop"},
                                 {"HSET", "hset"},
                                 {"HMSET", "hset"},
                                 {"HSETNX", "hset"},
                                 {"HDEL", "hdel"},
                                 {"HINCRBY", "hincrby"},
                                 {"HINCRBYFLOAT", "hincrbyfloat"},
                                 {"ZREM", "zrem"},
                                 {"ZINCRBY", "zincr"},
                                 {"PERSIST", "persist"},
                                 {"EXPIRE", "expire"},
                                 {"PEXPIRE", "expire"},
                                 {"EXPIREAT", "expire"},
                                 {"PEXPIREAT", "expire"},
                                 {"XADD", "xadd"},
                                 {"XDEL", "xdel"},
                                 {"COPY", "copy_to"},
                                 {"SUNIONSTORE", "sunionstore"},
                                 {"SINTERSTORE", "sinterstore"},
                                 {"SDIFFSTORE", "sdiffstore"},
                                 {"ZREMRANGEBYRANK", "zremrangebyrank"}};

// "+3\r\n$4\r\nword\r\n..." and the like: the texts of a message.
std::vector<std::string> texts_of(std::string_view message) {
  std::vector<std::string> texts;
  size_t at = 0;
  while (at < message.size()) {
    const size_t end = message.find("\r\n", at);
    if (end == std::string_view::npos) break;
    const char type = message[at];
    if (type != '$') {
      at = end + 2;
      continue;
    }
    const std::optional<int64_t> size = parse_integer(message.substr(at + 1, end - at - 1));
    at = end + 2;
    if (!size || *size < 0) continue;
    texts.emplace_back(message.substr(at, static_cast<size_t>(*size)));
    at += static_cast<size_t>(*size) + 2;
  }
  return texts;
}

// Messages still go to the session.
bool is_told(const Node& node, uint64_t session) {
  const Session* found = node.clients().sessions().find(session);
  return found != nullptr &&
         !found->has(kSessionClosing | kSessionCloseAfterReply | kSessionDoomed);
}

std::string shown(std::span<const std::string_view> args) {
  std::string text;
  for (const std::string_view word : args.subspan(0, std::min<size_t>(args.size(), 8))) {
    text += (text.empty() ? "" : " ") + quote_bytes(word.substr(0, 60));
  }
  return text;
}

}  // namespace

bool changes_databases(std::span<const std::string_view> args) {
  constexpr std::array<std::string_view, 6> kNames = {"FLUSHALL", "FLUSHDB", "SWAPDB",
                                                      "MOVE",     "COPY",    "DEBUG"};
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](std::string_view name) { return same_word(args[0], name); });
}

void KeyChangeFinder::began(const CheckedCommand& command) {
  before_.clear();
  if (command.reply == kQueued || changes_databases(command.args)) return;
  // They change how the value is kept, and tell nobody.
  if (same_word(command.args[0], "PFCOUNT") || same_word(command.args[0], "PFDEBUG")) return;
  for (const std::string_view word : command.args.subspan(1)) {
    if (word.size() > 64 || before_.size() > 32) continue;
    const bool known = std::any_of(before_.begin(), before_.end(),
                                   [&](const Before& one) { return one.key == word; });
    if (known) continue;
    const auto& keys = model_.database(command.database);
    const auto found = keys.find(word);
    before_.push_back(
        {command.database, std::string(word),
         found == keys.end() ? std::nullopt : std::optional(copy_of_model_entry(found->second))});
  }
}

std::vector<KeyChangeFinder::Change> KeyChangeFinder::done(const CheckedCommand& command) {
  std::vector<Change> changes;
  for (Before& one : before_) {
    const auto& keys = model_.database(command.database);
    const auto found = keys.find(one.key);
    const bool is_there = found != keys.end();
    if (!one.entry && !is_there) continue;
    if (one.entry && is_there && same_model_entry(*one.entry, found->second)) continue;
    // Members that expired are let go of without a change that anybody sees.
    if (one.entry && is_there && !one.entry->member_deadlines.empty()) continue;
    changes.push_back({one.database, std::move(one.key), one.entry.has_value(), is_there});
  }
  before_.clear();
  return changes;
}

// --- events

bool KeyEventChecker::is_event(std::string_view message) {
  return message.substr(0, 64).find("__key") != std::string_view::npos;
}

void KeyEventChecker::node_ended() {
  SideChecker::node_ended();
  listeners_.clear();
  heard_.clear();
  heard_by_event_.clear();
  removed_.clear();
  changes_.clear();
  wanted_.clear();
  named_.clear();
  uncertain_ = false;
}

// Only what everybody wants is known: all classes, by key and by event.
bool KeyEventChecker::wants_all() const {
  const std::string_view name[] = {"notify-keyspace-events"};
  const auto value = node_->config().get(name);
  const std::string& text = value.at(0).second;
  return text.find('A') != std::string::npos && text.find('K') != std::string::npos &&
         text.find('E') != std::string::npos;
}

// "pmessage", pattern, channel, text.
void KeyEventChecker::pushed(uint64_t session, std::string_view message) {
  if (!is_event(message)) return;
  if (listeners_.empty() || *listeners_.begin() != session) return;
  const std::vector<std::string> texts = texts_of(message);
  for (size_t i = 0; i + 3 < texts.size(); i += 4) {
    const std::string& channel = texts[i + 2];
    const bool by_key = channel.starts_with("__keyspace@");
    const size_t digits = channel.find('@') + 1;
    const size_t end = channel.find("__:", digits);
    if (end == std::string::npos) continue;
    const int database = std::atoi(channel.c_str() + digits);
    const std::string rest = channel.substr(end + 3);
    if (by_key) {
      heard_[{database, rest}].push_back(texts[i + 3]);
    } else {
      heard_by_event_[{database, texts[i + 3]}].push_back(rest);
    }
  }
}

void KeyEventChecker::removed(int database, std::string_view key, std::string_view event) {
  const Place place(database, key);
  removed_.insert(place);
  // The event was sent before, unless its reader is executing something itself.
  const Session* current = node_->clients().current();
  if (current != nullptr && listeners_.contains(current->id)) uncertain_ = true;
  if (listeners_.empty() || !is_told(*node_, *listeners_.begin())) return;
  if (wants_all() && !uncertain_ && !has_event(place, event)) {
    report("events", "the event " + std::string(event) + " of " + quote_bytes(key), "none");
  }
}

void KeyEventChecker::parts_expired(int database, std::string_view key) {
  removed_.insert({database, std::string(key)});
}

bool KeyEventChecker::has_event(const Place& place, std::string_view event) const {
  const auto found = heard_.find(place);
  return found != heard_.end() &&
         std::find(found->second.begin(), found->second.end(), event) != found->second.end();
}

void KeyEventChecker::began(const CheckedCommand& command) {
  if (listeners_.empty()) return;
  finder_.began(command);
}

void KeyEventChecker::done(const CheckedCommand& command) {
  const bool listens = command.args.size() == 2 && same_word(command.args[0], "PSUBSCRIBE") &&
                       command.args[1] == "__key*" && !command.failed() && command.reply != kQueued;
  if (listeners_.empty()) {
    if (listens) listeners_.insert(command.session);
    return;
  }
  if (same_word(command.args[0], "CONFIG")) uncertain_ = true;
  uncertain_ = uncertain_ || command.undoable || changes_databases(command.args);
  for (const std::string_view word : command.args) named_.emplace(word);
  for (KeyChangeFinder::Change& change : finder_.done(command)) {
    const Place place(change.database, change.key);
    if (change.is_there) {
      for (const KnownEvent& known : kKnown) {
        if (!same_word(command.args[0], known.command)) continue;
        const bool target = !same_word(known.event, "COPY_TO") || command.args[1] != change.key;
        if (target && !command.failed()) wanted_.emplace_back(place, known.event);
      }
    }
    changes_.push_back(std::move(change));
  }
  if (command.within_exec) return;
  // What a listener is told while it executes something comes behind that.
  if (listeners_.contains(command.session)) return;
  if (!is_told(*node_, *listeners_.begin())) uncertain_ = true;
  if (!uncertain_ && wants_all()) check_events(command);
  heard_.clear();
  heard_by_event_.clear();
  removed_.clear();
  changes_.clear();
  wanted_.clear();
  named_.clear();
  uncertain_ = false;
}

void KeyEventChecker::check_events(const CheckedCommand& command) {
  constexpr std::string_view kEnds[] = {"del", "rename_from", "move_from", "expired", "evicted"};
  for (const KeyChangeFinder::Change& change : changes_) {
    const Place place(change.database, change.key);
    if (!heard_.contains(place)) {
      return report("events", shown(command.args) + ": an event of " + quote_bytes(change.key),
                    "none");
    }
    const bool ended = std::any_of(std::begin(kEnds), std::end(kEnds),
                                   [&](std::string_view end) { return has_event(place, end); });
    if (change.was_there && !change.is_there && !ended) {
      return report("events",
                    shown(command.args) + ": an event that " + quote_bytes(change.key) + " is gone",
                    "none");
    }
  }
  for (const auto& [place, event] : wanted_) {
    if (has_event(place, event)) continue;
    return report("events",
                  shown(command.args) + ": the event " + event + " of " + quote_bytes(place.second),
                  "others only");
  }
  for (const auto& [place, events] : heard_) {
    // A command that waits may have made its consumer before; only its end is told.
    const bool of_a_waiting = std::all_of(events.begin(), events.end(), [](const auto& event) {
      return event == "xgroup-createconsumer";
    });
    if (!named_.contains(place.second) && !removed_.contains(place) && !of_a_waiting) {
      return report("events", shown(command.args) + ": events of the keys that it names",
                    events[0] + " of " + quote_bytes(place.second));
    }
    const auto other = heard_by_event_.find(place);
    if (other == heard_by_event_.end() || other->second != events) {
      return report("events", "each event by key and by name",
                    quote_bytes(place.second) + " has another number of them");
    }
  }
}

// --- tracking

bool TrackingChecker::is_invalidation(std::string_view message) {
  const std::string_view head = message.substr(0, 64);
  return head.find("\r\ninvalidate\r\n") != std::string_view::npos ||
         head.find("__redis__:invalidate") != std::string_view::npos ||
         head.find("tracking-redir-broken") != std::string_view::npos;
}

void TrackingChecker::node_ended() {
  SideChecker::node_ended();
  trackers_.clear();
  remembered_.clear();
  owed_.clear();
  owed_by_broadcast_.clear();
  broadcast_last_turn_.clear();
  seen_.clear();
  seen_without_loop_.clear();
  in_multi_.clear();
  resp3_.clear();
  others_.clear();
  changers_.clear();
  named_by_.clear();
  named_now_.clear();
  superfluous_.clear();
}

void TrackingChecker::forget(uint64_t session) {
  for (auto& [key, sessions] : remembered_) sessions.erase(session);
}

// It may be the target of others all the same.
// What it was to be told at the end of the turn, itself or another session for it, stays untold.
void TrackingChecker::stop_tracking(uint64_t session) {
  const auto found = trackers_.find(session);
  if (found != trackers_.end()) {
    forgive(found->second.redirect);
    forget(session);
    trackers_.erase(session);
  }
  forgive(session);
}

void TrackingChecker::session_closed(uint64_t session) {
  stop_tracking(session);
  resp3_.erase(session);
  in_multi_.erase(session);
  const auto is_theirs = [&](const Debt& debt) { return debt.first == session; };
  std::erase_if(seen_, is_theirs);
  std::erase_if(seen_without_loop_, is_theirs);
  for (auto& [id, tracker] : trackers_) {
    if (tracker.redirect == session) tracker.redirect = UINT64_MAX;  // nobody gets them now
  }
}

void TrackingChecker::owe(uint64_t session, std::string_view key) {
  const auto found = trackers_.find(session);
  if (found == trackers_.end() || found->second.redirect == UINT64_MAX) return;
  const uint64_t to = found->second.redirect != 0 ? found->second.redirect : session;
  if (!resp3_.contains(to)) return;  // it gets none, or in another form
  (found->second.broadcast ? owed_by_broadcast_ : owed_).emplace(to, std::string(key));
}

// A key was changed by a session, or by the node: 0.
void TrackingChecker::changed(std::string_view key, uint64_t by) {
  changers_[std::string(key)].insert(by);
  for (const auto& [session, tracker] : trackers_) {
    if (!tracker.broadcast) continue;
    if (tracker.no_loop && session == by) {
      // Who has changed it last knows its value.
      owed_by_broadcast_.erase(
          {tracker.redirect != 0 ? tracker.redirect : session, std::string(key)});
      continue;
    }
    const bool wanted =
        tracker.prefixes.empty() ||
        std::any_of(tracker.prefixes.begin(), tracker.prefixes.end(),
                    [&](const std::string& prefix) { return key.starts_with(prefix); });
    if (wanted) owe(session, key);
  }
  const auto found = remembered_.find(key);
  if (found == remembered_.end()) return;
  const std::set<uint64_t> sessions = std::move(found->second);
  remembered_.erase(found);
  for (const uint64_t session : sessions) {
    const auto tracker = trackers_.find(session);
    if (tracker == trackers_.end() || tracker->second.broadcast) continue;
    if (tracker->second.no_loop && session == by) continue;
    owe(session, key);
  }
}

// Nobody knows whom the node counts as the one that did it.
void TrackingChecker::gone(int, std::string_view key) {
  changers_[std::string(key)].insert(0);
  others_.emplace(key);
  remembered_.erase(std::string(key));
}

void TrackingChecker::switch_tracking(const CheckedCommand& command) {
  const auto& args = command.args;
  if (command.reply != "+OK\r\n" && !command.reply.empty()) return;
  if (same_word(args[1], "CACHING") && args.size() == 3) {
    const auto found = trackers_.find(command.session);
    if (found != trackers_.end()) found->second.caching = true;
    return;
  }
  if (!same_word(args[1], "TRACKING") || args.size() < 3) return;
  // What was changed in this turn is told as the client asks for it at its end.
  unclear_turns_ = 2;
  forgive(command.session);
  const auto before = trackers_.find(command.session);
  if (before != trackers_.end()) forgive(before->second.redirect);
  if (same_word(args[2], "OFF")) {
    stop_tracking(command.session);
    return;
  }
  // Nobody was told whether it was accepted (CLIENT REPLY OFF): the node is asked.
  if (command.reply.empty()) return copy_tracker(command.session);
  const auto [at, is_new] = trackers_.try_emplace(command.session);
  Tracker fresh;
  for (size_t i = 3; i < args.size(); ++i) {
    if (same_word(args[i], "BCAST")) fresh.broadcast = true;
    if (same_word(args[i], "OPTIN")) fresh.opt_in = true;
    if (same_word(args[i], "OPTOUT")) fresh.opt_out = true;
    if (same_word(args[i], "NOLOOP")) fresh.no_loop = true;
    if (same_word(args[i], "PREFIX") && i + 1 < args.size()) fresh.prefixes.emplace(args[++i]);
    if (same_word(args[i], "REDIRECT") && i + 1 < args.size()) {
      fresh.redirect = static_cast<uint64_t>(parse_integer(args[++i]).value_or(0));
    }
  }
  if (!is_new && at->second.broadcast) {
    const bool all = at->second.prefixes.empty() || fresh.prefixes.empty();
    fresh.prefixes.insert(at->second.prefixes.begin(), at->second.prefixes.end());
    if (all) fresh.prefixes.clear();
  }
  at->second = std::move(fresh);
}

void TrackingChecker::copy_tracker(uint64_t id) {
  const Session* session = node_->clients().sessions().find(id);
  if (session == nullptr || session->tracking == nullptr) {
    trackers_.erase(id);
    return;
  }
  const TrackingOptions& options = session->tracking->options;
  Tracker copy;
  copy.broadcast = options.broadcast;
  copy.opt_in = options.opt_in;
  copy.opt_out = options.opt_out;
  copy.no_loop = options.no_loop;
  copy.redirect = options.redirect;
  // One that wants all keys is known by an empty prefix in the node, by none here.
  const auto& prefixes = session->tracking->prefixes;
  if (!prefixes.contains("")) copy.prefixes.insert(prefixes.begin(), prefixes.end());
  trackers_[id] = std::move(copy);
}

void TrackingChecker::remember_keys(const CheckedCommand& command) {
  const auto found = trackers_.find(command.session);
  if (found == trackers_.end()) return;
  const Tracker& tracker = found->second;
  if (tracker.broadcast || (tracker.opt_in && !tracker.caching) ||
      (tracker.opt_out && tracker.caching)) {
    return;
  }
  note_named(command.session, command.args);
  if (command.failed()) return;
  // What it writes itself is forgotten, whether the value is another one or not; with NOLOOP no
  // message says so.
  for (const std::string_view word : command.args.subspan(1)) {
    const auto known = remembered_.find(word);
    if (tracker.no_loop && known != remembered_.end()) known->second.erase(command.session);
  }
  // A key that the full table forgets is told at once to who is not executing.
  if (tracker.redirect != 0 && may_overflow()) return;
  constexpr std::string_view kReads[] = {
      "GET",  "STRLEN", "LLEN",   "SCARD",    "HLEN", "ZCARD",    "XLEN",   "HGETALL", "TTL",
      "PTTL", "HGET",   "LRANGE", "SMEMBERS", "TYPE", "GETRANGE", "ZSCORE", "LINDEX",  "SISMEMBER"};
  for (const std::string_view name : kReads) {
    if (command.args.size() > 1 && same_word(command.args[0], name)) {
      remembered_[std::string(command.args[1])].insert(command.session);
    }
  }
}

void TrackingChecker::began(const CheckedCommand& command) {
  if (!trackers_.empty()) finder_.began(command);
}

void TrackingChecker::done(const CheckedCommand& command) {
  const auto& args = command.args;
  const bool queued = command.reply == kQueued;
  if (command.resp == 3) {
    resp3_.insert(command.session);
  } else {
    resp3_.erase(command.session);
  }
  if (same_word(args[0], "MULTI") && !command.failed()) in_multi_.insert(command.session);
  const bool ends_multi = same_word(args[0], "EXEC") || same_word(args[0], "DISCARD");
  if (ends_multi) in_multi_.erase(command.session);
  if (trackers_.empty()) {
    seen_.clear();
    others_.clear();
  }
  const bool is_client = same_word(args[0], "CLIENT") && args.size() > 1;
  if (is_client && !queued) switch_tracking(command);
  if (same_word(args[0], "RESET") && args.size() == 1) {
    stop_tracking(command.session);
    resp3_.erase(command.session);
    in_multi_.erase(command.session);
  }
  // In RESP2 only those are told that listen to a channel, from the end of this turn on.
  if (same_word(args[0], "HELLO") || same_word(args[0], "RESET")) {
    forgive(command.session);
    // What was changed while nobody could tell it is forgotten.
    for (auto& [key, sessions] : remembered_) sessions.erase(command.session);
  }
  if (trackers_.empty()) return;
  const bool unknown = command.undoable || changes_databases(args);
  for (const KeyChangeFinder::Change& change : finder_.done(command)) {
    if (unknown || others_.contains(change.key)) {
      remembered_.erase(change.key);
    } else {
      changed(change.key, command.session);
    }
  }
  if (!queued && !command.failed() &&
      (same_word(args[0], "FLUSHALL") || same_word(args[0], "FLUSHDB"))) {
    remembered_.clear();
    owed_.clear();
    for (const auto& [session, tracker] : trackers_) {
      const uint64_t to = tracker.redirect != 0 ? tracker.redirect : session;
      if (resp3_.contains(to)) owed_.emplace(to, std::nullopt);
    }
  }
  if (!queued && changes_databases(args)) {
    for (const std::string_view word : args) remembered_.erase(std::string(word));
  }
  if (!queued) remember_keys(command);
  const auto own = trackers_.find(command.session);
  if (own != trackers_.end() && !is_client && !in_multi_.contains(command.session) &&
      !command.within_exec) {
    own->second.caching = false;
  }
  if (!command.within_exec) settle();
}

// "invalidate" or the channel, and the keys.
void TrackingChecker::pushed(uint64_t session, std::string_view message) {
  if (!is_invalidation(message)) return;
  while (!message.empty()) {
    RespValue value;
    size_t end = 0;
    if (parse_resp(message, value, end) != RespParse::complete) return;
    std::string_view one = message.substr(0, end);
    message.remove_prefix(end);
    const auto tracker = trackers_.find(session);
    const bool no_loop = tracker != trackers_.end() && tracker->second.no_loop;
    const bool all = one.ends_with("_\r\n") || one.ends_with("$-1\r\n");
    std::vector<std::string> texts = texts_of(one);
    const size_t head = one.starts_with('*') ? 2 : 1;
    if (all) seen_.emplace(session, std::nullopt);
    for (size_t i = head; i < texts.size() && !all; ++i) {
      if (no_loop) seen_without_loop_.emplace(session, texts[i]);
      note_told(session, texts[i]);
      // Told once, it is forgotten, whether its value is another one or not.
      const auto known = remembered_.find(texts[i]);
      if (known != remembered_.end()) {
        known->second.erase(session);
        for (const auto& [other, state] : trackers_) {
          if (state.redirect == session) known->second.erase(other);
        }
      }
      seen_.emplace(session, std::move(texts[i]));
    }
  }
}

void TrackingChecker::forgive(uint64_t session) {
  for (std::set<Debt>* debts : {&owed_, &owed_by_broadcast_, &broadcast_last_turn_}) {
    std::erase_if(*debts, [&](const Debt& debt) { return debt.first == session; });
  }
}

// A command that only reads has named its keys when it begins to wait.
void TrackingChecker::waits(uint64_t session, std::span<const std::string_view> args) {
  if (trackers_.contains(session)) note_named(session, args);
}

void TrackingChecker::note_named(uint64_t session, std::span<const std::string_view> args) {
  for (const std::string_view word : args.subspan(1)) {
    named_by_[std::string(word)].insert(session);
    named_now_.emplace(session, std::string(word));
  }
}

// The node's table may be full: then keys are told of that nobody has changed.
bool TrackingChecker::may_overflow() const {
  constexpr uint64_t kPlenty = 10'000;
  const uint64_t limit = node_->settings().tracking_table_max_keys;
  return limit > 0 && limit < kPlenty;
}

// Messages of others come to it, too.
bool TrackingChecker::is_target(uint64_t session) const {
  return std::any_of(trackers_.begin(), trackers_.end(),
                     [&](const auto& other) { return other.second.redirect == session; });
}

// The node forgets what it has told. What was named in the same turn may have come behind that.
void TrackingChecker::note_told(uint64_t session, const std::string& key) {
  const auto tracker = trackers_.find(session);
  if (unclear_turns_ > 0 || tracker == trackers_.end() || is_target(session)) return;
  if (tracker->second.broadcast || tracker->second.redirect != 0) return;
  // A command that waits is executed again at each change, and names its keys again.
  const Session* found = node_->clients().sessions().find(session);
  if (found == nullptr || found->has(kSessionBlocked)) return;
  const auto named = named_by_.find(key);
  if (named == named_by_.end() || !named->second.contains(session)) {
    superfluous_.emplace(session, key);
  } else if (!named_now_.contains({session, key})) {
    named->second.erase(session);
  }
}

// What is owed to a client for the command that it executed itself comes right behind it.
void TrackingChecker::settle() {
  for (auto debt = owed_.begin(); debt != owed_.end();) {
    const bool paid = seen_.contains(*debt) || seen_.contains({debt->first, std::nullopt});
    debt = paid ? owed_.erase(debt) : std::next(debt);
  }
}

void TrackingChecker::turn_ended() {
  settle();
  const auto missing = [&](const std::set<Debt>& debts) {
    return std::find_if(debts.begin(), debts.end(), [&](const Debt& debt) {
      return !seen_.contains(debt) && !seen_.contains({debt.first, std::nullopt});
    });
  };
  const auto tell = [&](const Debt& debt) {
    if (!is_told(*node_, debt.first)) return;
    report("tracking",
           "session " + std::to_string(debt.first) + " is told of " +
               (debt.second ? quote_bytes(*debt.second) : "all keys"),
           "it is not");
  };
  if (!owed_.empty()) tell(*owed_.begin());
  const auto late = missing(broadcast_last_turn_);
  if (late != broadcast_last_turn_.end()) tell(*late);
  owed_.clear();
  broadcast_last_turn_ = std::move(owed_by_broadcast_);
  owed_by_broadcast_.clear();
  if (unclear_turns_ == 0) check_superfluous();
  unclear_turns_ -= unclear_turns_ > 0 ? 1 : 0;
  seen_.clear();
  seen_without_loop_.clear();
  others_.clear();
  changers_.clear();
  named_now_.clear();
  superfluous_.clear();
}

// Nobody in the default mode is told of a key that it has not named, nor with NOLOOP of what only
// it has changed.
void TrackingChecker::check_superfluous() {
  for (const auto& [session, key] : superfluous_) {
    if (!trackers_.contains(session) || is_target(session)) continue;
    report("tracking", "nobody is told of a key that it did not ask for since it was told last",
           "session " + std::to_string(session) + " is told of " + quote_bytes(*key));
  }
  for (const auto& [session, key] : seen_) {
    const auto found = trackers_.find(session);
    if (found == trackers_.end() || !key || is_target(session) || found->second.redirect != 0) {
      continue;
    }
    if (found->second.broadcast) continue;
    const auto by = changers_.find(*key);
    const bool own = by != changers_.end() && by->second == std::set<uint64_t>{session};
    if (seen_without_loop_.contains({session, key}) && own && !others_.contains(*key) &&
        !may_overflow()) {
      report("tracking", "with NOLOOP nobody is told of its own changes",
             "session " + std::to_string(session) + " is told of " + quote_bytes(*key));
    }
  }
}

}  // namespace redoubt::sim
