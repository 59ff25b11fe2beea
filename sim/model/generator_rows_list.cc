// The generator's rows of the list family, with SORT.
#include "sim/model/generator_parts.h"
#include "sim/model/generator_rows.h"

namespace redoubt::sim {
namespace {

using G = CommandGenerator;
using enum GeneratorNeed;

void add_end(G& g) {
  add_one_of(g, {"LEFT", "RIGHT", "LEFT", "RIGHT", "LEFT", "RIGHT", "MIDDLE"});
}

// Few and short ones, so that searches find something.
void add_element(G& g) {
  if (g.random().per_mille(g.config().ladder_per_mille)) {
    return g.random().one_in(2) ? g.add_ladder_text() : g.add_ladder_integer();
  }
  switch (g.random().below(10)) {
    case 0: g.add_value(); break;
    case 1: g.add_text(3000); break;
    case 2: g.add_number(static_cast<int64_t>(g.random().next() >> g.random().below(64))); break;
    case 3: add_one_of(g, {"", "0", "-0", "01", "-1", "127", "128", "4096"}); break;
    default: add_one_of(g, {"a", "b", "c", "1", "2", "3", "element"});
  }
}

void add_elements(G& g) {
  const size_t count = 1 + g.random().below(g.random().one_in(20) ? 200 : 5);
  for (size_t i = 0; i < count; i++) {
    add_element(g);
  }
}

// A count or rank whose sign is a direction. The lowest integer, which 7.0 takes as a rank and 7.2
// refuses, is not among them.
void add_signed_count(G& g) {
  if (g.random().one_in(30)) {
    add_one_of(g, {"9223372036854775807", "-9223372036854775807", "9223372036854775808", "x", ""});
  } else {
    g.add_number(static_cast<int64_t>(g.random().below(9)) - 4);
  }
}

void make_push(G& g) {
  add_one_of(g, {"LPUSH", "RPUSH", "LPUSH", "RPUSH", "LPUSHX", "RPUSHX"});
  g.add_key();
  add_elements(g);
}

void make_pop(G& g) {
  add_one_of(g, {"LPOP", "RPOP"});
  g.add_key();
  if (g.random().one_in(3)) {
    g.add_integer(0, g.random().one_in(4) ? 100 : 6);
  }
}

constexpr char llen[] = "LLEN";

void make_lindex(G& g) {
  g.begin("LINDEX");
  g.add_key();
  g.add_index();
}

void make_lset(G& g) {
  g.begin("LSET");
  g.add_key();
  g.add_integer(-6, 5);
  add_element(g);
}

void make_linsert(G& g) {
  g.begin("LINSERT");
  g.add_key();
  add_one_of(g, {"BEFORE", "AFTER", "BEFORE", "AFTER", "BEFORE", "AFTER", "BEHIND"});
  add_element(g);
  add_element(g);
}

void make_lrange(G& g) {
  g.begin("LRANGE");
  g.add_key();
  if (g.random().one_in(3)) {
    g.add("0");
    g.add("-1");
  } else {
    g.add_index();
    g.add_index();
  }
}

void make_ltrim(G& g) {
  g.begin("LTRIM");
  g.add_key();
  g.add_integer(-40, 6);
  g.add_integer(-6, 60);
}

void make_lrem(G& g) {
  g.begin("LREM");
  g.add_key();
  add_signed_count(g);
  add_element(g);
}

void make_lpos(G& g) {
  g.begin("LPOS");
  g.add_key();
  add_element(g);
  for (size_t options = g.random().below(4); options > 0; options--) {
    switch (g.random().below(3)) {
      case 0:
        g.add_word("RANK");
        add_signed_count(g);
        break;
      case 1:
        g.add_word("COUNT");
        g.add_integer(0, 4);
        break;
      default: g.add_word("MAXLEN"); g.add_integer(0, 30);
    }
  }
}

void make_lmove(G& g) {
  g.begin("LMOVE");
  g.add_key();
  g.add_key();
  add_end(g);
  add_end(g);
}

void add_how_many(G& g) {
  if (g.random().one_in(4)) {
    return;
  }
  add_one_of(g, {"COUNT", "COUNT", "EXACTLY"});
  const int64_t least = g.random().one_in(20) ? -1 : 1;
  g.add_integer(least, g.random().one_in(6) ? 60 : 5);
  add_one_of(g, {"OBO", "BULK", "OBO", "BULK", "OBO", "BULK", "ONE"});
}

void make_lmovem(G& g) {
  g.begin("LMOVEM");
  g.add_key();
  g.add_key();
  add_end(g);
  add_end(g);
  add_how_many(g);
}

void make_rpoplpush(G& g) {
  g.begin("RPOPLPUSH");
  g.add_key();
  g.add_key();
}

void add_many_pop(G& g) {
  const size_t keys = 1 + g.random().below(3);
  if (g.random().one_in(20)) {
    g.add_integer(-1, 6);
  } else {
    g.add_number(static_cast<int64_t>(keys));
  }
  for (size_t i = 0; i < keys; i++) {
    g.add_key();
  }
  add_end(g);
  if (g.random().one_in(2)) {
    g.add_word("COUNT");
    g.add_integer(g.random().one_in(20) ? -1 : 1, 8);
  }
}

void make_lmpop(G& g) {
  g.begin("LMPOP");
  add_many_pop(g);
}

void make_blpop(G& g) {
  add_one_of(g, {"BLPOP", "BRPOP"});
  add_keys(g, 3);
  g.add_wait(true);
}

void make_blmove(G& g) {
  const bool ends = g.random().one_in(2);
  g.begin(ends ? "BLMOVE" : "BRPOPLPUSH");
  g.add_key();
  g.add_key();
  if (ends) {
    add_end(g);
    add_end(g);
  }
  g.add_wait(true);
}

void make_blmovem(G& g) {
  if (!g.config().newer) {
    make_blmove(g);
    return;
  }
  g.begin("BLMOVEM");
  g.mark_newer();
  g.add_key();
  g.add_key();
  add_end(g);
  add_end(g);
  g.add_wait(true);
  add_how_many(g);
}

void make_blmpop(G& g) {
  g.begin("BLMPOP");
  g.add_wait(true);
  add_many_pop(g);
}

// Equal keys of BY with ALPHA would leave the order to the server; keys are what strings are
// called, so BY finds some.
void make_sort(G& g) {
  const bool read_only = g.random().one_in(4);
  g.begin(read_only ? "SORT_RO" : "SORT");
  switch (g.random().below(6)) {
    case 0:
    case 1: g.add("set:" + std::to_string(g.random().below(6))); break;
    case 2: g.add("zset:" + std::to_string(g.random().below(6))); break;
    default: g.add_key();
  }
  const bool by = g.random().one_in(3);
  if (by) {
    g.add_word("BY");
    add_one_of(g, {"k*", "*", "k*->a", "same", "nosort"});
  }
  if (g.random().one_in(3)) {
    g.add_word("LIMIT");
    g.add_integer(-1, 4);
    g.add_integer(-1, 6);
  }
  for (size_t gets = g.random().one_in(4) ? 1 + g.random().below(2) : 0; gets > 0; gets--) {
    g.add_word("GET");
    add_one_of(g, {"#", "k*", "*", "k*->b", "nothing"});
  }
  if (g.random().one_in(3)) {
    add_one_of(g, {"ASC", "DESC"});
  }
  if (!by && g.random().one_in(2)) {
    g.add_word("ALPHA");
  }
  if (!read_only && g.random().one_in(3)) {
    g.add_word("STORE");
    g.add_key();
  }
}

constexpr GeneratorRow rows[] = {
    {8, nothing, make_sort},      {30, nothing, make_push},   {8, nothing, make_pop},
    {4, nothing, with_key<llen>}, {6, nothing, make_lindex},  {6, nothing, make_lset},
    {8, nothing, make_linsert},   {10, nothing, make_lrange}, {4, nothing, make_ltrim},
    {6, nothing, make_lrem},      {8, nothing, make_lpos},    {6, nothing, make_lmove},
    {4, nothing, make_rpoplpush}, {5, nothing, make_lmpop},   {3, waiting, make_blpop},
    {3, waiting, make_blmove},    {3, waiting, make_blmpop},  {6, newer, make_lmovem},
    {2, waiting, make_blmovem},
};

}  // namespace

std::span<const GeneratorRow> list_generator_rows() {
  return rows;
}

}  // namespace redoubt::sim
