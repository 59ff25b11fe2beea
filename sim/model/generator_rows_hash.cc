// The rows of the hash family.
#include "sim/model/generator_parts.h"
#include "sim/model/generator_rows.h"

namespace redoubt::sim {
namespace {

using G = CommandGenerator;
using enum GeneratorNeed;

void add_hash_key(G& g) {
  if (g.random().one_in(6)) {
    g.add_key();
  } else {
    g.add("hash:" + std::to_string(g.random().below(5)));
  }
}

// Names that meet each other; now and then a number, or a name that is too long for a small hash.
void add_field(G& g) {
  switch (g.random().below(16)) {
    case 0: g.add_value(); break;
    case 1: g.add_integer(-20, 200); break;
    case 2: g.add(std::string(60 + g.random().below(10), 'f')); break;
    default: g.add("f" + std::to_string(g.random().below(g.random().one_in(5) ? 900 : 16)));
  }
}

void add_field_value(G& g) {
  switch (g.random().below(8)) {
    case 0: g.add_value(); break;
    case 1: g.add_float(); break;
    case 2: g.add_text(90); break;
    case 3:
      g.random().one_in(20) ? g.add(std::string(900 + g.random().below(400), 'v')) : g.add_text(9);
      break;
    default: g.add_integer(-100, 1000);
  }
}

void add_pairs(G& g, size_t most) {
  for (size_t i = 0, count = 1 + g.random().below(most); i < count; i++) {
    add_field(g);
    add_field_value(g);
  }
}

void make_hset(G& g) {
  g.random().one_in(6) ? g.begin("HMSET") : g.begin("HSET");
  add_hash_key(g);
  if (!g.random().one_in(12)) {
    add_pairs(g, 5);
    return;
  }
  const uint64_t first = g.random().below(1000);
  for (uint64_t i = 0, count = g.random().below(150); i <= count; i++) {
    g.add("w" + std::to_string(first + i));
    g.add_number(static_cast<int64_t>(i));
  }
}

void make_hsetnx(G& g) {
  g.begin("HSETNX");
  add_hash_key(g);
  add_field(g);
  add_field_value(g);
}

template <const char* name>
void with_field(G& g) {
  with_key<name, add_hash_key>(g);
  add_field(g);
}

template <const char* name>
void with_fields(G& g) {
  with_key<name, add_hash_key>(g);
  for (size_t i = 0, count = 1 + g.random().below(g.random().one_in(6) ? 80 : 4); i < count; i++) {
    add_field(g);
  }
}

constexpr char hget[] = "HGET", hexists[] = "HEXISTS", hstrlen[] = "HSTRLEN", hmget[] = "HMGET",
               hdel[] = "HDEL", hlen[] = "HLEN", hgetall[] = "HGETALL", hkeys[] = "HKEYS",
               hvals[] = "HVALS", hscan[] = "HSCAN";

void make_hincrby(G& g) {
  g.begin("HINCRBY");
  add_hash_key(g);
  add_field(g);
  g.add_increment();
}

void make_hincrbyfloat(G& g) {
  g.begin("HINCRBYFLOAT");
  add_hash_key(g);
  add_field(g);
  g.add_float();
}

void make_hrandfield(G& g) {
  g.begin("HRANDFIELD");
  add_hash_key(g);
  if (g.random().one_in(3)) {
    return;
  }
  g.random().one_in(3) ? g.add_number(-static_cast<int64_t>(g.random().below(20)))
                       : g.add_integer(0, g.random().one_in(3) ? 400 : 12);
  if (g.random().one_in(2)) {
    g.add_word("WITHVALUES");
  }
}

void make_hscan_novalues(G& g) {
  with_scan<hscan, add_hash_key>(g);
  g.add_word("NOVALUES");
}

// "FIELDS n field ...", now and then with a wrong count.
void add_fields(G& g, bool values) {
  if (!g.random().one_in(40)) {
    g.add_word("FIELDS");
  }
  const size_t count = 1 + g.random().below(g.random().one_in(8) ? 90 : 3);
  g.random().one_in(40) ? g.add_integer(-1, 5) : g.add_number(static_cast<int64_t>(count));
  for (size_t i = 0; i < count; i++) {
    add_field(g);
    if (values) {
      add_field_value(g);
    }
  }
}

void make_hexpire(G& g) {
  constexpr std::string_view names[] = {"HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT"};
  const uint64_t which = g.random().below(4);
  g.begin(names[which]);
  add_hash_key(g);
  g.add_deadline_amount(which % 2 == 0, which >= 2);
  if (g.random().one_in(3)) {
    add_one_of(g, {"NX", "XX", "GT", "LT"});
  }
  add_fields(g, false);
}

void make_httl(G& g) {
  add_one_of(g, {"HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST"});
  add_hash_key(g);
  add_fields(g, false);
}

void make_hgetdel(G& g) {
  g.begin("HGETDEL");
  add_hash_key(g);
  add_fields(g, false);
}

void make_hgetex(G& g) {
  g.begin("HGETEX");
  add_hash_key(g);
  if (!g.random().one_in(4)) {
    g.add_expire_option(true);
  }
  add_fields(g, false);
}

void make_hsetex(G& g) {
  g.begin("HSETEX");
  add_hash_key(g);
  if (g.random().one_in(4)) {
    add_one_of(g, {"FNX", "FXX", "NX", "XX"});
  }
  if (g.random().one_in(4)) {
    g.add_word("KEEPTTL");
  } else if (!g.random().one_in(4)) {
    g.add_expire_option(false);
  }
  add_fields(g, true);
}

// The list of this number has so many fields, so that most values fit.
void make_himport_prepare(G& g) {
  g.begin("HIMPORT");
  g.add_word("PREPARE");
  const uint64_t fields = 1 + g.random().below(5);
  g.add("set:" + std::to_string(fields));
  for (uint64_t i = 0; i < fields; i++) {
    // A name comes twice now and then.
    g.add("f" + std::to_string(g.random().one_in(30) ? 0 : 3 * i + g.random().below(3)));
  }
}

void make_himport_set(G& g) {
  g.begin("HIMPORT");
  g.add_word("SET");
  add_hash_key(g);
  const uint64_t fields = 1 + g.random().below(5);
  g.add("set:" + std::to_string(fields));
  const uint64_t values = g.random().one_in(12) ? 1 + g.random().below(5) : fields;
  for (uint64_t i = 0; i < values; i++) {
    add_field_value(g);
  }
}

void make_himport_discard(G& g) {
  g.begin("HIMPORT");
  if (g.random().one_in(4)) {
    g.add_word("DISCARDALL");
    return;
  }
  g.add_word("DISCARD");
  g.add("set:" + std::to_string(1 + g.random().below(5)));
}

constexpr GeneratorRow rows[] = {
    {24, nothing, make_hset},
    {4, nothing, make_hsetnx},
    {9, nothing, with_fields<hdel>},
    {6, nothing, with_field<hget>},
    {4, nothing, with_fields<hmget>},
    {3, nothing, with_field<hexists>},
    {3, nothing, with_field<hstrlen>},
    {3, nothing, with_key<hlen, add_hash_key>},
    {4, nothing, with_key<hgetall, add_hash_key>},
    {2, nothing, with_key<hkeys, add_hash_key>},
    {2, nothing, with_key<hvals, add_hash_key>},
    {5, nothing, make_hincrby},
    {4, nothing, make_hincrbyfloat},
    {4, nothing, make_hrandfield},
    {3, scan, with_scan<hscan, add_hash_key>},
    {1, newer, make_hscan_novalues},
    {2, nothing, with_encoding<add_hash_key>},
    {9, newer, make_hexpire},
    {6, newer, make_httl},
    {4, newer, make_hgetdel},
    {5, newer, make_hgetex},
    {7, newer, make_hsetex},
    {4, newer, make_himport_prepare},
    {6, newer, make_himport_set},
    {1, newer, make_himport_discard},
};

}  // namespace

std::span<const GeneratorRow> hash_generator_rows() {
  return rows;
}

}  // namespace redoubt::sim
