// Places within shapes: the quick way says what the exact one says.
#include "engine/commands/geo/geo_cells.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/commands/geo_draws.h"

namespace redoubt {
namespace {

// Radii of all sizes up to more than the earth, centres up to the poles.
GeoShape draw_shape(Draws& draws) {
  GeoShape shape;
  shape.is_box = draws.coin();
  shape.centre.longitude = draws.between(-180, 180);
  shape.centre.latitude = draws.between(-85, 85);
  shape.radius = std::pow(10, draws.between(0, 7.7));
  shape.width = std::pow(10, draws.between(0, 7.9));
  shape.height = std::pow(10, draws.between(0, 7.7));
  return shape;
}

// Half of the points are about as far away as the shape is large.
GeoPoint draw_point(Draws& draws, const GeoShape& shape) {
  GeoPoint point{draws.between(-180, 180), draws.between(-85, 85)};
  if (draws.coin()) {
    const double reach = shape.is_box ? shape.width / 2 : shape.radius;
    const double degrees = std::min(reach / 111'000, 90.0) * 1.2;
    point.longitude = shape.centre.longitude + draws.between(-degrees, degrees) * 1.5;
    point.latitude = shape.centre.latitude + draws.between(-degrees, degrees);
    if (point.longitude > 180) point.longitude -= 360;
    if (point.longitude < -180) point.longitude += 360;
    point.latitude = std::fmax(-85, std::fmin(85, point.latitude));
  }
  return point;
}

TEST(GeoFilter, AgreesWithTheExactDistance) {
  Draws draws(1);
  int within = 0;
  for (int i = 0; i < 20'000; ++i) {
    const GeoShape shape = draw_shape(draws);
    const GeoFilter filter(shape);
    for (int j = 0; j < 20; ++j) {
      const double score = geo_score(draw_point(draws, shape));
      const std::optional<double> exact = geo_distance_within(shape, geo_point(score));
      ASSERT_EQ(filter.distance_within(score), exact)
          << "centre " << shape.centre.longitude << " " << shape.centre.latitude << " box "
          << shape.is_box << " radius " << shape.radius << " width " << shape.width << " height "
          << shape.height << " score " << score;
      within += exact.has_value();
    }
  }
  EXPECT_GT(within, 20'000);
}

}  // namespace
}  // namespace redoubt
