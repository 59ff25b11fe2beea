#include "sim/checkers/messages.h"

#include <initializer_list>

namespace redoubt::sim {

namespace {

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string message(int resp, std::initializer_list<std::string_view> parts) {
  std::string text = (resp == 3 ? ">" : "*") + std::to_string(parts.size()) + "\r\n";
  for (const std::string_view part : parts) text += bulk(part);
  return text;
}

bool matches(std::string_view pattern, std::string_view channel) {
  return channel.starts_with(pattern.substr(0, pattern.size() - 1));
}

}  // namespace

void MessageChecker::pushed(uint64_t session, std::string_view text) {
  pushed_[session] += text;
}

std::optional<MessageChecker::Problem> MessageChecker::executed(
    std::span<const std::string_view> args) {
  std::map<uint64_t, std::string> expected;
  if (args.size() == 3 && args[0] == "PUBLISH") {
    receivers_ = 0;
    const std::string_view channel = args[1];
    for (const auto& [session, subscriber] : subscribers_) {
      std::string text;
      if (subscriber.channels.contains(channel)) {
        text += message(subscriber.resp, {"message", channel, args[2]});
        ++receivers_;
      }
      for (const std::string& pattern : subscriber.patterns) {
        if (!matches(pattern, channel)) continue;
        text += message(subscriber.resp, {"pmessage", pattern, channel, args[2]});
        ++receivers_;
      }
      if (!text.empty()) expected[session] = text;
    }
  }
  const std::map<uint64_t, std::string> seen = std::move(pushed_);
  pushed_.clear();
  if (seen == expected) return std::nullopt;
  Problem problem;
  for (const auto& [session, text] : expected) {
    problem.expected += "to session " + std::to_string(session) + ": " + text + "; ";
  }
  for (const auto& [session, text] : seen) {
    problem.seen += "to session " + std::to_string(session) + ": " + text + "; ";
  }
  return problem;
}

std::optional<std::string> MessageChecker::confirmation(uint64_t session, int resp,
                                                        std::span<const std::string_view> args) {
  if (args.size() == 1 && args[0] == "PING") {
    const auto found = subscribers_.find(session);
    if (found == subscribers_.end()) return std::nullopt;
    const Subscriber& s = found->second;
    if (resp == 3 || (s.channels.empty() && s.patterns.empty())) return std::nullopt;
    return "*2\r\n" + bulk("pong") + bulk("");
  }
  if (args.size() != 2) return std::nullopt;
  const bool is_pattern = args[0] == "PSUBSCRIBE" || args[0] == "PUNSUBSCRIBE";
  const bool joins = args[0] == "SUBSCRIBE" || args[0] == "PSUBSCRIBE";
  if (!is_pattern && !joins && args[0] != "UNSUBSCRIBE") return std::nullopt;
  Subscriber& subscriber = subscribers_[session];
  subscriber.resp = resp;
  auto& names = is_pattern ? subscriber.patterns : subscriber.channels;
  if (joins) {
    names.emplace(args[1]);
  } else {
    names.erase(std::string(args[1]));
  }
  std::string what = joins ? "subscribe" : "unsubscribe";
  if (is_pattern) what.insert(0, 1, 'p');
  const size_t count = subscriber.channels.size() + subscriber.patterns.size();
  return (resp == 3 ? ">3\r\n" : "*3\r\n") + bulk(what) + bulk(args[1]) + ":" +
         std::to_string(count) + "\r\n";
}

void MessageChecker::clear() {
  subscribers_.clear();
  pushed_.clear();
}

}  // namespace redoubt::sim
