// MULTI, EXEC, DISCARD, WATCH and UNWATCH in the model, for all sessions of a node.
//
// Queued commands are kept as they were sent. The checker has them executed one by one, in the
// order in which the node does so, and asks for the reply to EXEC in the end. For a transaction
// with rollback, every entry that an argument names is copied before; when a command fails the
// copies are put back.
//
// A watched key is compared before and after each command that names it: when they differ, EXEC has
// to fail. A command may also touch a key without changing it (SET to the same value); which do so
// is not for the model to know. There the stream of effects decides: while no effect named the key,
// EXEC has to run; when one did, both are right.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/model/model.h"

namespace redoubt::sim {

// A copy that shares nothing with the entry, and whether two are the same for a client. Of a stream
// only its entries count.
ModelEntry copy_of_model_entry(const ModelEntry& entry);
bool same_model_entry(const ModelEntry& a, const ModelEntry& b);

class ModelTransactions {
 public:
  // What is wrong with what a server did.
  struct Problem {
    std::string expected;
    std::string seen;
  };
  using Place = std::pair<int, std::string>;  // a key of a database

  // `rollback`: what holds for sessions that have not chosen. The model outlives this.
  ModelTransactions(Model& model, bool rollback) : model_(model), rollback_(rollback) {}

  // --- sessions, by number
  void reset(uint64_t session) { sessions_.erase(session); }
  void clear() { sessions_.clear(); }
  void choose_rollback(uint64_t session, bool on) { sessions_[session].choice = on; }
  // MULTI was sent, and its end was not.
  bool open(uint64_t session) const;
  // A command was refused for a reason that the model does not know: EXEC will fail.
  void abort(uint64_t session) { sessions_[session].aborted = true; }
  void discard(uint64_t session);

  // The reply to a command that is about transactions, other than EXEC, or that is queued; nothing
  // when it is to be executed. `seen` is what was replied, for the few whose number of arguments
  // the model does not know.
  std::optional<ModelReply> apply(uint64_t session, const ModelSession& client,
                                  ModelArguments arguments, int64_t now_ms, std::string_view seen);

  // --- EXEC
  // A queued command is about to be executed; end_queued() follows with its reply.
  std::optional<Problem> begin_queued(uint64_t session, ModelSession& client,
                                      ModelArguments arguments, int64_t now_ms);
  void end_queued(uint64_t session, std::string_view reply, int64_t now_ms);
  // The reply to EXEC, after those commands; what was rolled back is as before.
  ModelReply end_exec(uint64_t session, ModelSession& client, int64_t now_ms);
  // Within EXEC of a transaction that may be undone, whose removals are told late.
  bool may_be_undone() const { return undoable_; }
  // The place that the last transaction that was undone would have changed.
  const std::optional<Place>& last_undone() const { return last_undone_; }

  // --- changes of data, for WATCH
  // Around each command that is executed.
  void before_command(int database, ModelArguments arguments);
  void after_command(int64_t now_ms);
  // The server removed the key, or a field of its value, on its own.
  void removed(int database, std::string_view key);
  // What was removed until now was not removed by a command that is still to be told.
  void settle();
  // An effect with these words was published.
  void effect(ModelArguments words);

 private:
  struct Watch {
    Place place;
    bool expired = false;  // it had expired, and was still held, when it was watched
    bool changed = false;
    bool removed = false;  // since the last command that was told
    bool named = false;    // by an effect
  };
  struct State {
    bool open = false;
    bool aborted = false;
    bool rollback = false;
    std::optional<bool> choice;
    std::vector<std::vector<std::string>> queue;
    std::vector<Watch> watches;
    // Within EXEC.
    bool runs = false;
    size_t done = 0;
    bool failed = false;  // the last command
    int database_before = 0;
    std::string replies;
    std::string last_reply;
    std::map<Place, std::optional<ModelEntry>> saved;
  };
  enum class Verdict : uint8_t { runs, fails, either };
  // What a command may change: keys that it names, or all of a database.
  enum class Reach : uint8_t { keys, flushes, swaps };
  struct Seen {
    Watch* watch;
    std::optional<ModelEntry> entry;
    Reach how;
  };

  const ModelEntry* held(const Place& place) const;
  Verdict verdict(const State& state, int64_t now_ms) const;
  ModelReply begin(State& state);
  ModelReply queue(State& state, ModelArguments arguments, std::string_view seen);
  ModelReply watch(State& state, const ModelSession& client, ModelArguments arguments,
                   int64_t now_ms);
  ModelReply rolled_back(State& state, ModelSession& client);
  void save(State& state, ModelArguments arguments);
  static void close(State& state);
  Reach reach(int database, int current, ModelArguments arguments) const;
  void compare(Watch& watch, const std::optional<ModelEntry>& before, int64_t now_ms) const;
  void compare_database(Watch& watch, bool was_there, Reach how, int64_t now_ms) const;
  void tell_others(const State& state, int64_t now_ms);

  Model& model_;
  const bool rollback_;
  std::map<uint64_t, State> sessions_;
  std::vector<Seen> before_;
  bool undoable_ = false;
  bool unsettled_ = false;  // some watch has `removed`
  std::optional<Place> last_undone_;
};

}  // namespace redoubt::sim
