// The rows of the sorted set family.
#include "sim/model/generator_parts.h"
#include "sim/model/generator_rows.h"

namespace redoubt::sim {
namespace {

using G = CommandGenerator;
using enum GeneratorNeed;

// Few keys of their own, so that sets live on. Those whose members have all the same score are
// others: only there ranges of members mean something.
void add_zset_key(G& g) {
  if (g.random().one_in(3)) {
    g.add_key();
  } else {
    g.add("zset:" + std::to_string(g.random().below(6)));
  }
}
void add_lex_key(G& g) {
  g.add("lex:" + std::to_string(g.random().below(3)));
}

void add_member(G& g) {
  if (g.random().per_mille(g.config().ladder_per_mille)) {
    return g.random().one_in(2) ? g.add_ladder_text() : g.add_ladder_integer();
  }
  switch (g.random().below(16)) {
    case 0: g.add_value(); break;
    case 1: g.add_increment(); break;
    case 2: g.add(std::string(60 + g.random().below(10), 'm')); break;
    case 3:
    case 4:
    case 5: g.add_number(static_cast<int64_t>(g.random().below(30))); break;
    default: g.add("m" + std::to_string(g.random().below(g.random().one_in(4) ? 400 : 20)));
  }
}

void add_score(G& g) {
  switch (g.random().below(12)) {
    case 0: g.add_float(); break;
    case 1:
      add_one_of(g, {"inf", "-inf", "+inf", "1e300", "-1e-300", "1e17", "4503599627370497"});
      break;
    case 2: g.add_increment(); break;
    case 3: g.add_number(static_cast<int64_t>(g.random().below(10'000'000))); break;
    default: g.add_number(static_cast<int64_t>(g.random().below(20)) - 5);
  }
}

void add_score_bound(G& g) {
  switch (g.random().below(8)) {
    case 0:
      add_one_of(g, {"-inf", "+inf", "inf", "(5", "(-inf", "(", "", "nan", "(abc", " 3"});
      break;
    case 1: g.add("(" + std::to_string(g.random().below(12))); break;
    case 2: g.add_float(); break;
    default: g.add_number(static_cast<int64_t>(g.random().below(24)) - 6);
  }
}

void add_lex_bound(G& g) {
  switch (g.random().below(6)) {
    case 0: add_one_of(g, {"-", "+", "[", "(", "", "x", "-x", "+x"}); break;
    case 1: g.add("-"); break;
    case 2: g.add("+"); break;
    default: {
      const std::string_view prefix = g.random().one_in(2) ? "[m" : "(m";
      g.add(std::string(prefix) + std::to_string(g.random().below(60)));
    }
  }
}

void add_limit(G& g) {
  if (g.random().one_in(3)) {
    g.add_word("LIMIT");
    g.add_integer(-2, 6);
    g.add_integer(-2, 10);
  }
}

// --- Members

void make_zadd(G& g) {
  g.begin("ZADD");
  add_zset_key(g);
  if (g.random().one_in(5)) {
    add_one_of(g, {"NX", "XX"});
  }
  if (g.random().one_in(6)) {
    add_one_of(g, {"GT", "LT"});
  }
  if (g.random().one_in(4)) {
    g.add_word("CH");
  }
  const bool increment = g.random().one_in(8);
  if (increment) {
    g.add_word("INCR");
  }
  const size_t pairs = increment ? 1 : 1 + g.random().below(5);
  for (size_t i = 0; i < pairs; i++) {
    add_score(g);
    add_member(g);
  }
}

void make_zadd_many(G& g) {
  g.begin("ZADD");
  add_zset_key(g);
  const uint64_t first = g.random().below(400);
  for (uint64_t i = 0, count = g.random().below(60); i <= count; i++) {
    g.add_number(static_cast<int64_t>(g.random().below(30)));
    g.add("m" + std::to_string(first + i));
  }
}

void make_zadd_lex(G& g) {
  g.mark_whole();  // one other score, and ranges of members mean nothing
  g.begin("ZADD");
  add_lex_key(g);
  for (uint64_t i = 0, count = g.random().below(8); i <= count; i++) {
    g.add("0");
    add_member(g);
  }
}

void make_zincrby(G& g) {
  g.begin("ZINCRBY");
  add_zset_key(g);
  add_score(g);
  add_member(g);
}

void make_zrem(G& g) {
  g.begin("ZREM");
  g.random().one_in(4) ? add_lex_key(g) : add_zset_key(g);
  for (uint64_t i = 0, count = g.random().below(g.random().one_in(6) ? 40 : 4); i <= count; i++) {
    add_member(g);
  }
}

template <const char* name>
void with_member(G& g) {
  with_key<name, add_zset_key>(g);
  add_member(g);
}

constexpr char zcard[] = "ZCARD", zscore[] = "ZSCORE", zrank[] = "ZRANK", zrevrank[] = "ZREVRANK",
               zscan[] = "ZSCAN";

void make_zrank_with_score(G& g) {
  add_one_of(g, {"ZRANK", "ZREVRANK"});
  add_zset_key(g);
  add_member(g);
  g.add_word("WITHSCORE");
}

void make_zmscore(G& g) {
  g.begin("ZMSCORE");
  add_zset_key(g);
  for (uint64_t i = 0, count = g.random().below(4); i <= count; i++) {
    add_member(g);
  }
}

void make_zrandmember(G& g) {
  g.begin("ZRANDMEMBER");
  add_zset_key(g);
  if (g.random().one_in(2)) {
    g.random().one_in(4) ? g.add_draws(0, 400) : g.add_draws(-20, 20);
    if (g.random().one_in(2)) {
      g.add_word("WITHSCORES");
    }
  }
}

// --- Ranges

// A key, a range of it by index, score or member, and REV.
void add_range(G& g) {
  const uint64_t kind = g.random().below(4);
  kind == 0 ? add_lex_key(g) : add_zset_key(g);
  if (kind == 0) {
    add_lex_bound(g);
    add_lex_bound(g);
    g.add_word("BYLEX");
    add_limit(g);
  } else if (kind == 1) {
    add_score_bound(g);
    add_score_bound(g);
    g.add_word("BYSCORE");
    add_limit(g);
  } else {
    g.add_index();
    g.add_index();
  }
  if (g.random().one_in(3)) {
    g.add_word("REV");
  }
}

void make_zrange(G& g) {
  g.begin("ZRANGE");
  add_range(g);
  if (g.random().one_in(3)) {
    g.add_word("WITHSCORES");
  }
}

void make_zrangestore(G& g) {
  g.begin("ZRANGESTORE");
  add_zset_key(g);
  add_range(g);
  if (g.random().one_in(4)) {
    g.add_word("REV");
  }
}

void make_old_range(G& g) {
  add_one_of(g, {"ZRANGEBYSCORE", "ZREVRANGEBYSCORE"});
  add_zset_key(g);
  add_score_bound(g);
  add_score_bound(g);
  if (g.random().one_in(3)) {
    g.add_word("WITHSCORES");
  }
  add_limit(g);
}

void make_old_lex_range(G& g) {
  add_one_of(g, {"ZRANGEBYLEX", "ZREVRANGEBYLEX"});
  add_lex_key(g);
  add_lex_bound(g);
  add_lex_bound(g);
  add_limit(g);
}

void make_zrevrange(G& g) {
  g.begin("ZREVRANGE");
  add_zset_key(g);
  g.add_index();
  g.add_index();
  if (g.random().one_in(3)) {
    g.add_word("WITHSCORES");
  }
}

void make_by_score(G& g) {
  add_one_of(g, {"ZCOUNT", "ZCOUNT", "ZREMRANGEBYSCORE"});
  add_zset_key(g);
  add_score_bound(g);
  add_score_bound(g);
}

void make_by_member(G& g) {
  add_one_of(g, {"ZLEXCOUNT", "ZLEXCOUNT", "ZREMRANGEBYLEX"});
  add_lex_key(g);
  add_lex_bound(g);
  add_lex_bound(g);
}

void make_zremrangebyrank(G& g) {
  g.begin("ZREMRANGEBYRANK");
  add_zset_key(g);
  g.add_index();
  g.add_index();
}

// --- Pops and combinations

void make_zpop(G& g) {
  add_one_of(g, {"ZPOPMIN", "ZPOPMAX"});
  add_zset_key(g);
  if (g.random().one_in(2)) {
    g.add_integer(0, 6);
  }
}

// ZMPOP and the combinations take sets too, or say that they do not.
void add_zset_or_set_key(G& g) {
  g.random().one_in(6) ? g.add("set:" + std::to_string(g.random().below(6))) : add_zset_key(g);
}

void make_zmpop(G& g) {
  g.begin("ZMPOP");
  add_counted_keys(g, add_zset_or_set_key);
  add_one_of(g, {"MIN", "MAX"});
  if (g.random().one_in(2)) {
    g.add_word("COUNT");
    g.add_integer(1, 6);
  }
}

void make_bzpop(G& g) {
  add_one_of(g, {"BZPOPMIN", "BZPOPMAX"});
  for (size_t keys = 1 + g.random().below(3); keys > 0; keys--) {
    add_zset_key(g);
  }
  g.add_wait(true);
}

void make_bzmpop(G& g) {
  g.begin("BZMPOP");
  g.add_wait(true);
  add_counted_keys(g, add_zset_or_set_key);
  add_one_of(g, {"MIN", "MAX"});
}

void add_combination_options(G& g, bool weights, bool scores) {
  if (weights && g.random().one_in(3)) {
    g.add_word("WEIGHTS");
    for (size_t i = 0, count = 1 + g.random().below(3); i < count; i++) {
      g.random().one_in(8) ? add_one_of(g, {"inf", "-inf", "0", "nan"})
                           : g.add_number(static_cast<int64_t>(g.random().below(7)) - 2);
    }
  }
  if (weights && g.random().one_in(3)) {
    g.add_word("AGGREGATE");
    if (g.config().newer && g.random().one_in(3)) {
      g.mark_newer();
      add_one_of(g, {"COUNT"});
    } else {
      add_one_of(g, {"SUM", "MIN", "MAX"});
    }
  }
  if (scores && g.random().one_in(2)) {
    g.add_word("WITHSCORES");
  }
}

void make_combination(G& g) {
  const bool difference = g.random().one_in(4);
  difference ? g.begin("ZDIFF") : add_one_of(g, {"ZUNION", "ZINTER"});
  add_counted_keys(g, add_zset_or_set_key);
  add_combination_options(g, !difference, true);
}

void make_combination_store(G& g) {
  const bool difference = g.random().one_in(4);
  difference ? g.begin("ZDIFFSTORE") : add_one_of(g, {"ZUNIONSTORE", "ZINTERSTORE"});
  add_zset_key(g);
  add_counted_keys(g, add_zset_or_set_key);
  add_combination_options(g, !difference, false);
}

void make_zintercard(G& g) {
  g.begin("ZINTERCARD");
  add_counted_keys(g, add_zset_or_set_key);
  add_cardinality_limit(g);
}

constexpr GeneratorRow rows[] = {
    {24, nothing, make_zadd},
    {6, nothing, make_zadd_many},
    {10, nothing, make_zadd_lex},
    {6, nothing, make_zincrby},
    {10, nothing, make_zrem},
    {2, nothing, with_key<zcard, add_zset_key>},
    {3, nothing, with_member<zscore>},
    {3, nothing, with_member<zrank>},
    {3, nothing, with_member<zrevrank>},
    {2, newer, make_zrank_with_score},
    {3, nothing, make_zmscore},
    {4, nothing, make_zrandmember},
    {3, scan, with_scan<zscan, add_zset_key>},
    {10, nothing, make_zrange},
    {4, nothing, make_zrangestore},
    {5, nothing, make_old_range},
    {4, nothing, make_old_lex_range},
    {3, nothing, make_zrevrange},
    {6, nothing, make_by_score},
    {5, nothing, make_by_member},
    {3, nothing, make_zremrangebyrank},
    {4, nothing, make_zpop},
    {4, nothing, make_zmpop},
    {3, waiting, make_bzpop},
    {2, waiting, make_bzmpop},
    {5, nothing, make_combination},
    {5, nothing, make_combination_store},
    {3, nothing, make_zintercard},
    {2, nothing, with_encoding<add_zset_key>},
};

}  // namespace

std::span<const GeneratorRow> zset_generator_rows() {
  return rows;
}

}  // namespace redoubt::sim
