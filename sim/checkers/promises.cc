#include "sim/checkers/promises.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "sim/checkers/key_changes.h"
#include "sim/model/call.h"
#include "sim/model/resp_value.h"

namespace redoubt::sim {

namespace {

std::string words_text(std::span<const std::string_view> words) {
  std::string text;
  for (const std::string_view word : words.subspan(0, std::min<size_t>(words.size(), 8))) {
    text += (text.empty() ? "" : " ") + quote_bytes(word.substr(0, 60));
  }
  return text;
}

bool may_lose_parts(const ModelEntry& entry) {
  return !entry.member_deadlines.empty() ||
         std::any_of(entry.hash.begin(), entry.hash.end(), [](const auto& field) {
           return field.second.deadline_ms != ModelEntry::no_deadline;
         });
}

bool names_one_of(std::string_view word, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return same_word(word, name); });
}

}  // namespace

// --- pause

void PauseChecker::node_ended() {
  SideChecker::node_ended();
  mode_ = Mode::none;
}

bool PauseChecker::holds() const {
  return mode_ != Mode::none && !changed_within_ && node_->env().now() < until_;
}

void PauseChecker::began(const CheckedCommand& command) {
  if (mode_ != Mode::all || !holds() || command.waited) return;
  // EXEC is told behind what it ran, and CLIENT PAUSE may have been among that.
  if (command.within_exec || same_word(command.args[0], "EXEC")) return;
  report("pause", "nothing is executed during CLIENT PAUSE ALL", words_text(command.args));
}

void PauseChecker::done(const CheckedCommand& command) {
  const auto& args = command.args;
  if (args.size() >= 2 && same_word(args[0], "CLIENT") && command.reply != "+QUEUED\r\n" &&
      !command.failed()) {
    if (same_word(args[1], "UNPAUSE")) {
      mode_ = Mode::none;
      changed_within_ = command.within_exec;
    } else if (same_word(args[1], "PAUSE") && args.size() >= 3) {
      const std::optional<int64_t> ms = parse_integer(args[2]);
      const bool write = args.size() > 3 && same_word(args[3], "WRITE");
      const Instant now = node_->env().now();
      if (ms && *ms > 0) {
        const bool lasts = mode_ != Mode::none && now < until_;
        const Instant until = now + Duration::milliseconds(*ms);
        until_ = lasts ? std::max(until_, until) : until;
        if (!lasts || !write) mode_ = write ? Mode::write : Mode::all;
        changed_within_ = command.within_exec;
      }
    }
  }
  if (!command.within_exec) changed_within_ = false;
}

void PauseChecker::effect(std::span<const std::string_view> words) {
  if (!holds() || names_one_of(words[0], {"SELECT", "MULTI", "EXEC"})) return;
  report("pause", "data stands still during CLIENT PAUSE", words_text(words));
}

// --- statistics

void StatisticsChecker::node_started(Node& node) {
  SideChecker::node_started(node);
  expired_ = evicted_ = 0;
  hits_ = misses_ = 0;
}

void StatisticsChecker::begin_anew() {
  if (node_ == nullptr) return;
  hits_ = node_->stats().keyspace_hits;
  misses_ = node_->stats().keyspace_misses;
}

void StatisticsChecker::began(const CheckedCommand& command) {
  expected_hits_ = -1;
  const std::string_view name = command.args[0];
  const int64_t now_ms = node_->env().wall().unix_ms();
  const bool one = names_one_of(name, {"GET", "STRLEN", "LLEN", "SCARD", "HLEN", "ZCARD", "XLEN",
                                       "HGETALL", "SMEMBERS", "TTL", "PTTL", "EXPIRETIME"}) &&
                   command.args.size() == 2;
  const bool many = names_one_of(name, {"MGET", "EXISTS"}) && command.args.size() > 1;
  if (command.failed() || command.waited || !(one || many) || command.reply == "+QUEUED\r\n")
    return;
  expected_hits_ = expected_misses_ = 0;
  for (const std::string_view key : command.args.subspan(1)) {
    const bool there = model_.exists(command.database, key, now_ms);
    const ModelEntry* entry = held(command.database, key);
    // Whether a value of which all parts have expired is there depends on who asks.
    if (entry != nullptr && may_lose_parts(*entry)) {
      expected_hits_ = -1;
      return;
    }
    ++(there ? expected_hits_ : expected_misses_);
  }
}

void StatisticsChecker::done(const CheckedCommand& command) {
  const Stats& stats = node_->stats();
  const auto hits = static_cast<int64_t>(stats.keyspace_hits - hits_);
  const auto misses = static_cast<int64_t>(stats.keyspace_misses - misses_);
  hits_ = stats.keyspace_hits;
  misses_ = stats.keyspace_misses;
  // What somebody who waits looks for is counted as well.
  if (expected_hits_ >= 0 && !command.others_wait && !unseen_ &&
      (hits != expected_hits_ || misses != expected_misses_)) {
    report("statistics",
           words_text(command.args) + " counts " + std::to_string(expected_hits_) + " hits and " +
               std::to_string(expected_misses_) + " misses",
           std::to_string(hits) + " hits and " + std::to_string(misses) + " misses");
  }
  expected_hits_ = -1;
  unseen_ = command.others_wait;
  if (stats.expired_keys != expired_) {
    report("statistics", std::to_string(expired_) + " expired keys",
           std::to_string(stats.expired_keys));
  }
  if (stats.evicted_keys != evicted_) {
    report("statistics", std::to_string(evicted_) + " evicted keys",
           std::to_string(stats.evicted_keys));
  }
  // What expires within a transaction that may be undone is told at its end.
  if (same_word(command.args[0], "INFO") && command.args.size() == 2 && !command.undoable &&
      same_word(command.args[1], "KEYSPACE")) {
    check_info(command.reply, node_->env().wall().unix_ms());
  }
}

// db0:keys=3,expires=1,... of each database that is not empty.
void StatisticsChecker::check_info(std::string_view reply, int64_t now_ms) {
  if (reply.empty() || (reply[0] != '$' && reply[0] != '=')) return;
  for (int db = 0; db < model_.config().databases; ++db) {
    size_t keys = 0;
    size_t expires = 0;
    for (const auto& [key, entry] : model_.database(db)) {
      ++keys;
      expires += entry.deadline_ms != ModelEntry::no_deadline ? 1 : 0;
    }
    static_cast<void>(now_ms);  // an expired key that is held counts, and the model has it too
    const std::string head = "\r\ndb" + std::to_string(db) + ":";
    const std::string expected =
        head + "keys=" + std::to_string(keys) + ",expires=" + std::to_string(expires) + ",";
    const size_t at = reply.find(head);
    const bool right = keys == 0
                           ? at == std::string_view::npos
                           : at != std::string_view::npos && reply.substr(at).starts_with(expected);
    if (right) continue;
    report("statistics", keys == 0 ? "no line of an empty database" : expected.substr(2),
           at == std::string_view::npos ? "no such line"
                                        : std::string(reply.substr(at + 2, expected.size())));
  }
}

// --- access

namespace {

constexpr std::string_view kQuiet = "quiet:";
constexpr int64_t kFrequencyOfNew = 5;
constexpr int64_t kFrequencyMax = 255;

// The key that the command is about, if that is one of those followed.
std::string_view quiet_key(std::span<const std::string_view> args) {
  const size_t at = same_word(args[0], "OBJECT") ? 2 : 1;
  return args.size() > at && args[at].starts_with(kQuiet) ? args[at] : std::string_view();
}

}  // namespace

void AccessChecker::node_started(Node& node) {
  SideChecker::node_started(node);
  uses_.clear();
  policy_ = node.settings().maxmemory_policy;
  last_turn_ = node.env().now();
  unsure_until_ = last_turn_ + cron_period();
}

Duration AccessChecker::cron_period() const {
  constexpr Duration kLate = Duration::milliseconds(250);
  return Duration{1'000'000'000 / std::max(node_->settings().hz, 1)} + kLate;
}

void AccessChecker::turn_ended() {
  const Instant now = node_->env().now();
  if (now - last_turn_ > cron_period() + cron_period()) {
    uses_.clear();
    unsure_until_ = now + cron_period();
  }
  last_turn_ = now;
}

void AccessChecker::began(const CheckedCommand& command) {
  const std::string_view key = quiet_key(command.args);
  was_there_ = !key.empty() && held(command.database, key) != nullptr;
}

// The bounds after the minutes that have passed.
AccessChecker::Use AccessChecker::decayed(const Use& use, Instant now) const {
  constexpr int64_t kMinuteNs = 60'000'000'000;
  const int64_t decay_min = node_->settings().lfu_decay_time_min;
  Use result = use;
  if (decay_min == 0) return result;
  const int64_t minutes = (now - use.last).ns / kMinuteNs;
  result.most = std::max<int64_t>(use.most - minutes / decay_min, 0);
  result.least = std::max<int64_t>(use.least - (minutes + 1), 0);
  return result;
}

void AccessChecker::done(const CheckedCommand& command) {
  const EvictionPolicy policy = node_->settings().maxmemory_policy;
  if (policy != policy_ || command.undoable || changes_databases(command.args)) uses_.clear();
  policy_ = policy;
  const std::string_view key = quiet_key(command.args);
  if (key.empty() || command.reply == "+QUEUED\r\n") return;
  const Place place(command.database, key);
  const Instant now = node_->env().now();
  if (now - last_turn_ > cron_period() + cron_period() || now < unsure_until_) {
    uses_.erase(place);
    return;
  }
  if (!same_word(command.args[0], "OBJECT")) return used(command, place);
  const auto use = uses_.find(place);
  if (use == uses_.end() || !command.reply.starts_with(':')) return;
  if (same_word(command.args[1], "IDLETIME")) check_idle(command, use->second);
  if (same_word(command.args[1], "FREQ")) check_frequency(command, use->second);
}

void AccessChecker::used(const CheckedCommand& command, const Place& place) {
  const Session* session = node_->clients().sessions().find(command.session);
  const bool leaves_alone = session == nullptr || session->has(kSessionNoTouch);
  const std::string_view name = command.args[0];
  const Instant now = node_->env().now();
  const bool pushes = same_word(name, "RPUSH");
  if ((same_word(name, "SET") || (pushes && !was_there_)) && !command.failed()) {
    const auto known = uses_.find(place);
    if (!was_there_ && !leaves_alone) {
      uses_[place] = {now, kFrequencyOfNew, kFrequencyOfNew};
    } else if (known != uses_.end()) {
      // What becomes of the counter of what is replaced is not promised.
      leaves_alone ? static_cast<void>(uses_.erase(known))
                   : static_cast<void>(known->second = {now, 0, kFrequencyMax});
    }
    return;
  }
  const auto known = uses_.find(place);
  if (known == uses_.end()) return;
  if (names_one_of(name, {"EXISTS", "TTL", "TYPE"})) return;
  const bool touch = same_word(name, "TOUCH");
  if (!touch && !pushes && !names_one_of(name, {"GET", "STRLEN", "LLEN", "LINDEX"})) {
    uses_.erase(known);
    return;
  }
  if (!touch && leaves_alone) return;
  known->second = decayed(known->second, now);
  known->second.last = now;
  known->second.most = std::min(known->second.most + 1, kFrequencyMax);
}

// The node looks at the time once a cron, so that a use may seem that much older.
void AccessChecker::check_idle(const CheckedCommand& command, const Use& use) {
  constexpr int64_t kTickMs = 250;
  const int64_t idle_ms = (node_->env().now() - use.last).ns / 1'000'000;
  const int64_t least = std::max<int64_t>(idle_ms - kTickMs, 0) / 1000;
  const int64_t most = (idle_ms + cron_period().ns / 1'000'000 + kTickMs) / 1000;
  const int64_t seen =
      parse_integer(command.reply.substr(1, command.reply.size() - 3)).value_or(-1);
  if (seen >= least && seen <= most) return;
  report("statistics",
         words_text(command.args) + " -> " + std::to_string(least) + " to " + std::to_string(most) +
             " seconds",
         std::to_string(seen));
}

void AccessChecker::check_frequency(const CheckedCommand& command, const Use& use) {
  const Use bounds = decayed(use, node_->env().now());
  const int64_t seen =
      parse_integer(command.reply.substr(1, command.reply.size() - 3)).value_or(-1);
  if (seen >= bounds.least && seen <= bounds.most) return;
  report("statistics",
         words_text(command.args) + " -> " + std::to_string(bounds.least) + " to " +
             std::to_string(bounds.most),
         std::to_string(seen));
}

// --- eviction

void EvictionChecker::node_started(Node& node) {
  SideChecker::node_started(node);
  uses_.clear();
  compared_ = 0;
  better_ = comparisons_ = 0;
  policy_ = node.settings().maxmemory_policy;
  over_since_turn_ = false;
  queued_denied_.clear();
}

uint64_t EvictionChecker::limit_now() const {
  return node_->settings().maxmemory;
}

// Whether the command has done what is denied when memory is used up, itself or as EXEC.
bool EvictionChecker::is_denied(const CheckedCommand& command) {
  const std::string_view name = command.args[0];
  const bool denied =
      Model::denied_when_out_of_memory(command.args) && !names_one_of(name, {"HIMPORT", "XGROUP"});
  if (command.reply == "+QUEUED\r\n") {
    if (denied) queued_denied_.insert(command.session);
    return false;
  }
  if (command.within_exec || command.waited) return false;
  if (!names_one_of(name, {"EXEC", "DISCARD", "RESET"})) return denied && !command.failed();
  const bool has_denied = queued_denied_.erase(command.session) > 0;
  const bool runs = command.reply.starts_with('*') && command.reply != "*-1\r\n";
  return has_denied && runs && same_word(name, "EXEC");
}

void EvictionChecker::done(const CheckedCommand& command) {
  const bool denied = is_denied(command);
  const uint64_t limit = limit_now();
  if (limit == 0) return;
  const EvictionPolicy policy = node_->settings().maxmemory_policy;
  if (policy != policy_) {
    policy_ = policy;
    compared_ = 0;
    better_ = comparisons_ = 0;
  }
  const bool queued = command.reply == "+QUEUED\r\n";
  const Instant now = node_->env().now();
  for (size_t i = 1; i < command.args.size() && i < 8 && !queued; ++i) {
    const std::string_view key = command.args[i];
    if (key.size() > 64) continue;
    if (held(command.database, key) == nullptr) {
      uses_.erase({command.database, std::string(key)});
      continue;
    }
    Use& use = uses_[{command.database, std::string(key)}];
    use.last = now;
    ++use.count;
  }
  const bool over = far_over();
  if (over_since_turn_ && over && denied && policy == EvictionPolicy::noeviction) {
    report("eviction", "OOM, since memory is over maxmemory and nothing may be evicted",
           words_text(command.args) + " -> " + quote_bytes(command.reply.substr(0, 100)));
  }
  over_since_turn_ = over_since_turn_ && over;
}

// What is freed between turns makes room that the next command may take, and what clients take is
// summed once a turn: a little over the limit proves nothing.
bool EvictionChecker::far_over() const {
  const uint64_t limit = limit_now();
  const uint64_t used = node_->used_memory() - node_->upkeep().not_counted_for_eviction();
  return limit > 0 && used > limit + limit / 16;
}

void EvictionChecker::turn_ended() {
  over_since_turn_ = far_over();
}

void EvictionChecker::evicted(int database, std::string_view key) {
  const ModelEntry* entry = held(database, key);
  if (entry == nullptr) return;
  policy_ = node_->settings().maxmemory_policy;
  const bool is_volatile =
      policy_ == EvictionPolicy::volatile_lru || policy_ == EvictionPolicy::volatile_lfu ||
      policy_ == EvictionPolicy::volatile_random || policy_ == EvictionPolicy::volatile_ttl ||
      policy_ == EvictionPolicy::volatile_lrm;
  if (is_volatile && entry->deadline_ms == ModelEntry::no_deadline) {
    report("eviction", "a volatile policy evicts keys that have a deadline",
           quote_bytes(key) + " has none");
  }
  const Place place(database, key);
  check_rank(place, *entry);
  uses_.erase(place);
}

// 1: the other key should have gone rather than the victim; -1: it should stay; 0: they are equal,
// or it cannot go.
int EvictionChecker::compare(const Use& victim, const ModelEntry& entry, const Use& other_use,
                             const ModelEntry& other) const {
  const bool is_volatile =
      policy_ == EvictionPolicy::volatile_lru || policy_ == EvictionPolicy::volatile_lfu;
  if (is_volatile && other.deadline_ms == ModelEntry::no_deadline) return 0;
  // The node looks at the time once a cron.
  const Duration apart =
      Duration{2'000'000'000 / std::max(node_->settings().hz, 1)} + Duration::milliseconds(400);
  switch (policy_) {
    case EvictionPolicy::allkeys_lru:
    case EvictionPolicy::volatile_lru:
      if (other_use.last - victim.last > apart) return -1;
      return victim.last - other_use.last > apart ? 1 : 0;
    case EvictionPolicy::allkeys_lfu:
    case EvictionPolicy::volatile_lfu:
      if (other_use.count > 2 * victim.count) return -1;
      return victim.count > 2 * other_use.count ? 1 : 0;
    case EvictionPolicy::volatile_ttl:
      if (other.deadline_ms == ModelEntry::no_deadline || other.deadline_ms == entry.deadline_ms) {
        return 0;
      }
      return other.deadline_ms < entry.deadline_ms ? 1 : -1;
    default: return 0;
  }
}

// Which share of the other keys should have gone rather: fewer than half. All comparisons count the
// same. Where most keys were used just now, a recent victim compares only with the few old ones,
// and each of these is worse, even when the victim was a good choice among the samples.
void EvictionChecker::check_rank(const Place& victim, const ModelEntry& entry) {
  constexpr size_t kOthers = 4;
  const bool by_frequency =
      policy_ == EvictionPolicy::allkeys_lfu || policy_ == EvictionPolicy::volatile_lfu;
  // Deadlines are known exactly, frequencies are not.
  const bool by_deadline = policy_ == EvictionPolicy::volatile_ttl;
  const uint64_t enough = by_frequency ? 400 : by_deadline ? 15 : 40;
  // A wall clock that jumps makes all of them look used just now.
  const int64_t offset_ms = node_->env().wall().unix_ms() - node_->env().now().ns / 1'000'000;
  if (std::abs(offset_ms - offset_ms_) > 100) {
    offset_ms_ = offset_ms;
    uses_.clear();
  }
  const auto mine = uses_.find(victim);
  // Each victim costs a walk.
  const bool unknown = mine == uses_.end() && !by_deadline;
  if (unknown || node_->settings().maxmemory_samples < 3) return;
  const Use own = mine == uses_.end() ? Use() : mine->second;
  if (compared_ >= enough && random_.below(8) != 0) return;
  size_t better = 0;
  size_t worse = 0;
  for (const auto& [place, use] : uses_) {
    if (place == victim) continue;
    const ModelEntry* other = held(place.first, place.second);
    if (other == nullptr) continue;
    const int order = compare(own, entry, use, *other);
    better += order > 0 ? 1 : 0;
    worse += order < 0 ? 1 : 0;
  }
  if (better + worse < kOthers) return;
  ++compared_;
  better_ += better;
  comparisons_ += better + worse;
  if (compared_ < enough || better_ * 2 <= comparisons_) return;
  report("eviction", "what is evicted is worse than most of what stays",
         "that " + std::to_string(compared_) + " victims were better than the other key in " +
             std::to_string(100 * better_ / comparisons_) + " % of " +
             std::to_string(comparisons_) + " comparisons");
}

}  // namespace redoubt::sim
