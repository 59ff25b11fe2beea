// Sets made from sets: intersection, union and difference.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/sets/set_value.h"

namespace redoubt {

namespace {

enum class Operation : uint8_t { intersection, set_union, difference };

// The sets of keys [first, end). A missing key is an empty set: `missing` counts them, and
// `first_missing` says whether the first one is.
struct Sources {
  std::vector<SetView> sets;
  size_t missing = 0;
  bool first_missing = false;
};

// Nothing, after an error, when a key holds something else. `stores`: the result is stored.
std::optional<Sources> find_sources(Context& c, size_t first, size_t end, bool stores = false) {
  Sources sources;
  for (size_t i = first; i < end; ++i) {
    const Entry* entry = c.read(c.args[i]);
    if (c.wrong_type(entry, Type::set)) return std::nullopt;
    if (stores) entry = without_expired_members(c, entry);
    if (entry != nullptr) {
      sources.sets.push_back(live_set(c, *entry));
    } else {
      ++sources.missing;
      sources.first_missing = sources.first_missing || i == first;
    }
  }
  return sources;
}

// Calls visit(element, member) for the members of sets[0] that are in all others, or in none of
// them, until it returns false.
template <typename Visit>
void filter_first(Context& c, const std::vector<SetView>& sets, bool wanted, Visit&& visit) {
  size_t looked_at = 0;
  const auto check = [&](const SetElement& element, size_t from) {
    ++looked_at;
    const SetMember member(element);
    for (size_t i = from; i < sets.size(); ++i) {
      if (sets[i].contains(member) != wanted) return true;
    }
    return visit(element, member);
  };
  const bool tables = sets.size() > 1 && sets[0].encoding() == Encoding::hashtable &&
                      sets[1].encoding() == Encoding::hashtable;
  if (tables) {
    sets[0].table().for_each_paired(sets[1].table(), [&](const SetItem& item, const SetItem* like) {
      if ((like != nullptr) == wanted) return check({SetItemTrait::key(item)}, 2);
      ++looked_at;
      return true;
    });
  } else {
    sets[0].for_each_while([&](const SetElement& element) { return check(element, 1); });
  }
  c.env().count_work(looked_at * sets.size());
}

void smallest_first(std::vector<SetView>& sets) {
  // There are few sets as a rule, and the order of equal ones must not depend on memory: insertion.
  for (size_t i = 1; i < sets.size(); ++i) {
    const auto at =
        std::upper_bound(sets.begin(), sets.begin() + static_cast<std::ptrdiff_t>(i), sets[i],
                         [](const SetView& a, const SetView& b) { return a.size() < b.size(); });
    std::rotate(at, sets.begin() + static_cast<std::ptrdiff_t>(i),
                sets.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  }
}

// Calls visit(element, member) for the members of an intersection or a difference.
template <typename Visit>
void for_each_of(Context& c, Operation operation, Sources& sources, Visit&& visit) {
  const bool intersection = operation == Operation::intersection;
  if (intersection ? sources.missing > 0 : sources.first_missing) return;
  if (intersection) smallest_first(sources.sets);
  filter_first(c, sources.sets, intersection, visit);
}

// The union as a new set. It begins as a copy of the largest source when that is too large for any
// other encoding than the hashtable.
void unite(Context& c, const SetLimits& limits, std::vector<SetView>& sets, SetEditor& result) {
  size_t members = 0;
  for (const SetView& set : sets) members += set.size();
  c.env().count_work(members);
  const auto largest =
      std::max_element(sets.begin(), sets.end(),
                       [](const SetView& a, const SetView& b) { return a.size() < b.size(); });
  if (largest != sets.end() && largest->encoding() == Encoding::hashtable &&
      largest->size() > std::max(limits.intset_entries, limits.listpack_entries)) {
    result.copy_table(largest->whole_table());
    sets.erase(largest);
  }
  for (const SetView& set : sets) {
    set.for_each([&](const SetElement& element) { result.add(SetMember(element)); });
  }
}

void reply_result(Context& c, Operation operation) {
  std::optional<Sources> sources = find_sources(c, 1, c.args.size());
  if (!sources) return;
  if (operation == Operation::set_union) {
    const SetLimits limits = set_limits(c.settings());
    SetEditor result(c.db().allocator(), c.hash_key(), limits);
    unite(c, limits, sources->sets, result);
    c.reply.set(result.size());
    reply_members(c, result.view());
    result.discard();
    return;
  }
  std::vector<SetElement> found;
  for_each_of(c, operation, *sources, [&](const SetElement& element, const SetMember&) {
    found.push_back(element);
    return true;
  });
  c.reply.set(found.size());
  for (const SetElement& element : found) reply_member(c.reply, element);
}

// Puts the result under the key of argument 1, or removes that key when it is empty.
void store_result(Context& c, Operation operation, std::string_view event) {
  std::optional<Sources> sources = find_sources(c, 2, c.args.size(), true);
  if (!sources) return;
  const std::string_view key = c.args[1];
  const SetLimits limits = set_limits(c.settings());
  SetEditor result(c.db().allocator(), c.hash_key(), limits);
  if (operation == Operation::set_union) {
    unite(c, limits, sources->sets, result);
  } else {
    for_each_of(c, operation, *sources, [&](const SetElement&, const SetMember& member) {
      result.add(member);
      return true;
    });
  }
  const size_t size = result.size();
  if (size > 0) {
    c.db().replace_value(key, c.hash(key), Type::set, result.encoding(), result.value(),
                         NewExpiry::none());
    c.modified(key, 's', event);
  } else {
    result.discard();
    c.remove_destination(key);
  }
  c.reply.integer(static_cast<int64_t>(size));
}

void sinter_command(Context& c) {
  reply_result(c, Operation::intersection);
}
void sunion_command(Context& c) {
  reply_result(c, Operation::set_union);
}
void sdiff_command(Context& c) {
  reply_result(c, Operation::difference);
}
void sinterstore_command(Context& c) {
  store_result(c, Operation::intersection, "sinterstore");
}
void sunionstore_command(Context& c) {
  store_result(c, Operation::set_union, "sunionstore");
}
void sdiffstore_command(Context& c) {
  store_result(c, Operation::difference, "sdiffstore");
}

// --- SINTERCARD, SUNIONCARD, SDIFFCARD

// How many members, up to a limit.
struct CardinalityRequest {
  size_t end_key = 0;  // the keys are arguments [2, end_key)
  uint64_t limit = 0;  // 0: all
};

// `may_estimate`: APPROX is an option. Nothing, after an error.
std::optional<CardinalityRequest> cardinality_arguments(Context& c, bool may_estimate) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const std::optional<int64_t> keys =
      c.integer_between(1, 1, kMax, "ERR numkeys should be greater than 0");
  if (!keys) return std::nullopt;
  if (static_cast<uint64_t>(*keys) > c.args.size() - 2) {
    c.error("ERR Number of keys can't be greater than number of args");
    return std::nullopt;
  }
  CardinalityRequest request;
  request.end_key = 2 + static_cast<size_t>(*keys);
  for (size_t i = request.end_key; i < c.args.size(); ++i) {
    // The exact number is an estimate, too.
    if (may_estimate && c.is(i, "APPROX")) continue;
    if (!c.is(i, "LIMIT") || i + 1 >= c.args.size()) {
      c.syntax_error();
      return std::nullopt;
    }
    const std::optional<int64_t> limit =
        c.integer_between(++i, 0, kMax, "ERR LIMIT can't be negative");
    if (!limit) return std::nullopt;
    request.limit = static_cast<uint64_t>(*limit);
  }
  return request;
}

void count_members(Context& c, Operation operation) {
  const std::optional<CardinalityRequest> request = cardinality_arguments(c, false);
  if (!request) return;
  std::optional<Sources> sources = find_sources(c, 2, request->end_key);
  if (!sources) return;
  uint64_t count = 0;
  for_each_of(c, operation, *sources, [&](const SetElement&, const SetMember&) {
    ++count;
    return count != request->limit;
  });
  c.reply.integer(static_cast<int64_t>(count));
}

// The size of a union: that of the largest set, and what the others have beyond it.
uint64_t union_size(Context& c, const std::vector<SetView>& sets, uint64_t limit) {
  if (sets.empty()) return 0;
  const auto largest =
      std::max_element(sets.begin(), sets.end(),
                       [](const SetView& a, const SetView& b) { return a.size() < b.size(); });
  const uint64_t base = largest->size();
  const auto enough = [&](uint64_t size) { return limit != 0 && size >= limit; };
  if (enough(base)) return limit;
  const SetLimits limits = set_limits(c.settings());
  SetEditor others(c.db().allocator(), c.hash_key(), limits);
  uint64_t looked_at = 0;
  for (auto set = sets.begin(); set != sets.end() && !enough(base + others.size()); ++set) {
    if (set == largest) continue;
    set->for_each_while([&](const SetElement& element) {
      ++looked_at;
      const SetMember member(element);
      if (!largest->contains(member)) others.add(member);
      return !enough(base + others.size());
    });
  }
  c.env().count_work(looked_at);
  const uint64_t size = base + others.size();
  others.discard();
  return size;
}

void sintercard_command(Context& c) {
  count_members(c, Operation::intersection);
}
void sdiffcard_command(Context& c) {
  count_members(c, Operation::difference);
}
void sunioncard_command(Context& c) {
  const std::optional<CardinalityRequest> request = cardinality_arguments(c, true);
  if (!request) return;
  const std::optional<Sources> sources = find_sources(c, 2, request->end_key);
  if (!sources) return;
  c.reply.integer(static_cast<int64_t>(union_size(c, sources->sets, request->limit)));
}

// What the commands that reply their result have in common.
constexpr Command reply_row(Command row) {
  row.arity = -2;
  row.flags = kReadOnly;
  row.categories = kCatSet;
  row.keys = {keys_at(kKeyRO | kKeyAccess, 1, -1)};
  row.since = "1.0.0";
  row.group = "set";
  row.tips = "nondeterministic_output_order";
  row.arguments = "key:key...";
  return row;
}

// What the commands that store their result have in common.
constexpr Command store_row(Command row) {
  row.arity = -3;
  row.flags = kWrite | kDenyOom;
  row.categories = kCatSet;
  row.since = "1.0.0";
  row.group = "set";
  row.arguments = "destination:key key:key#1...";
  return row;
}

constexpr std::string_view kAllElements =
    "O(N) where N is the total number of elements in all given sets.";

constexpr std::string_view kIntersection =
    "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.";

constexpr Command set_algebra_rows[] = {
    reply_row({.name = "sdiff",
               .complexity = kAllElements,
               .summary = "Subtract multiple sets",
               .handler = sdiff_command}),
    {.name = "sdiffcard",
     .arity = -3,
     .flags = kReadOnly | kMovableKeys,
     .categories = kCatSet,
     .keys = {counted_keys(kKeyRO | kKeyAccess, 1)},
     .since = "8.10.0",
     .group = "set",
     .complexity = kAllElements,
     .summary = "Subtract multiple sets and return the cardinality of the result",
     .arguments = "numkeys:integer key:key... [limit:integer(LIMIT)]",
     .handler = sdiffcard_command},
    store_row({.name = "sdiffstore",
               .keys = {keys_at(kKeyOW | kKeyUpdate, 1), keys_at(kKeyRO | kKeyAccess, 2, -1)},
               .complexity = kAllElements,
               .summary = "Subtract multiple sets and store the resulting set in a key",
               .handler = sdiffstore_command}),
    reply_row({.name = "sinter",
               .complexity = kIntersection,
               .summary = "Intersect multiple sets",
               .handler = sinter_command}),
    {.name = "sintercard",
     .arity = -3,
     .flags = kReadOnly | kMovableKeys,
     .categories = kCatSet,
     .keys = {counted_keys(kKeyRO | kKeyAccess, 1)},
     .since = "7.0.0",
     .group = "set",
     .complexity = kIntersection,
     .summary = "Intersect multiple sets and return the cardinality of the result",
     .arguments = "numkeys:integer key:key... [limit:integer(LIMIT)]",
     .handler = sintercard_command},
    store_row({.name = "sinterstore",
               .keys = {keys_at(kKeyRW | kKeyUpdate, 1), keys_at(kKeyRO | kKeyAccess, 2, -1)},
               .complexity = kIntersection,
               .summary = "Intersect multiple sets and store the resulting set in a key",
               .handler = sinterstore_command}),
    reply_row({.name = "sunion",
               .complexity = kAllElements,
               .summary = "Add multiple sets",
               .handler = sunion_command}),
    {.name = "sunioncard",
     .arity = -3,
     .flags = kReadOnly | kMovableKeys,
     .categories = kCatSet,
     .keys = {counted_keys(kKeyRO | kKeyAccess, 1)},
     .since = "8.10.0",
     .group = "set",
     .complexity = kAllElements,
     .summary = "Add multiple sets and return the cardinality of the result",
     .arguments = "numkeys:integer key:key... [approx(APPROX)] [limit:integer(LIMIT)]",
     .handler = sunioncard_command},
    store_row({.name = "sunionstore",
               .keys = {keys_at(kKeyOW | kKeyUpdate, 1), keys_at(kKeyRO | kKeyAccess, 2, -1)},
               .complexity = kAllElements,
               .summary = "Add multiple sets and store the resulting set in a key",
               .handler = sunionstore_command}),
};

}  // namespace

std::span<const Command> set_algebra_commands() {
  return set_algebra_rows;
}

}  // namespace redoubt
