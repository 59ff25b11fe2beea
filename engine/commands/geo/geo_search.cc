// Places in an area: GEOSEARCH and the older GEORADIUS.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "engine/commands/element.h"
#include "engine/commands/families.h"
#include "engine/commands/geo/geo_value.h"

namespace redoubt {

namespace {

// Which command searches.
enum class Kind : uint8_t { radius, radius_by_member, search, search_store };
enum class Order : uint8_t { none, nearest, farthest };

struct Search {
  Kind kind = Kind::search;
  bool may_store = false;  // STORE and STOREDIST of GEORADIUS
  GeoShape shape;
  double unit = 1;
  bool from_member = false;
  bool from_point = false;
  bool by_radius = false;
  bool by_box = false;
  bool by_polygon = false;
  bool with_distance = false;
  bool with_hash = false;
  bool with_point = false;
  bool any = false;
  size_t count = 0;  // 0: all
  Order order = Order::none;
  std::optional<std::string_view> store;
  bool store_distance = false;

  bool has_area() const { return by_radius || by_box || by_polygon; }
  bool is_search() const { return kind == Kind::search || kind == Kind::search_store; }
};

// --- Arguments. False: an error was replied.

bool read_metres(Context& c, size_t index, std::string_view message, double& value) {
  const std::optional<double> number = read_double(c, index, message);
  if (number) value = *number;
  return number.has_value();
}

bool read_radius(Context& c, size_t index, Search& search) {
  if (!read_metres(c, index, "ERR need numeric radius", search.shape.radius)) return false;
  if (search.shape.radius < 0) {
    c.error("ERR radius cannot be negative");
    return false;
  }
  const std::optional<double> unit = read_unit(c, index + 1);
  if (!unit) return false;
  search.unit = *unit;
  search.shape.radius *= *unit;
  search.by_radius = true;
  return true;
}

bool read_box(Context& c, size_t index, Search& search) {
  GeoShape& shape = search.shape;
  if (!read_metres(c, index, "ERR need numeric width", shape.width) ||
      !read_metres(c, index + 1, "ERR need numeric height", shape.height)) {
    return false;
  }
  if (shape.width < 0 || shape.height < 0) {
    c.error("ERR height or width cannot be negative");
    return false;
  }
  const std::optional<double> unit = read_unit(c, index + 2);
  if (!unit) return false;
  search.unit = *unit;
  shape.width *= *unit;
  shape.height *= *unit;
  shape.is_box = search.by_box = true;
  return true;
}

// The number of vertices, and each; `index` is that of the last one afterwards.
bool read_polygon(Context& c, size_t& index, Search& search) {
  constexpr int64_t kVerticesMax = 10'000;
  const std::optional<int64_t> count = c.integer(index);
  if (!count) return false;
  if (*count < 3 || *count > kVerticesMax) {
    c.error(*count < 3 ? "ERR BYPOLYGON must have at least 3 vertices"
                       : "ERR BYPOLYGON must have at most 10000 vertices");
    return false;
  }
  const auto vertices = static_cast<size_t>(*count);
  if (vertices > (c.args.size() - index - 1) / 2) {
    c.syntax_error();
    return false;
  }
  std::vector<GeoPoint> polygon;
  polygon.reserve(vertices);
  for (size_t i = 0; i < vertices; ++i) {
    const std::optional<GeoPoint> point = read_point(c, index + 1 + 2 * i);
    if (!point) return false;
    polygon.push_back(*point);
  }
  index += 2 * vertices;
  search.shape = geo_polygon(std::move(polygon));
  search.by_polygon = true;
  return true;
}

// The place of a member, when there is a set at all.
bool read_member(Context& c, size_t index, const Entry* entry, Search& search) {
  search.from_member = true;
  if (entry == nullptr) return true;
  const std::optional<double> score = ZsetView(*entry).score(c.args[index]);
  if (!score) {
    c.error("ERR could not decode requested zset member");
    return false;
  }
  search.shape.centre = geo_point(*score);
  return true;
}

bool read_centre(Context& c, size_t index, Search& search) {
  const std::optional<GeoPoint> point = read_point(c, index);
  if (!point) return false;
  search.shape.centre = *point;
  search.from_point = true;
  return true;
}

bool read_count(Context& c, size_t index, Search& search) {
  const std::optional<int64_t> count = c.integer(index);
  if (!count) return false;
  if (*count <= 0) {
    c.error("ERR COUNT must be > 0");
    return false;
  }
  search.count = static_cast<size_t>(*count);
  return true;
}

bool read_flag(const Context& c, size_t i, Search& search) {
  if (c.is(i, "withdist")) {
    search.with_distance = true;
  } else if (c.is(i, "withhash")) {
    search.with_hash = true;
  } else if (c.is(i, "withcoord")) {
    search.with_point = true;
  } else if (c.is(i, "any")) {
    search.any = true;
  } else if (c.is(i, "asc")) {
    search.order = Order::nearest;
  } else if (c.is(i, "desc")) {
    search.order = Order::farthest;
  } else if (search.kind == Kind::search_store && c.is(i, "storedist")) {
    search.store_distance = true;
  } else {
    return false;
  }
  return true;
}

// An option with values, of which the last one is at `i` afterwards.
bool read_option(Context& c, size_t& i, const Entry* entry, Search& search) {
  const size_t behind = c.args.size() - i - 1;
  const size_t at = i + 1;
  if (behind >= 1 && c.is(i, "count")) {
    i += 1;
    return read_count(c, at, search);
  }
  if (search.may_store && behind >= 1 && (c.is(i, "store") || c.is(i, "storedist"))) {
    search.store_distance = c.is(i, "storedist");
    search.store = c.args[at];
    i += 1;
    return true;
  }
  if (search.is_search()) {
    if (behind >= 1 && !search.from_point && !search.by_polygon && c.is(i, "frommember")) {
      i += 1;
      return read_member(c, at, entry, search);
    }
    if (behind >= 2 && !search.from_member && !search.by_polygon && c.is(i, "fromlonlat")) {
      i += 2;
      return read_centre(c, at, search);
    }
    if (behind >= 2 && !search.by_box && !search.by_polygon && c.is(i, "byradius")) {
      i += 2;
      return read_radius(c, at, search);
    }
    if (behind >= 3 && !search.by_radius && !search.by_polygon && c.is(i, "bybox")) {
      i += 3;
      return read_box(c, at, search);
    }
    const bool open = !search.has_area() && !search.from_member && !search.from_point;
    if (behind >= 1 && open && c.is(i, "bypolygon")) return read_polygon(c, ++i, search);
  }
  c.syntax_error();
  return false;
}

bool check_search(Context& c, const Search& search) {
  const std::string name(c.args[0]);
  if (search.store && (search.with_distance || search.with_hash || search.with_point)) {
    c.error(std::string("ERR ") +
            (search.is_search() ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS") +
            " is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
  } else if (search.is_search() && !search.from_member && !search.from_point &&
             !search.by_polygon) {
    c.error("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + name);
  } else if (search.is_search() && !search.has_area()) {
    c.error("ERR exactly one of BYRADIUS and BYBOX can be specified for " + name);
  } else if (search.any && search.count == 0) {
    c.error("ERR the ANY argument requires COUNT argument");
  } else {
    return true;
  }
  return false;
}

// What stands in front of the options. `options` is their first argument.
bool read_front(Context& c, const Entry* entry, Search& search, size_t& options) {
  switch (search.kind) {
    case Kind::radius: options = 6; return read_centre(c, 2, search) && read_radius(c, 4, search);
    case Kind::radius_by_member:
      options = 5;
      // Without a set even the radius is not looked at.
      return entry == nullptr || (read_member(c, 2, entry, search) && read_radius(c, 3, search));
    case Kind::search: options = 2; return true;
    case Kind::search_store:
      options = 3;
      search.store = c.args[1];
      return true;
  }
  return false;
}

bool read_search(Context& c, const Entry* entry, Search& search) {
  size_t i = 0;
  if (!read_front(c, entry, search, i)) return false;
  for (; i < c.args.size(); ++i) {
    if (!read_flag(c, i, search) && !read_option(c, i, entry, search)) return false;
  }
  if (search.count != 0 && search.order == Order::none && !search.any) {
    search.order = Order::nearest;
  }
  return check_search(c, search);
}

// --- Results

struct Found {
  Listpack::Element member;  // a view into the sorted set
  double score;
  double distance;  // metres
  size_t index;     // of what was found
};

// Adds what lies in a cell and in the shape, until there are `limit` (0: no limit).
void search_cell(Context& c, const ZsetView& zset, const GeoCell& cell, const GeoFilter& filter,
                 size_t limit, std::vector<Found>& found) {
  const GeoScores scores = geo_scores(cell);
  size_t seen = 0;
  for (ZsetView::Cursor at = zset.at_score(scores.from); at; at.next()) {
    const double score = at.score();
    if (score >= scores.to) break;
    ++seen;
    const std::optional<double> distance = filter.distance_within(score);
    if (!distance) continue;
    found.push_back({at.element(), score, *distance, found.size()});
    if (limit != 0 && found.size() >= limit) break;
  }
  c.env().count_work(seen);
}

std::vector<Found> find_places(Context& c, const ZsetView& zset, const Search& search) {
  const GeoCells cells = geo_cells_around(search.shape);
  const GeoFilter filter(search.shape);
  const size_t limit = search.any ? search.count : 0;
  std::vector<Found> found;
  size_t last = 0;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].step == 0) continue;
    // With few cells on the map, neighbours are the same cell.
    if (last != 0 && cells[i] == cells[last]) continue;
    if (limit != 0 && found.size() >= limit) break;
    search_cell(c, zset, cells[i], filter, limit, found);
    last = i;
  }
  // Those at the same distance stay in the order in which they were found.
  const bool nearest = search.order == Order::nearest;
  if (search.order != Order::none) {
    std::sort(found.begin(), found.end(), [nearest](const Found& a, const Found& b) {
      if (a.distance == b.distance) return a.index < b.index;
      return nearest ? a.distance < b.distance : a.distance > b.distance;
    });
  }
  if (search.count != 0 && found.size() > search.count) found.resize(search.count);
  return found;
}

void reply_found(Context& c, const Search& search, const std::vector<Found>& found) {
  const size_t extras = static_cast<size_t>(search.with_distance) +
                        static_cast<size_t>(search.with_hash) +
                        static_cast<size_t>(search.with_point);
  c.reply.array(found.size());
  for (const Found& place : found) {
    if (extras > 0) c.reply.array(extras + 1);
    reply_element(c.reply, place.member);
    if (search.with_distance) reply_distance(c, place.distance / search.unit);
    if (search.with_hash) c.reply.integer(static_cast<int64_t>(place.score));
    if (search.with_point) reply_point(c, geo_point(place.score));
  }
}

void store_found(Context& c, const Search& search, const std::vector<Found>& found) {
  ZsetBuilder builder(c.db().allocator(), c.hash_key(), zset_limits(c.settings()));
  for (const Found& place : found) {
    const double score = search.store_distance ? place.distance / search.unit : place.score;
    builder.add(ElementText(place.member).view(), score, [score](double) { return score; });
  }
  store_zset(c, *search.store, builder.finish(),
             search.is_search() ? "geosearchstore" : "georadiusstore");
}

void run_search(Context& c, Kind kind, bool may_store) {
  const Entry* entry = c.read(c.args[kind == Kind::search_store ? 2 : 1]);
  if (c.wrong_type(entry, Type::zset)) return;
  Search search;
  search.kind = kind;
  search.may_store = may_store;
  if (!read_search(c, entry, search)) return;
  if (entry == nullptr) {
    search.store ? store_empty_zset(c, *search.store) : c.reply.array(0);
    return;
  }
  const std::vector<Found> found = find_places(c, ZsetView(*entry), search);
  search.store ? store_found(c, search, found) : reply_found(c, search, found);
}

void georadius_command(Context& c) {
  run_search(c, Kind::radius, true);
}
void georadius_ro_command(Context& c) {
  run_search(c, Kind::radius, false);
}
void georadiusbymember_command(Context& c) {
  run_search(c, Kind::radius_by_member, true);
}
void georadiusbymember_ro_command(Context& c) {
  run_search(c, Kind::radius_by_member, false);
}
void geosearch_command(Context& c) {
  run_search(c, Kind::search, false);
}
void geosearchstore_command(Context& c) {
  run_search(c, Kind::search_store, false);
}

// STORE key and STOREDIST key, somewhere from an argument on.
constexpr KeySpec keyword_key(uint32_t flags, std::string_view keyword, int from) {
  KeySpec spec = keys_at(flags, from);
  spec.begin = KeySpec::Begin::keyword;
  spec.keyword = keyword;
  return spec;
}

constexpr std::string_view kCircle =
    "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area "
    "delimited by center and radius and M is the number of items inside the index.";

constexpr std::string_view kShape =
    "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around "
    "the shape provided as the filter and M is the number of items inside the shape";

constexpr std::string_view kUppercaseUnits = "7.0.0: Added support for uppercase unit names.";

constexpr Command geo_search_rows[] = {
    {.name = "georadius",
     .arity = -6,
     .flags = kWrite | kDenyOom | kMovableKeys,
     .categories = kCatGeo,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1), keyword_key(kKeyOW | kKeyUpdate, "STORE", 6),
              keyword_key(kKeyOW | kKeyUpdate, "STOREDIST", 6)},
     .since = "3.2.0",
     .group = "geo",
     .complexity = kCircle,
     .summary =
         "Query a sorted set representing a geospatial index to fetch members matching a given "
         "maximum distance from a point",
     .arguments = "key:key longitude:double latitude:double radius:double "
                  "unit:<m(M)|km(KM)|ft(FT)|mi(MI)> [withcoord(WITHCOORD)] [withdist(WITHDIST)] "
                  "[withhash(WITHHASH)] [count:{count:integer(COUNT) [any(ANY)@6.2.0]}] "
                  "[order:<asc(ASC)|desc(DESC)>] [key:key#1(STORE)] [key:key#2(STOREDIST)]",
     .history = "6.2.0: Added the `ANY` option for `COUNT`.\n"
                "7.0.0: Added support for uppercase unit names.",
     .deprecated = "6.2.0: `GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
     .handler = georadius_command},
    {.name = "georadius_ro",
     .arity = -6,
     .flags = kReadOnly,
     .categories = kCatGeo,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "3.2.10",
     .group = "geo",
     .complexity = kCircle,
     .summary = "A read-only variant for GEORADIUS",
     .arguments = "key:key longitude:double latitude:double radius:double "
                  "unit:<m(M)|km(KM)|ft(FT)|mi(MI)> [withcoord(WITHCOORD)] [withdist(WITHDIST)] "
                  "[withhash(WITHHASH)] [count:{count:integer(COUNT) [any(ANY)@6.2.0]}] "
                  "[order:<asc(ASC)|desc(DESC)>]",
     .history = "6.2.0: Added the `ANY` option for `COUNT`.",
     .deprecated = "6.2.0: `GEOSEARCH` with the `BYRADIUS` argument",
     .handler = georadius_ro_command},
    {.name = "georadiusbymember",
     .arity = -5,
     .flags = kWrite | kDenyOom | kMovableKeys,
     .categories = kCatGeo,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1), keyword_key(kKeyOW | kKeyUpdate, "STORE", 5),
              keyword_key(kKeyOW | kKeyUpdate, "STOREDIST", 5)},
     .since = "3.2.0",
     .group = "geo",
     .complexity = kCircle,
     .summary =
         "Query a sorted set representing a geospatial index to fetch members matching a given "
         "maximum distance from a member",
     .arguments = "key:key member:string radius:double unit:<m(M)|km(KM)|ft(FT)|mi(MI)> "
                  "[withcoord(WITHCOORD)] [withdist(WITHDIST)] [withhash(WITHHASH)] "
                  "[count:{count:integer(COUNT) [any(ANY)]}] [order:<asc(ASC)|desc(DESC)>] "
                  "[key:key#1(STORE)] [key:key#2(STOREDIST)]",
     .history = kUppercaseUnits,
     .deprecated =
         "6.2.0: `GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
     .handler = georadiusbymember_command},
    {.name = "georadiusbymember_ro",
     .arity = -5,
     .flags = kReadOnly,
     .categories = kCatGeo,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "3.2.10",
     .group = "geo",
     .complexity = kCircle,
     .summary = "A read-only variant for GEORADIUSBYMEMBER",
     .arguments = "key:key member:string radius:double unit:<m(M)|km(KM)|ft(FT)|mi(MI)> "
                  "[withcoord(WITHCOORD)] [withdist(WITHDIST)] [withhash(WITHHASH)] "
                  "[count:{count:integer(COUNT) [any(ANY)]}] [order:<asc(ASC)|desc(DESC)>]",
     .deprecated = "6.2.0: `GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
     .handler = georadiusbymember_ro_command},
    {.name = "geosearch",
     .arity = -7,
     .flags = kReadOnly,
     .categories = kCatGeo,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "6.2.0",
     .group = "geo",
     .complexity = kShape,
     .summary =
         "Query a sorted set representing a geospatial index to fetch members inside an area of "
         "a box or a circle.",
     .arguments =
         "key:key from:<member:string(FROMMEMBER)|longitude_latitude:{longitude:double "
         "latitude:double}(FROMLONLAT)> by:<circle:{radius:double(BYRADIUS) "
         "unit:<m(M)|km(KM)|ft(FT)|mi(MI)>}|box:{width:double(BYBOX) height:double "
         "unit:<m(M)|km(KM)|ft(FT)|mi(MI)>}> [order:<asc(ASC)|desc(DESC)>] "
         "[count:{count:integer(COUNT) [any(ANY)]}] [withcoord(WITHCOORD)] [withdist(WITHDIST)] "
         "[withhash(WITHHASH)]",
     .history = kUppercaseUnits,
     .handler = geosearch_command},
    {.name = "geosearchstore",
     .arity = -8,
     .flags = kWrite | kDenyOom,
     .categories = kCatGeo,
     .keys = {keys_at(kKeyOW | kKeyUpdate, 1), keys_at(kKeyRO | kKeyAccess, 2)},
     .since = "6.2.0",
     .group = "geo",
     .complexity = kShape,
     .summary =
         "Query a sorted set representing a geospatial index to fetch members inside an area of "
         "a box or a circle, and store the result in another key.",
     .arguments = "destination:key source:key#1 "
                  "from:<member:string(FROMMEMBER)|longitude_latitude:{longitude:double "
                  "latitude:double}(FROMLONLAT)> by:<circle:{radius:double(BYRADIUS) "
                  "unit:<m(M)|km(KM)|ft(FT)|mi(MI)>}|box:{width:double(BYBOX) height:double "
                  "unit:<m(M)|km(KM)|ft(FT)|mi(MI)>}> [order:<asc(ASC)|desc(DESC)>] "
                  "[count:{count:integer(COUNT) [any(ANY)]}] [storedist(STOREDIST)]",
     .history = kUppercaseUnits,
     .handler = geosearchstore_command},
};

}  // namespace

std::span<const Command> geo_search_commands() {
  return geo_search_rows;
}

}  // namespace redoubt
