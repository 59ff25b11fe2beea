// Sorted sets by ranges: of ranks, scores or members.
#include <algorithm>
#include <limits>

#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/row_texts.h"
#include "engine/commands/zsets/zset_value.h"

namespace redoubt {

namespace {

// What a range is of; any: the arguments say.
enum class By : uint8_t { any, rank, score, member };
enum class Direction : uint8_t { any, forward, reverse };

struct RangeOptions {
  By by = By::any;
  Direction direction = Direction::any;
  int64_t offset = 0;
  int64_t limit = -1;
  bool with_scores = false;

  bool reverse() const { return direction == Direction::reverse; }
};

struct Range {
  RangeOptions options;
  int64_t start = 0;  // of ranks
  int64_t stop = 0;
  ScoreRange scores;
  LexRange members;
};

// One word from argument `i` on; false after an error.
bool read_range_option(Context& c, size_t& i, bool stores, RangeOptions& options) {
  if (!stores && c.is(i, "withscores")) {
    options.with_scores = true;
  } else if (c.is(i, "limit") && c.args.size() - i > 2) {
    const std::optional<int64_t> offset = c.integer(i + 1);
    if (!offset) return false;
    const std::optional<int64_t> limit = c.integer(i + 2);
    if (!limit) return false;
    options.offset = *offset;
    options.limit = *limit;
    i += 2;
  } else if (options.direction == Direction::any && c.is(i, "rev")) {
    options.direction = Direction::reverse;
  } else if (options.by == By::any && c.is(i, "bylex")) {
    options.by = By::member;
  } else if (options.by == By::any && c.is(i, "byscore")) {
    options.by = By::score;
  } else {
    c.syntax_error();
    return false;
  }
  return true;
}

bool read_range_options(Context& c, size_t from, bool stores, RangeOptions& options) {
  for (size_t i = from; i < c.args.size(); ++i) {
    if (!read_range_option(c, i, stores, options)) return false;
  }
  if (options.direction == Direction::any) options.direction = Direction::forward;
  if (options.by == By::any) options.by = By::rank;
  if (options.limit != -1 && options.by == By::rank) {
    c.error(
        "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
    return false;
  }
  if (options.with_scores && options.by == By::member) {
    c.error("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
    return false;
  }
  return true;
}

// Bounds at argument `first` and the next one, then options.
std::optional<Range> read_range(Context& c, size_t first, RangeOptions options) {
  const bool stores = first == 3;
  if (!read_range_options(c, first + 2, stores, options)) return std::nullopt;
  Range range;
  range.options = options;
  const size_t min = options.reverse() ? first + 1 : first;
  const size_t max = options.reverse() ? first : first + 1;
  switch (options.by) {
    case By::score: {
      const std::optional<ScoreRange> scores = read_score_range(c, min, max);
      if (!scores) return std::nullopt;
      range.scores = *scores;
      return range;
    }
    case By::member: {
      const std::optional<LexRange> members = read_lex_range(c, min, max);
      if (!members) return std::nullopt;
      range.members = *members;
      return range;
    }
    default: break;
  }
  const std::optional<int64_t> start = c.integer(first);
  if (!start) return std::nullopt;
  const std::optional<int64_t> stop = c.integer(first + 1);
  if (!stop) return std::nullopt;
  range.start = *start;
  range.stop = *stop;
  return range;
}

// Indexes as clients give them, negative ones from the end.
RankRange clamp_indexes(int64_t start, int64_t stop, size_t size) {
  const int64_t count = static_cast<int64_t>(size);
  if (start < 0) start += count;
  if (stop < 0) stop += count;
  start = std::max<int64_t>(start, 0);
  if (start > stop || start >= count) return {};
  return {static_cast<size_t>(start), static_cast<size_t>(std::min(stop, count - 1)) + 1};
}

// The ranks of what a range selects.
RankRange ranks_of(const ZsetView& zset, const Range& range) {
  const RangeOptions& options = range.options;
  if (options.by == By::rank) {
    const size_t size = zset.size();
    const RankRange indexes = clamp_indexes(range.start, range.stop, size);
    if (indexes.size() == 0 || !options.reverse()) return indexes;
    return {size - indexes.to, size - indexes.from};
  }
  RankRange ranks = options.by == By::score ? zset.ranks_of(range.scores)
                                            : zset.ranks_of(range.members, options.reverse());
  if (options.offset < 0 || static_cast<uint64_t>(options.offset) >= ranks.size()) return {};
  size_t count = ranks.size() - static_cast<size_t>(options.offset);
  if (options.limit >= 0) count = std::min(count, static_cast<size_t>(options.limit));
  if (options.reverse()) {
    ranks.to -= static_cast<size_t>(options.offset);
    ranks.from = ranks.to - count;
  } else {
    ranks.from += static_cast<size_t>(options.offset);
    ranks.to = ranks.from + count;
  }
  return ranks;
}

void reply_range(Context& c, const RangeOptions& options) {
  const std::optional<Range> range = read_range(c, 2, options);
  if (!range) return;
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::zset)) return;
  if (entry == nullptr) {
    c.reply.array(0);
    return;
  }
  const ZsetView zset(*entry);
  const RankRange ranks = ranks_of(zset, *range);
  const bool with_scores = range->options.with_scores;
  c.env().count_work(ranks.size());
  reply_members_header(c, ranks.size(), with_scores);
  for_each_rank(zset, ranks, range->options.reverse(), [&](std::string_view member, double score) {
    reply_member(c, member, score, with_scores);
  });
}

void zrange_command(Context& c) {
  reply_range(c, {});
}
void zrevrange_command(Context& c) {
  RangeOptions options;
  options.by = By::rank;
  options.direction = Direction::reverse;
  reply_range(c, options);
}
void reply_range_by(Context& c, By by, Direction direction) {
  RangeOptions options;
  options.by = by;
  options.direction = direction;
  reply_range(c, options);
}
void zrangebyscore_command(Context& c) {
  reply_range_by(c, By::score, Direction::forward);
}
void zrevrangebyscore_command(Context& c) {
  reply_range_by(c, By::score, Direction::reverse);
}
void zrangebylex_command(Context& c) {
  reply_range_by(c, By::member, Direction::forward);
}
void zrevrangebylex_command(Context& c) {
  reply_range_by(c, By::member, Direction::reverse);
}

void zrangestore_command(Context& c) {
  const std::optional<Range> range = read_range(c, 3, {});
  if (!range) return;
  const Entry* entry = c.read(c.args[2]);
  if (c.wrong_type(entry, Type::zset)) return;
  if (entry == nullptr) {
    store_empty_zset(c, c.args[1]);
    return;
  }
  const ZsetView zset(*entry);
  const RankRange ranks = ranks_of(zset, *range);
  c.env().count_work(ranks.size());
  ZsetBuilder builder(c.db().allocator(), c.hash_key(), zset_limits(c.settings()));
  for_each_rank(zset, ranks, false,
                [&](std::string_view member, double score) { builder.add_new(member, score); });
  store_zset(c, c.args[1], builder.finish(), "zrangestore");
}

// --- Counting and removing

void reply_count(Context& c, By by) {
  const std::optional<Range> range = read_range(c, 2, {by, Direction::forward, 0, -1, false});
  if (!range) return;
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::zset)) return;
  const size_t count = entry != nullptr ? ranks_of(ZsetView(*entry), *range).size() : 0;
  c.reply.integer(static_cast<int64_t>(count));
}

void zcount_command(Context& c) {
  reply_count(c, By::score);
}
void zlexcount_command(Context& c) {
  reply_count(c, By::member);
}

void remove_range(Context& c, By by, std::string_view event) {
  const std::optional<Range> range = read_range(c, 2, {by, Direction::forward, 0, -1, false});
  if (!range) return;
  const std::string_view key = c.args[1];
  Entry* entry = entry_or_reply_zero(c, key, Type::zset);
  if (entry == nullptr) return;
  Zset zset = zset_of(c, *entry);
  const RankRange ranks = ranks_of(zset, *range);
  c.reply.integer(static_cast<int64_t>(ranks.size()));
  if (ranks.size() == 0) return;
  if (ranks.size() == zset.size()) {
    // The whole value is freed in slices.
    c.modified(key, 'z', event);
    c.remove_empty(key);
    return;
  }
  c.env().count_work(ranks.size());
  zset.erase(ranks);
  after_removal(c, key, zset, *entry, event);
}

void zremrangebyrank_command(Context& c) {
  remove_range(c, By::rank, "zremrangebyrank");
}
void zremrangebyscore_command(Context& c) {
  remove_range(c, By::score, "zremrangebyscore");
}
void zremrangebylex_command(Context& c) {
  remove_range(c, By::member, "zremrangebylex");
}

// What the commands that reply a range have in common.
constexpr Command range_row(Command row) {
  row.arity = -4;
  row.flags = kReadOnly;
  row.categories = kCatSortedSet;
  row.keys = {keys_at(kKeyRO | kKeyAccess, 1)};
  row.group = "sorted-set";
  return row;
}

// What the commands that remove a range have in common.
constexpr Command removal_row(Command row) {
  row.arity = 4;
  row.flags = kWrite;
  row.categories = kCatSortedSet;
  row.keys = {keys_at(kKeyRW | kKeyDelete, 1)};
  row.group = "sorted-set";
  row.complexity =
      "O(log(N)+M) with N being the number of elements in the sorted set and M the number of "
      "elements removed by the operation.";
  return row;
}

// What the commands that count a range have in common.
constexpr Command count_row(Command row) {
  row.arity = 4;
  row.flags = kReadOnly | kFast;
  row.categories = kCatSortedSet;
  row.keys = {keys_at(kKeyRO | kKeyAccess, 1)};
  row.group = "sorted-set";
  row.complexity = kLogarithmicInSortedSet;
  return row;
}

constexpr std::string_view kLimitedRange =
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of "
    "elements being returned. If M is constant (e.g. always asking for the first 10 elements with "
    "LIMIT), you can consider it O(log(N)).";

constexpr std::string_view kWholeRange =
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of "
    "elements returned.";

constexpr Command zset_range_rows[] = {
    count_row({.name = "zcount",
               .since = "2.0.0",
               .summary = "Count the members in a sorted set with scores within the given values",
               .arguments = "key:key min:double max:double",
               .handler = zcount_command}),
    count_row(
        {.name = "zlexcount",
         .since = "2.8.9",
         .summary =
             "Count the number of members in a sorted set between a given lexicographical range",
         .arguments = "key:key min:string max:string",
         .handler = zlexcount_command}),
    range_row(
        {.name = "zrange",
         .since = "1.2.0",
         .complexity = kWholeRange,
         .summary = "Return a range of members in a sorted set",
         .arguments =
             "key:key start:string stop:string [sortby:<byscore(BYSCORE)|bylex(BYLEX)>@6.2.0] "
             "[rev(REV)@6.2.0] [offset_count:{offset:integer count:integer}(LIMIT)@6.2.0] "
             "[withscores(WITHSCORES)]",
         .history = "6.2.0: Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.",
         .handler = zrange_command}),
    range_row(
        {.name = "zrangebylex",
         .since = "2.8.9",
         .complexity = kLimitedRange,
         .summary = "Return a range of members in a sorted set, by lexicographical range",
         .arguments =
             "key:key min:string max:string [offset_count:{offset:integer count:integer}(LIMIT)]",
         .deprecated = "6.2.0: `ZRANGE` with the `BYLEX` argument",
         .handler = zrangebylex_command}),
    range_row({.name = "zrangebyscore",
               .since = "1.0.5",
               .complexity = kLimitedRange,
               .summary = "Return a range of members in a sorted set, by score",
               .arguments = "key:key min:double max:double [withscores(WITHSCORES)@2.0.0] "
                            "[offset_count:{offset:integer count:integer}(LIMIT)]",
               .history = "2.0.0: Added the `WITHSCORES` modifier.",
               .deprecated = "6.2.0: `ZRANGE` with the `BYSCORE` argument",
               .handler = zrangebyscore_command}),
    {.name = "zrangestore",
     .arity = -5,
     .flags = kWrite | kDenyOom,
     .categories = kCatSortedSet,
     .keys = {keys_at(kKeyOW | kKeyUpdate, 1), keys_at(kKeyRO | kKeyAccess, 2)},
     .since = "6.2.0",
     .group = "sorted-set",
     .complexity =
         "O(log(N)+M) with N being the number of elements in the sorted set and M the number of "
         "elements stored into the destination key.",
     .summary = "Store a range of members from sorted set into another key",
     .arguments =
         "dst:key src:key#1 min:string max:string [sortby:<byscore(BYSCORE)|bylex(BYLEX)>] "
         "[rev(REV)] [offset_count:{offset:integer count:integer}(LIMIT)]",
     .handler = zrangestore_command},
    removal_row(
        {.name = "zremrangebylex",
         .since = "2.8.9",
         .summary = "Remove all members in a sorted set between the given lexicographical range",
         .arguments = "key:key min:string max:string",
         .handler = zremrangebylex_command}),
    removal_row({.name = "zremrangebyrank",
                 .since = "2.0.0",
                 .summary = "Remove all members in a sorted set within the given indexes",
                 .arguments = "key:key start:integer stop:integer",
                 .handler = zremrangebyrank_command}),
    removal_row({.name = "zremrangebyscore",
                 .since = "1.2.0",
                 .summary = "Remove all members in a sorted set within the given scores",
                 .arguments = "key:key min:double max:double",
                 .handler = zremrangebyscore_command}),
    range_row({.name = "zrevrange",
               .since = "1.2.0",
               .complexity = kWholeRange,
               .summary = "Return a range of members in a sorted set, by index, with scores "
                          "ordered from high to "
                          "low",
               .arguments = "key:key start:integer stop:integer [withscores(WITHSCORES)]",
               .deprecated = "6.2.0: `ZRANGE` with the `REV` argument",
               .handler = zrevrange_command}),
    range_row(
        {.name = "zrevrangebylex",
         .since = "2.8.9",
         .complexity = kLimitedRange,
         .summary =
             "Return a range of members in a sorted set, by lexicographical range, ordered from "
             "higher to lower strings.",
         .arguments =
             "key:key max:string min:string [offset_count:{offset:integer count:integer}(LIMIT)]",
         .deprecated = "6.2.0: `ZRANGE` with the `REV` and `BYLEX` arguments",
         .handler = zrevrangebylex_command}),
    range_row(
        {.name = "zrevrangebyscore",
         .since = "2.2.0",
         .complexity = kLimitedRange,
         .summary = "Return a range of members in a sorted set, by score, with scores ordered from "
                    "high to "
                    "low",
         .arguments =
             "key:key max:double min:double [withscores(WITHSCORES)] [offset_count:{offset:integer "
             "count:integer}(LIMIT)]",
         .history = "2.1.6: `min` and `max` can be exclusive.",
         .deprecated = "6.2.0: `ZRANGE` with the `REV` and `BYSCORE` arguments",
         .handler = zrevrangebyscore_command}),
};

}  // namespace

std::span<const Command> zset_range_commands() {
  return zset_range_rows;
}

}  // namespace redoubt
