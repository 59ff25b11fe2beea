#include "tests/differential/compare.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "sim/model/resp_value.h"

namespace redoubt::differential {
namespace {

using sim::RespValue;

// Two servers with clocks of their own, and a pause of the machine between them.
constexpr int64_t clock_tolerance_ms = 3000;
constexpr int64_t expired_keys_tolerance = 8;

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out;
}

// BITFIELD ... OVERFLOW SAT ... SET i8 0 -9223372036854775800
bool saturates_far_below(const OwnedCommand& command) {
  bool saturates = false;
  bool far_below = false;
  for (const std::string& argument : command) {
    saturates = saturates || upper(argument) == "SAT";
    far_below = far_below || argument.rfind("-9223372036854775", 0) == 0;
  }
  return saturates && far_below;
}

// STREAMS with a key more than ids.
bool has_unbalanced_streams(const OwnedCommand& command) {
  for (size_t i = 1; i < command.size(); i++) {
    if (upper(command[i]) == "STREAMS") {
      return (command.size() - i - 1) % 2 != 0;
    }
  }
  return false;
}

// Beyond what a wait may be, whatever the unit.
bool is_huge_number(const std::string& argument) {
  char* end = nullptr;
  const double number = std::strtod(argument.c_str(), &end);
  return end != argument.c_str() && *end == '\0' && number > 9e15;
}

struct KnownDifference {
  bool (*applies)(const OwnedCommand& command, const std::string& name);
  std::string_view reason;
  bool changes_data = false;
};

const KnownDifference known_differences[] = {
    {[](const OwnedCommand& command, const std::string& name) {
       return (name == "BITCOUNT" && command.size() > 2) ||
              (name == "BITPOS" && command.size() > 3);
     },
     "7.2 checks the range before it looks for the key, 7.0 does not", false},
    {[](const OwnedCommand& command, const std::string& name) {
       return name == "BITFIELD" && saturates_far_below(command);
     },
     "SET of a number far below a signed field saturates to its minimum, in Redis to its maximum",
     true},
    {[](const OwnedCommand& command, const std::string& name) {
       return (name == "ZRANK" || name == "ZREVRANK") && command.size() == 4;
     },
     "7.2 has WITHSCORE", false},
    {[](const OwnedCommand& command, const std::string& name) {
       return name == "OBJECT" && command.size() == 3 && upper(command[1]) == "REFCOUNT";
     },
     "small integers are shared by Redis and not by us", false},
    {[](const OwnedCommand& command, const std::string& name) {
       return name == "COMMAND" && command.size() == 4 && upper(command[2]) == "PFMERGE";
     },
     "7.0 finds no key when there is only a destination", false},
    {[](const OwnedCommand& command, const std::string& name) {
       return name == "COMMAND" && command.size() > 3 && upper(command[2]).starts_with("XREAD");
     },
     "7.0 takes the value of an option for STREAMS", false},
    {[](const OwnedCommand& command, const std::string& name) {
       return name == "XSETID" && !command.empty();
     },
     "7.0 takes an id below the largest that was deleted", true},
    {[](const OwnedCommand& command, const std::string& name) {
       return (name == "XREAD" || name == "XREADGROUP") && has_unbalanced_streams(command);
     },
     "7.0 names XREAD and $ in the error of XREADGROUP", false},
    {[](const OwnedCommand& command, const std::string& name) {
       return (name.starts_with("B") || name == "XREAD" || name == "XREADGROUP") &&
              std::any_of(command.begin(), command.end(), is_huge_number);
     },
     "7.0 calls a timeout that is too large negative, or waits", false},
    {[](const OwnedCommand& command, const std::string& name) {
       return (name == "SRANDMEMBER" || name == "HRANDFIELD") && command.size() > 2 &&
              command[2].size() > 8 && command[2][0] == '-';
     },
     "the number of draws is limited", false},
};

const KnownDifference* find_difference(const OwnedCommand& command) {
  const std::string name = upper(command[0]);
  for (const KnownDifference& difference : known_differences) {
    if (difference.applies(command, name)) {
      return &difference;
    }
  }
  return nullptr;
}

bool close_integers(const RespValue& a, const RespValue& b, int64_t tolerance) {
  if (a.kind != RespValue::Kind::integer || b.kind != RespValue::Kind::integer) {
    return false;
  }
  // -1 and -2 mean something else than a time.
  if (a.integer < 0 || b.integer < 0) {
    return a.integer == b.integer;
  }
  return a.integer - b.integer <= tolerance && b.integer - a.integer <= tolerance;
}

bool same_sorted(RespValue a, RespValue b) {
  auto by_text = [](const RespValue& left, const RespValue& right) {
    return left.text < right.text;
  };
  std::sort(a.items.begin(), a.items.end(), by_text);
  std::sort(b.items.begin(), b.items.end(), by_text);
  return a == b;
}

// SORT of a set BY what is the same for all elements: in the order in which the server has them.
bool sorts_a_set_by_nothing(const OwnedCommand& command, const std::string& name) {
  if ((name != "SORT" && name != "SORT_RO") || command.size() < 4 ||
      !command[1].starts_with("set:")) {
    return false;
  }
  return upper(command[2]) == "BY" && command[3].find('*') == std::string::npos;
}

bool has_limit(const OwnedCommand& command) {
  return std::any_of(command.begin(), command.end(),
                     [](const std::string& word) { return upper(word) == "LIMIT"; });
}

// Fields with their values, flat or as a map.
bool same_pairs(const RespValue& a, const RespValue& b) {
  if (a.kind != b.kind || a.items.size() != b.items.size() || a.items.size() % 2 != 0) {
    return a == b;
  }
  const auto pairs = [](const RespValue& value) {
    std::vector<std::pair<std::string, std::string>> out;
    for (size_t i = 0; i < value.items.size(); i += 2) {
      out.emplace_back(value.items[i].text, value.items[i + 1].text);
    }
    std::sort(out.begin(), out.end());
    return out;
  };
  return pairs(a) == pairs(b);
}

// What the servers chose is different; how much of it, and of what kind, is the same.
bool same_choices(const RespValue& a, const RespValue& b) {
  return a.kind == b.kind && !a.is_error() && a.items.size() == b.items.size();
}

// Cursors are the server's own, so a page is comparable only when it is the first one, and when
// both servers gave everything at once.
bool same_scan_page(const OwnedCommand& command, const std::string& cursor, const RespValue& a,
                    const RespValue& b) {
  if (a.items.size() != 2 || b.items.size() != 2) {
    return a == b;
  }
  const bool both_at_once = cursor == "0" && a.items[0].text == "0" && b.items[0].text == "0";
  if (!both_at_once) {
    return true;
  }
  return upper(command[0]) == "HSCAN" ? same_pairs(a.items[1], b.items[1])
                                      : same_sorted(a.items[1], b.items[1]);
}

// Servers differ by a little in how long ago a delivery was.
bool same_pending(RespValue a, RespValue b) {
  for (RespValue* reply : {&a, &b}) {
    for (RespValue& entry : reply->items) {
      if (entry.items.size() == 4) {
        entry.items[2].integer = 0;
        entry.items[2].text.clear();
      }
    }
  }
  return a == b;
}

// Since 7.2 a consumer exists as soon as it has tried to read or claim something. What the
// reference says of how far a group has read is wrong when entries were deleted or trimmed, or when
// a client gave a wrong number; tests/store/stream_lag_test.cc has what is right.
bool same_groups(RespValue a, RespValue b) {
  if (a.items.size() != b.items.size()) {
    return false;
  }
  for (size_t i = 0; i < a.items.size(); i++) {
    std::vector<RespValue>& ours = a.items[i].items;
    std::vector<RespValue>& theirs = b.items[i].items;
    if (ours.size() != 12 || theirs.size() != 12) {
      continue;
    }
    theirs[3] = ours[3];
    theirs[9] = ours[9];
    theirs[11] = ours[11];
  }
  return a == b;
}

// For replies where only the kind is the same.
bool same_kind(const RespValue& a, const RespValue& b) {
  return a.is_error() || b.is_error() ? a == b : a.kind == b.kind;
}

// 7.0 writes doubles with 17 digits, 7.2 with as many as they need.
bool same_double(const RespValue& a, const RespValue& b) {
  const bool texts = (a.kind == RespValue::Kind::bulk && b.kind == RespValue::Kind::bulk) ||
                     (a.kind == RespValue::Kind::real && b.kind == RespValue::Kind::real);
  if (!texts || a.text.empty() || b.text.empty()) {
    return false;
  }
  char* a_end = nullptr;
  char* b_end = nullptr;
  const double a_number = std::strtod(a.text.c_str(), &a_end);
  const double b_number = std::strtod(b.text.c_str(), &b_end);
  return *a_end == '\0' && *b_end == '\0' && a_number == b_number;
}

// Replies with scores, at any depth.
bool same_with_doubles(const RespValue& a, const RespValue& b) {
  if (a == b || same_double(a, b)) {
    return true;
  }
  return a.kind == b.kind && !a.items.empty() && a.items.size() == b.items.size() &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), same_with_doubles);
}

bool same_object(const std::string& subcommand, const RespValue& a, const RespValue& b) {
  if (subcommand == "FREQ" || subcommand == "IDLETIME") {
    return same_kind(a, b);
  }
  if (subcommand != "ENCODING") {
    return false;
  }
  // Encodings of sets and hashes tell of their past; 7.0 has no listpack sets and lists, and its
  // SORT makes a skiplist of a sorted set.
  const auto open = [](const RespValue& value) {
    return value.text == "raw" || value.text == "hashtable" || value.text == "quicklist" ||
           value.text == "ziplist" || value.text == "skiplist";
  };
  return same_kind(a, b) && (open(a) || open(b));
}

}  // namespace

std::string describe_command(const OwnedCommand& command) {
  std::string out;
  for (const std::string& argument : command) {
    const bool plain =
        !argument.empty() && std::all_of(argument.begin(), argument.end(), [](char c) {
          return c > ' ' && c < 127 && c != '"' && c != '\\' && c != '\'';
        });
    out += out.empty() ? "" : " ";
    out += plain ? argument : sim::quote_bytes(argument);
  }
  return out;
}

std::string_view known_difference(const OwnedCommand& command) {
  const KnownDifference* difference = find_difference(command);
  return difference != nullptr ? difference->reason : std::string_view();
}

bool known_to_change_data(const OwnedCommand& command) {
  const KnownDifference* difference = find_difference(command);
  return difference != nullptr && difference->changes_data;
}

bool same_reply(const OwnedCommand& command, std::string_view reference, std::string_view subject) {
  if (reference == subject) {
    return true;
  }
  RespValue a;
  RespValue b;
  if (!sim::parse_resp_exactly(reference, a) || !sim::parse_resp_exactly(subject, b)) {
    return false;
  }
  const std::string name = upper(command[0]);
  if (name == "TTL" || name == "EXPIRETIME") {
    return close_integers(a, b, clock_tolerance_ms / 1000);
  }
  if (name == "PTTL" || name == "PEXPIRETIME") {
    return close_integers(a, b, clock_tolerance_ms);
  }
  if (name == "DBSIZE") {  // counts keys that are expired and not yet removed
    return close_integers(a, b, expired_keys_tolerance);
  }
  if (name == "XPENDING") {
    return same_pending(a, b);
  }
  if (name == "XINFO" && command.size() == 3 && upper(command[1]) == "GROUPS") {
    return same_groups(a, b);
  }
  if (name == "KEYS" || name == "SMEMBERS" || name == "SINTER" || name == "SUNION" ||
      name == "SDIFF" || name == "HKEYS" || name == "HVALS") {
    return same_sorted(a, b);
  }
  if (sorts_a_set_by_nothing(command, name)) {
    return has_limit(command) ? same_kind(a, b) && a.items.size() == b.items.size()
                              : same_sorted(a, b);
  }
  if (name == "HGETALL") {
    return same_pairs(a, b);
  }
  if (name == "SCAN") {
    return same_scan_page(command, command[1], a, b);
  }
  if ((name == "SSCAN" || name == "HSCAN") && command.size() > 2) {
    return same_scan_page(command, command[2], a, b);
  }
  if (name == "SRANDMEMBER" || name == "HRANDFIELD" || name == "SPOP") {
    return same_choices(a, b);
  }
  if (name == "ZSCAN") {  // in order of their own, with scores of different digits
    return same_kind(a, b);
  }
  if (name == "ZRANDMEMBER") {
    return same_kind(a, b) && a.items.size() == b.items.size();
  }
  if ((name.starts_with("Z") || name.starts_with("BZ") || name == "EXEC") &&
      same_with_doubles(a, b)) {
    return true;
  }
  if (name == "RANDOMKEY" || name == "TIME" || name == "HELLO") {
    return same_kind(a, b);
  }
  return name == "OBJECT" && command.size() == 3 && same_object(upper(command[1]), a, b);
}

}  // namespace redoubt::differential
