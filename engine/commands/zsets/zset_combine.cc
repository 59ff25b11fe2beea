// Unions, intersections and differences of sorted sets, and of sets, whose members count with a
// score of 1.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/commands/families.h"
#include "engine/commands/sets/set_value.h"
#include "engine/commands/zsets/zset_value.h"

namespace redoubt {

namespace {

enum class Operation : uint8_t { unite, intersect, subtract };
enum class Aggregate : uint8_t { sum, min, max, count };

// A key that is combined; one that does not exist is an empty set.
struct Source {
  const Entry* entry = nullptr;
  double weight = 1;
  size_t index = 0;    // among the arguments
  int64_t now_ms = 0;  // members of a set that have expired are not there

  SetView set() const { return SetView(*entry, now_ms); }
  size_t size() const {
    if (entry == nullptr) return 0;
    return entry->type() == Type::set ? set().size() : ops_of(*entry).length(*entry);
  }

  std::optional<double> score(std::string_view member) const {
    if (entry == nullptr) return std::nullopt;
    if (entry->type() == Type::zset) return ZsetView(*entry).score(member);
    return set().contains(SetMember(member)) ? std::optional(1.0) : std::nullopt;
  }

  // Calls visit(member, score), which returns whether to go on.
  template <typename Visit>
  void for_each_while(Visit visit) const {
    if (entry == nullptr) return;
    if (entry->type() == Type::set) {
      set().for_each_while(
          [&](const SetElement& element) { return visit(SetMember(element).text(), 1.0); });
      return;
    }
    const ZsetView zset(*entry);
    for (ZsetView::Cursor at = zset.at_rank(0); at; at.next()) {
      if (!visit(at.member(), at.score())) return;
    }
  }
};

struct Combination {
  Operation operation = Operation::unite;
  Aggregate aggregate = Aggregate::sum;
  std::vector<Source> sources;
  bool with_scores = false;
  size_t limit = 0;  // ZINTERCARD; 0: none

  // What a source gives to the result: with COUNT its weight, whatever the score is.
  double weighted(const Source& source, double score) const {
    return aggregate == Aggregate::count ? source.weight : source.weight * score;
  }
  // 0 times infinity counts as 0.
  double weighted_number(const Source& source, double score) const {
    const double value = weighted(source, score);
    return std::isnan(value) ? 0 : value;
  }

  double combined(double a, double b) const {
    switch (aggregate) {
      case Aggregate::min: return b < a ? b : a;
      case Aggregate::max: return b > a ? b : a;
      case Aggregate::sum:
      case Aggregate::count: break;
    }
    // Infinity and minus infinity make 0.
    const double sum = a + b;
    return std::isnan(sum) ? 0 : sum;
  }
};

// What a command allows behind its keys.
struct Grammar {
  Operation operation;
  bool stores = false;
  bool counts = false;  // ZINTERCARD
};

bool read_sources(Context& c, size_t numkeys_index, bool stores, Combination& combination) {
  const std::optional<int64_t> numkeys = c.integer(numkeys_index);
  if (!numkeys) return false;
  if (*numkeys < 1) {
    c.error("ERR at least 1 input key is needed for '" + std::string(c.command.row->name) +
            "' command");
    return false;
  }
  if (static_cast<uint64_t>(*numkeys) > c.args.size() - numkeys_index - 1) {
    c.syntax_error();
    return false;
  }
  for (size_t i = 0; i < static_cast<size_t>(*numkeys); ++i) {
    const Entry* entry = c.read(c.args[numkeys_index + 1 + i]);
    if (entry != nullptr && entry->type() != Type::set && c.wrong_type(entry, Type::zset)) {
      return false;
    }
    if (stores) entry = without_expired_members(c, entry);
    combination.sources.push_back({entry, 1, i, c.past_ms()});
  }
  return true;
}

bool read_weights(Context& c, size_t& i, Combination& combination) {
  for (Source& source : combination.sources) {
    const std::optional<double> weight = read_double(c, ++i, "ERR weight value is not a float");
    if (!weight) return false;
    source.weight = *weight;
  }
  return true;
}

bool read_aggregate(Context& c, size_t i, Combination& combination) {
  if (c.is(i, "sum")) {
    combination.aggregate = Aggregate::sum;
  } else if (c.is(i, "min")) {
    combination.aggregate = Aggregate::min;
  } else if (c.is(i, "max")) {
    combination.aggregate = Aggregate::max;
  } else if (c.is(i, "count")) {
    combination.aggregate = Aggregate::count;
  } else {
    c.syntax_error();
    return false;
  }
  return true;
}

bool read_options(Context& c, size_t from, const Grammar& grammar, Combination& combination) {
  const bool scores = grammar.operation != Operation::subtract && !grammar.counts;
  for (size_t i = from; i < c.args.size(); ++i) {
    const size_t rest = c.args.size() - i;
    if (scores && rest > combination.sources.size() && c.is(i, "weights")) {
      if (!read_weights(c, i, combination)) return false;
    } else if (scores && rest > 1 && c.is(i, "aggregate")) {
      if (!read_aggregate(c, ++i, combination)) return false;
    } else if (!grammar.stores && !grammar.counts && c.is(i, "withscores")) {
      combination.with_scores = true;
    } else if (grammar.counts && rest > 1 && c.is(i, "limit")) {
      const std::optional<int64_t> limit = c.integer_between(
          ++i, 0, std::numeric_limits<int64_t>::max(), "ERR LIMIT can't be negative");
      if (!limit) return false;
      combination.limit = static_cast<size_t>(*limit);
    } else {
      c.syntax_error();
      return false;
    }
  }
  return true;
}

std::optional<Combination> read_combination(Context& c, const Grammar& grammar) {
  const size_t numkeys_index = grammar.stores ? 2 : 1;
  Combination combination;
  combination.operation = grammar.operation;
  if (!read_sources(c, numkeys_index, grammar.stores, combination)) return std::nullopt;
  const size_t from = numkeys_index + 1 + combination.sources.size();
  if (!read_options(c, from, grammar, combination)) return std::nullopt;
  if (grammar.operation != Operation::subtract) {
    // The smallest first: sums of floating point numbers depend on the order.
    std::sort(combination.sources.begin(), combination.sources.end(),
              [](const Source& a, const Source& b) {
                return a.size() != b.size() ? a.size() < b.size() : a.index < b.index;
              });
  }
  return combination;
}

// The score of a member of the first source in the intersection of all; none when it is not there.
std::optional<double> intersected(const Combination& combination, std::string_view member,
                                  double score) {
  double result = combination.weighted_number(combination.sources[0], score);
  for (size_t i = 1; i < combination.sources.size(); ++i) {
    const Source& source = combination.sources[i];
    const std::optional<double> other = source.score(member);
    if (!other) return std::nullopt;
    result = combination.combined(result, combination.weighted(source, *other));
  }
  return result;
}

void combine(Context& c, const Combination& combination, ZsetBuilder& builder) {
  const std::vector<Source>& sources = combination.sources;
  size_t work = 0;
  if (combination.operation == Operation::unite) {
    for (const Source& source : sources) {
      work += source.size();
      source.for_each_while([&](std::string_view member, double score) {
        const double value = combination.weighted_number(source, score);
        builder.add(member, value, [&](double old) { return combination.combined(old, value); });
        return true;
      });
    }
  } else {
    work = sources[0].size() * sources.size();
    sources[0].for_each_while([&](std::string_view member, double score) {
      std::optional<double> result;
      if (combination.operation == Operation::intersect) {
        result = intersected(combination, member, score);
      } else if (std::none_of(sources.begin() + 1, sources.end(), [&](const Source& source) {
                   return source.score(member).has_value();
                 })) {
        result = score;
      }
      if (result) builder.add_new(member, *result);
      return true;
    });
  }
  c.env().count_work(work);
}

void reply_combination(Context& c, Operation operation) {
  const std::optional<Combination> combination = read_combination(c, {operation});
  if (!combination) return;
  ZsetBuilder builder(c.db().allocator(), c.hash_key(), zset_limits(c.settings()));
  combine(c, *combination, builder);
  Zset result = builder.finish();
  const size_t count = result.size();
  reply_members_header(c, count, combination->with_scores);
  for_each_rank(result, {0, count}, false, [&](std::string_view member, double score) {
    reply_member(c, member, score, combination->with_scores);
  });
  result.destroy();
}

void store_combination(Context& c, Operation operation, std::string_view event) {
  const std::optional<Combination> combination =
      read_combination(c, {.operation = operation, .stores = true});
  if (!combination) return;
  ZsetBuilder builder(c.db().allocator(), c.hash_key(), zset_limits(c.settings()));
  combine(c, *combination, builder);
  store_zset(c, c.args[1], builder.finish(), event);
}

void zunion_command(Context& c) {
  reply_combination(c, Operation::unite);
}
void zinter_command(Context& c) {
  reply_combination(c, Operation::intersect);
}
void zdiff_command(Context& c) {
  reply_combination(c, Operation::subtract);
}
void zunionstore_command(Context& c) {
  store_combination(c, Operation::unite, "zunionstore");
}
void zinterstore_command(Context& c) {
  store_combination(c, Operation::intersect, "zinterstore");
}
void zdiffstore_command(Context& c) {
  store_combination(c, Operation::subtract, "zdiffstore");
}

void zintercard_command(Context& c) {
  const std::optional<Combination> combination =
      read_combination(c, {.operation = Operation::intersect, .counts = true});
  if (!combination) return;
  const Source& smallest = combination->sources[0];
  size_t count = 0;
  smallest.for_each_while([&](std::string_view member, double score) {
    if (intersected(*combination, member, score)) ++count;
    return combination->limit == 0 || count < combination->limit;
  });
  c.env().count_work(smallest.size() * combination->sources.size());
  c.reply.integer(static_cast<int64_t>(count));
}

// What the commands that reply their result have in common.
constexpr Command reply_row(Command row) {
  row.arity = -3;
  row.flags = kReadOnly | kMovableKeys;
  row.categories = kCatSortedSet;
  row.keys = {counted_keys(kKeyRO | kKeyAccess, 1)};
  row.since = "6.2.0";
  row.group = "sorted-set";
  return row;
}

// What the commands that store their result have in common.
constexpr Command store_row(Command row) {
  row.arity = -4;
  row.flags = kWrite | kDenyOom | kMovableKeys;
  row.categories = kCatSortedSet;
  row.keys = {keys_at(kKeyOW | kKeyUpdate, 1), counted_keys(kKeyRO | kKeyAccess, 2)};
  row.group = "sorted-set";
  return row;
}

constexpr std::string_view kDifference =
    "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is "
    "the size of the first set, and K is the size of the result set.";

constexpr std::string_view kIntersection =
    "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number "
    "of input sorted sets and M being the number of elements in the resulting sorted set.";

constexpr std::string_view kReplyArguments =
    "numkeys:integer key:key... [weight:integer(WEIGHTS)...] "
    "[aggregate:<sum(SUM)|min(MIN)|max(MAX)>(AGGREGATE)] [withscores(WITHSCORES)]";

constexpr std::string_view kStoreArguments =
    "destination:key numkeys:integer key:key#1... [weight:integer(WEIGHTS)...] "
    "[aggregate:<sum(SUM)|min(MIN)|max(MAX)>(AGGREGATE)]";

constexpr Command zset_combine_rows[] = {
    reply_row({.name = "zdiff",
               .complexity = kDifference,
               .summary = "Subtract multiple sorted sets",
               .arguments = "numkeys:integer key:key... [withscores(WITHSCORES)]",
               .handler = zdiff_command}),
    store_row(
        {.name = "zdiffstore",
         .since = "6.2.0",
         .complexity = kDifference,
         .summary = "Subtract multiple sorted sets and store the resulting sorted set in a new key",
         .arguments = "destination:key numkeys:integer key:key#1...",
         .handler = zdiffstore_command}),
    reply_row({.name = "zinter",
               .complexity = kIntersection,
               .summary = "Intersect multiple sorted sets",
               .arguments = kReplyArguments,
               .handler = zinter_command}),
    {.name = "zintercard",
     .arity = -3,
     .flags = kReadOnly | kMovableKeys,
     .categories = kCatSortedSet,
     .keys = {counted_keys(kKeyRO | kKeyAccess, 1)},
     .since = "7.0.0",
     .group = "sorted-set",
     .complexity =
         "O(N*K) worst case with N being the smallest input sorted set, K being the number of "
         "input sorted sets.",
     .summary = "Intersect multiple sorted sets and return the cardinality of the result",
     .arguments = "numkeys:integer key:key... [limit:integer(LIMIT)]",
     .handler = zintercard_command},
    store_row({.name = "zinterstore",
               .since = "2.0.0",
               .complexity = kIntersection,
               .summary =
                   "Intersect multiple sorted sets and store the resulting sorted set in a new key",
               .arguments = kStoreArguments,
               .handler = zinterstore_command}),
    reply_row(
        {.name = "zunion",
         .complexity =
             "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M "
             "being the number of elements in the resulting sorted set.",
         .summary = "Add multiple sorted sets",
         .arguments = kReplyArguments,
         .handler = zunion_command}),
    store_row(
        {.name = "zunionstore",
         .since = "2.0.0",
         .complexity =
             "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M "
             "being the number of elements in the resulting sorted set.",
         .summary = "Add multiple sorted sets and store the resulting sorted set in a new key",
         .arguments = kStoreArguments,
         .handler = zunionstore_command}),
};

}  // namespace

std::span<const Command> zset_combine_commands() {
  return zset_combine_rows;
}

}  // namespace redoubt
