// Members of a sorted set that nobody chose: ZRANDMEMBER.
#include <algorithm>
#include <limits>
#include <vector>

#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/zsets/zset_value.h"

namespace redoubt {

namespace {

// `count` different ranks in order, each choice being as likely as any other.
std::vector<size_t> draw_ranks(Random& random, size_t size, size_t count) {
  std::vector<size_t> ranks;
  ranks.reserve(count);
  // Floyd's way: the i-th draw is out of the first size - count + i + 1 ranks, and one that is
  // taken stands for the last of them.
  for (size_t last = size - count; last < size; ++last) {
    const size_t drawn = random.below(last + 1);
    const auto at = std::lower_bound(ranks.begin(), ranks.end(), drawn);
    if (at != ranks.end() && *at == drawn) {
      ranks.push_back(last);
    } else {
      ranks.insert(at, drawn);
    }
  }
  return ranks;
}

// The same where that many insertions would be slow: a walk that takes each with its probability.
std::vector<size_t> choose_ranks(Random& random, size_t size, size_t count) {
  std::vector<size_t> ranks;
  for (size_t rank = 0; rank < size && count > 0; ++rank) {
    if (random.below(size - rank) >= count) continue;
    ranks.push_back(rank);
    --count;
  }
  return ranks;
}

void reply_random_members(Context& c, const ZsetView& zset, int64_t count, bool with_scores) {
  constexpr size_t kFew = 1000;
  const size_t size = zset.size();
  Random& random = c.random();
  if (count < 0) {
    const size_t draws = static_cast<size_t>(-count);
    reply_members_header(c, draws, with_scores);
    for (size_t i = 0; i < draws; ++i) {
      ZsetView::Cursor at = zset.at_rank(random.below(size));
      reply_member(c, at.member(), at.score(), with_scores);
    }
    c.env().count_work(draws);
    return;
  }
  const size_t wanted = std::min(size, static_cast<size_t>(count));
  reply_members_header(c, wanted, with_scores);
  c.env().count_work(wanted);
  if (wanted == size) {
    for_each_rank(zset, {0, size}, false, [&](std::string_view member, double score) {
      reply_member(c, member, score, with_scores);
    });
    return;
  }
  const std::vector<size_t> ranks =
      wanted <= kFew ? draw_ranks(random, size, wanted) : choose_ranks(random, size, wanted);
  for (const size_t rank : ranks) {
    ZsetView::Cursor at = zset.at_rank(rank);
    reply_member(c, at.member(), at.score(), with_scores);
  }
}

void zrandmember_command(Context& c) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  std::optional<int64_t> count;
  const bool with_scores = c.args.size() > 3;
  if (c.args.size() > 2) {
    count = c.integer(2);
    if (!count) return;
    if (*count < -kMost) {
      c.error(
          "ERR value is out of range, value must between -9223372036854775807 and "
          "9223372036854775807");
      return;
    }
    if (c.args.size() > 4 || (with_scores && !c.is(3, "withscores"))) {
      c.syntax_error();
      return;
    }
    if (with_scores && (*count < -kMost / 2 || *count > kMost / 2)) {
      c.error("ERR value is out of range");
      return;
    }
  }
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::zset)) return;
  if (entry == nullptr) {
    count ? c.reply.array(0) : c.reply.null();
    return;
  }
  if (count && *count < -kDrawsMax) {
    c.error("ERR value is out of range");
    return;
  }
  const ZsetView zset(*entry);
  if (count) {
    reply_random_members(c, zset, *count, with_scores);
  } else {
    c.reply.bulk(zset.at_rank(c.random().below(zset.size())).member());
  }
}

constexpr Command zset_random_rows[] = {
    {.name = "zrandmember",
     .arity = -2,
     .flags = kReadOnly,
     .categories = kCatSortedSet,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "6.2.0",
     .group = "sorted-set",
     .complexity = "O(N) where N is the number of elements returned",
     .summary = "Get one or multiple random elements from a sorted set",
     .tips = "nondeterministic_output",
     .arguments = "key:key [options:{count:integer [withscores(WITHSCORES)]}]",
     .handler = zrandmember_command},
};

}  // namespace

std::span<const Command> zset_random_commands() {
  return zset_random_rows;
}

}  // namespace redoubt
