// Sorted sets by member: ZADD and its kin, scores and ranks, and ZSCAN.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/commands/arguments.h"
#include "engine/commands/element_scan.h"
#include "engine/commands/families.h"
#include "engine/commands/row_texts.h"
#include "engine/commands/zsets/zset_value.h"

namespace redoubt {

namespace {

// --- ZADD and ZINCRBY

struct AddOptions {
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;
  bool changed = false;  // CH
  bool increment = false;
  size_t first = 2;  // the argument of the first score
};

// Options end where the first score begins.
AddOptions read_add_options(const Context& c) {
  AddOptions options;
  for (size_t& i = options.first; i < c.args.size(); ++i) {
    // A score is looked at first: it begins with no letter of an option.
    const char start = c.args[i].empty() ? '\0' : static_cast<char>(c.args[i][0] | 0x20);
    if (start != 'n' && start != 'x' && start != 'c' && start != 'i' && start != 'g' &&
        start != 'l') {
      break;
    }
    if (c.is(i, "nx")) {
      options.nx = true;
    } else if (c.is(i, "xx")) {
      options.xx = true;
    } else if (c.is(i, "gt")) {
      options.gt = true;
    } else if (c.is(i, "lt")) {
      options.lt = true;
    } else if (c.is(i, "ch")) {
      options.changed = true;
    } else if (c.is(i, "incr")) {
      options.increment = true;
    } else {
      break;
    }
  }
  return options;
}

bool check_add_options(Context& c, const AddOptions& options) {
  const size_t rest = c.args.size() - options.first;
  if (rest == 0 || rest % 2 != 0) {
    c.syntax_error();
  } else if (options.nx && options.xx) {
    c.error("ERR XX and NX options at the same time are not compatible");
  } else if ((options.gt && options.nx) || (options.lt && options.nx) ||
             (options.gt && options.lt)) {
    c.error("ERR GT, LT, and/or NX options at the same time are not compatible");
  } else if (options.increment && rest > 2) {
    c.error("ERR INCR option supports a single increment-element pair");
  } else {
    return true;
  }
  return false;
}

// What became of one member.
struct Added {
  Zset::Change change = Zset::Change::none;
  std::optional<double> score;  // that it has now; none when an option forbade the change
  bool not_a_number = false;
};

Added add_member(Zset& zset, const AddOptions& options, double given, std::string_view member) {
  Added added;
  added.change = zset.upsert(member, [&](std::optional<double> old) -> std::optional<double> {
    if (old ? options.nx : options.xx) return std::nullopt;
    double score = given;
    if (old) {
      if (options.increment) score += *old;
      if (std::isnan(score)) {
        added.not_a_number = true;
        return std::nullopt;
      }
      if ((options.lt && score >= *old) || (options.gt && score <= *old)) return std::nullopt;
    }
    added.score = score + 0.0;  // -0 is 0
    return score;
  });
  return added;
}

// The reply of INCR, and its effect without arithmetic.
void finish_increment(Context& c, const Added& added, std::string_view member) {
  if (added.not_a_number) {
    c.error("ERR resulting score is not a number (NaN)");
    return;
  }
  if (!added.score) {
    c.reply.null();
    return;
  }
  c.reply.real(*added.score);
  if (added.change == Zset::Change::none) return;
  c.effect({"ZADD", c.args[1], DoubleText(*added.score).view(), member});
}

// A key of one member and more, none of which may be missing.
void add_to_new(Context& c, const AddOptions& options, const std::vector<double>& scores) {
  const std::string_view key = c.args[1];
  Zset zset = new_zset(c, c.args[options.first + 1]);
  int64_t count = 0;
  Added added;
  for (size_t i = 0; i < scores.size(); ++i) {
    added = add_member(zset, options, scores[i], c.args[options.first + 2 * i + 1]);
    const bool counts = options.changed && added.change == Zset::Change::updated;
    count += added.change == Zset::Change::added || counts ? 1 : 0;
  }
  c.db().insert_value(key, c.hash(key), Type::zset, zset.encoding(), zset.payload());
  if (options.increment) {
    finish_increment(c, added, c.args[options.first + 1]);
  } else {
    c.reply.integer(count);
  }
  c.modified(key, 'z', options.increment ? "zincr" : "zadd");
}

void add_to_existing(Context& c, Entry& entry, const AddOptions& options,
                     const std::vector<double>& scores) {
  Zset zset = zset_of(c, entry);
  int64_t counts[3] = {};  // by Change
  Added added;
  for (size_t i = 0; i < scores.size(); ++i) {
    added = add_member(zset, options, scores[i], c.args[options.first + 2 * i + 1]);
    ++counts[static_cast<size_t>(added.change)];
  }
  zset.store_in(entry);
  const int64_t fresh = counts[static_cast<size_t>(Zset::Change::added)];
  const int64_t updated = counts[static_cast<size_t>(Zset::Change::updated)];
  if (options.increment) {
    finish_increment(c, added, c.args[options.first + 1]);
  } else {
    c.reply.integer(options.changed ? fresh + updated : fresh);
  }
  if (fresh + updated > 0) c.modified(c.args[1], 'z', options.increment ? "zincr" : "zadd");
}

// The usual call, without a vector.
void add_one_to_existing(Context& c, Entry& entry, double score) {
  Zset zset = zset_of(c, entry);
  const Zset::Change change =
      zset.upsert(c.args[3], [score](std::optional<double>) { return std::optional(score); });
  zset.store_in(entry);
  c.reply.integer(change == Zset::Change::added ? 1 : 0);
  if (change != Zset::Change::none) c.modified(c.args[1], 'z', "zadd");
}

void add_members(Context& c, const AddOptions& options) {
  if (!check_add_options(c, options)) return;
  std::vector<double> scores;
  for (size_t i = options.first; i < c.args.size(); i += 2) {
    const std::optional<double> score = read_double(c, i);
    if (!score) return;
    scores.push_back(*score);
  }
  Entry* entry = c.write(c.args[1]);
  if (c.wrong_type(entry, Type::zset)) return;
  c.env().count_work(scores.size());
  if (entry != nullptr) {
    add_to_existing(c, *entry, options, scores);
  } else if (!options.xx) {
    add_to_new(c, options, scores);
  } else if (options.increment) {
    c.reply.null();
  } else {
    c.reply.integer(0);
  }
}

void zadd_command(Context& c) {
  if (c.args.size() == 4) {
    const std::optional<double> score = parse_double(c.args[2]);
    Entry* entry = score ? c.write(c.args[1]) : nullptr;
    if (entry != nullptr && entry->type() == Type::zset) {
      add_one_to_existing(c, *entry, *score);
      return;
    }
  }
  add_members(c, read_add_options(c));
}

void zincrby_command(Context& c) {
  AddOptions options;
  options.increment = true;
  add_members(c, options);
}

// --- Single members

void zrem_command(Context& c) {
  const std::string_view key = c.args[1];
  Entry* entry = entry_or_reply_zero(c, key, Type::zset);
  if (entry == nullptr) return;
  Zset zset = zset_of(c, *entry);
  int64_t removed = 0;
  for (size_t i = 2; i < c.args.size() && zset.size() > 0; ++i) {
    removed += zset.erase(c.args[i]) ? 1 : 0;
  }
  c.env().count_work(c.args.size());
  c.reply.integer(removed);
  if (removed > 0) {
    after_removal(c, key, zset, *entry, "zrem");
  }
}

void zcard_command(Context& c) {
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::zset)) return;
  c.reply.integer(entry != nullptr ? static_cast<int64_t>(ZsetView(*entry).size()) : 0);
}

void reply_score(Context& c, const Entry* entry, std::string_view member) {
  const std::optional<double> score =
      entry != nullptr ? ZsetView(*entry).score(member) : std::nullopt;
  score ? c.reply.real(*score) : c.reply.null();
}

void zscore_command(Context& c) {
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::zset)) return;
  reply_score(c, entry, c.args[2]);
}

void zmscore_command(Context& c) {
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::zset)) return;
  c.reply.array(c.args.size() - 2);
  for (size_t i = 2; i < c.args.size(); ++i) reply_score(c, entry, c.args[i]);
  c.env().count_work(c.args.size());
}

void reply_rank(Context& c, bool reverse) {
  if (c.args.size() > 4) {
    c.error(reverse ? "ERR wrong number of arguments for 'zrevrank' command"
                    : "ERR wrong number of arguments for 'zrank' command");
    return;
  }
  const bool with_score = c.args.size() == 4;
  if (with_score && !c.is(3, "withscore")) {
    c.syntax_error();
    return;
  }
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::zset)) return;
  std::optional<ZsetView::Ranked> found;
  if (entry != nullptr) found = ZsetView(*entry).rank(c.args[2]);
  if (!found) {
    with_score ? c.reply.null_array() : c.reply.null();
    return;
  }
  const size_t rank = reverse ? ZsetView(*entry).size() - 1 - found->rank : found->rank;
  if (with_score) c.reply.array(2);
  c.reply.integer(static_cast<int64_t>(rank));
  if (with_score) c.reply.real(found->score);
}

void zrank_command(Context& c) {
  reply_rank(c, false);
}
void zrevrank_command(Context& c) {
  reply_rank(c, true);
}

// --- All members

void zscan_command(Context& c) {
  ElementScan scan;
  if (!read_scan_cursor(c, scan)) return;
  const Entry* entry = c.read(c.args[1]);
  if (entry == nullptr) {
    reply_empty_scan(c);
    return;
  }
  if (c.wrong_type(entry, Type::zset) || !read_scan_options(c, scan, false)) return;
  struct Found {
    std::string member;
    double score;
  };
  const ZsetView zset(*entry);
  std::vector<Found> found;
  uint64_t seen = 0;
  walk_elements(scan, seen, [&](uint64_t cursor) {
    return zset.scan(cursor, [&](std::string_view member, double score) {
      ++seen;
      if (scan_matches(scan.pattern, member)) found.push_back({std::string(member), score});
    });
  });
  c.env().count_work(seen);
  c.reply.array(2);
  c.reply.bulk(std::to_string(scan.cursor));
  c.reply.array(found.size() * 2);
  for (const Found& each : found) {
    c.reply.bulk(each.member);
    c.reply.bulk(DoubleText(each.score).view());
  }
}

// What ZRANK and ZREVRANK have in common.
constexpr Command rank_row(Command row) {
  row.arity = -3;
  row.flags = kReadOnly | kFast;
  row.categories = kCatSortedSet;
  row.keys = {keys_at(kKeyRO | kKeyAccess, 1)};
  row.since = "2.0.0";
  row.group = "sorted-set";
  row.complexity = "O(log(N))";
  row.arguments = "key:key member:string [withscore(WITHSCORE)@7.2.0]";
  row.history = "7.2.0: Added the optional `WITHSCORE` argument.";
  return row;
}

constexpr Command zset_rows[] = {
    {.name = "zadd",
     .arity = -4,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatSortedSet,
     .keys = {keys_at(kKeyRW | kKeyUpdate, 1)},
     .since = "1.2.0",
     .group = "sorted-set",
     .complexity = kOnceForEachAddedToSortedSet,
     .summary = "Add one or more members to a sorted set, or update its score if it already exists",
     .arguments =
         "key:key [condition:<nx(NX)|xx(XX)>@3.0.2] [comparison:<gt(GT)|lt(LT)>@6.2.0] "
         "[change(CH)@3.0.2] [increment(INCR)@3.0.2] score_member:{score:double member:string}...",
     .history = "2.4.0: Accepts multiple elements.\n"
                "3.0.2: Added the `XX`, `NX`, `CH` and `INCR` options.\n"
                "6.2.0: Added the `GT` and `LT` options.",
     .handler = zadd_command},
    {.name = "zcard",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .categories = kCatSortedSet,
     .keys = {keys_at(kKeyRO, 1)},
     .since = "1.2.0",
     .group = "sorted-set",
     .complexity = "O(1)",
     .summary = "Get the number of members in a sorted set",
     .arguments = "key:key",
     .handler = zcard_command},
    {.name = "zincrby",
     .arity = 4,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatSortedSet,
     .keys = {keys_at(kKeyRW | kKeyAccess | kKeyUpdate, 1)},
     .since = "1.2.0",
     .group = "sorted-set",
     .complexity = "O(log(N)) where N is the number of elements in the sorted set.",
     .summary = "Increment the score of a member in a sorted set",
     .arguments = "key:key increment:integer member:string",
     .handler = zincrby_command},
    {.name = "zmscore",
     .arity = -3,
     .flags = kReadOnly | kFast,
     .categories = kCatSortedSet,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "6.2.0",
     .group = "sorted-set",
     .complexity = "O(N) where N is the number of members being requested.",
     .summary = "Get the score associated with the given members in a sorted set",
     .arguments = "key:key member:string...",
     .handler = zmscore_command},
    rank_row({.name = "zrank",
              .summary = "Determine the index of a member in a sorted set",
              .handler = zrank_command}),
    {.name = "zrem",
     .arity = -3,
     .flags = kWrite | kFast,
     .categories = kCatSortedSet,
     .keys = {keys_at(kKeyRW | kKeyDelete, 1)},
     .since = "1.2.0",
     .group = "sorted-set",
     .complexity =
         "O(M*log(N)) with N being the number of elements in the sorted set and M the number of "
         "elements to be removed.",
     .summary = "Remove one or more members from a sorted set",
     .arguments = "key:key member:string...",
     .history = "2.4.0: Accepts multiple elements.",
     .handler = zrem_command},
    rank_row({.name = "zrevrank",
              .summary = "Determine the index of a member in a sorted set, with scores ordered "
                         "from high to low",
              .handler = zrevrank_command}),
    element_scan_row({.name = "zscan",
                      .categories = kCatSortedSet,
                      .group = "sorted-set",
                      .summary = "Incrementally iterate sorted sets elements and associated scores",
                      .handler = zscan_command}),
    {.name = "zscore",
     .arity = 3,
     .flags = kReadOnly | kFast,
     .categories = kCatSortedSet,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "1.2.0",
     .group = "sorted-set",
     .complexity = "O(1)",
     .summary = "Get the score associated with the given member in a sorted set",
     .arguments = "key:key member:string",
     .handler = zscore_command},
};

}  // namespace

std::span<const Command> zset_commands() {
  return zset_rows;
}

}  // namespace redoubt
