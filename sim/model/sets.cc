// The set family.
#include <algorithm>
#include <limits>

#include "sim/model/call.h"
#include "sim/model/part_deadlines.h"
#include "sim/model/resp_value.h"

namespace redoubt::sim {
namespace {

using Members = SortedSet;

// The members of a key; an error when it holds something else.
Members members_of(ModelCall& call, std::string_view key, std::optional<ModelReply>& error) {
  const ModelEntry* entry = call.find(key, ModelType::set, error);
  return entry != nullptr ? live_members(call, *entry) : Members();
}

// Puts the members under the key; none of them: the key is gone. Deadlines stay, if `keep`, and so
// do expired members that are there, unless they are set anew.
void put_set(ModelCall& call, std::string_view key, Members members, bool keep = true) {
  PartDeadlines deadlines;
  const ModelEntry* old = keep ? call.find(key) : nullptr;
  if (old != nullptr) {
    for (const auto& [member, deadline] : old->member_deadlines) {
      const bool lives = old->member_lives(member, call.now_ms);
      if (lives ? members.contains(member) : members.insert(member).second) {
        deadlines[member] = deadline;
      }
    }
  }
  if (members.empty()) {
    call.erase(key);
    return;
  }
  ModelEntry& entry = call.remake(key, ModelType::set, keep);
  entry.set = std::move(members);
  entry.member_deadlines = std::move(deadlines);
}

ModelReply reply_members(const ModelCall& call, const Members& members) {
  ModelReply reply = reply_unordered({members.begin(), members.end()});
  reply.bytes.assign(1, call.resp() == 3 ? '~' : '*');
  return reply;
}

// --- Member by member ----------------------------------------------------------------------------

ModelReply change(ModelCall& call, bool add) {
  std::optional<ModelReply> error;
  Members members = members_of(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  int64_t changed = 0;
  for (size_t i = 2; i < call.count(); i++) {
    const std::string member(call.argument(i));
    changed += static_cast<int64_t>(add ? members.insert(member).second : members.erase(member));
  }
  if (changed > 0) {
    put_set(call, call.argument(1), members);
  }
  return reply_integer(changed);
}

ModelReply sadd_command(ModelCall& call) {
  return change(call, true);
}
ModelReply srem_command(ModelCall& call) {
  return change(call, false);
}

ModelReply scard_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const Members members = members_of(call, call.argument(1), error);
  return error ? *error : reply_integer(static_cast<int64_t>(members.size()));
}

ModelReply smembers_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const Members members = members_of(call, call.argument(1), error);
  return error ? *error : reply_members(call, members);
}

ModelReply sismember_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const Members members = members_of(call, call.argument(1), error);
  return error ? *error : reply_integer(members.contains(call.argument(2)) ? 1 : 0);
}

ModelReply smismember_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const Members members = members_of(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  std::string reply = resp_header('*', call.count() - 2);
  for (size_t i = 2; i < call.count(); i++) {
    reply += resp_integer(members.contains(call.argument(i)) ? 1 : 0);
  }
  return reply_exact(std::move(reply));
}

ModelReply smove_command(ModelCall& call) {
  const std::string_view from = call.argument(1);
  const std::string_view to = call.argument(2);
  const std::string member(call.argument(3));
  if (call.find(from) == nullptr) {
    return reply_integer(0);
  }
  std::optional<ModelReply> error;
  Members source = members_of(call, from, error);
  Members target = members_of(call, to, error);
  if (error) {
    return *error;
  }
  if (!source.contains(member)) {
    return reply_integer(0);
  }
  if (from != to) {
    source.erase(member);
    target.insert(member);
    put_set(call, from, source);
    put_set(call, to, target);
  }
  return reply_integer(1);
}

// --- At random -----------------------------------------------------------------------------------

ModelReply spop_command(ModelCall& call) {
  if (call.count() > 3) {
    return reply_error(syntax_text);
  }
  std::optional<int64_t> count;
  if (call.count() == 3) {
    count = parse_integer(call.argument(2));
    if (!count || *count < 0) {
      return reply_error("ERR value is out of range, must be positive");
    }
  }
  std::optional<ModelReply> error;
  const Members members = members_of(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  if (!count) {
    return members.empty() ? call.null() : reply_one_of(resp_bulks(members));
  }
  const size_t size = std::min(static_cast<size_t>(*count), members.size());
  return reply_some(resp_bulks(members), size, call.resp() == 3 ? '~' : '*');
}

ModelReply srandmember_command(ModelCall& call) {
  if (call.count() > 3) {
    return reply_error(syntax_text);
  }
  std::optional<int64_t> count;
  if (call.count() == 3) {
    count = parse_integer(call.argument(2));
    if (!count) {
      return reply_error(not_integer_text);
    }
    if (*count == std::numeric_limits<int64_t>::min()) {
      return reply_error(
          "ERR value is out of range, value must between -9223372036854775807 and "
          "9223372036854775807");
    }
  }
  std::optional<ModelReply> error;
  const Members members = members_of(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  if (!count) {
    return members.empty() ? call.null() : reply_one_of(resp_bulks(members));
  }
  if (*count < -draws_max && !members.empty()) {
    return reply_error("ERR value is out of range");
  }
  std::vector<std::string> choices = resp_bulks(members);
  if (*count < 0) {
    return reply_draws(std::move(choices), members.empty() ? 0 : static_cast<size_t>(-*count));
  }
  return reply_some(std::move(choices), std::min(static_cast<size_t>(*count), members.size()), '*');
}

// --- Sets of sets --------------------------------------------------------------------------------

enum class Operation : uint8_t { intersection, set_union, difference };

// The result for keys [first, end), or the error.
Members combine(ModelCall& call, Operation operation, size_t first, size_t end,
                std::optional<ModelReply>& error) {
  Members result;
  for (size_t i = first; i < end; i++) {
    const Members members = members_of(call, call.argument(i), error);
    if (error) {
      return {};
    }
    if (i == first) {
      result = members;
    } else if (operation == Operation::set_union) {
      result.insert(members.begin(), members.end());
    } else {
      const bool keep_common = operation == Operation::intersection;
      erase_if(result,
               [&](const std::string& member) { return members.contains(member) != keep_common; });
    }
  }
  return result;
}

ModelReply show(ModelCall& call, Operation operation) {
  std::optional<ModelReply> error;
  const Members result = combine(call, operation, 1, call.count(), error);
  return error ? *error : reply_members(call, result);
}

ModelReply store(ModelCall& call, Operation operation) {
  std::optional<ModelReply> error;
  const Members result = combine(call, operation, 2, call.count(), error);
  if (error) {
    return *error;
  }
  put_set(call, call.argument(1), result, false);
  return reply_integer(static_cast<int64_t>(result.size()));
}

ModelReply sinter_command(ModelCall& call) {
  return show(call, Operation::intersection);
}
ModelReply sunion_command(ModelCall& call) {
  return show(call, Operation::set_union);
}
ModelReply sdiff_command(ModelCall& call) {
  return show(call, Operation::difference);
}
ModelReply sinterstore_command(ModelCall& call) {
  return store(call, Operation::intersection);
}
ModelReply sunionstore_command(ModelCall& call) {
  return store(call, Operation::set_union);
}
ModelReply sdiffstore_command(ModelCall& call) {
  return store(call, Operation::difference);
}

template <Operation operation>
ModelReply cardinality_command(ModelCall& call) {
  const std::optional<int64_t> keys = parse_integer(call.argument(1));
  if (!keys || *keys < 1) {
    return reply_error("ERR numkeys should be greater than 0");
  }
  if (static_cast<uint64_t>(*keys) > call.count() - 2) {
    return reply_error("ERR Number of keys can't be greater than number of args");
  }
  const size_t end = 2 + static_cast<size_t>(*keys);
  int64_t limit = 0;
  for (size_t i = end; i < call.count(); i++) {
    if (operation == Operation::set_union && same_word(call.argument(i), "APPROX")) {
      continue;
    }
    if (!same_word(call.argument(i), "LIMIT") || i + 1 >= call.count()) {
      return reply_error(syntax_text);
    }
    const std::optional<int64_t> given = parse_integer(call.argument(++i));
    if (!given || *given < 0) {
      return reply_error("ERR LIMIT can't be negative");
    }
    limit = *given;
  }
  std::optional<ModelReply> error;
  const Members result = combine(call, operation, 2, end, error);
  if (error) {
    return *error;
  }
  const auto size = static_cast<int64_t>(result.size());
  return reply_integer(limit > 0 ? std::min(limit, size) : size);
}

ModelReply sscan_command(ModelCall& call) {
  ElementScan scan;
  if (!is_cursor(call.argument(2))) {
    return reply_error("ERR invalid cursor");
  }
  std::optional<ModelReply> error;
  const Members members = members_of(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  if (members.empty()) {
    return reply_exact("*2\r\n$1\r\n0\r\n*0\r\n");
  }
  if (std::optional<ModelReply> wrong = take_scan_options(call, scan, false)) {
    return *wrong;
  }
  ModelReply reply = reply_rule(ModelReply::Rule::scan_page);
  for (const std::string& member : members) {
    if (glob_matches(scan.pattern, member)) {
      reply.choices.push_back(member);
    }
  }
  return reply;
}

// --- Deadlines of members ------------------------------------------------------------------------

// Has `work(parts)` look at the members of a key, and puts what it left under the key.
template <typename Work>
ModelReply with_deadlines(ModelCall& call, Work&& work) {
  std::optional<ModelReply> error;
  const Members members = members_of(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  PartDeadlines parts;
  const ModelEntry* entry = call.find(call.argument(1));
  for (const std::string& member : members) {
    const auto found = entry->member_deadlines.find(member);
    parts[member] =
        found != entry->member_deadlines.end() ? found->second : ModelEntry::no_deadline;
  }
  const PartDeadlines before = parts;
  ModelReply reply = work(parts);
  if (parts == before) {
    return reply;
  }
  Members left;
  for (const auto& [member, deadline] : parts) {
    left.insert(member);
  }
  put_set(call, call.argument(1), left);
  for (const auto& [member, deadline] : parts) {
    PartDeadlines& deadlines = call.find(call.argument(1))->member_deadlines;
    deadlines.erase(member);
    if (deadline != ModelEntry::no_deadline) {
      deadlines[member] = deadline;
    }
  }
  return reply;
}

template <bool absolute, bool seconds>
ModelReply expire_command(ModelCall& call) {
  return with_deadlines(call, [&](PartDeadlines& parts) {
    return expire_parts(call, member_texts, absolute, seconds, parts);
  });
}

template <bool absolute, bool seconds>
ModelReply deadlines_command(ModelCall& call) {
  return with_deadlines(call, [&](const PartDeadlines& parts) {
    return show_part_deadlines(call, member_texts, absolute, seconds, parts);
  });
}

ModelReply spersist_command(ModelCall& call) {
  return with_deadlines(
      call, [&](PartDeadlines& parts) { return persist_parts(call, member_texts, parts); });
}

constexpr ModelCommand set_table[] = {
    {"sadd", -3, sadd_command, true},
    {"scard", 2, scard_command, false},
    {"sdiff", -2, sdiff_command, false},
    {"sdiffcard", -3, cardinality_command<Operation::difference>, false},
    {"sdiffstore", -3, sdiffstore_command, true},
    {"sexpire", -6, expire_command<false, true>, true},
    {"sexpireat", -6, expire_command<true, true>, true},
    {"sexpiretime", -5, deadlines_command<true, true>, false},
    {"sinter", -2, sinter_command, false},
    {"sintercard", -3, cardinality_command<Operation::intersection>, false},
    {"sinterstore", -3, sinterstore_command, true},
    {"sismember", 3, sismember_command, false},
    {"smembers", 2, smembers_command, false},
    {"smismember", -3, smismember_command, false},
    {"smove", 4, smove_command, false},
    {"spersist", -5, spersist_command, false},
    {"spexpire", -6, expire_command<false, false>, true},
    {"spexpireat", -6, expire_command<true, false>, true},
    {"spexpiretime", -5, deadlines_command<true, false>, false},
    {"spop", -2, spop_command, false},
    {"spttl", -5, deadlines_command<false, false>, false},
    {"srandmember", -2, srandmember_command, false},
    {"srem", -3, srem_command, false},
    {"sscan", -3, sscan_command, false},
    {"sttl", -5, deadlines_command<false, true>, false},
    {"sunion", -2, sunion_command, false},
    {"sunioncard", -3, cardinality_command<Operation::set_union>, false},
    {"sunionstore", -3, sunionstore_command, true},
};

}  // namespace

std::span<const ModelCommand> set_commands() {
  return set_table;
}

// The members that a server says it has removed.
void learn_popped(ModelCall& call, std::string_view reply) {
  RespValue value;
  std::optional<ModelReply> error;
  Members members = members_of(call, call.argument(1), error);
  if (error || members.empty() || !parse_resp_exactly(reply, value)) {
    return;
  }
  if (value.kind == RespValue::Kind::bulk) {
    members.erase(value.text);
  }
  for (const RespValue& item : value.items) {
    members.erase(item.text);
  }
  put_set(call, call.argument(1), members);
}

Members live_members(const ModelCall& call, const ModelEntry& entry) {
  Members members = entry.set;
  for (const auto& [member, deadline] : entry.member_deadlines) {
    if (!entry.member_lives(member, call.now_ms)) {
      members.erase(member);
    }
  }
  return members;
}

// What OBJECT ENCODING may say: the set may have been larger, or of another kind, before.
std::vector<std::string> set_encodings(const ModelEntry& entry) {
  const bool integers =
      std::all_of(entry.set.begin(), entry.set.end(),
                  [](const std::string& member) { return parse_integer(member).has_value(); });
  std::vector<std::string> names = {resp_bulk("listpack"), resp_bulk("hashtable")};
  if (integers) {
    names.push_back(resp_bulk("intset"));
  }
  return names;
}

}  // namespace redoubt::sim
