// The geo family: members that are places on a map.
//
// What lies in a shape is found by measuring the distance of every member. Redis looks at nine
// cells around the centre, which near the edges of the map, and for shapes as large as it, is not
// the same; there the model says nothing.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "net/stable_sort.h"
#include "sim/model/zsets.h"

namespace redoubt::sim {
namespace {

constexpr double pi = 3.14159265358979323846;
constexpr double earth_radius = 6372797.560856;
constexpr double longitude_max = 180;
constexpr double latitude_max = 85.05112878;
constexpr int steps = 26;

struct Point {
  double longitude;
  double latitude;
};

// Which of 2^26 equal parts of [-limit, limit] a number is in.
uint64_t part_of(double number, double limit) {
  return static_cast<uint64_t>((number + limit) / (2 * limit) * static_cast<double>(1 << steps));
}

uint64_t interleaved(uint64_t low, uint64_t high) {
  uint64_t out = 0;
  for (int i = 0; i < 32; i++) {
    out |= ((low >> i) & 1) << (2 * i) | ((high >> i) & 1) << (2 * i + 1);
  }
  return out;
}

double score_of(Point point) {
  return static_cast<double>(
      interleaved(part_of(point.latitude, latitude_max), part_of(point.longitude, longitude_max)));
}

// The middle of a part.
double middle_of(uint64_t part, double limit) {
  const double size = 1 << steps;
  const auto index = static_cast<double>(part);
  const double low = -limit + (index / size) * (limit + limit);
  const double high = -limit + ((index + 1) / size) * (limit + limit);
  return std::min(std::max((low + high) / 2, -limit), limit);
}

Point point_of(double score) {
  const auto bits = static_cast<uint64_t>(score);
  uint64_t row = 0;
  uint64_t column = 0;
  for (int i = 0; i < 32; i++) {
    row |= ((bits >> (2 * i)) & 1) << i;
    column |= ((bits >> (2 * i + 1)) & 1) << i;
  }
  return {middle_of(column, longitude_max), middle_of(row, latitude_max)};
}

// Only places have these: other scores mean nothing here.
bool is_place(double score) {
  return score >= 0 && score < 9007199254740992.0;
}

double radians(double degrees) {
  return degrees * (pi / 180.0);
}

double distance(Point a, Point b) {
  const double v = std::sin((radians(b.longitude) - radians(a.longitude)) / 2);
  const double first = radians(a.latitude);
  const double second = radians(b.latitude);
  if (v == 0) {
    return earth_radius * std::fabs(second - first);
  }
  const double u = std::sin((second - first) / 2);
  return 2.0 * earth_radius *
         std::asin(std::sqrt(u * u + std::cos(first) * std::cos(second) * v * v));
}

std::string print_distance(double metres) {
  char text[400];
  std::snprintf(text, sizeof text, "%.4f", metres);
  return text;
}

std::string resp_point(const ModelCall& call, Point point) {
  std::string out = "*2\r\n";
  for (const double number : {point.longitude, point.latitude}) {
    const std::string text = print_float(static_cast<long double>(number));
    out += call.resp() == 3 ? "," + text + "\r\n" : resp_bulk(text);
  }
  return out;
}

std::optional<Point> take_point(const ModelCall& call, size_t index,
                                std::optional<ModelReply>& error) {
  const std::optional<double> longitude = parse_score(call.argument(index));
  const std::optional<double> latitude = parse_score(call.argument(index + 1));
  if (!longitude || !latitude) {
    error = reply_error(not_float_text);
    return std::nullopt;
  }
  if (std::fabs(*longitude) > longitude_max || std::fabs(*latitude) > latitude_max) {
    char text[800];
    std::snprintf(text, sizeof text, "ERR invalid longitude,latitude pair %f,%f", *longitude,
                  *latitude);
    error = reply_error(text);
    return std::nullopt;
  }
  return Point{*longitude, *latitude};
}

std::optional<double> take_unit(std::string_view word, std::optional<ModelReply>& error) {
  const std::string unit = lower(word);
  if (unit == "m" || unit == "km" || unit == "ft" || unit == "mi") {
    return unit == "m" ? 1 : unit == "km" ? 1000 : unit == "ft" ? 0.3048 : 1609.34;
  }
  error = reply_error("ERR unsupported unit provided. please use M, KM, FT, MI");
  return std::nullopt;
}

// --- Members -------------------------------------------------------------------------------------

ModelReply geoadd_command(ModelCall& call) {
  bool nx = false;
  bool xx = false;
  bool ch = false;
  size_t first = 2;
  for (; first < call.count(); first++) {
    const std::string word = lower(call.argument(first));
    if (word != "nx" && word != "xx" && word != "ch") {
      break;
    }
    (word == "nx" ? nx : word == "xx" ? xx : ch) = true;
  }
  const size_t rest = call.count() - first;
  if (rest % 3 != 0 || (nx && xx)) {
    return reply_error(syntax_text);
  }
  std::optional<ModelReply> error;
  std::vector<std::pair<std::string, double>> places;
  for (size_t i = first; i < call.count(); i += 3) {
    const std::optional<Point> point = take_point(call, i, error);
    if (!point) {
      return *error;
    }
    places.emplace_back(call.argument(i + 2), score_of(*point));
  }
  if (places.empty()) {
    return reply_error(syntax_text);
  }
  const ModelZset* found = find_zset(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  ModelZset members = found != nullptr ? *found : ModelZset();
  int64_t added = 0;
  int64_t updated = 0;
  for (const auto& [member, score] : places) {
    const auto at = members.find(member);
    if (at == members.end() ? xx : nx) {
      continue;
    }
    added += at == members.end() ? 1 : 0;
    updated += at != members.end() && at->second != score ? 1 : 0;
    members[member] = score;
  }
  if (added + updated > 0) {
    put_zset(call, call.argument(1), members, true);
  }
  return reply_integer(ch ? added + updated : added);
}

// The place of a member; unknown when its score is no place.
struct Place {
  bool exists = false;
  bool known = true;
  Point point{};
};
Place place_of(const ModelZset* members, std::string_view member) {
  if (members == nullptr || !members->contains(member)) {
    return {};
  }
  const double score = members->find(member)->second;
  return {true, is_place(score), is_place(score) ? point_of(score) : Point{}};
}

ModelReply geopos_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const ModelZset* members = find_zset(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  std::string out = resp_header('*', call.count() - 2);
  for (size_t i = 2; i < call.count(); i++) {
    const Place place = place_of(members, call.argument(i));
    if (!place.known) {
      return reply_rule(ModelReply::Rule::not_error);
    }
    out += place.exists ? resp_point(call, place.point) : call.resp() == 3 ? "_\r\n" : "*-1\r\n";
  }
  return reply_exact(out);
}

ModelReply geohash_command(ModelCall& call) {
  constexpr std::string_view letters = "0123456789bcdefghjkmnpqrstuvwxyz";
  std::optional<ModelReply> error;
  const ModelZset* members = find_zset(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  std::string out = resp_header('*', call.count() - 2);
  for (size_t i = 2; i < call.count(); i++) {
    const Place place = place_of(members, call.argument(i));
    if (!place.known) {
      return reply_rule(ModelReply::Rule::not_error);
    }
    const uint64_t bits =
        interleaved(part_of(place.point.latitude, 90), part_of(place.point.longitude, 180));
    std::string text;
    for (int shift = 47; shift >= 0; shift -= 5) {
      text += letters[(bits >> shift) & 31];
    }
    out += place.exists ? resp_bulk(text + "0") : resp_null(call.resp());
  }
  return reply_exact(out);
}

ModelReply geodist_command(ModelCall& call) {
  std::optional<ModelReply> error;
  std::optional<double> unit = 1;
  if (call.count() > 5) {
    return reply_error(syntax_text);
  }
  if (call.count() == 5) {
    unit = take_unit(call.argument(4), error);
  }
  const ModelZset* members = error ? nullptr : find_zset(call, call.argument(1), error);
  if (error) {
    return *error;
  }
  const Place from = place_of(members, call.argument(2));
  const Place to = place_of(members, call.argument(3));
  if (!from.exists || !to.exists) {
    return call.null();
  }
  if (!from.known || !to.known) {
    return reply_rule(ModelReply::Rule::not_error);
  }
  return reply_bulk(print_distance(distance(from.point, to.point) / *unit));
}

// --- Searches ------------------------------------------------------------------------------------

enum class Kind : uint8_t { radius, by_member, search, search_store };

struct Search {
  Kind kind;
  bool may_store;
  Point centre{};
  bool from_member = false, from_point = false, by_radius = false, by_box = false;
  std::vector<Point> polygon{};
  double unit = 1, radius = 0, width = 0, height = 0;
  bool with_distance = false, with_hash = false, with_point = false, any = false;
  bool ascending = false, descending = false, store_distance = false;
  int64_t count = 0;
  std::optional<std::string> store{};
  std::optional<ModelReply> error{};
};

bool fail(Search& search, std::string_view text) {
  search.error = reply_error(text);
  return false;
}

bool take_radius(const ModelCall& call, size_t index, Search& search) {
  const std::optional<double> radius = parse_score(call.argument(index));
  if (!radius) {
    return fail(search, "ERR need numeric radius");
  }
  if (*radius < 0) {
    return fail(search, "ERR radius cannot be negative");
  }
  const std::optional<double> unit = take_unit(call.argument(index + 1), search.error);
  search.unit = unit.value_or(1);
  search.radius = *radius * search.unit;
  search.by_radius = true;
  return unit.has_value();
}

bool take_box(const ModelCall& call, size_t index, Search& search) {
  const std::optional<double> width = parse_score(call.argument(index));
  const std::optional<double> height = parse_score(call.argument(index + 1));
  if (!width || !height) {
    return fail(search, !width ? "ERR need numeric width" : "ERR need numeric height");
  }
  if (*width < 0 || *height < 0) {
    return fail(search, "ERR height or width cannot be negative");
  }
  const std::optional<double> unit = take_unit(call.argument(index + 2), search.error);
  search.unit = unit.value_or(1);
  search.width = *width * search.unit;
  search.height = *height * search.unit;
  search.by_box = true;
  return unit.has_value();
}

bool take_member(const ModelCall& call, size_t index, const ModelZset* members, Search& search) {
  search.from_member = true;
  const Place place = place_of(members, call.argument(index));
  if (members != nullptr && !place.exists) {
    return fail(search, "ERR could not decode requested zset member");
  }
  search.centre = place.point;
  // A centre that is no place lies where the model says nothing.
  search.centre.latitude = place.known ? place.point.latitude : 90;
  return true;
}

bool take_centre(const ModelCall& call, size_t index, Search& search) {
  const std::optional<Point> point = take_point(call, index, search.error);
  search.centre = point.value_or(Point{});
  search.from_point = true;
  return point.has_value();
}

bool take_polygon(const ModelCall& call, size_t& i, Search& search) {
  const std::optional<int64_t> count = parse_integer(call.argument(i));
  if (!count) {
    return fail(search, not_integer_text);
  }
  if (*count < 3 || *count > 10000) {
    return fail(search, *count < 3 ? "ERR BYPOLYGON must have at least 3 vertices"
                                   : "ERR BYPOLYGON must have at most 10000 vertices");
  }
  if (static_cast<size_t>(*count) * 2 > call.count() - i - 1) {
    return fail(search, syntax_text);
  }
  double sum[3] = {0, 0, 0};
  for (int64_t left = *count; left > 0; left--, i += 2) {
    const std::optional<Point> point = take_point(call, i + 1, search.error);
    if (!point) {
      return false;
    }
    search.polygon.push_back(*point);
    const double north = radians(point->latitude);
    const double east = radians(point->longitude);
    sum[0] += std::cos(north) * std::cos(east);
    sum[1] += std::cos(north) * std::sin(east);
    sum[2] += std::sin(north);
  }
  const double flat = std::sqrt(sum[0] * sum[0] + sum[1] * sum[1]);
  search.centre = {std::atan2(sum[1], sum[0]) / (pi / 180.0),
                   std::atan2(sum[2], flat) / (pi / 180.0)};
  return true;
}

// By the sides that a line to the east crosses.
bool encloses(const std::vector<Point>& polygon, Point point) {
  size_t crossings = 0;
  for (size_t i = 0; i < polygon.size(); i++) {
    Point low = polygon[i];
    Point high = polygon[(i + 1) % polygon.size()];
    if (low.latitude > high.latitude) {
      std::swap(low, high);
    }
    if (point.latitude < low.latitude || point.latitude >= high.latitude) {
      continue;
    }
    // On which side of the line from `low` to `high` the point lies.
    const double turn = (high.longitude - low.longitude) * (point.latitude - low.latitude) -
                        (high.latitude - low.latitude) * (point.longitude - low.longitude);
    crossings += turn > 0 ? 1 : 0;
  }
  return crossings % 2 == 1;
}

bool take_option(const ModelCall& call, size_t& i, const ModelZset* members, Search& search) {
  const std::string word = lower(call.argument(i));
  const size_t behind = call.count() - i - 1;
  const size_t at = i + 1;
  const bool search_kind = search.kind == Kind::search || search.kind == Kind::search_store;
  const bool searches = search_kind && search.polygon.empty();
  bool* flag = word == "withdist"    ? &search.with_distance
               : word == "withhash"  ? &search.with_hash
               : word == "withcoord" ? &search.with_point
               : word == "any"       ? &search.any
                                     : nullptr;
  if (flag != nullptr) {
    *flag = true;
    return true;
  }
  if (word == "asc" || word == "desc") {
    search.ascending = word == "asc";
    search.descending = !search.ascending;
    return true;
  }
  if (word == "count" && behind > 0) {
    const std::optional<int64_t> count = parse_integer(call.argument(++i));
    search.count = count.value_or(0);
    return !count ? fail(search, not_integer_text)
                  : *count > 0 || fail(search, "ERR COUNT must be > 0");
  }
  if (search.may_store && (word == "store" || word == "storedist") && behind > 0) {
    search.store = std::string(call.argument(++i));
    search.store_distance = word == "storedist";
    return true;
  }
  if (search.kind == Kind::search_store && word == "storedist") {
    search.store_distance = true;
    return true;
  }
  if (searches && word == "frommember" && behind > 0 && !search.from_point) {
    i += 1;
    return take_member(call, at, members, search);
  }
  if (searches && word == "fromlonlat" && behind > 1 && !search.from_member) {
    i += 2;
    return take_centre(call, at, search);
  }
  if (searches && word == "byradius" && behind > 1 && !search.by_box) {
    i += 2;
    return take_radius(call, at, search);
  }
  if (searches && word == "bybox" && behind > 2 && !search.by_radius) {
    i += 3;
    return take_box(call, at, search);
  }
  const bool placed = search.from_member || search.from_point || search.by_radius || search.by_box;
  if (searches && word == "bypolygon" && behind > 0 && !placed) {
    return take_polygon(call, ++i, search);
  }
  return fail(search, syntax_text);
}

bool take_search(const ModelCall& call, const ModelZset* members, Search& search) {
  const bool searches = search.kind == Kind::search || search.kind == Kind::search_store;
  size_t i = search.kind == Kind::search ? 2 : 3;
  if (search.kind == Kind::search_store) {
    search.store = std::string(call.argument(1));
  } else if (search.kind == Kind::radius) {
    i = 6;
    if (!take_centre(call, 2, search) || !take_radius(call, 4, search)) {
      return false;
    }
  } else if (search.kind == Kind::by_member) {
    i = 5;
    if (members != nullptr &&
        (!take_member(call, 2, members, search) || !take_radius(call, 3, search))) {
      return false;
    }
  }
  for (; i < call.count(); i++) {
    if (!take_option(call, i, members, search)) {
      return false;
    }
  }
  const std::string name(call.argument(0));
  if (search.store && (search.with_distance || search.with_hash || search.with_point)) {
    return fail(search, std::string("ERR ") +
                            (searches ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS") +
                            " is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
  }
  if (searches && search.polygon.empty() && !search.from_member && !search.from_point) {
    return fail(search, "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + name);
  }
  if (searches && search.polygon.empty() && !search.by_radius && !search.by_box) {
    return fail(search, "ERR exactly one of BYRADIUS and BYBOX can be specified for " + name);
  }
  return !search.any || search.count > 0 ||
         fail(search, "ERR the ANY argument requires COUNT argument");
}

// Where nine cells hold what the shape does, and distances are not rounded into one another.
bool is_tame(const Search& search) {
  if (!search.polygon.empty()) {
    return true;
  }
  const double reach = search.by_box ? std::max(search.width, search.height) : search.radius;
  return std::fabs(search.centre.latitude) <= 50 && std::fabs(search.centre.longitude) <= 110 &&
         reach <= 1'500'000;
}

struct Found {
  std::string member;
  double score;
  double metres;
};

std::vector<Found> find(const ModelZset& members, const Search& search) {
  std::vector<Found> found;
  for (const auto& [member, score] : members) {
    if (!is_place(score)) {
      continue;
    }
    const Point point = point_of(score);
    const double metres = distance(search.centre, point);
    const Point corner{search.centre.longitude, point.latitude};
    const Point level{point.longitude, point.latitude};
    const double rows = distance({0, point.latitude}, {0, search.centre.latitude});
    const bool within =
        !search.polygon.empty() ? encloses(search.polygon, point)
        : search.by_box ? rows <= search.height / 2 && distance(level, corner) <= search.width / 2
                        : metres <= search.radius;
    if (within) {
      found.push_back({member, score, metres});
    }
  }
  return found;
}

std::string resp_found(const ModelCall& call, const Search& search, const Found& found) {
  const size_t extras = (search.with_distance ? 1u : 0u) + (search.with_hash ? 1u : 0u) +
                        (search.with_point ? 1u : 0u);
  std::string out = extras > 0 ? resp_header('*', extras + 1) : "";
  out += resp_bulk(found.member);
  out += search.with_distance ? resp_bulk(print_distance(found.metres / search.unit)) : "";
  out += search.with_hash ? resp_integer(static_cast<int64_t>(found.score)) : "";
  out += search.with_point ? resp_point(call, point_of(found.score)) : "";
  return out;
}

ModelReply answer(ModelCall& call, const Search& search, std::vector<Found> found) {
  const bool sorted = search.ascending || search.descending || (search.count > 0 && !search.any);
  const size_t wanted =
      search.count > 0 ? std::min(found.size(), static_cast<size_t>(search.count)) : found.size();
  // The server chooses what it finds first; what it chooses it may sort.
  const bool chooses = search.any && wanted < found.size();
  redoubt::stable_sort(found, [&](const Found& a, const Found& b) {
    return search.descending ? a.metres > b.metres : a.metres < b.metres;
  });
  bool ties = false;
  for (size_t i = 1; i < found.size(); i++) {
    ties = ties || found[i].metres == found[i - 1].metres;
  }
  if (search.store) {
    found.resize(wanted);
    ModelZset members;
    for (const Found& each : found) {
      members[each.member] = search.store_distance ? each.metres / search.unit : each.score;
    }
    put_zset(call, *search.store, members, false);
    return reply_integer(static_cast<int64_t>(members.size()));
  }
  std::vector<std::string> replies;
  replies.reserve(found.size());
  for (const Found& each : found) {
    replies.push_back(resp_found(call, search, each));
  }
  if (!sorted || chooses || ties) {
    return reply_some(std::move(replies), wanted, '*');
  }
  replies.resize(wanted);
  std::string out = resp_header('*', wanted);
  for (const std::string& reply : replies) {
    out += reply;
  }
  return reply_exact(out);
}

template <Kind kind, bool may_store>
ModelReply search_command(ModelCall& call) {
  std::optional<ModelReply> error;
  const ModelZset* members =
      find_zset(call, call.argument(kind == Kind::search_store ? 2 : 1), error);
  if (error) {
    return *error;
  }
  Search search{.kind = kind, .may_store = may_store};
  if (!take_search(call, members, search)) {
    return *search.error;
  }
  if (members == nullptr) {
    if (search.store) {
      call.erase(*search.store);
      return reply_integer(0);
    }
    return reply_exact("*0\r\n");
  }
  if (!is_tame(search)) {
    return reply_rule(ModelReply::Rule::not_error);
  }
  return answer(call, search, find(*members, search));
}

constexpr ModelCommand geo_table[] = {
    {"geoadd", -5, geoadd_command, true},
    {"geodist", -4, geodist_command, false},
    {"geohash", -2, geohash_command, false},
    {"geopos", -2, geopos_command, false},
    {"georadius", -6, search_command<Kind::radius, true>, true},
    {"georadius_ro", -6, search_command<Kind::radius, false>, false},
    {"georadiusbymember", -5, search_command<Kind::by_member, true>, true},
    {"georadiusbymember_ro", -5, search_command<Kind::by_member, false>, false},
    {"geosearch", -7, search_command<Kind::search, false>, false},
    {"geosearchstore", -8, search_command<Kind::search_store, false>, true},
};

}  // namespace

std::span<const ModelCommand> geo_commands() {
  return geo_table;
}

}  // namespace redoubt::sim
