// The ends of sorted sets: pops, also of several keys, also waiting.
#include <algorithm>
#include <limits>

#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/row_texts.h"
#include "engine/commands/zsets/zset_value.h"

namespace redoubt {

namespace {

enum class From : uint8_t { min, max };

// How a reply is laid out.
enum class Shape : uint8_t {
  flat,      // member, score, member, score ...
  pairs,     // [member, score] ...
  with_key,  // key, member, score
  key_then_pairs,
};

void reply_popped(Context& c, std::string_view key, Shape shape, const ZsetView& zset,
                  const RankRange& ranks, From from) {
  const size_t count = ranks.size();
  switch (shape) {
    case Shape::flat: c.reply.array(count * 2); break;
    case Shape::pairs: c.reply.array(count); break;
    case Shape::with_key:
      c.reply.array(count * 2 + 1);
      c.reply.bulk(key);
      break;
    case Shape::key_then_pairs:
      c.reply.array(2);
      c.reply.bulk(key);
      c.reply.array(count);
      break;
  }
  const bool nested = shape == Shape::pairs || shape == Shape::key_then_pairs;
  for_each_rank(zset, ranks, from == From::max, [&](std::string_view member, double score) {
    if (nested) c.reply.array(2);
    c.reply.bulk(member);
    c.reply.real(score);
  });
}

// Pops up to `count` members, at least one, of a set that has some.
void pop_from(Context& c, std::string_view key, Entry& entry, From from, size_t count,
              Shape shape) {
  Zset zset = zset_of(c, entry);
  const size_t size = zset.size();
  const size_t popped = std::min(count, size);
  const RankRange ranks = from == From::min ? RankRange{0, popped} : RankRange{size - popped, size};
  reply_popped(c, key, shape, zset, ranks, from);
  c.env().count_work(popped);
  const std::string_view event = from == From::min ? "zpopmin" : "zpopmax";
  if (popped == size) {
    c.modified(key, 'z', event);
    c.remove_empty(key);
    return;
  }
  zset.erase(ranks);
  after_removal(c, key, zset, entry, event);
}

void zpop(Context& c, From from) {
  if (c.args.size() > 3) {
    c.syntax_error();
    return;
  }
  std::optional<int64_t> count;
  if (!read_pop_count(c, count)) return;
  Entry* entry = c.write(c.args[1]);
  if (c.wrong_type(entry, Type::zset)) return;
  if (entry == nullptr || (count && *count == 0)) {
    c.reply.array(0);
    return;
  }
  const Shape shape = count && c.reply.resp3() ? Shape::pairs : Shape::flat;
  pop_from(c, c.args[1], *entry, from, static_cast<size_t>(count.value_or(1)), shape);
}

void zpopmin_command(Context& c) {
  zpop(c, From::min);
}
void zpopmax_command(Context& c) {
  zpop(c, From::max);
}

// --- Several keys

struct ManyKeys {
  size_t first = 1;
  size_t last = 1;  // behind the last key
  From from = From::min;
  size_t count = 1;
  Shape shape = Shape::with_key;
};

enum class Served : uint8_t { yes, no, failed };

Served pop_from_first(Context& c, const ManyKeys& keys) {
  for (size_t i = keys.first; i < keys.last; ++i) {
    Entry* entry = c.write(c.args[i]);
    if (c.wrong_type(entry, Type::zset)) return Served::failed;
    if (entry == nullptr) continue;
    const size_t popped = std::min(keys.count, ZsetView(*entry).size());
    const std::string_view key = c.args[i];
    pop_from(c, key, *entry, keys.from, keys.count, keys.shape);
    const std::string_view name = keys.from == From::min ? "ZPOPMIN" : "ZPOPMAX";
    c.effect({name, key, IntegerText(static_cast<int64_t>(popped)).view()});
    return Served::yes;
  }
  return Served::no;
}

void pop_or_wait(Context& c, const ManyKeys& keys, size_t timeout_index) {
  const std::optional<Instant> deadline = c.timeout(timeout_index);
  if (!deadline || pop_from_first(c, keys) != Served::no) return;
  c.block(Type::zset, keys.first, keys.last, *deadline, BlockReply::null_array);
}

void bzpop(Context& c, From from) {
  ManyKeys keys;
  keys.last = c.args.size() - 1;
  keys.from = from;
  pop_or_wait(c, keys, keys.last);
}

void bzpopmin_command(Context& c) {
  bzpop(c, From::min);
}
void bzpopmax_command(Context& c) {
  bzpop(c, From::max);
}

// numkeys at an argument, keys, MIN or MAX, and COUNT.
std::optional<ManyKeys> read_many_keys(Context& c, size_t numkeys_index) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const std::optional<int64_t> numkeys =
      c.integer_between(numkeys_index, 1, kMost, "ERR numkeys should be greater than 0");
  if (!numkeys) return std::nullopt;
  const size_t rest = c.args.size() - numkeys_index - 1;
  if (static_cast<uint64_t>(*numkeys) >= rest) {
    c.syntax_error();
    return std::nullopt;
  }
  ManyKeys keys;
  keys.first = numkeys_index + 1;
  keys.last = keys.first + static_cast<size_t>(*numkeys);
  keys.shape = Shape::key_then_pairs;
  if (c.is(keys.last, "max")) {
    keys.from = From::max;
  } else if (!c.is(keys.last, "min")) {
    c.syntax_error();
    return std::nullopt;
  }
  bool counted = false;
  for (size_t i = keys.last + 1; i < c.args.size(); i += 2) {
    if (counted || i + 1 >= c.args.size() || !c.is(i, "count")) {
      c.syntax_error();
      return std::nullopt;
    }
    const std::optional<int64_t> count =
        c.integer_between(i + 1, 1, kMost, "ERR count should be greater than 0");
    if (!count) return std::nullopt;
    keys.count = static_cast<size_t>(*count);
    counted = true;
  }
  return keys;
}

void zmpop_command(Context& c) {
  const std::optional<ManyKeys> keys = read_many_keys(c, 1);
  if (keys && pop_from_first(c, *keys) == Served::no) c.reply.null_array();
}

void bzmpop_command(Context& c) {
  const std::optional<ManyKeys> keys = read_many_keys(c, 2);
  if (keys) pop_or_wait(c, *keys, 1);
}

// What ZMPOP and BZMPOP have in common.
constexpr Command many_keys_row(Command row) {
  row.categories = kCatSortedSet;
  row.since = "7.0.0";
  row.group = "sorted-set";
  row.complexity =
      "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of "
      "elements in the sorted set, and M being the number of elements popped.";
  return row;
}

// What ZPOPMIN and ZPOPMAX have in common.
constexpr Command pop_row(Command row) {
  row.arity = -2;
  row.flags = kWrite | kFast;
  row.categories = kCatSortedSet;
  row.keys = {keys_at(kKeyRW | kKeyAccess | kKeyDelete, 1)};
  row.since = "5.0.0";
  row.group = "sorted-set";
  row.complexity =
      "O(log(N)*M) with N being the number of elements in the sorted set, and M being the "
      "number of elements popped.";
  row.arguments = "key:key [count:integer]";
  return row;
}

// What BZPOPMIN and BZPOPMAX have in common.
constexpr Command waiting_pop_row(Command row) {
  row.arity = -3;
  row.flags = kWrite | kNoScript | kBlocking | kFast;
  row.categories = kCatSortedSet;
  row.keys = {keys_at(kKeyRW | kKeyAccess | kKeyDelete, 1, -2)};
  row.since = "5.0.0";
  row.group = "sorted-set";
  row.complexity = kLogarithmicInSortedSet;
  row.arguments = "key:key... timeout:double";
  row.history = kTimeoutIsDouble;
  return row;
}

constexpr Command zset_pop_rows[] = {
    many_keys_row({.name = "bzmpop",
                   .arity = -5,
                   .flags = kWrite | kBlocking | kMovableKeys,
                   .keys = {counted_keys(kKeyRW | kKeyAccess | kKeyDelete, 2)},
                   .summary = "Remove and return members with scores in a sorted set or block "
                              "until one is available",
                   .arguments =
                       "timeout:double numkeys:integer key:key... where:<min(MIN)|max(MAX)> "
                       "[count:integer(COUNT)]",
                   .handler = bzmpop_command}),
    waiting_pop_row(
        {.name = "bzpopmax",
         .summary =
             "Remove and return the member with the highest score from one or more sorted sets, or "
             "block until one is available",
         .handler = bzpopmax_command}),
    waiting_pop_row(
        {.name = "bzpopmin",
         .summary =
             "Remove and return the member with the lowest score from one or more sorted sets, or "
             "block until one is available",
         .handler = bzpopmin_command}),
    many_keys_row(
        {.name = "zmpop",
         .arity = -4,
         .flags = kWrite | kMovableKeys,
         .keys = {counted_keys(kKeyRW | kKeyAccess | kKeyDelete, 1)},
         .summary = "Remove and return members with scores in a sorted set",
         .arguments = "numkeys:integer key:key... where:<min(MIN)|max(MAX)> [count:integer(COUNT)]",
         .handler = zmpop_command}),
    pop_row({.name = "zpopmax",
             .summary = "Remove and return members with the highest scores in a sorted set",
             .handler = zpopmax_command}),
    pop_row({.name = "zpopmin",
             .summary = "Remove and return members with the lowest scores in a sorted set",
             .handler = zpopmin_command}),
};

}  // namespace

std::span<const Command> zset_pop_commands() {
  return zset_pop_rows;
}

}  // namespace redoubt
