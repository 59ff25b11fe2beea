// Cells and distances as Redis has them, and which cells a search looks at.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "engine/commands/geo/geo_cells.h"
#include "tests/commands/geo_draws.h"

namespace redoubt {
namespace {

constexpr GeoPoint kPalermo{13.361389, 38.115556};
constexpr GeoPoint kCatania{15.087269, 37.502669};

double wrapped(double longitude) {
  if (longitude > 180) return longitude - 360;
  return longitude < -180 ? longitude + 360 : longitude;
}

bool in_one_of(const GeoCells& cells, double score) {
  for (const GeoCell& cell : cells) {
    if (cell.step == 0) continue;
    const GeoScores scores = geo_scores(cell);
    if (score >= scores.from && score < scores.to) return true;
  }
  return false;
}

size_t looked_at(const GeoCells& cells) {
  size_t count = 0;
  for (const GeoCell& cell : cells) count += cell.step != 0 ? 1 : 0;
  return count;
}

GeoShape circle(GeoPoint centre, double radius) {
  GeoShape shape;
  shape.centre = centre;
  shape.radius = radius;
  return shape;
}

GeoShape box(GeoPoint centre, double width, double height) {
  GeoShape shape;
  shape.is_box = true;
  shape.centre = centre;
  shape.width = width;
  shape.height = height;
  return shape;
}

// Each of them as ZSCORE and GEOPOS of Redis 7.0.15 say it.
TEST(GeoCells, ScoresAndPlacesAreThoseOfRedis) {
  const struct {
    GeoPoint at;
    double score;
    GeoPoint middle;
  } cases[] = {
      {kPalermo, 3479099956230698, {13.36138933897018433, 38.11555639549629859}},
      {kCatania, 3479447370796909, {15.08726745843887329, 37.50266842333162032}},
      {{0, 0}, 3377699720527872, {0.00000268220901489, 0.00000126736058093}},
      {{-70.5, -53.1}, 662087382563390, {-70.49999982118606567, -53.09999903568907342}},
      {{-180, -85.05112878}, 0, {-179.99999731779098511, -85.05112751263942528}},
      // On the edge, behind the last cell.
      {{180, 85.05112878}, 13510798882111488, {180, 85.0511287799999991}},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(geo_score(each.at), each.score);
    EXPECT_NEAR(geo_point(each.score).longitude, each.middle.longitude, 1e-17);
    EXPECT_NEAR(geo_point(each.score).latitude, each.middle.latitude, 1e-17);
  }
}

// A score may have been set by ZADD.
TEST(GeoCells, AnyScoreIsAPlaceOnTheMap) {
  for (const double score : {-1.0, 0.5, 1e15, 5e18, 9.3e18, 1.5e19, 2e19, 1e300, -1e300,
                             std::numeric_limits<double>::infinity()}) {
    const GeoPoint point = geo_point(score);
    EXPECT_LE(std::fabs(point.longitude), GeoLimits::kLongitudeMax) << score;
    EXPECT_LE(std::fabs(point.latitude), GeoLimits::kLatitudeMax) << score;
  }
  // As Redis 7.0.15 has them on x86. The highest of 64 bits is one of the column, which is then far
  // behind the last one.
  EXPECT_EQ(geo_point(9223372036854775808.0 + 65536).longitude, 180);
  EXPECT_EQ(geo_point(9223372036854775808.0 + 65536).latitude, geo_point(65536).latitude);
  EXPECT_EQ(geo_point(-1).longitude, 180);
  EXPECT_EQ(geo_point(1e19).longitude, 180);
  EXPECT_EQ(geo_point(2e19).longitude, geo_point(0).longitude);
}

// A standard geohash is of a map that reaches to the poles: "sqc8b49rny" is Palermo's.
TEST(GeoCells, AStandardCellIsOnTheWholeMap) {
  const GeoCell cell = geo_encode(kPalermo, 25, 90);
  const std::string_view letters = "0123456789bcdefghjkmnpqrstuvwxyz";
  std::string hash;
  for (int shift = 45; shift >= 0; shift -= 5) hash += letters[cell.bits >> shift & 31];
  EXPECT_EQ(hash, "sqc8b49rny");
}

TEST(GeoCells, DistancesAreThoseOfRedis) {
  const auto distance = [](GeoPoint a, GeoPoint b) {
    return geo_distance(geo_point(geo_score(a)), geo_point(geo_score(b)));
  };
  EXPECT_NEAR(distance(kPalermo, kCatania), 166274.1516, 0.00005);
  EXPECT_NEAR(distance({0, 0}, {-70.5, -53.1}), 8724393.5391, 0.00005);
  // Across the edge of the map.
  EXPECT_NEAR(distance({179.9, -17}, {-179.9, -17}), 21273.4168, 0.00005);
  // Between places of one longitude it is the difference of their latitudes, without rounding.
  constexpr double kRadian = 3.14159265358979323846 / 180.0;
  for (double latitude = 0.3; latitude < 85; latitude += 0.7) {
    const double exact = 6372797.560856 * std::fabs(latitude * kRadian - -latitude * kRadian);
    EXPECT_EQ(geo_distance({10, -latitude}, {10, latitude}), exact);
  }
}

TEST(GeoCells, APlaceOnTheEdgeOfACircleIsWithin) {
  const double distance = geo_distance(kPalermo, kCatania);
  EXPECT_EQ(geo_distance_within(circle(kPalermo, distance), kCatania), distance);
  EXPECT_EQ(geo_distance_within(circle(kPalermo, std::nextafter(distance, 0.0)), kCatania),
            std::nullopt);
}

TEST(GeoCells, ABoxReachesHalfItsSidesFromItsCentre) {
  const GeoShape shape = box({0, 0}, 100'000, 50'000);
  constexpr double kDegree = 111'226.3;  // metres, at the equator
  EXPECT_TRUE(geo_distance_within(shape, {49'900 / kDegree, 0}).has_value());
  EXPECT_FALSE(geo_distance_within(shape, {50'100 / kDegree, 0}).has_value());
  EXPECT_TRUE(geo_distance_within(shape, {0, -24'900 / kDegree}).has_value());
  EXPECT_FALSE(geo_distance_within(shape, {0, -25'100 / kDegree}).has_value());
}

// What is within a circle or a box lies in one of the cells that are looked at, whichever way the
// shape lies to the cells: also across the edge of the map, in the south and near the poles.
TEST(GeoCells, WhatIsWithinAShapeIsInACellThatIsLookedAt) {
  Draws draws(5);
  int within = 0;
  for (int i = 0; i < 6'000; ++i) {
    const GeoPoint centre{
        draws.between(0, 4) < 1 ? wrapped(draws.between(178, 182)) : draws.between(-180, 180),
        draws.between(-83, 83)};
    const double size = std::pow(10, draws.between(1, 5.5));
    const bool is_box = draws.between(0, 2) < 1;
    // Wide ones and high ones.
    const double width = 2 * size * draws.between(0.05, 1);
    const double height = 2 * size * draws.between(0.05, 1);
    const GeoShape shape = is_box ? box(centre, width, height) : circle(centre, size);
    const GeoCells cells = geo_cells_around(shape);
    const double rows = size / 111'000;
    const double columns = rows / std::cos(std::fmin(std::fabs(centre.latitude) + rows, 84.9) *
                                           3.14159265358979323846 / 180.0);
    for (int j = 0; j < 40; ++j) {
      const GeoPoint point{wrapped(centre.longitude + draws.between(-columns, columns)),
                           centre.latitude + draws.between(-rows, rows)};
      if (std::fabs(point.latitude) > 85) continue;
      const double score = geo_score(point);
      if (!geo_distance_within(shape, geo_point(score))) continue;
      ++within;
      ASSERT_TRUE(in_one_of(cells, score))
          << (is_box ? "box " : "circle ") << centre.longitude << " " << centre.latitude << " size "
          << size << " point " << point.longitude << " " << point.latitude;
    }
  }
  EXPECT_GT(within, 60'000);
}

// Cells are as small as they can be: the nine of them are not much larger than the shape.
TEST(GeoCells, NoMoreThanTheNeighbourhoodIsLookedAt) {
  Draws draws(6);
  for (int i = 0; i < 2'000; ++i) {
    const GeoPoint centre{draws.between(-180, 180), draws.between(-65, 65)};
    const double radius = std::pow(10, draws.between(1, 5.5));
    const GeoArea middle = geo_area(geo_cells_around(circle(centre, radius))[0]);
    EXPECT_LT((middle.max.latitude - middle.min.latitude) * 111'000, 4.5 * radius);
    const GeoCells cells = geo_cells_around(circle(centre, radius));
    for (const GeoCell& cell : cells) EXPECT_LT(cell.bits, uint64_t{1} << 2 * cell.step);
  }
}

// Where the cell of the centre reaches beyond the shape, what is behind it is not looked at. A cell
// of step 14 is 1,924 m wide and 1,155 m high there.
TEST(GeoCells, NeighboursBehindTheShapeAreLeftOut) {
  const GeoArea cell = geo_area(geo_encode(kPalermo, 14));
  const GeoPoint middle{(cell.min.longitude + cell.max.longitude) / 2,
                        (cell.min.latitude + cell.max.latitude) / 2};
  const auto around = [](GeoPoint centre, double radius) {
    const GeoCells cells = geo_cells_around(circle(centre, radius));
    EXPECT_EQ(cells[0].step, 14);
    std::string seen;
    for (const GeoCell& each : cells) seen += each.step != 0 ? 'x' : '-';
    return seen;
  };
  // The centre's cell, then north, south, east, west, and the corners from the north-east on.
  EXPECT_EQ(around(middle, 1100), "xxxxxxxxx");
  EXPECT_EQ(around(middle, 900), "xxx------");
  constexpr double kABit = 1e-7;
  EXPECT_EQ(around({cell.max.longitude - kABit, middle.latitude}, 700), "xxxx-x-x-");
  EXPECT_EQ(around({cell.min.longitude + kABit, middle.latitude}, 700), "xxx-x-x-x");
  EXPECT_EQ(around({cell.max.longitude - kABit, cell.max.latitude - kABit}, 700), "xx-x-x---");
  EXPECT_EQ(around({cell.min.longitude + kABit, cell.min.latitude + kABit}, 700), "x-x-x---x");
}

// Degrees of longitude are short there. Which cells there are is seen in the order of what ANY
// finds.
TEST(GeoCells, CellsAreLargerNearThePoles) {
  const auto step = [](double latitude) {
    return geo_cells_around(circle({20, latitude}, 700))[0].step;
  };
  EXPECT_EQ(step(0), 14);
  EXPECT_EQ(step(65.9), 14);
  EXPECT_EQ(step(66.1), 13);
  EXPECT_EQ(step(-66.1), 13);
  EXPECT_EQ(step(79.9), 13);
  EXPECT_EQ(step(80.1), 12);
  EXPECT_EQ(step(-80.1), 12);
}

TEST(GeoCells, AroundHalfTheWorldEverythingIsLookedAt) {
  const GeoCells cells = geo_cells_around(circle({100, 40}, 9'000'000));
  EXPECT_EQ(cells[0].step, 1);
  EXPECT_EQ(looked_at(cells), 9u);
  std::set<uint64_t> numbers;
  for (const GeoCell& cell : cells) numbers.insert(cell.bits);
  EXPECT_EQ(numbers, (std::set<uint64_t>{0, 1, 2, 3}));
}

// --- polygons

// A rectangle in cells of a step, from the middle of one to the middle of another.
GeoShape over_cells(int step, GeoPoint from, uint32_t columns, uint32_t rows) {
  const GeoArea cell = geo_area(geo_encode(from, step));
  const double width = cell.max.longitude - cell.min.longitude;
  const double height = cell.max.latitude - cell.min.latitude;
  const GeoPoint low{cell.min.longitude + width / 2, cell.min.latitude + height / 2};
  const GeoPoint high{low.longitude + width * (columns - 1), low.latitude + height * (rows - 1)};
  // Not from the lowest corner on, so that each of the others is the least or the most of one kind.
  return geo_polygon({{high.longitude, low.latitude},
                      {low.longitude, low.latitude},
                      {low.longitude, high.latitude},
                      {high.longitude, high.latitude}});
}

TEST(GeoCells, APolygonIsHeldByThreeByThreeCellsOfTheFinestStep) {
  const GeoCells nine = geo_cells_around(over_cells(12, kPalermo, 3, 3));
  EXPECT_EQ(looked_at(nine), 9u);
  for (const GeoCell& cell : nine) EXPECT_EQ(cell.step, 12);
  EXPECT_EQ(geo_cells_around(over_cells(12, kPalermo, 4, 1))[0].step, 11);
}

TEST(GeoCells, WhatIsWithinAPolygonIsInACellThatIsLookedAt) {
  Draws draws(7);
  int within = 0;
  for (int i = 0; i < 3'000; ++i) {
    const GeoPoint centre{draws.between(-150, 150), draws.between(-60, 60)};
    const double width = std::pow(10, draws.between(-4, 1.3));
    const double height = std::pow(10, draws.between(-4, 1.3));
    std::vector<GeoPoint> vertices;
    vertices.reserve(5);
    for (int j = 0; j < 5; ++j) {
      const double longitude = centre.longitude + draws.between(-width, width);
      vertices.push_back({longitude, centre.latitude + draws.between(-height, height)});
    }
    const GeoShape shape = geo_polygon(vertices);
    const GeoCells cells = geo_cells_around(shape);
    for (int j = 0; j < 10; ++j) {
      const double longitude = centre.longitude + draws.between(-width, width);
      const double score = geo_score({longitude, centre.latitude + draws.between(-height, height)});
      if (!geo_distance_within(shape, geo_point(score))) continue;
      ++within;
      ASSERT_TRUE(in_one_of(cells, score)) << i;
    }
  }
  EXPECT_GT(within, 3'000);
}

TEST(GeoCells, APlaceOnASideThatTwoPolygonsShareIsInTheWesternOne) {
  const GeoShape west = geo_polygon({{-10, 0}, {0, 0}, {0, 10}, {-10, 10}});
  const GeoShape east = geo_polygon({{0, 0}, {10, 0}, {10, 10}, {0, 10}});
  EXPECT_TRUE(geo_distance_within(west, {0, 5}).has_value());
  EXPECT_FALSE(geo_distance_within(east, {0, 5}).has_value());
  EXPECT_FALSE(geo_distance_within(west, {-10, 5}).has_value());
}

TEST(GeoCells, TheCentreOfAPolygonIsTheMeanOfItsVertices) {
  const GeoShape shape = geo_polygon({{-10, -20}, {30, -20}, {30, 20}, {-10, 20}});
  EXPECT_NEAR(shape.centre.longitude, 10, 1e-9);
  EXPECT_NEAR(shape.centre.latitude, 0, 1e-9);
  EXPECT_EQ(shape.polygon_area.min.longitude, -10);
  EXPECT_EQ(shape.polygon_area.min.latitude, -20);
  EXPECT_EQ(shape.polygon_area.max.longitude, 30);
  EXPECT_EQ(shape.polygon_area.max.latitude, 20);
}

}  // namespace
}  // namespace redoubt
