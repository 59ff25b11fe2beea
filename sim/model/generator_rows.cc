// The rows of the generator: a weight and a function for each command, family by family. A new
// family is a new array here and a new value of CommandFamily.
#include "sim/model/generator_rows.h"
#include "sim/model/generator_parts.h"

#include "net/assert.h"

namespace redoubt::sim {
namespace {

using G = CommandGenerator;
using enum GeneratorNeed;

void add_pairs(G& g, size_t pairs) {
  for (size_t i = 0; i < pairs; i++) {
    g.add_key();
    g.add_value();
  }
}

// NAME key key ...
template <const char* name>
void with_keys(G& g) {
  g.begin(name);
  add_keys(g, 4);
}

constexpr char get[] = "GET", getdel[] = "GETDEL", strlen_name[] = "STRLEN", incr[] = "INCR",
               decr[] = "DECR", mget[] = "MGET", del[] = "DEL", unlink_name[] = "UNLINK",
               exists[] = "EXISTS", touch[] = "TOUCH", type[] = "TYPE", ttl[] = "TTL",
               pttl[] = "PTTL", expiretime[] = "EXPIRETIME", pexpiretime[] = "PEXPIRETIME",
               persist[] = "PERSIST", digest[] = "DIGEST";

// --- Strings -------------------------------------------------------------------------------------

void make_set(G& g) {
  g.begin("SET");
  g.add_key();
  g.add_value();
  if (g.random().one_in(5)) {
    add_one_of(g, {"NX", "XX"});
  }
  if (g.random().one_in(6)) {
    g.add_word("GET");
  }
  if (g.random().per_mille(g.config().deadline_per_mille)) {
    if (g.random().one_in(6)) {
      g.add_word("KEEPTTL");
    } else {
      g.add_expire_option(false);
    }
  }
}

void make_set_if(G& g) {
  g.begin("SET");
  g.add_key();
  g.add_value();
  if (g.random().one_in(2)) {
    add_one_of(g, {"IFEQ", "IFNE"});
    g.add_value();
  } else {
    add_one_of(g, {"IFDEQ", "IFDNE"});
    g.add_digest();
  }
  if (g.random().one_in(3)) {
    g.add_word("GET");
  }
  if (g.random().per_mille(g.config().deadline_per_mille)) {
    g.add_expire_option(false);
  }
}

void make_setnx(G& g) {
  g.begin("SETNX");
  add_pairs(g, 1);
}

void make_getset(G& g) {
  g.begin("GETSET");
  add_pairs(g, 1);
}

void make_setex(G& g) {
  const bool seconds = g.random().one_in(2);
  g.begin(seconds ? "SETEX" : "PSETEX");
  g.add_key();
  g.add_deadline_amount(seconds, false);
  g.add_value();
}

void make_getex(G& g) {
  g.begin("GETEX");
  g.add_key();
  if (g.random().one_in(2)) {
    g.add_expire_option(true);
  }
}

void make_append(G& g) {
  g.begin("APPEND");
  g.add_key();
  g.add_text(12);
}

void make_setrange(G& g) {
  g.begin("SETRANGE");
  g.add_key();
  if (g.random().per_mille(g.config().extreme_per_mille)) {
    add_one_of(g, {"-1", "536870912", "536870911", "abc", "9223372036854775807"});
    g.add("xy");  // two bytes: the largest offset does not fit, and nothing large is made
    return;
  }
  g.add_number(static_cast<int64_t>(g.random().below(60)));
  g.add_text(10);
}

void make_getrange(G& g) {
  add_one_of(g, {"GETRANGE", "GETRANGE", "SUBSTR"});
  g.add_key();
  g.add_index();
  g.add_index();
}

void make_mset(G& g) {
  add_one_of(g, {"MSET", "MSETNX"});
  add_pairs(g, 1 + g.random().below(3));
}

void make_msetex(G& g) {
  g.begin("MSETEX");
  const size_t pairs = 1 + g.random().below(3);
  g.add_integer(static_cast<int64_t>(pairs), static_cast<int64_t>(pairs));
  add_pairs(g, pairs);
  if (g.random().one_in(3)) {
    add_one_of(g, {"NX", "XX"});
  }
  if (g.random().one_in(2)) {
    if (g.random().one_in(5)) {
      g.add_word("KEEPTTL");
    } else {
      g.add_expire_option(false);
    }
  }
}

void make_incrby(G& g) {
  add_one_of(g, {"INCRBY", "DECRBY"});
  g.add_key();
  g.add_increment();
}

void make_incrbyfloat(G& g) {
  g.begin("INCRBYFLOAT");
  g.add_key();
  g.add_float();
}

void add_increx_number(G& g, bool is_float) {
  if (is_float) {
    g.add_float();
  } else {
    g.add_increment();
  }
}

void make_increx(G& g) {
  Xoshiro& random = g.random();
  g.begin("INCREX");
  g.add_key();
  const bool is_float = random.one_in(3);
  if (is_float || random.one_in(2)) {
    g.add_word(is_float ? "BYFLOAT" : "BYINT");
    add_increx_number(g, is_float);
  }
  if (random.one_in(8)) {
    add_one_of(g, {"NX", "XX"});
  }
  if (random.one_in(3)) {
    g.add_word("LBOUND");
    add_increx_number(g, is_float);
  }
  if (random.one_in(3)) {
    g.add_word("UBOUND");
    add_increx_number(g, is_float);
  }
  if (random.one_in(3)) {
    g.add_word("SATURATE");
  }
  if (random.one_in(3)) {
    g.add_expire_option(true);
    if (random.one_in(3)) {
      g.add_word("ENX");
    }
  }
}

void make_delex(G& g) {
  g.begin("DELEX");
  g.add_key();
  switch (g.random().below(4)) {
    case 0: break;
    case 1:
      add_one_of(g, {"IFDEQ", "IFDNE", "NX"});
      g.add_digest();
      break;
    default: add_one_of(g, {"IFEQ", "IFNE"}); g.add_value();
  }
}

void make_delifeq(G& g) {
  g.begin("DELIFEQ");
  add_pairs(g, 1);
}

void make_lcs(G& g) {
  g.begin("LCS");
  g.add_key();
  g.add_key();
  if (g.random().one_in(3)) {
    g.add_word("LEN");
  } else if (g.random().one_in(2)) {
    g.add_word("IDX");
    if (g.random().one_in(2)) {
      g.add_word("WITHMATCHLEN");
    }
    if (g.random().one_in(2)) {
      g.add_word("MINMATCHLEN");
      g.add_integer(-1, 5);
    }
  }
}

constexpr GeneratorRow string_rows[] = {
    {30, nothing, make_set},      {10, newer, make_set_if},
    {30, nothing, with_key<get>}, {3, nothing, with_key<getdel>},
    {4, nothing, make_setnx},     {4, nothing, make_getset},
    {3, nothing, make_setex},     {4, nothing, make_getex},
    {6, nothing, make_append},    {4, nothing, make_setrange},
    {8, nothing, make_getrange},  {8, nothing, make_mset},
    {5, newer, make_msetex},      {5, nothing, with_keys<mget>},
    {4, nothing, with_key<incr>}, {3, nothing, with_key<decr>},
    {6, nothing, make_incrby},    {5, nothing, make_incrbyfloat},
    {10, newer, make_increx},     {4, newer, make_delex},
    {3, newer, make_delifeq},     {2, newer, with_key<digest>},
    {3, nothing, make_lcs},       {3, nothing, with_key<strlen_name>},
};

// --- Generic -------------------------------------------------------------------------------------

void make_expire(G& g) {
  const uint64_t kind = g.random().below(4);
  constexpr std::string_view names[] = {"EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"};
  g.begin(names[kind]);
  g.add_key();
  if (g.random().one_in(20)) {
    g.add_number(kind < 2 ? -1 : 0);
  } else {
    g.add_deadline_amount(kind % 2 == 0, kind >= 2);
  }
  if (g.random().one_in(3)) {
    add_one_of(g, {"NX", "XX", "GT", "LT"});
    if (g.random().one_in(5)) {
      add_one_of(g, {"NX", "XX", "GT", "LT", "FOO"});
    }
  }
}

void make_rename(G& g) {
  add_one_of(g, {"RENAME", "RENAMENX"});
  g.add_key();
  g.add_key();
}

void make_copy(G& g) {
  g.begin("COPY");
  g.add_key();
  g.add_key();
  if (g.random().one_in(2)) {
    g.add_word("REPLACE");
  }
  if (g.config().select && g.random().one_in(3)) {
    g.add_word("DB");
    g.add_database();
  }
}

void make_move(G& g) {
  g.begin("MOVE");
  g.add_key();
  g.add_database();
}

void make_keys(G& g) {
  g.begin("KEYS");
  g.add_pattern();
}

void make_scan(G& g) {
  g.begin("SCAN");
  g.add_integer(0, 0);
  if (g.random().one_in(2)) {
    g.add_word("MATCH");
    g.add_pattern();
  }
  if (g.random().one_in(2)) {
    g.add_word("COUNT");
    g.add_integer(1, 1000);
  }
  if (g.random().one_in(4)) {
    g.add_word("TYPE");
    add_one_of(g, {"string", "STRING", "list", "nosuch"});
  }
}

void make_randomkey(G& g) {
  g.begin("RANDOMKEY");
}

void make_object(G& g) {
  g.begin("OBJECT");
  if (g.random().one_in(10)) {
    add_one_of(g, {"HELP", "NOSUCH"});
    return;
  }
  add_one_of(g, {"ENCODING", "ENCODING", "REFCOUNT", "FREQ", "IDLETIME"});
  g.add_key();
}

constexpr GeneratorRow generic_rows[] = {
    {14, nothing, with_keys<del>},
    {6, nothing, with_keys<unlink_name>},
    {10, nothing, with_keys<exists>},
    {3, nothing, with_keys<touch>},
    {6, nothing, with_key<type>},
    {18, nothing, make_expire},
    {7, nothing, with_key<ttl>},
    {7, nothing, with_key<pttl>},
    {3, nothing, with_key<expiretime>},
    {3, nothing, with_key<pexpiretime>},
    {4, nothing, with_key<persist>},
    {8, nothing, make_rename},
    {8, nothing, make_copy},
    {4, select, make_move},
    {3, scan, make_keys},
    {3, scan, make_scan},
    {2, scan, make_randomkey},
    {5, nothing, make_object},
};

// --- Bitmaps -------------------------------------------------------------------------------------

void make_setbit(G& g) {
  g.begin("SETBIT");
  g.add_key();
  g.add_bit_offset();
  g.add_integer(0, 1);
}

void make_getbit(G& g) {
  g.begin("GETBIT");
  g.add_key();
  g.add_bit_offset();
}

void add_bit_range(G& g, bool start_alone_too) {
  if (g.random().one_in(2)) {
    return;
  }
  g.add_index();
  if (start_alone_too && g.random().one_in(3)) {
    return;
  }
  g.add_index();
  if (g.random().one_in(2)) {
    add_one_of(g, {"BIT", "BYTE", "BIT", "NIBBLE"});
  }
}

void make_bitcount(G& g) {
  g.begin("BITCOUNT");
  g.add_key();
  add_bit_range(g, false);
}

void make_bitpos(G& g) {
  g.begin("BITPOS");
  g.add_key();
  g.add_integer(0, 1);
  add_bit_range(g, true);
}

void make_bitop(G& g) {
  g.begin("BITOP");
  add_one_of(g, {"AND", "OR", "XOR", "NOT"});
  g.add_key();
  add_keys(g, 3);
}

void make_new_bitop(G& g) {
  g.begin("BITOP");
  add_one_of(g, {"DIFF", "DIFF1", "ANDOR", "ONE"});
  g.add_key();
  add_keys(g, 4);
}

void add_field_type(G& g) {
  if (g.random().per_mille(g.config().extreme_per_mille)) {
    add_one_of(g, {"u64", "i65", "u0", "i0", "x8", "i", "", "i-1"});
    return;
  }
  if (g.random().one_in(5)) {
    return add_one_of(g, {"u1", "i1", "u8", "i8", "u16", "i16", "u31", "u32", "i32", "i33", "u62",
                          "i62", "u63", "i63", "i64"});
  }
  const bool is_signed = g.random().one_in(2);
  const uint64_t bits =
      g.random().one_in(3) ? 1 + g.random().below(is_signed ? 64 : 63) : 4 + g.random().below(6);
  std::string type_text(1, is_signed ? 'i' : 'u');
  type_text += std::to_string(bits);
  g.add(type_text);
}

void add_field_offset(G& g) {
  if (g.random().one_in(3)) {
    g.add("#" + std::to_string(g.random().below(5)));
  } else {
    g.add_bit_offset();
  }
}

void make_bitfield(G& g) {
  const bool read_only = g.random().one_in(5);
  g.begin(read_only ? "BITFIELD_RO" : "BITFIELD");
  g.add_key();
  const size_t operations = g.random().below(4);
  for (size_t i = 0; i < operations; i++) {
    if (g.random().one_in(3)) {
      g.add_word("OVERFLOW");
      add_one_of(g, {"WRAP", "SAT", "FAIL"});
    }
    const uint64_t verb = g.random().below(read_only ? 1 : 3);
    constexpr std::string_view verbs[] = {"GET", "SET", "INCRBY"};
    g.add_word(verbs[verb]);
    add_field_type(g);
    add_field_offset(g);
    if (verb > 0) {
      g.add_increment();
    }
  }
}

constexpr GeneratorRow bitmap_rows[] = {
    {8, nothing, make_setbit},   {6, nothing, make_getbit}, {6, nothing, make_bitcount},
    {6, nothing, make_bitpos},   {5, nothing, make_bitop},  {4, newer, make_new_bitop},
    {8, nothing, make_bitfield},
};

// --- Connection and server -----------------------------------------------------------------------

void make_ping(G& g) {
  g.begin("PING");
  if (g.random().one_in(2)) {
    g.add_value();
  }
}

void make_echo(G& g) {
  g.begin("ECHO");
  g.add_value();
}

void make_select(G& g) {
  g.begin("SELECT");
  g.add_database();
}

void make_dbsize(G& g) {
  g.begin("DBSIZE");
}
void make_time(G& g) {
  g.begin("TIME");
}

void make_flush(G& g) {
  add_one_of(g, {"FLUSHDB", "FLUSHALL"});
  if (g.random().one_in(2)) {
    add_one_of(g, {"ASYNC", "SYNC", "NOSUCH"});
  }
}

void make_swapdb(G& g) {
  g.begin("SWAPDB");
  g.add_database();
  g.add_database();
}

constexpr GeneratorRow server_rows[] = {
    {4, nothing, make_ping},   {3, nothing, make_echo}, {6, select, make_select},
    {6, nothing, make_dbsize}, {1, nothing, make_time}, {1, flush, make_flush},
    {2, flush, make_swapdb},
};

}  // namespace

std::span<const GeneratorRow> generator_rows(CommandFamily family) {
  switch (family) {
    case CommandFamily::string: return string_rows;
    case CommandFamily::generic: return generic_rows;
    case CommandFamily::bitmap: return bitmap_rows;
    case CommandFamily::server: return server_rows;
    case CommandFamily::list: return list_generator_rows();
    case CommandFamily::set: return set_generator_rows();
    case CommandFamily::hash: return hash_generator_rows();
    case CommandFamily::zset: return zset_generator_rows();
    case CommandFamily::geo: return geo_generator_rows();
    case CommandFamily::stream: return stream_generator_rows();
    case CommandFamily::hyperloglog: return hyperloglog_generator_rows();
    default: break;
  }
  ASSERT(false);
  return {};
}

}  // namespace redoubt::sim
