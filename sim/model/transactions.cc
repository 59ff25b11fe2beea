#include "sim/model/transactions.h"

#include <algorithm>

#include "sim/model/call.h"
#include "sim/model/resp_value.h"
#include "sim/model/streams.h"

namespace redoubt::sim {
namespace {

constexpr std::string_view containers[] = {"CLIENT", "CONFIG", "HIMPORT", "MEMORY",  "OBJECT",
                                           "XGROUP", "XINFO",  "COMMAND", "LATENCY", "SLOWLOG"};
constexpr std::string_view not_undone[] = {"FLUSHALL", "FLUSHDB", "SWAPDB", "PUBLISH", "PFDEBUG"};

template <typename Names>
bool is_one_of(std::string_view word, const Names& names) {
  return std::any_of(std::begin(names), std::end(names),
                     [&](std::string_view name) { return same_word(word, name); });
}

// As errors name a command: "get", "client|id".
std::string full_name(ModelArguments arguments) {
  std::string name = lower(arguments[0]);
  if (is_one_of(arguments[0], containers)) {
    name += "|" + lower(arguments[1]);
  }
  return name;
}

ModelEntry copy_of(const ModelEntry& entry) {
  ModelEntry copy = entry;
  if (entry.stream != nullptr) {
    copy.stream = std::make_shared<ModelStream>(*entry.stream);
  }
  return copy;
}

// Of a stream only the entries count: what groups note of their consumers touches a key or not, as
// the server likes.
bool same_stream(const ModelStream* a, const ModelStream* b) {
  if (a == nullptr || b == nullptr) {
    return a == b;
  }
  return std::equal(a->entries.begin(), a->entries.end(), b->entries.begin(), b->entries.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first; });
}

bool same_entry(const ModelEntry& a, const ModelEntry& b) {
  return a.type == b.type && a.deadline_ms == b.deadline_ms && a.text == b.text &&
         a.list == b.list && a.set == b.set && a.member_deadlines == b.member_deadlines &&
         a.zset == b.zset && a.hash == b.hash && same_stream(a.stream.get(), b.stream.get());
}

std::string text_of(ModelArguments arguments) {
  std::string text;
  for (const std::string_view argument : arguments) {
    text += (text.empty() ? "" : " ") + quote_bytes(argument.substr(0, 100));
  }
  return text;
}

bool same_words(const std::vector<std::string>& words, ModelArguments arguments) {
  return std::equal(words.begin(), words.end(), arguments.begin(), arguments.end());
}

}  // namespace

ModelEntry copy_of_model_entry(const ModelEntry& entry) {
  return copy_of(entry);
}

bool same_model_entry(const ModelEntry& a, const ModelEntry& b) {
  return same_entry(a, b);
}

bool ModelTransactions::open(uint64_t session) const {
  const auto found = sessions_.find(session);
  return found != sessions_.end() && found->second.open;
}

// What the session has chosen stays.
void ModelTransactions::close(State& state) {
  State fresh;
  fresh.choice = state.choice;
  state = std::move(fresh);
}

void ModelTransactions::discard(uint64_t session) {
  close(sessions_[session]);
}

const ModelEntry* ModelTransactions::held(const Place& place) const {
  const Model::Database& keys = model_.database(place.first);
  const auto found = keys.find(place.second);
  return found == keys.end() ? nullptr : &found->second;
}

ModelReply ModelTransactions::begin(State& state) {
  if (state.open) {
    return reply_error("ERR MULTI calls can not be nested");
  }
  state.open = true;
  state.rollback = state.choice.value_or(rollback_);
  return reply_ok();
}

ModelReply ModelTransactions::watch(State& state, const ModelSession& client,
                                    ModelArguments arguments, int64_t now_ms) {
  if (state.open) {
    return reply_error("ERR WATCH inside MULTI is not allowed");
  }
  for (const std::string_view key : arguments.subspan(1)) {
    const Place place(client.database, key);
    const bool known = std::any_of(state.watches.begin(), state.watches.end(),
                                   [&](const Watch& other) { return other.place == place; });
    if (!known) {
      const ModelEntry* entry = held(place);
      state.watches.push_back({place, entry != nullptr && entry->expired_at(now_ms)});
    }
  }
  return reply_ok();
}

ModelReply ModelTransactions::queue(State& state, ModelArguments arguments, std::string_view seen) {
  std::optional<ModelReply> error = Model::unknown_command(arguments);
  if (error) {
  } else if (is_one_of(arguments[0], containers)) {
    if (seen.starts_with("-ERR unknown subcommand") || seen.starts_with("-ERR wrong number of")) {
      error = reply_exact(std::string(seen));
    }
  } else {
    error = Model::wrong_number_of_arguments(arguments);
  }
  if (!error && state.rollback && is_one_of(arguments[0], not_undone)) {
    error = reply_error("ERR '" + lower(arguments[0]) +
                        "' cannot be undone, so it is not allowed in a transaction with rollback");
  }
  if (error) {
    state.aborted = true;
    return *error;
  }
  state.queue.emplace_back(arguments.begin(), arguments.end());
  return reply_status("QUEUED");
}

std::optional<ModelReply> ModelTransactions::apply(uint64_t session, const ModelSession& client,
                                                   ModelArguments arguments, int64_t now_ms,
                                                   std::string_view seen) {
  const std::string_view name = arguments[0];
  settle();
  if (same_word(name, "MULTI")) {
    return begin(sessions_[session]);
  }
  if (same_word(name, "DISCARD")) {
    if (!open(session)) {
      return reply_error("ERR DISCARD without MULTI");
    }
    discard(session);
    return reply_ok();
  }
  if (same_word(name, "WATCH")) {
    return watch(sessions_[session], client, arguments, now_ms);
  }
  if (same_word(name, "RESET") || same_word(name, "QUIT")) {
    return std::nullopt;
  }
  if (open(session) && !client.in_transaction) {
    return queue(sessions_[session], arguments, seen);
  }
  if (same_word(name, "UNWATCH")) {
    sessions_[session].watches.clear();
    return reply_ok();
  }
  return std::nullopt;
}

// --- EXEC ----------------------------------------------------------------------------------------

ModelTransactions::Verdict ModelTransactions::verdict(const State& state, int64_t now_ms) const {
  bool named = false;
  for (const Watch& watch : state.watches) {
    const ModelEntry* entry = held(watch.place);
    const bool expires = entry != nullptr && entry->expired_at(now_ms) && !watch.expired;
    if (watch.changed || expires) {
      return Verdict::fails;
    }
    // Perhaps by the first command of EXEC itself.
    named = named || watch.named || watch.removed;
  }
  return named ? Verdict::either : Verdict::runs;
}

std::optional<ModelTransactions::Problem> ModelTransactions::begin_queued(uint64_t session,
                                                                          ModelSession& client,
                                                                          ModelArguments arguments,
                                                                          int64_t now_ms) {
  State& state = sessions_[session];
  if (!state.runs) {
    const char* why = !state.open                                ? "there is no transaction"
                      : state.aborted                            ? "a command could not be queued"
                      : verdict(state, now_ms) == Verdict::fails ? "a watched key was touched"
                                                                 : nullptr;
    if (why != nullptr) {
      return Problem{"EXEC executes nothing: " + std::string(why), text_of(arguments)};
    }
    state.runs = true;
    state.watches.clear();
    state.database_before = client.database;
    client.in_transaction = true;
    undoable_ = state.rollback;
  }
  if (state.rollback && state.failed) {
    return Problem{"nothing after a command that failed", text_of(arguments)};
  }
  if (state.done >= state.queue.size() || !same_words(state.queue[state.done], arguments)) {
    return Problem{"the queued commands in their order", text_of(arguments)};
  }
  if (state.rollback) {
    save(state, arguments);
  } else {
    before_command(client.database, arguments);
  }
  return std::nullopt;
}

void ModelTransactions::save(State& state, ModelArguments arguments) {
  for (const std::string_view argument : arguments.subspan(1)) {
    for (int database = 0; database < model_.config().databases; database++) {
      const Place place(database, argument);
      if (state.saved.contains(place)) {
        continue;
      }
      const ModelEntry* entry = held(place);
      state.saved[place] =
          entry == nullptr ? std::nullopt : std::optional<ModelEntry>(copy_of(*entry));
    }
  }
}

void ModelTransactions::end_queued(uint64_t session, std::string_view reply, int64_t now_ms) {
  State& state = sessions_[session];
  state.done++;
  state.failed = reply.starts_with('-');
  state.replies += reply;
  state.last_reply = reply;
  if (!state.rollback) {
    after_command(now_ms);
  }
}

ModelReply ModelTransactions::rolled_back(State& state, ModelSession& client) {
  for (const auto& [place, entry] : state.saved) {
    const ModelEntry* now = held(place);
    if (now != nullptr && (!entry || !same_entry(*entry, *now))) {
      last_undone_ = place;
    }
    model_.restore(place.first, place.second, entry);
  }
  client.database = state.database_before;
  const std::vector<std::string>& words = state.queue[state.done - 1];
  const std::vector<std::string_view> failed(words.begin(), words.end());
  const std::string error = state.last_reply.substr(1, state.last_reply.find('\r') - 1);
  return reply_error("EXECABORT Transaction rolled back because of command " +
                     std::to_string(state.done) + " ('" + full_name(failed) + "'): " + error);
}

ModelReply ModelTransactions::end_exec(uint64_t session, ModelSession& client, int64_t now_ms) {
  State& state = sessions_[session];
  client.in_transaction = false;
  undoable_ = false;
  if (!state.open) {
    return reply_error("ERR EXEC without MULTI");
  }
  ModelReply reply = reply_exact(resp_header('*', state.queue.size()) + state.replies);
  const std::string none = client.resp == 3 ? "_\r\n" : "*-1\r\n";
  if (state.aborted) {
    reply = reply_error("EXECABORT Transaction discarded because of previous errors.");
  } else if (!state.runs) {
    settle();
    const Verdict says = verdict(state, now_ms);
    if (says == Verdict::fails) {
      reply = reply_exact(none);
    } else if (says == Verdict::either) {
      reply = reply_one_of({none, state.queue.empty() ? "*0\r\n" : none});
    }
  } else if (state.rollback && state.failed) {
    reply = rolled_back(state, client);
  } else if (state.done != state.queue.size()) {
    reply = reply_exact(std::to_string(state.queue.size()) + " replies");
  } else if (state.rollback) {
    tell_others(state, now_ms);
  }
  close(state);
  return reply;
}

// --- WATCH ---------------------------------------------------------------------------------------

// Whether a command may change the whole of a database.
ModelTransactions::Reach ModelTransactions::reach(int database, int current,
                                                  ModelArguments arguments) const {
  if (same_word(arguments[0], "FLUSHALL") ||
      (same_word(arguments[0], "FLUSHDB") && database == current)) {
    return Reach::flushes;
  }
  if (!same_word(arguments[0], "SWAPDB") || arguments.size() != 3) {
    return Reach::keys;
  }
  const std::optional<int64_t> a = parse_integer(arguments[1]);
  const std::optional<int64_t> b = parse_integer(arguments[2]);
  const auto exists = [&](std::optional<int64_t> index) {
    return index && *index >= 0 && *index < model_.config().databases;
  };
  const bool swaps = exists(a) && exists(b) && *a != *b;
  return swaps && (database == *a || database == *b) ? Reach::swaps : Reach::keys;
}

void ModelTransactions::before_command(int database, ModelArguments arguments) {
  before_.clear();
  for (auto& [number, state] : sessions_) {
    for (Watch& watch : state.watches) {
      const Reach how = reach(watch.place.first, database, arguments);
      const auto names = [&](std::string_view argument) { return argument == watch.place.second; };
      if (watch.changed ||
          (how == Reach::keys && std::none_of(arguments.begin(), arguments.end(), names))) {
        continue;
      }
      const ModelEntry* entry = held(watch.place);
      before_.push_back(
          {&watch, entry == nullptr ? std::nullopt : std::optional<ModelEntry>(copy_of(*entry)),
           how});
    }
  }
}

void ModelTransactions::after_command(int64_t now_ms) {
  for (const Seen& seen : before_) {
    if (seen.how == Reach::keys) {
      compare(*seen.watch, seen.entry, now_ms);
    } else {
      compare_database(*seen.watch, seen.entry.has_value(), seen.how, now_ms);
    }
  }
  before_.clear();
}

void ModelTransactions::compare(Watch& watch, const std::optional<ModelEntry>& before,
                                int64_t now_ms) const {
  const ModelEntry* entry = held(watch.place);
  const bool lives = entry != nullptr && !entry->expired_at(now_ms);
  const bool lived = before && !before->expired_at(now_ms);
  if (lives == lived && (!lives || same_entry(*entry, *before))) {
    return;
  }
  if (watch.expired && entry == nullptr) {
    watch.expired = false;
  } else {
    watch.changed = true;
  }
}

// What is there before or after counts as touched, unless it had expired.
void ModelTransactions::compare_database(Watch& watch, bool was_there, Reach how,
                                         int64_t now_ms) const {
  const ModelEntry* entry = held(watch.place);
  const bool is_there = entry != nullptr;
  if ((!was_there && !is_there) || (how == Reach::flushes && is_there)) {
    return;
  }
  const bool expires = is_there && entry->expired_at(now_ms);
  if (watch.expired && (!is_there || expires)) {
    watch.expired = is_there;
  } else if (!was_there && expires) {
    watch.expired = true;
  } else {
    watch.changed = true;
  }
}

// A transaction with rollback is through: now others see what it did.
void ModelTransactions::tell_others(const State& state, int64_t now_ms) {
  for (auto& [number, other] : sessions_) {
    for (Watch& watch : other.watches) {
      const auto saved = state.saved.find(watch.place);
      if (saved != state.saved.end()) {
        compare(watch, saved->second, now_ms);
      }
    }
  }
}

void ModelTransactions::removed(int database, std::string_view key) {
  for (auto& [number, state] : sessions_) {
    for (Watch& watch : state.watches) {
      if (watch.place.first != database || watch.place.second != key) {
        continue;
      }
      if (watch.expired && held(watch.place) == nullptr) {
        watch.expired = false;
      } else {
        watch.removed = unsettled_ = true;
      }
    }
  }
}

void ModelTransactions::settle() {
  if (!unsettled_) {
    return;
  }
  for (auto& [number, state] : sessions_) {
    for (Watch& watch : state.watches) {
      watch.changed = watch.changed || watch.removed;
      watch.removed = false;
    }
  }
  unsettled_ = false;
}

void ModelTransactions::effect(ModelArguments words) {
  for (auto& [number, state] : sessions_) {
    for (Watch& watch : state.watches) {
      const auto names = [&](std::string_view word) { return word == watch.place.second; };
      watch.named = watch.named || std::any_of(words.begin(), words.end(), names);
    }
  }
}

}  // namespace redoubt::sim
