#include "sim/checkers/scans.h"

#include <algorithm>
#include <limits>

#include "sim/checkers/key_changes.h"
#include "sim/model/call.h"
#include "sim/model/resp_value.h"

namespace redoubt::sim {

namespace {

// The texts of an array of a cursor and an array, in order.
std::vector<std::string> texts_in(std::string_view reply) {
  std::vector<std::string> texts;
  for (size_t at = 0; at < reply.size();) {
    const size_t end = reply.find("\r\n", at);
    if (end == std::string_view::npos) break;
    const bool bulk = reply[at] == '$';
    const std::optional<int64_t> size = parse_integer(reply.substr(at + 1, end - at - 1));
    const bool simple = reply[at] == ',' || reply[at] == ':';
    if (simple) texts.emplace_back(reply.substr(at + 1, end - at - 1));
    at = end + 2;
    if (!bulk || !size || *size < 0) continue;
    texts.emplace_back(reply.substr(at, static_cast<size_t>(*size)));
    at += static_cast<size_t>(*size) + 2;
  }
  return texts;
}

bool is_walk(std::span<const std::string_view> args) {
  return (args.size() == 4 && same_word(args[0], "SCAN") && same_word(args[2], "COUNT")) ||
         (args.size() == 5 && same_word(args[3], "COUNT") &&
          (same_word(args[0], "HSCAN") || same_word(args[0], "SSCAN") ||
           same_word(args[0], "ZSCAN")));
}

}  // namespace

std::set<std::string, std::less<>> ScanChecker::elements(int database, std::string_view key) const {
  std::set<std::string, std::less<>> names;
  const ModelEntry* entry = held(database, key);
  if (entry == nullptr) return names;
  // What has expired may still be there, unseen.
  const int64_t now_ms = node_->env().wall().unix_ms();
  const auto add_living = [&](const std::string& name) {
    if (model_.part_exists(database, key, name, now_ms)) names.insert(name);
  };
  for (const std::string& member : entry->set) add_living(member);
  for (const auto& [member, score] : entry->zset) names.insert(member);
  for (const auto& [field, value] : entry->hash) add_living(field);
  return names;
}

void ScanChecker::begin_walk(const CheckedCommand& command) {
  Walk walk;
  walk.words.assign(command.args.begin(), command.args.end());
  walk.cursor_at = same_word(command.args[0], "SCAN") ? 1 : 2;
  walk.database = command.database;
  const int64_t now_ms = node_->env().wall().unix_ms();
  if (walk.cursor_at == 2) {
    walk.steady = elements(command.database, command.args[1]);
  } else {
    for (const auto& [key, entry] : model_.database(command.database)) {
      if (!entry.expired_at(now_ms)) walk.steady.insert(key);
    }
  }
  walks_[command.session] = std::move(walk);
}

void ScanChecker::take_page(Walk& walk, const CheckedCommand& command) {
  const std::vector<std::string> texts = texts_in(command.reply);
  if (texts.empty()) return;
  walk.words[walk.cursor_at] = texts[0];
  ++walk.pages;
  ++pages_;
  if (overlooked_ == 0 || pages_ % overlooked_ != 0) {
    for (size_t i = 1; i < texts.size(); ++i) walk.steady.erase(texts[i]);
  }
  if (texts[0] != "0") return;
  if (!walk.steady.empty()) {
    report("scan", "a whole walk of " + walk.words[0] + " shows what is there all the time",
           std::to_string(walk.steady.size()) + " are missing after " + std::to_string(walk.pages) +
               " pages, the first is " + quote_bytes(*walk.steady.begin()));
  }
  walks_.erase(command.session);
}

// What a command has removed is not steady, even if it comes back.
void ScanChecker::keep_steady(Walk& walk, const CheckedCommand& command) {
  if (walk.cursor_at == 1) {
    if (command.database != walk.database) return;
    for (const std::string_view word : command.args.subspan(1)) {
      if (held(walk.database, word) == nullptr) walk.steady.erase(std::string(word));
    }
    return;
  }
  const auto names = [&](std::string_view word) { return word == walk.words[1]; };
  if (std::none_of(command.args.begin(), command.args.end(), names)) return;
  const std::set<std::string, std::less<>> left = elements(walk.database, walk.words[1]);
  std::erase_if(walk.steady, [&](const std::string& name) { return !left.contains(name); });
}

void ScanChecker::done(const CheckedCommand& command) {
  if (command.reply == "+QUEUED\r\n") return;
  const bool wild = (changes_databases(command.args) || command.undoable ||
                     same_word(command.args[0], "CLIENT")) &&
                    !same_word(command.args[0], "COPY");
  if (wild && !same_word(command.args[0], "CLIENT")) walks_.clear();
  for (auto& [session, walk] : walks_) keep_steady(walk, command);
  // A set that is stored anew, or another value under its name, has another order.
  std::erase_if(walks_, [&](const auto& walk) {
    const Walk& one = walk.second;
    if (one.cursor_at == 1) return false;
    const auto named = [&](std::string_view word) { return word == one.words[1]; };
    const bool replaced = same_word(command.args[0], "RENAME") ||
                          same_word(command.args[0], "RENAMENX") ||
                          same_word(command.args[0], "COPY") ||
                          std::string_view(lower(command.args[0])).ends_with("store");
    return replaced && std::any_of(command.args.begin(), command.args.end(), named);
  });
  if (!is_walk(command.args) || command.within_exec || command.failed()) return;
  const size_t cursor_at = same_word(command.args[0], "SCAN") ? 1 : 2;
  const std::string_view cursor = command.args[cursor_at];
  if (command.reply.empty()) {
    walks_.erase(command.session);
    return;
  }
  if (cursor == "0") {
    begin_walk(command);
  } else {
    const auto found = walks_.find(command.session);
    if (found == walks_.end()) return;
    const Walk& walk = found->second;
    const bool same = walk.database == command.database && walk.words[cursor_at] == cursor &&
                      walk.words[0] == command.args[0] &&
                      (cursor_at == 1 || walk.words[1] == command.args[1]);
    if (!same) return;
  }
  take_page(walks_[command.session], command);
}

void ScanChecker::removed(int database, std::string_view key) {
  for (auto& [session, walk] : walks_) {
    if (walk.database != database) continue;
    if (walk.cursor_at == 1) walk.steady.erase(std::string(key));
    if (walk.cursor_at == 2 && walk.words[1] == key) walk.steady.clear();
  }
}

void ScanChecker::part_removed(int database, std::string_view key) {
  for (auto& [session, walk] : walks_) {
    // With its last part goes the key.
    if (walk.cursor_at == 1 && walk.database == database) walk.steady.erase(std::string(key));
    if (walk.database != database || walk.cursor_at != 2 || walk.words[1] != key) continue;
    walk.steady.clear();  // those that are left are not worth the trouble
  }
}

std::vector<std::string> ScanChecker::next_words(uint64_t session) const {
  const auto found = walks_.find(session);
  if (found == walks_.end()) return {};
  return found->second.words;
}

// --- draws

namespace {

// Draws so often from a collection of a few elements that each has to come; why not, if one does
// not or comes far too often.
std::string uneven_draws(Node& node, Session& session, std::string_view command,
                         std::string_view key, size_t count) {
  constexpr size_t kTimes = 30;
  constexpr size_t kMost = 75;  // eight deviations above that
  std::map<std::string, size_t> drawn;
  const std::string_view words[] = {command, key};
  const size_t word_count = key.data() == nullptr ? 1 : 2;
  for (size_t i = 0; i < kTimes * count; ++i) {
    const std::vector<std::string> texts =
        texts_in(node.dispatcher().execute(session, std::span(words).first(word_count)));
    if (texts.size() != 1) return {};
    ++drawn[texts[0]];
  }
  if (drawn.size() < count) {
    return std::to_string(count - drawn.size()) + " of " + std::to_string(count) + " never came";
  }
  for (const auto& [name, times] : drawn) {
    if (times > kMost) return quote_bytes(name) + " came " + std::to_string(times) + " times";
  }
  return {};
}

}  // namespace

std::string check_draws(Node& node, uint64_t chosen) {
  constexpr size_t kLargest = 12;
  const int db = static_cast<int>(chosen % static_cast<uint64_t>(node.keyspace().count()));
  const Database& database = node.keyspace().database(db);
  std::vector<std::pair<std::string, size_t>> candidates;
  database.dict().for_each([&](const Entry& entry) {
    const bool collection =
        entry.type() == Type::set || entry.type() == Type::hash || entry.type() == Type::zset;
    const TypeOps& ops = ops_of(entry);
    if (!collection || entry.has_expiry() || candidates.size() >= kLargest) return;
    const size_t length = ops.length(entry);
    const bool parts_expire =
        ops.next_expiry != nullptr && ops.next_expiry(entry) != std::numeric_limits<int64_t>::max();
    if (length >= 2 && length <= kLargest && !parts_expire) {
      candidates.emplace_back(entry.key(), length);
    }
  });
  const bool keys_too =
      database.size() >= 2 && database.size() <= kLargest && database.expiring() == 0;
  if (candidates.empty() && !keys_too) return {};
  Session& session = node.clients().make_local();
  session.db = db;
  session.flags |= kSessionNoTouch;
  std::string why;
  if (keys_too && chosen % 3 == 0) {
    why = uneven_draws(node, session, "RANDOMKEY", {}, database.size());
    if (!why.empty()) why = "RANDOMKEY: " + why;
  } else if (!candidates.empty()) {
    const auto& [key, count] = candidates[chosen / 16 % candidates.size()];
    const Entry* entry = database.find(key, database.hash(key));
    const std::string_view command = entry->type() == Type::set    ? "SRANDMEMBER"
                                     : entry->type() == Type::hash ? "HRANDFIELD"
                                                                   : "ZRANDMEMBER";
    why = uneven_draws(node, session, command, key, count);
    if (!why.empty()) why = std::string(command) + " " + quote_bytes(key) + ": " + why;
  }
  node.clients().drop_local(session);
  return why;
}

}  // namespace redoubt::sim
