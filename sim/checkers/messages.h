// What subscribers have to receive, by a model of who has subscribed to what.
//
// The node says what it executes and what it writes to whom (NodeObserver). Of each PUBLISH the
// model knows the messages, and in which order each connection gets them; of every other command,
// that there are none. That what was written also arrives, whole and in order, is checked with the
// replies.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace redoubt::sim {

class MessageChecker {
 public:
  struct Problem {
    std::string expected;
    std::string seen;
  };

  // The node has written a message to a session.
  void pushed(uint64_t session, std::string_view message);
  // A command was executed, whose messages were just pushed. What is wrong with them, if anything.
  std::optional<Problem> executed(std::span<const std::string_view> args);
  // How many messages the last PUBLISH had, as it should reply.
  int64_t receivers() const { return receivers_; }

  // The confirmation that a session which speaks this protocol gets for SUBSCRIBE and its kin with
  // one argument, and for PING where it is special; nothing for other commands.
  std::optional<std::string> confirmation(uint64_t session, int resp,
                                          std::span<const std::string_view> args);
  void session_closed(uint64_t session) { subscribers_.erase(session); }
  void clear();

 private:
  struct Subscriber {
    int resp = 2;
    std::set<std::string, std::less<>> channels;
    std::set<std::string, std::less<>> patterns;  // only such as "prefix*"
  };

  std::map<uint64_t, Subscriber> subscribers_;
  std::map<uint64_t, std::string> pushed_;  // since the last command
  int64_t receivers_ = 0;
};

}  // namespace redoubt::sim
