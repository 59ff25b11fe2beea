// Cells on the map, and distances.
//
// The map is a square: longitudes from -180 to 180, latitudes from -85.05112878 to 85.05112878
// (that of web maps, so that it is one). Halving each side `step` times gives 4^step cells; a
// cell's number has the bits of its row (latitude, even bits) and its column (longitude, odd bits)
// interleaved, so that a cell of a coarser grid is a range of numbers of a finer one. A place is
// stored as the number of its cell at 26 steps, 52 bits, which is an integer that a score holds
// exactly.
//
// A search looks at the cell of its centre and the eight around it, at the finest step at which
// they cover the shape; one in a polygon at those that hold the area of its vertices, three by
// three at most.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace redoubt {

struct GeoPoint {
  double longitude = 0;
  double latitude = 0;
};

struct GeoLimits {
  static constexpr double kLongitudeMax = 180;
  static constexpr double kLatitudeMax = 85.05112878;
};

inline constexpr int kGeoStepMax = 26;

struct GeoCell {
  uint64_t bits = 0;
  int step = 0;  // 0: no cell
  bool operator==(const GeoCell&) const = default;
};

struct GeoArea {
  GeoPoint min;
  GeoPoint max;
};

// The cell that a point is in; `latitude_max` is that of the map, 90 for standard geohash strings.
GeoCell geo_encode(const GeoPoint& point, int step, double latitude_max = GeoLimits::kLatitudeMax);
GeoArea geo_area(const GeoCell& cell);
// Scores of places. Any double is some place.
double geo_score(const GeoPoint& point);
GeoPoint geo_point(double score);

// On a sphere, in metres.
double geo_distance(const GeoPoint& a, const GeoPoint& b);

// A circle, or a box whose sides are parallel to the axes, in metres; or what a polygon encloses
// whose sides are straight on the map, in degrees.
struct GeoShape {
  bool is_box = false;
  std::vector<GeoPoint> polygon;  // its vertices; none: it is one of the others
  GeoArea polygon_area;           // the least that holds them
  GeoPoint centre;
  double radius = 0;
  double width = 0;
  double height = 0;
};

// A polygon; its centre is the mean of its vertices on the sphere.
GeoShape geo_polygon(std::vector<GeoPoint> vertices);

// The distance to the centre, when the point is within the shape.
std::optional<double> geo_distance_within(const GeoShape& shape, const GeoPoint& point);

// The same for many scores: those that are far outside are told without trigonometry.
class GeoFilter {
 public:
  explicit GeoFilter(const GeoShape& shape);

  std::optional<double> distance_within(double score) const;

 private:
  GeoShape shape_;
  // No point within is further away than that, in degrees.
  double rows_;
  double columns_;
};

// The cells to look at, in this order; those with step 0 need not be.
using GeoCells = std::array<GeoCell, 9>;
GeoCells geo_cells_around(const GeoShape& shape);

// The scores of the places in a cell: from the first up to, not including, the second.
struct GeoScores {
  double from;
  double to;
};
GeoScores geo_scores(const GeoCell& cell);

}  // namespace redoubt
