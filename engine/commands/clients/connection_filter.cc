#include "engine/commands/clients/connection_filter.h"
#include "engine/clients/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/commands/arguments.h"
#include "engine/store/number.h"
#include "net/text.h"

namespace redoubt {

namespace {

constexpr std::string_view kNotPrefix = "not-";

std::optional<int64_t> positive(std::string_view text) {
  const std::optional<int64_t> number = parse_integer(text);
  return number && *number > 0 ? number : std::nullopt;
}

}  // namespace

const std::array<ClientFilter::Option, ClientFilter::kSubjects> ClientFilter::kOptions = {{
    {"id", Subject::id, true},
    {"type", Subject::type, true},
    {"user", Subject::user, true},
    {"addr", Subject::address, true},
    {"laddr", Subject::local_address, true},
    {"name", Subject::name, true},
    {"lib-name", Subject::library_name, true},
    {"lib-ver", Subject::library_version, true},
    {"db", Subject::db, true},
    {"maxage", Subject::age, false},
    {"idle", Subject::idle, false},
}};

bool is_client_type(std::string_view type) {
  constexpr std::array<std::string_view, 5> kTypes = {"normal", "master", "replica", "slave",
                                                      "pubsub"};
  return std::any_of(kTypes.begin(), kTypes.end(),
                     [type](std::string_view known) { return equal_ignoring_case(type, known); });
}

ConnectionFacts facts_of(const Session& session) {
  return {.id = session.id,
          .type = session.has(kSessionSubscribed) ? "pubsub" : "normal",
          .user = session.identity.user,
          .peer = session.peer(),
          .local = session.local(),
          .name = session.identity.name,
          .library_name = session.identity.library_name(),
          .library_version = session.identity.library_version(),
          .db = session.db,
          .connected = session.traffic.connected,
          .last_request = session.traffic.last_request};
}

ConnectionFacts facts_of(const Link::Facts& link) {
  return {.id = link.id,
          .type = link.kind == LinkKind::primary ? "master" : "replica",
          .user = "default",
          .peer = link.connection->peer(),
          .local = link.connection->local(),
          .name = {},
          .library_name = {},
          .library_version = {},
          .db = 0,
          .connected = link.connected,
          .last_request = link.last_request};
}

bool ClientFilter::read(Context& c, size_t first) {
  for (size_t at = first; at < c.args.size();) {
    std::string_view word = c.args[at];
    if (at + 1 == c.args.size()) {
      c.syntax_error();
      return false;
    }
    if (equal_ignoring_case(word, "skipme")) {
      if (!c.is(at + 1, "yes") && !c.is(at + 1, "no")) {
        c.syntax_error();
        return false;
      }
      skip_me = c.is(at + 1, "yes");
      at += 2;
      continue;
    }
    const bool negated = word.size() > kNotPrefix.size() &&
                         equal_ignoring_case(word.substr(0, kNotPrefix.size()), kNotPrefix);
    if (negated) word.remove_prefix(kNotPrefix.size());
    const auto option = std::find_if(kOptions.begin(), kOptions.end(), [&](const Option& known) {
      return equal_ignoring_case(word, known.name) && (!negated || known.negatable);
    });
    if (option == kOptions.end()) {
      c.syntax_error();
      return false;
    }
    Condition condition;
    condition.given = true;
    if (!read_condition(c, *option, ++at, condition)) return false;
    conditions_[static_cast<size_t>(option->subject)][negated ? 1 : 0] = std::move(condition);
  }
  return true;
}

// Reads the value at argument `at` and moves behind it.
bool ClientFilter::read_condition(Context& c, const Option& option, size_t& at,
                                  Condition& condition) {
  if (option.subject == Subject::id) return read_ids(c, at, condition);
  condition.text = c.args[at++];
  const std::string_view text = condition.text;
  switch (option.subject) {
    case Subject::type:
      if (is_client_type(text)) return true;
      c.error(fmt::format("ERR Unknown client type '{}'", text.substr(0, kShownArgument)));
      return false;
    case Subject::user:
      if (text == "default") return true;
      c.error(fmt::format("ERR No such user '{}'", text.substr(0, kShownArgument)));
      return false;
    case Subject::db:
    case Subject::age:
    case Subject::idle: {
      const int64_t low = option.subject == Subject::db ? 0 : 1;
      const std::optional<int64_t> number = c.integer(at - 1);
      if (!number) return false;
      condition.number = *number;
      if (*number >= low) return true;
      c.error(option.subject == Subject::db
                  ? std::string("ERR DB index is out of range")
                  : fmt::format("ERR {} should be greater than 0", option.name));
      return false;
    }
    default: return true;
  }
}

bool ClientFilter::read_ids(Context& c, size_t& at, Condition& condition) {
  if (!positive(c.args[at])) {
    c.error("ERR client-id should be greater than 0");
    return false;
  }
  for (; at < c.args.size(); ++at) {
    const std::optional<int64_t> id = positive(c.args[at]);
    if (!id) break;
    condition.ids.push_back(static_cast<uint64_t>(*id));
  }
  std::sort(condition.ids.begin(), condition.ids.end());
  return true;
}

bool ClientFilter::holds(const Condition& condition, Subject subject, const Context& c,
                         const ConnectionFacts& connection) {
  switch (subject) {
    case Subject::id:
      return std::binary_search(condition.ids.begin(), condition.ids.end(), connection.id);
    case Subject::type: {
      const bool older = equal_ignoring_case(condition.text, "slave");
      return equal_ignoring_case(older ? "replica" : condition.text, connection.type);
    }
    case Subject::user: return connection.user == condition.text;
    case Subject::address: return connection.peer.to_string() == condition.text;
    case Subject::local_address: return connection.local.to_string() == condition.text;
    case Subject::name: return connection.name == condition.text;
    case Subject::library_name: return connection.library_name == condition.text;
    case Subject::library_version: return connection.library_version == condition.text;
    case Subject::db: return connection.db == condition.number;
    case Subject::age: return (c.env().now() - connection.connected).s() >= condition.number;
    case Subject::idle: return (c.env().now() - connection.last_request).s() >= condition.number;
  }
  return false;
}

bool ClientFilter::matches(const Context& c, const ConnectionFacts& connection) const {
  if (skip_me && connection.id == c.session.id) return false;
  for (const Option& option : kOptions) {
    const auto& [condition, negated] = conditions_[static_cast<size_t>(option.subject)];
    if (condition.given && !holds(condition, option.subject, c, connection)) return false;
    if (negated.given && holds(negated, option.subject, c, connection)) return false;
  }
  return true;
}

}  // namespace redoubt
