// Who waits for which keys, as the checker follows it.
//
// The node says when a session begins to wait, and what it replies in the end. When it was served,
// nobody who came before it may have waited for the same keys and been passed over; when its wait
// was in vain, its time has to be over, unless CLIENT UNBLOCK ended it; and at the end of a turn
// nobody may be left whom the data could serve. What serves a command is the model's answer to it
// at that moment.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/time.h"
#include "sim/model/model.h"

namespace redoubt::sim {

// What a command that may wait says: how long, and for which keys.
struct WaitTerms {
  int64_t ms = 0;        // 0: for ever
  size_t first_key = 0;  // the keys are the arguments [first_key, end_key)
  size_t end_key = 0;
  ModelType type = ModelType::list;
  bool by_group = false;  // XREADGROUP: it is told when its group is gone
};
// Nothing for a command that does not wait, or that is wrong.
std::optional<WaitTerms> wait_terms(std::span<const std::string_view> args);

class WaitingChecker {
 public:
  struct Problem {
    std::string expected;
    std::string seen;
  };

  // The session waits from now on.
  void began(uint64_t session, const ModelSession& client, std::span<const std::string_view> args,
             const WaitTerms& terms, Instant now, const Model& model, int64_t now_ms);
  bool waits(uint64_t session) const { return find(session) != nullptr; }

  // The wait of a session is over, and this is what it was replied. The model executes what it was
  // served with. The message "UNBLOCKED" and what the model answers in vain are no service.
  std::optional<Problem> ended(uint64_t session, std::span<const std::string_view> args,
                               std::string_view reply, Model& model, Instant now, int64_t now_ms);
  void session_closed(uint64_t session);
  void clear();

  // A command was executed, other than one that had waited. Of CLIENT UNBLOCK with these arguments,
  // the reply; nothing for another command.
  std::optional<ModelReply> executed(std::span<const std::string_view> args);
  // Somebody was sent away early, and nobody had asked for it.
  std::optional<Problem> sent_away() const;
  // Looks for somebody who could be served.
  std::optional<Problem> turn_ended(Model& model, int64_t now_ms);

  size_t count() const { return waiters_.size(); }

 private:
  struct Waiter {
    uint64_t session = 0;
    ModelSession client;
    std::vector<std::string> words;
    WaitTerms terms;
    Instant deadline;
    bool stale = false;  // a key had expired and was held: if the clock jumps back, nobody is told

    std::vector<std::string_view> args() const { return {words.begin(), words.end()}; }
    bool waits_for(const ModelSession& other, const std::string& key, ModelType type) const;
  };
  // The end of a wait that CLIENT UNBLOCK may explain, or has to.
  struct Early {
    uint64_t session = 0;
    bool with_error = false;
    bool certainly = false;
    std::string text;
  };

  const Waiter* find(uint64_t session) const;
  std::optional<Problem> passed_over(const Waiter& served, Model& model, int64_t now_ms) const;

  std::vector<Waiter> waiters_;  // in order of arrival
  std::optional<Early> early_;
};

}  // namespace redoubt::sim
