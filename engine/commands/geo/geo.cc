// Places by member: GEOADD and what is asked of single members. An index of places is a sorted set
// whose scores are cells (geo_cells.h).
#include <vector>

#include "engine/commands/families.h"
#include "engine/commands/geo/geo_value.h"
#include "engine/commands/row_texts.h"

namespace redoubt {

namespace {

// --- GEOADD

struct AddOptions {
  bool nx = false;
  bool xx = false;
  bool changed = false;
  size_t first = 2;  // the argument of the first longitude
};

AddOptions read_add_options(const Context& c) {
  AddOptions options;
  for (size_t& i = options.first; i < c.args.size(); ++i) {
    if (c.is(i, "nx")) {
      options.nx = true;
    } else if (c.is(i, "xx")) {
      options.xx = true;
    } else if (c.is(i, "ch")) {
      options.changed = true;
    } else {
      break;
    }
  }
  return options;
}

// Members and scores into a set; what is to be replied.
int64_t add_places(Context& c, const AddOptions& options, const std::vector<double>& scores,
                   Zset& zset, bool& changed) {
  int64_t count = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    const double score = scores[i];
    const Zset::Change change = zset.upsert(
        c.args[options.first + 3 * i + 2], [&](std::optional<double> old) -> std::optional<double> {
          if (old ? options.nx : options.xx) return std::nullopt;
          return score;
        });
    changed = changed || change != Zset::Change::none;
    count += change == Zset::Change::added || (options.changed && change == Zset::Change::updated)
                 ? 1
                 : 0;
  }
  c.env().count_work(scores.size());
  return count;
}

void geoadd_command(Context& c) {
  const AddOptions options = read_add_options(c);
  const size_t rest = c.args.size() - options.first;
  if (rest % 3 != 0 || (options.nx && options.xx)) {
    c.syntax_error();
    return;
  }
  std::vector<double> scores;
  for (size_t i = options.first; i < c.args.size(); i += 3) {
    const std::optional<GeoPoint> point = read_point(c, i);
    if (!point) return;
    scores.push_back(geo_score(*point));
  }
  if (scores.empty()) {
    c.syntax_error();
    return;
  }
  const std::string_view key = c.args[1];
  Entry* entry = c.write(key);
  if (c.wrong_type(entry, Type::zset)) return;
  if (entry == nullptr && options.xx) {
    c.reply.integer(0);
    return;
  }
  Zset zset = entry != nullptr ? zset_of(c, *entry) : new_zset(c, c.args[options.first + 2]);
  bool changed = false;
  c.reply.integer(add_places(c, options, scores, zset, changed));
  if (entry != nullptr) {
    zset.store_in(*entry);
  } else {
    c.db().insert_value(key, c.hash(key), Type::zset, zset.encoding(), zset.payload());
  }
  if (changed) c.modified(key, 'z', "zadd");
}

// --- Single members

std::optional<double> score_of(const Entry* entry, std::string_view member) {
  return entry != nullptr ? ZsetView(*entry).score(member) : std::nullopt;
}

void geohash_command(Context& c) {
  constexpr std::string_view kLetters = "0123456789bcdefghjkmnpqrstuvwxyz";
  constexpr double kPole = 90;
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::zset)) return;
  c.reply.array(c.args.size() - 2);
  for (size_t i = 2; i < c.args.size(); ++i) {
    const std::optional<double> score = score_of(entry, c.args[i]);
    if (!score) {
      c.reply.null();
      continue;
    }
    // The strings are of a map that reaches to the poles. 52 bits make ten letters and a rest,
    // which is left out.
    const uint64_t bits = geo_encode(geo_point(*score), kGeoStepMax, kPole).bits;
    std::array<char, 11> text;
    for (size_t k = 0; k < 10; ++k) text[k] = kLetters[(bits >> (52 - (k + 1) * 5)) & 31];
    text[10] = '0';
    c.reply.bulk({text.data(), text.size()});
  }
}

void geopos_command(Context& c) {
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::zset)) return;
  c.reply.array(c.args.size() - 2);
  for (size_t i = 2; i < c.args.size(); ++i) {
    const std::optional<double> score = score_of(entry, c.args[i]);
    score ? reply_point(c, geo_point(*score)) : c.reply.null_array();
  }
}

void geodist_command(Context& c) {
  double unit = 1;
  if (c.args.size() == 5) {
    const std::optional<double> given = read_unit(c, 4);
    if (!given) return;
    unit = *given;
  } else if (c.args.size() > 5) {
    c.syntax_error();
    return;
  }
  const Entry* entry = c.read(c.args[1]);
  if (c.wrong_type(entry, Type::zset)) return;
  const std::optional<double> from = score_of(entry, c.args[2]);
  const std::optional<double> to = score_of(entry, c.args[3]);
  if (!from || !to) {
    c.reply.null();
    return;
  }
  reply_distance(c, geo_distance(geo_point(*from), geo_point(*to)) / unit);
}

constexpr Command geo_rows[] = {
    {.name = "geoadd",
     .arity = -5,
     .flags = kWrite | kDenyOom,
     .categories = kCatGeo,
     .keys = {keys_at(kKeyRW | kKeyUpdate, 1)},
     .since = "3.2.0",
     .group = "geo",
     .complexity = kOnceForEachAddedToSortedSet,
     .summary =
         "Add one or more geospatial items in the geospatial index represented using a sorted set",
     .arguments = "key:key [condition:<nx(NX)|xx(XX)>@6.2.0] [change(CH)@6.2.0] "
                  "longitude_latitude_member:{longitude:double latitude:double member:string}...",
     .history = "6.2.0: Added the `CH`, `NX` and `XX` options.",
     .handler = geoadd_command},
    {.name = "geodist",
     .arity = -4,
     .flags = kReadOnly,
     .categories = kCatGeo,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "3.2.0",
     .group = "geo",
     .complexity = "O(log(N))",
     .summary = "Returns the distance between two members of a geospatial index",
     .arguments = "key:key member1:string member2:string [unit:<m(M)|km(KM)|ft(FT)|mi(MI)>]",
     .handler = geodist_command},
    {.name = "geohash",
     .arity = -2,
     .flags = kReadOnly,
     .categories = kCatGeo,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "3.2.0",
     .group = "geo",
     .complexity =
         "O(log(N)) for each member requested, where N is the number of elements in the sorted "
         "set.",
     .summary = "Returns members of a geospatial index as standard geohash strings",
     .arguments = "key:key member:string...",
     .handler = geohash_command},
    {.name = "geopos",
     .arity = -2,
     .flags = kReadOnly,
     .categories = kCatGeo,
     .keys = {keys_at(kKeyRO | kKeyAccess, 1)},
     .since = "3.2.0",
     .group = "geo",
     .complexity = "O(N) where N is the number of members requested.",
     .summary = "Returns longitude and latitude of members of a geospatial index",
     .arguments = "key:key member:string...",
     .handler = geopos_command},
};

}  // namespace

std::span<const Command> geo_commands() {
  return geo_rows;
}

}  // namespace redoubt
