// The rows of the geo family. Coordinates are away from the poles and from the line where the map
// ends, and distances within a continent: there every implementation finds the same. What is stored
// comes from such searches only.
#include "sim/model/generator_parts.h"
#include "sim/model/generator_rows.h"

namespace redoubt::sim {
namespace {

using G = CommandGenerator;
using enum GeneratorNeed;

void add_geo_key(G& g) {
  g.random().one_in(16) ? g.add_key() : g.add("geo:" + std::to_string(g.random().below(4)));
}

void add_place(G& g) {
  g.add("p" + std::to_string(g.random().below(g.random().one_in(4) ? 300 : 20)));
}

void add_coordinate(G& g, int64_t limit) {
  const auto whole =
      static_cast<int64_t>(g.random().below(static_cast<uint64_t>(2 * limit))) - limit;
  g.add(std::to_string(whole) + "." + std::to_string(g.random().below(1'000'000)));
}

// Places in a small area, so that searches find some.
void add_point(G& g) {
  add_coordinate(g, g.random().one_in(3) ? 100 : 10);
  add_coordinate(g, g.random().one_in(3) ? 45 : 10);
}

void add_any_point(G& g) {
  if (!g.random().per_mille(g.config().extreme_per_mille)) {
    add_point(g);
    return;
  }
  add_one_of(g, {"181", "-181", "abc", "nan", "inf", "", "1e300"});
  g.add("1");
}

void add_unit(G& g) {
  g.random().one_in(40) ? g.add("feet") : add_one_of(g, {"m", "km", "KM", "ft", "mi"});
}

void add_length(G& g) {
  if (g.random().per_mille(g.config().extreme_per_mille)) {
    add_one_of(g, {"-1", "abc", "nan", "0", ""});
    return;
  }
  g.add_number(static_cast<int64_t>(g.random().below(900)));
}

void add_choice(G& g) {
  if (g.random().one_in(2)) {
    add_one_of(g, {"ASC", "DESC"});
  }
  if (g.random().one_in(3)) {
    g.add_word("COUNT");
    g.add_integer(1, 8);
  }
}

void add_shown(G& g) {
  if (g.random().one_in(6)) {
    g.add_word("ANY");
  }
  for (const char* word : {"WITHDIST", "WITHHASH", "WITHCOORD"}) {
    if (g.random().one_in(4)) {
      g.add_word(word);
    }
  }
}

void make_geoadd(G& g) {
  g.begin("GEOADD");
  add_geo_key(g);
  if (g.random().one_in(4)) {
    add_one_of(g, {"NX", "XX"});
  }
  if (g.random().one_in(4)) {
    g.add_word("CH");
  }
  for (uint64_t i = 0, count = g.random().below(g.random().one_in(8) ? 40 : 4); i <= count; i++) {
    add_any_point(g);
    add_place(g);
  }
}

void make_geopos(G& g) {
  add_one_of(g, {"GEOPOS", "GEOHASH"});
  add_geo_key(g);
  for (uint64_t i = 0, count = g.random().below(4); i < count; i++) {
    add_place(g);
  }
}

void make_geodist(G& g) {
  g.begin("GEODIST");
  add_geo_key(g);
  add_place(g);
  add_place(g);
  if (g.random().one_in(2)) {
    add_unit(g);
  }
}

void add_from(G& g) {
  if (g.random().one_in(3)) {
    g.add_word("FROMMEMBER");
    add_place(g);
  } else {
    g.add_word("FROMLONLAT");
    add_any_point(g);
  }
}

void add_by(G& g) {
  if (g.random().one_in(2)) {
    g.add_word("BYRADIUS");
    add_length(g);
  } else {
    g.add_word("BYBOX");
    add_length(g);
    add_length(g);
  }
  add_unit(g);
}

void make_geosearch(G& g) {
  g.begin("GEOSEARCH");
  add_geo_key(g);
  add_from(g);
  add_by(g);
  add_choice(g);
  add_shown(g);
}

// Three corners, a square, or any points in any order, whose sides may cross.
void add_polygon(G& g) {
  const size_t count = g.random().one_in(30) ? g.random().below(4) : 3 + g.random().below(6);
  g.add_word("BYPOLYGON");
  g.add_number(static_cast<int64_t>(count));
  for (size_t i = 0; i < count; i++) {
    g.random().one_in(200) ? add_any_point(g) : add_point(g);
  }
}

void make_polygon_search(G& g) {
  g.begin("GEOSEARCH");
  add_geo_key(g);
  add_polygon(g);
  add_choice(g);
  add_shown(g);
}

void make_polygon_store(G& g) {
  g.begin("GEOSEARCHSTORE");
  g.mark_whole();
  add_geo_key(g);
  add_geo_key(g);
  add_polygon(g);
}

void make_geosearchstore(G& g) {
  const bool distances = g.random().one_in(3);
  g.begin("GEOSEARCHSTORE");
  g.mark_whole();  // a radius beyond the earth would store what only the server knows
  distances ? g.add("distances") : add_geo_key(g);
  add_geo_key(g);
  add_from(g);
  add_by(g);
  add_choice(g);
  if (distances) {
    g.add_word("STOREDIST");
  }
}

void make_georadius(G& g) {
  const bool by_member = g.random().one_in(2);
  by_member ? add_one_of(g, {"GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"})
            : add_one_of(g, {"GEORADIUS", "GEORADIUS_RO"});
  add_geo_key(g);
  by_member ? add_place(g) : add_any_point(g);
  add_length(g);
  add_unit(g);
  add_choice(g);
  if (g.random().one_in(4)) {
    const bool distances = g.random().one_in(2);
    g.mark_whole();
    g.add_word(distances ? "STOREDIST" : "STORE");
    distances ? g.add("distances") : add_geo_key(g);
  } else {
    add_shown(g);
  }
}

constexpr GeneratorRow rows[] = {
    {14, nothing, make_geoadd},        {5, nothing, make_geopos},
    {4, nothing, make_geodist},        {10, nothing, make_geosearch},
    {4, nothing, make_geosearchstore}, {6, nothing, make_georadius},
    {6, newer, make_polygon_search},   {2, newer, make_polygon_store},
};

}  // namespace

std::span<const GeneratorRow> geo_generator_rows() {
  return rows;
}

}  // namespace redoubt::sim
