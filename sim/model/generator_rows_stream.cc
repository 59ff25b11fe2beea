// The rows of the generator for streams and HyperLogLog.
#include "sim/model/generator_parts.h"
#include "sim/model/generator_rows.h"

namespace redoubt::sim {
namespace {

using G = CommandGenerator;
using enum GeneratorNeed;

// Ids are small, so that commands meet entries; most streams grow by "60-*" and its like, because a
// clock differs between servers.
constexpr uint64_t largest_ms = 60;

void add_id(G& g) {
  if (g.random().per_mille(g.config().extreme_per_mille)) {
    add_one_of(g, {"-", "+", "0", "0-0", "abc", "1-", "-1", "1-1-1", "007-1", " 5-1", "+5-3",
                   "5--0", "5--1", "", "18446744073709551615-18446744073709551615",
                   "18446744073709551615", "18446744073709551616-1", "(1-1"});
    return;
  }
  if (g.random().one_in(4)) {
    return g.add(std::to_string(largest_ms) + "-" + std::to_string(g.random().below(200)));
  }
  std::string id = std::to_string(g.random().below(largest_ms));
  if (!g.random().one_in(4)) {
    id += "-" + std::to_string(g.random().below(6));
  }
  g.add(id);
}

// A few keys of their own, whose streams and groups live on and become long.
void add_stream_key(G& g) {
  g.random().one_in(2) ? g.add_key() : g.add("stream:" + std::to_string(g.random().below(3)));
}

void add_range_end(G& g, std::string_view edge) {
  if (g.random().one_in(3)) {
    g.add(edge);
  } else if (g.random().one_in(4)) {
    std::string id = "(" + std::to_string(g.random().below(largest_ms));
    id += "-" + std::to_string(g.random().below(6));
    g.add(id);
  } else {
    add_id(g);
  }
}

void add_ids(G& g, size_t most) {
  const size_t count = 1 + g.random().below(most);
  for (size_t i = 0; i < count; i++) {
    add_id(g);
  }
}

void add_group(G& g) {
  add_one_of(g, {"g1", "g1", "g2"});
}

void attach(G& g) {
  add_one_of(g, {"c1", "c2", "c3"});
}

void add_count(G& g) {
  g.add_word("COUNT");
  g.add_integer(0, 8);
}

// What an idle time is compared with: nothing is that old, or everything is.
void add_idle(G& g) {
  add_one_of(g, {"0", "0", "-5", "100000000000"});
}

void add_trim(G& g) {
  if (g.random().one_in(2)) {
    g.add_word("MAXLEN");
    if (g.random().one_in(2)) {
      add_one_of(g, {"~", "="});
    }
    g.add_integer(0, 150);
  } else {
    g.add_word("MINID");
    if (g.random().one_in(2)) {
      add_one_of(g, {"~", "="});
    }
    add_id(g);
  }
  if (g.random().one_in(8)) {
    g.add_word("LIMIT");
    g.add_integer(0, 250);
  }
}

void add_fields(G& g) {
  const size_t fields = 1 + g.random().below(2);
  for (size_t i = 0; i < fields; i++) {
    add_one_of(g, {"f", "f", "g", ""});
    add_one_of(g, {"v", "12", "-5", "300", "abc", "", "007"});
  }
}

void make_xadd(G& g) {
  g.begin("XADD");
  const bool own = g.random().one_in(2);
  own ? g.add("stream:" + std::to_string(g.random().below(3))) : g.add_key();
  if (g.random().one_in(12)) {
    g.add_word("NOMKSTREAM");
  }
  if (g.random().one_in(12)) {
    add_trim(g);
  }
  if (g.random().one_in(6)) {
    add_id(g);
  } else {
    const uint64_t usual = own ? largest_ms : 7;
    g.add(std::to_string(g.random().one_in(20) ? g.random().below(largest_ms) : usual) + "-*");
  }
  add_fields(g);
}

void make_careful_xtrim(G& g) {
  g.begin("XTRIM");
  add_stream_key(g);
  add_one_of(g, {"KEEPREF", "DELREF", "ACKED"});
  add_trim(g);
}

void make_xtrim(G& g) {
  g.begin("XTRIM");
  add_stream_key(g);
  add_trim(g);
}

void make_xdel(G& g) {
  g.begin("XDEL");
  add_stream_key(g);
  add_ids(g, 4);
}

constexpr char xlen[] = "XLEN";

void make_xrange(G& g) {
  const bool reverse = g.random().one_in(2);
  g.begin(reverse ? "XREVRANGE" : "XRANGE");
  add_stream_key(g);
  add_range_end(g, reverse ? "+" : "-");
  add_range_end(g, reverse ? "-" : "+");
  if (g.random().one_in(2)) {
    add_count(g);
  }
}

void add_block(G& g) {
  g.add_word("BLOCK");
  g.add_wait(false);
}

void add_xread(G& g, bool waits) {
  g.begin("XREAD");
  if (g.random().one_in(2)) {
    add_count(g);
  }
  if (waits) {
    add_block(g);
  }
  g.add_word("STREAMS");
  const size_t streams = add_keys(g, 2, add_stream_key);
  for (size_t i = 0; i < streams; i++) {
    if (g.random().one_in(6)) {
      g.add("$");
    } else {
      g.add_number(static_cast<int64_t>(g.random().below(largest_ms)));
    }
  }
}

void make_xread(G& g) {
  add_xread(g, false);
}
void make_waiting_xread(G& g) {
  add_xread(g, true);
}

void add_xreadgroup(G& g, bool waits) {
  g.begin("XREADGROUP");
  g.add_word("GROUP");
  add_group(g);
  attach(g);
  if (!g.random().one_in(4)) {
    add_count(g);
  }
  if (g.random().one_in(8)) {
    g.add_word("NOACK");
  }
  if (waits) {
    add_block(g);
  }
  g.add_word("STREAMS");
  const size_t streams = add_keys(g, 2, add_stream_key);
  for (size_t i = 0; i < streams; i++) {
    if (g.random().one_in(5)) {
      add_id(g);
    } else {
      g.add(">");
    }
  }
}

void add_limits(G& g) {
  if (g.random().one_in(2)) {
    g.add_word("MAXCOUNT");
    g.add_integer(g.random().one_in(20) ? 0 : 1, 10);
  }
  if (g.random().one_in(3)) {
    g.add_word("MAXSIZE");
    g.add_integer(1, 200);
  }
}

// What is as old as no time says, or as old as most entries are.
void add_claim(G& g) {
  g.add_word("CLAIM");
  add_one_of(g, {"0", "0", "1", "30", "300", "-1", "100000000000"});
}

void make_limited_xread(G& g) {
  g.begin("XREAD");
  if (g.random().one_in(3)) {
    add_count(g);
  }
  add_limits(g);
  g.add_word("STREAMS");
  const size_t streams = 1 + g.random().below(3);
  for (size_t i = 0; i < streams; i++) {
    add_stream_key(g);
  }
  for (size_t i = 0; i < streams; i++) {
    g.add_number(static_cast<int64_t>(g.random().below(largest_ms)));
  }
}

void make_claiming_xreadgroup(G& g) {
  g.begin("XREADGROUP");
  g.add_word("GROUP");
  add_group(g);
  attach(g);
  if (!g.random().one_in(4)) {
    add_claim(g);
  }
  if (!g.random().one_in(4)) {
    add_count(g);
  }
  if (g.random().one_in(2)) {
    add_limits(g);
  }
  if (g.random().one_in(8)) {
    g.add_word("NOACK");
  }
  g.add_word("STREAMS");
  const size_t streams = 1 + g.random().below(3);
  for (size_t i = 0; i < streams; i++) {
    add_stream_key(g);
  }
  for (size_t i = 0; i < streams; i++) {
    if (g.random().one_in(6)) {
      add_id(g);
    } else {
      g.add(">");
    }
  }
}

void make_xreadgroup(G& g) {
  add_xreadgroup(g, false);
}
void make_waiting_xreadgroup(G& g) {
  add_xreadgroup(g, true);
}

void make_xgroup_create(G& g) {
  g.begin("XGROUP");
  g.add_word("CREATE");
  add_stream_key(g);
  add_group(g);
  add_one_of(g, {"$", "0", "0", "7-3"});
  if (g.random().one_in(2)) {
    g.add_word("MKSTREAM");
  }
  if (g.random().one_in(6)) {
    g.add_word("ENTRIESREAD");
    g.add_integer(-1, 20);
  }
}

void make_xgroup(G& g) {
  g.begin("XGROUP");
  constexpr std::string_view names[] = {"SETID", "DESTROY", "DELCONSUMER"};
  const uint64_t kind = g.random().below(3);
  g.add_word(names[kind]);
  add_stream_key(g);
  add_group(g);
  if (kind == 0) {
    add_one_of(g, {"$", "0", "-", "+", "7-3"});
    if (g.random().one_in(2)) {
      g.add_word("ENTRIESREAD");
      g.add_integer(-1, 40);
    }
  } else if (kind == 2) {
    attach(g);
  }
}

void make_xack(G& g) {
  g.begin("XACK");
  add_stream_key(g);
  add_group(g);
  add_ids(g, 6);
}

void make_xpending(G& g) {
  g.begin("XPENDING");
  add_stream_key(g);
  add_group(g);
  if (g.random().one_in(3)) {
    return;
  }
  if (g.random().one_in(3)) {
    g.add_word("IDLE");
    add_idle(g);
  }
  add_range_end(g, "-");
  add_range_end(g, "+");
  g.add_integer(0, 10);
  if (g.random().one_in(3)) {
    attach(g);
  }
}

void make_xclaim(G& g) {
  g.begin("XCLAIM");
  add_stream_key(g);
  add_group(g);
  attach(g);
  add_idle(g);
  add_ids(g, 5);
  if (g.random().one_in(3)) {
    g.add_word("FORCE");
  }
  if (g.random().one_in(4)) {
    g.add_word("JUSTID");
  }
  if (g.random().one_in(4)) {
    g.add_word("RETRYCOUNT");
    g.add_integer(0, 9);
  }
  if (g.random().one_in(8)) {
    g.add_word("LASTID");
    add_id(g);
  }
}

void make_xautoclaim(G& g) {
  g.begin("XAUTOCLAIM");
  add_stream_key(g);
  add_group(g);
  attach(g);
  add_idle(g);
  add_range_end(g, "-");
  if (g.random().one_in(2)) {
    add_count(g);
  }
  if (g.random().one_in(3)) {
    g.add_word("JUSTID");
  }
}

void make_xinfo_groups(G& g) {
  g.begin("XINFO");
  g.add_word("GROUPS");
  add_stream_key(g);
}

void make_xsetid(G& g) {
  g.begin("XSETID");
  add_stream_key(g);
  add_id(g);
  if (g.random().one_in(3)) {
    g.add_word("ENTRIESADDED");
    g.add_integer(0, 200);
  }
  if (g.random().one_in(4)) {
    g.add_word("MAXDELETEDID");
    add_id(g);
  }
}

void add_references(G& g) {
  if (!g.random().one_in(3)) {
    add_one_of(g, {"KEEPREF", "DELREF", "ACKED"});
  }
  g.add_word("IDS");
  const size_t count = 1 + g.random().below(3);
  g.add_integer(static_cast<int64_t>(count), static_cast<int64_t>(count));
  for (size_t i = 0; i < count; i++) {
    add_id(g);
  }
}

void make_xdelex(G& g) {
  g.begin("XDELEX");
  add_stream_key(g);
  add_references(g);
}

void make_xackdel(G& g) {
  g.begin("XACKDEL");
  add_stream_key(g);
  add_group(g);
  add_references(g);
}

void make_xnack(G& g) {
  g.begin("XNACK");
  add_stream_key(g);
  add_group(g);
  add_one_of(g, {"SILENT", "FAIL", "FATAL"});
  g.add_word("IDS");
  const size_t count = 1 + g.random().below(4);
  g.add_number(static_cast<int64_t>(count));
  for (size_t i = 0; i < count; i++) {
    add_id(g);
  }
  if (g.random().one_in(4)) {
    g.add_word("RETRYCOUNT");
    g.add_integer(0, 9);
  }
  if (g.random().one_in(3)) {
    g.add_word("FORCE");
  }
}

// --- Messages that are sent again

// Keys of their own, mostly: an id that a clock chose leaves no room for small ones.
void add_idempotent_key(G& g) {
  if (g.random().one_in(12)) {
    g.add_key();
  } else {
    g.add("idem:" + std::to_string(g.random().below(3)));
  }
}

void add_message(G& g) {
  const bool automatic = g.random().one_in(3);
  g.add_word(automatic ? "IDMPAUTO" : "IDMP");
  g.add(g.random().one_in(60) ? "" : "p" + std::to_string(g.random().below(3)));
  if (!automatic) {
    g.add(g.random().one_in(60) ? "" : "m" + std::to_string(g.random().below(8)));
  }
}

void make_idempotent_xadd(G& g) {
  g.begin("XADD");
  add_idempotent_key(g);
  if (g.random().one_in(12)) {
    g.add_word("NOMKSTREAM");
  }
  if (g.random().one_in(20)) {
    add_message(g);
  }
  add_message(g);
  if (g.random().one_in(6)) {
    add_trim(g);
  }
  if (g.random().one_in(20)) {
    add_id(g);
  } else {
    g.add("*");
  }
  add_fields(g);
}

void make_xcfgset(G& g) {
  g.begin("XCFGSET");
  add_idempotent_key(g);
  if (!g.random().one_in(3)) {
    g.add_word("IDMP-DURATION");
    g.add_integer(1, 4);
  }
  if (!g.random().one_in(3)) {
    g.add_word("IDMP-MAXSIZE");
    g.add_integer(1, 4);
  }
}

void make_xidmprecord(G& g) {
  g.begin("XIDMPRECORD");
  g.add_key();
  g.add("p" + std::to_string(g.random().below(3)));
  g.add("m" + std::to_string(g.random().below(8)));
  add_id(g);
}

void make_idempotent_look(G& g) {
  constexpr std::string_view names[] = {"XLEN", "XRANGE", "DEL", "COPY", "RENAME"};
  const uint64_t kind = g.random().one_in(3) ? g.random().below(5) : g.random().below(2);
  g.begin(names[kind]);
  add_idempotent_key(g);
  if (kind == 1) {
    g.add_word("-");
    g.add_word("+");
  } else if (kind >= 3) {
    add_idempotent_key(g);
  }
  if (kind == 3 && !g.random().one_in(3)) {
    g.add_word("REPLACE");
  }
}

constexpr GeneratorRow stream_rows[] = {
    {50, nothing, make_xadd},         {3, nothing, make_xtrim},
    {6, nothing, make_xdel},          {3, nothing, with_key<xlen, add_stream_key>},
    {8, nothing, make_xrange},        {6, nothing, make_xread},
    {24, nothing, make_xreadgroup},   {10, nothing, make_xgroup_create},
    {3, nothing, make_xgroup},        {8, nothing, make_xack},
    {8, nothing, make_xpending},      {8, nothing, make_xclaim},
    {6, nothing, make_xautoclaim},    {4, nothing, make_xinfo_groups},
    {2, nothing, make_xsetid},        {3, newer, make_xdelex},
    {3, newer, make_xackdel},         {3, newer, make_careful_xtrim},
    {3, waiting, make_waiting_xread}, {4, waiting, make_waiting_xreadgroup},
    {3, newer, make_limited_xread},   {12, newer, make_claiming_xreadgroup},
    {5, newer, make_xnack},           {12, newer, make_idempotent_xadd},
    {2, newer, make_xcfgset},         {1, newer, make_xidmprecord},
    {3, newer, make_idempotent_look},
};

// --- HyperLogLog ---------------------------------------------------------------------------------

// A few keys of their own, whose registers fill up.
void add_hyperloglog_key(G& g) {
  g.random().one_in(2) ? g.add_key() : g.add("hll:" + std::to_string(g.random().below(3)));
}

void make_pfadd(G& g) {
  g.begin("PFADD");
  add_hyperloglog_key(g);
  const size_t count = g.random().below(g.random().one_in(10) ? 200 : 5);
  const bool any = g.random().one_in(2);
  for (size_t i = 0; i < count; i++) {
    g.add_number(static_cast<int64_t>(any ? g.random().next() >> 1 : g.random().below(3000)));
  }
}

void make_pf_keys(G& g) {
  add_one_of(g, {"PFCOUNT", "PFCOUNT", "PFMERGE"});
  add_keys(g, g.random().one_in(4) ? 6 : 3, add_hyperloglog_key);
}

void make_pfdebug(G& g) {
  g.begin("PFDEBUG");
  add_one_of(g, {"ENCODING", "ENCODING", "DECODE", "TODENSE", "NOSUCH"});
  g.add_key();
}

constexpr GeneratorRow hyperloglog_rows[] = {
    {10, nothing, make_pfadd}, {6, nothing, make_pf_keys}, {1, nothing, make_pfdebug}};

}  // namespace

std::span<const GeneratorRow> stream_generator_rows() {
  return stream_rows;
}

std::span<const GeneratorRow> hyperloglog_generator_rows() {
  return hyperloglog_rows;
}

}  // namespace redoubt::sim
