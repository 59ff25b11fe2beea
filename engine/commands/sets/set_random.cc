// Members that nobody chose: SPOP and SRANDMEMBER.
#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/sets/set_value.h"

namespace redoubt {

namespace {

// --- SPOP

// Removes the members, replies with them, and says so as SREM.
void pop_members(Context& c, Entry& entry, const std::vector<std::string>& members) {
  constexpr size_t kMembersEach = 1024;  // of an effect
  const std::string_view key = c.args[1];
  SetWriter set(c, key, &entry);
  for (const std::string& member : members) set.editor().remove(SetMember(member));
  set.finish();
  c.modified(key, 's', "spop");
  std::vector<std::string_view> effect;
  for (size_t i = 0; i < members.size();) {
    effect.assign({"SREM", key});
    const size_t end = std::min(members.size(), i + kMembersEach);
    for (; i < end; ++i) effect.push_back(members[i]);
    c.effect(effect);
  }
}

void pop_one(Context& c, Entry* entry) {
  if (entry == nullptr) {
    c.reply.null();
    return;
  }
  const SetMember chosen(live_set(c, *entry).random(c.random()));
  const std::string_view key = c.args[1];
  const SetElement element{chosen.text()};
  reply_member(c.reply, element);
  c.effect({"SREM", key, chosen.text()});
  SetWriter set(c, key, entry);
  set.editor().remove(chosen);
  set.finish();
  c.modified(key, 's', "spop");
  set.remove_if_empty();
}

// Some of the members, at random.
std::vector<std::string> choose(Context& c, const SetView& set, size_t count) {
  std::vector<std::string> chosen;
  set.sample(c.random(), count,
             [&](const SetElement& element) { chosen.emplace_back(SetMember(element).text()); });
  c.env().count_work(set.size());
  return chosen;
}

// Few of many: drawn one by one, and drawn again when one comes twice.
std::vector<std::string> draw(Context& c, const SetView& set, size_t count) {
  std::set<std::string, std::less<>> drawn;
  std::vector<std::string> chosen;
  while (chosen.size() < count) {
    const SetMember member(set.random(c.random()));
    if (drawn.emplace(member.text()).second) chosen.emplace_back(member.text());
  }
  c.env().count_work(count);
  return chosen;
}

std::vector<std::string> choose_or_draw(Context& c, const SetView& set, size_t count) {
  const bool table = set.encoding() == Encoding::hashtable || set.may_expire();
  const bool few = table && set.hidden() == 0 && count < set.size() / 8;
  return few ? draw(c, set, count) : choose(c, set, count);
}

void spop_command(Context& c) {
  if (c.args.size() > 3) {
    c.syntax_error();
    return;
  }
  std::optional<int64_t> given;
  if (!read_pop_count(c, given)) return;
  const std::string_view key = c.args[1];
  Entry* entry = c.write(key);
  if (c.wrong_type(entry, Type::set)) return;
  entry = set_to_write(c, entry);
  // While data stands still, expired members may be all that is left.
  if (entry != nullptr && may_expire(*entry) && live_set(c, *entry).size() == 0) entry = nullptr;
  if (!given) {
    pop_one(c, entry);
    return;
  }
  const auto count = static_cast<uint64_t>(*given);
  if (entry == nullptr || count == 0) {
    c.reply.set(0);
    return;
  }
  const SetView set = live_set(c, *entry);
  if (count >= set.size() && set.hidden() == 0) {
    c.reply.set(set.size());
    reply_members(c, set);
    c.modified(key, 's', "spop");
    c.remove_empty(key);
    c.effect({"DEL", key});
    return;
  }
  const std::vector<std::string> members =
      choose_or_draw(c, set, std::min<uint64_t>(count, set.size()));
  c.reply.set(members.size());
  for (const std::string& member : members) c.reply.bulk(member);
  pop_members(c, *entry, members);
}

// --- SRANDMEMBER

// Replies with a member for each draw; the same may come again.
void reply_draws(Context& c, const SetView& set, size_t count) {
  c.reply.array(count);
  std::vector<SetElement> shown;
  if (set.hidden() > 0) set.for_each([&](const SetElement& member) { shown.push_back(member); });
  Random& random = c.random();
  for (size_t i = 0; i < count; ++i) {
    reply_member(c.reply, shown.empty() ? set.random(random) : shown[random.below(shown.size())]);
  }
  c.env().count_work(count);
}

void srandmember_command(Context& c) {
  if (c.args.size() > 3) {
    c.syntax_error();
    return;
  }
  std::optional<int64_t> count;
  if (c.args.size() == 3) {
    count = c.integer(2);
    if (!count) return;
    if (*count == std::numeric_limits<int64_t>::min()) {
      c.error(
          "ERR value is out of range, value must between "
          "-9223372036854775807 and 9223372036854775807");
      return;
    }
  }
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::set)) return;
  entry = set_to_read(c, entry);
  if (entry == nullptr) {
    count ? c.reply.array(0) : c.reply.null();
    return;
  }
  if (count && *count < -kDrawsMax) {
    c.error("ERR value is out of range");
    return;
  }
  const SetView set = live_set(c, *entry);
  if (!count) {
    reply_member(c.reply, set.random(c.random()));
  } else if (*count < 0) {
    reply_draws(c, set, static_cast<size_t>(-*count));
  } else if (static_cast<uint64_t>(*count) >= set.size()) {
    c.reply.array(set.size());
    reply_members(c, set);
  } else {
    const std::vector<std::string> chosen = choose_or_draw(c, set, static_cast<size_t>(*count));
    c.reply.array(chosen.size());
    for (const std::string& member : chosen) c.reply.bulk(member);
  }
}

constexpr Command set_random_rows[] = {
    {.name = "spop",
     .arity = -2,
     .flags = kWrite | kFast,
     .categories = kCatSet,
     .keys = {keys_at(kKeyRW | kKeyAccess | kKeyDelete, 1)},
     .since = "1.0.0",
     .group = "set",
     .complexity = "Without the count argument O(1), otherwise O(N) where N is the value of the "
                   "passed count.",
     .summary = "Remove and return one or multiple random members from a set",
     .tips = "nondeterministic_output",
     .arguments = "key:key [count:integer@3.2.0]",
     .history = "3.2.0: Added the `count` argument.",
     .handler = spop_command},
    {.name = "srandmember",
     .arity = -2,
     .flags = kReadOnly,
     .categories = kCatSet,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "1.0.0",
     .group = "set",
     .complexity = "Without the count argument O(1), otherwise O(N) where N is the absolute value "
                   "of the passed count.",
     .summary = "Get one or multiple random members from a set",
     .tips = "nondeterministic_output",
     .arguments = "key:key [count:integer@2.6.0]",
     .history = "2.6.0: Added the optional `count` argument.",
     .handler = srandmember_command},
};

}  // namespace

std::span<const Command> set_random_commands() {
  return set_random_rows;
}

}  // namespace redoubt
