// The rows of the set family.
#include "sim/model/generator_parts.h"
#include "sim/model/generator_rows.h"

namespace redoubt::sim {
namespace {

using G = CommandGenerator;
using enum GeneratorNeed;

// Members that meet each other: small integers, short words; now and then a wide integer, a text
// that is longer than a small encoding takes, or anything.
void add_member(G& g) {
  if (g.random().per_mille(g.config().ladder_per_mille)) {
    return g.random().one_in(2) ? g.add_ladder_text() : g.add_ladder_integer();
  }
  switch (g.random().below(16)) {
    case 0: g.add_value(); break;
    case 1: g.add_integer(-70'000, 70'000); break;
    case 2: g.add_increment(); break;
    case 3: g.add(std::string(60 + g.random().below(10), 'm')); break;
    case 4:
    case 5:
    case 6:
    case 7: g.add("m" + std::to_string(g.random().below(g.random().one_in(4) ? 400 : 20))); break;
    default: g.add_number(static_cast<int64_t>(g.random().below(g.random().one_in(4) ? 900 : 20)));
  }
}

// Half of the keys of sets are few, so that sets live on.
void add_set_key(G& g) {
  if (g.random().one_in(6)) {
    g.add_key();
  } else {
    g.add("set:" + std::to_string(g.random().below(6)));
  }
}

void add_members(G& g, size_t most) {
  const size_t members = 1 + g.random().below(most);
  for (size_t i = 0; i < members; i++) {
    add_member(g);
  }
}

void add_count(G& g) {
  g.add_draws(0, g.random().one_in(4) ? 400 : 12);
}

void make_sadd(G& g) {
  g.begin("SADD");
  add_set_key(g);
  if (!g.random().one_in(12)) {
    add_members(g, 8);
    return;
  }
  // Many at once, of one kind.
  const bool words = g.random().one_in(2);
  const uint64_t first = g.random().below(1000);
  for (uint64_t i = 0, count = g.random().below(200); i <= count; i++) {
    words ? g.add("w" + std::to_string(first + i)) : g.add_number(static_cast<int64_t>(first + i));
  }
}

void make_srem(G& g) {
  g.begin("SREM");
  add_set_key(g);
  add_members(g, g.random().one_in(4) ? 60 : 4);
}

template <const char* name>
void with_sets(G& g) {
  g.begin(name);
  add_keys(g, 4, add_set_key);
}

template <const char* name>
void into_set(G& g) {
  g.begin(name);
  for (size_t i = 0, count = 2 + g.random().below(3); i < count; i++) {
    add_set_key(g);
  }
}

constexpr char scard[] = "SCARD", smembers[] = "SMEMBERS", sinter[] = "SINTER", sunion[] = "SUNION",
               sdiff[] = "SDIFF", sinterstore[] = "SINTERSTORE", sunionstore[] = "SUNIONSTORE",
               sdiffstore[] = "SDIFFSTORE", sscan[] = "SSCAN";

void make_sismember(G& g) {
  g.begin("SISMEMBER");
  add_set_key(g);
  add_member(g);
}

void make_smismember(G& g) {
  g.begin("SMISMEMBER");
  add_set_key(g);
  add_members(g, 5);
}

void make_smove(G& g) {
  g.begin("SMOVE");
  add_set_key(g);
  add_set_key(g);
  add_member(g);
}

void make_spop(G& g) {
  g.begin("SPOP");
  add_set_key(g);
  if (g.random().one_in(2)) {
    add_count(g);
  }
}

void make_srandmember(G& g) {
  g.begin("SRANDMEMBER");
  add_set_key(g);
  if (g.random().one_in(2)) {
    add_count(g);
  } else if (g.random().one_in(2)) {
    g.add_number(-static_cast<int64_t>(g.random().below(20)));
  }
}

void make_sintercard(G& g) {
  g.begin("SINTERCARD");
  add_counted_keys(g, add_set_key);
  add_cardinality_limit(g);
}

void make_newer_cardinality(G& g) {
  const bool united = g.random().one_in(2);
  g.begin(united ? "SUNIONCARD" : "SDIFFCARD");
  add_counted_keys(g, add_set_key);
  add_cardinality_limit(g);
  if (united && g.random().one_in(8)) {
    g.add_word("APPROX");
  }
}

// "MEMBERS n member ...", now and then with a wrong count.
void add_listed_members(G& g) {
  if (!g.random().one_in(40)) {
    g.add_word("MEMBERS");
  }
  const size_t count = 1 + g.random().below(g.random().one_in(8) ? 90 : 4);
  g.random().one_in(40) ? g.add_integer(-1, 5) : g.add_number(static_cast<int64_t>(count));
  for (size_t i = 0; i < count; i++) {
    add_member(g);
  }
}

void make_sexpire(G& g) {
  constexpr std::string_view names[] = {"SEXPIRE", "SPEXPIRE", "SEXPIREAT", "SPEXPIREAT"};
  const uint64_t which = g.random().below(4);
  g.begin(names[which]);
  add_set_key(g);
  g.add_deadline_amount(which % 2 == 0, which >= 2);
  if (g.random().one_in(3)) {
    add_one_of(g, {"NX", "XX", "GT", "LT"});
  }
  add_listed_members(g);
}

void make_sttl(G& g) {
  add_one_of(g, {"STTL", "SPTTL", "SEXPIRETIME", "SPEXPIRETIME", "SPERSIST"});
  add_set_key(g);
  add_listed_members(g);
}

constexpr GeneratorRow rows[] = {
    {24, nothing, make_sadd},
    {10, nothing, make_srem},
    {4, nothing, make_sismember},
    {3, nothing, make_smismember},
    {3, nothing, with_key<scard, add_set_key>},
    {4, nothing, with_key<smembers, add_set_key>},
    {5, nothing, make_smove},
    {5, chance, make_spop},
    {4, nothing, make_srandmember},
    {3, nothing, with_sets<sinter>},
    {3, nothing, with_sets<sunion>},
    {3, nothing, with_sets<sdiff>},
    {3, nothing, into_set<sinterstore>},
    {3, nothing, into_set<sunionstore>},
    {3, nothing, into_set<sdiffstore>},
    {3, nothing, make_sintercard},
    {4, newer, make_newer_cardinality},
    {9, newer, make_sexpire},
    {6, newer, make_sttl},
    {3, scan, with_scan<sscan, add_set_key>},
    {2, nothing, with_encoding<add_set_key>},
};

}  // namespace

std::span<const GeneratorRow> set_generator_rows() {
  return rows;
}

}  // namespace redoubt::sim
