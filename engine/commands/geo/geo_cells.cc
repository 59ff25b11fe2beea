#include "engine/commands/geo/geo_cells.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace redoubt {

namespace {

constexpr double kEarthRadius = 6372797.560856;
constexpr double kHalfEquator = 20037726.37;  // metres, of the map's projection
constexpr double kRadian = 3.14159265358979323846 / 180.0;

double radians(double degrees) {
  return degrees * kRadian;
}
double degrees(double radians) {
  return radians / kRadian;
}

// Bit i of the number becomes bit 2i.
uint64_t spread(uint32_t number) {
  uint64_t x = number;
  x = (x | x << 16) & 0x0000ffff0000ffff;
  x = (x | x << 8) & 0x00ff00ff00ff00ff;
  x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
  x = (x | x << 2) & 0x3333333333333333;
  return (x | x << 1) & 0x5555555555555555;
}
uint32_t gather(uint64_t x) {
  x &= 0x5555555555555555;
  x = (x | x >> 1) & 0x3333333333333333;
  x = (x | x >> 2) & 0x0f0f0f0f0f0f0f0f;
  x = (x | x >> 4) & 0x00ff00ff00ff00ff;
  x = (x | x >> 8) & 0x0000ffff0000ffff;
  return static_cast<uint32_t>(x | x >> 16);
}

// A double as 64 bits, defined for all: what the usual instruction does with what does not fit.
uint64_t to_bits(double score) {
  constexpr double kTop = 9223372036854775808.0;  // 2^63
  constexpr uint64_t kTopBit = uint64_t{1} << 63;
  if (score >= -kTop && score < kTop) return static_cast<uint64_t>(static_cast<int64_t>(score));
  if (score < kTop * 2 && score >= kTop) {
    return static_cast<uint64_t>(static_cast<int64_t>(score - kTop)) ^ kTopBit;
  }
  return score > 0 ? 0 : kTopBit;
}

// The cell so many columns to the east and rows to the north. The map has no edge: behind the last
// column comes the first one. (A point on the very edge is in a column behind the last one, and
// stays there while only its row changes.)
GeoCell moved(const GeoCell& cell, int east, int north) {
  const uint32_t mask = (uint32_t{1} << cell.step) - 1;
  uint32_t row = gather(cell.bits);
  uint32_t column = gather(cell.bits >> 1);
  if (north != 0) row = (row + static_cast<uint32_t>(north)) & mask;
  if (east != 0) column = (column + static_cast<uint32_t>(east)) & mask;
  return {spread(row) | spread(column) << 1, cell.step};
}

// The step at which cells are about as large as the radius.
int step_for(double radius, double latitude) {
  if (radius == 0) return kGeoStepMax;
  int step = 1;
  for (; radius < kHalfEquator; radius *= 2) ++step;
  step -= 2;
  // Degrees of longitude are shorter near the poles.
  if (latitude > 66 || latitude < -66) --step;
  if (latitude > 80 || latitude < -80) --step;
  return std::clamp(step, 1, kGeoStepMax);
}

GeoArea bounding_box(const GeoShape& shape) {
  const GeoPoint& centre = shape.centre;
  const double height = shape.is_box ? shape.height / 2 : shape.radius;
  const double width = shape.is_box ? shape.width / 2 : shape.radius;
  const double rows = degrees(height / kEarthRadius);
  // The side nearer to the pole spans more degrees.
  const double side = centre.latitude < 0 ? centre.latitude - rows : centre.latitude + rows;
  const double columns = degrees(width / kEarthRadius / std::cos(radians(side)));
  return {{centre.longitude - columns, centre.latitude - rows},
          {centre.longitude + columns, centre.latitude + rows}};
}

// The centre and what is around it, in the order in which it is looked at.
GeoCells with_neighbours(const GeoCell& cell) {
  return {cell,
          moved(cell, 0, 1),
          moved(cell, 0, -1),
          moved(cell, 1, 0),
          moved(cell, -1, 0),
          moved(cell, 1, 1),
          moved(cell, -1, 1),
          moved(cell, 1, -1),
          moved(cell, -1, -1)};
}

enum : size_t {
  kCentre,
  kNorth,
  kSouth,
  kEast,
  kWest,
  kNorthEast,
  kNorthWest,
  kSouthEast,
  kSouthWest
};

bool cover(const GeoCells& cells, const GeoArea& box) {
  return !(geo_area(cells[kNorth]).max.latitude < box.max.latitude) &&
         !(geo_area(cells[kSouth]).min.latitude > box.min.latitude) &&
         !(geo_area(cells[kEast]).max.longitude < box.max.longitude) &&
         !(geo_area(cells[kWest]).min.longitude > box.min.longitude);
}

void leave_out(GeoCells& cells, std::initializer_list<size_t> indexes) {
  for (const size_t index : indexes) cells[index] = {};
}

}  // namespace

GeoCell geo_encode(const GeoPoint& point, int step, double latitude_max) {
  const double size = static_cast<double>(uint64_t{1} << step);
  const double row = (point.latitude + latitude_max) / (latitude_max - -latitude_max) * size;
  const double column = (point.longitude + GeoLimits::kLongitudeMax) /
                        (GeoLimits::kLongitudeMax - -GeoLimits::kLongitudeMax) * size;
  return {spread(static_cast<uint32_t>(row)) | spread(static_cast<uint32_t>(column)) << 1, step};
}

GeoArea geo_area(const GeoCell& cell) {
  const double size = static_cast<double>(uint64_t{1} << cell.step);
  const auto edge = [size](uint32_t index, double limit) {
    return -limit + (static_cast<double>(index) / size) * (limit - -limit);
  };
  const auto next_edge = [size](uint32_t index, double limit) {
    return -limit + ((static_cast<double>(index) + 1) / size) * (limit - -limit);
  };
  const uint32_t row = gather(cell.bits);
  const uint32_t column = gather(cell.bits >> 1);
  return {{edge(column, GeoLimits::kLongitudeMax), edge(row, GeoLimits::kLatitudeMax)},
          {next_edge(column, GeoLimits::kLongitudeMax), next_edge(row, GeoLimits::kLatitudeMax)}};
}

double geo_score(const GeoPoint& point) {
  return static_cast<double>(geo_encode(point, kGeoStepMax).bits);
}

GeoPoint geo_point(double score) {
  const GeoArea area = geo_area({to_bits(score), kGeoStepMax});
  const auto middle = [](double min, double max, double limit) {
    return std::clamp((min + max) / 2, -limit, limit);
  };
  return {middle(area.min.longitude, area.max.longitude, GeoLimits::kLongitudeMax),
          middle(area.min.latitude, area.max.latitude, GeoLimits::kLatitudeMax)};
}

namespace {

double latitude_distance(double a, double b) {
  return kEarthRadius * std::fabs(radians(b) - radians(a));
}

}  // namespace

double geo_distance(const GeoPoint& a, const GeoPoint& b) {
  const double v = std::sin((radians(b.longitude) - radians(a.longitude)) / 2);
  if (v == 0.0) return latitude_distance(a.latitude, b.latitude);
  const double a_latitude = radians(a.latitude);
  const double b_latitude = radians(b.latitude);
  const double u = std::sin((b_latitude - a_latitude) / 2);
  const double h = u * u + std::cos(a_latitude) * std::cos(b_latitude) * v * v;
  return 2.0 * kEarthRadius * std::asin(std::sqrt(h));
}

namespace {

// By itself: sine and cosine of one angle side by side become a function that is not in the
// standard.
[[gnu::noinline]] double sine(double angle) {
  return std::sin(angle);
}

}  // namespace

GeoShape geo_polygon(std::vector<GeoPoint> vertices) {
  GeoShape shape;
  GeoArea& area = shape.polygon_area;
  area = {vertices.front(), vertices.front()};
  double x = 0;
  double y = 0;
  double z = 0;
  for (const GeoPoint& vertex : vertices) {
    const double latitude = radians(vertex.latitude);
    const double longitude = radians(vertex.longitude);
    x += std::cos(latitude) * std::cos(longitude);
    y += std::cos(latitude) * sine(longitude);
    z += sine(latitude);
    area.min = {std::min(area.min.longitude, vertex.longitude),
                std::min(area.min.latitude, vertex.latitude)};
    area.max = {std::max(area.max.longitude, vertex.longitude),
                std::max(area.max.latitude, vertex.latitude)};
  }
  shape.centre = {degrees(std::atan2(y, x)), degrees(std::atan2(z, std::sqrt(x * x + y * y)))};
  shape.polygon = std::move(vertices);
  return shape;
}

namespace {

// Whether a line from the point to the west crosses an odd number of sides.
bool is_in_polygon(const GeoShape& shape, const GeoPoint& point) {
  const GeoArea& area = shape.polygon_area;
  if (point.latitude < area.min.latitude || point.latitude > area.max.latitude ||
      point.longitude < area.min.longitude || point.longitude > area.max.longitude) {
    return false;
  }
  bool inside = false;
  const GeoPoint* from = &shape.polygon.back();
  for (const GeoPoint& to : shape.polygon) {
    if ((from->latitude > point.latitude) != (to.latitude > point.latitude)) {
      const double share = (point.latitude - from->latitude) / (to.latitude - from->latitude);
      const double crossing = from->longitude + share * (to.longitude - from->longitude);
      if (crossing < point.longitude) inside = !inside;
    }
    from = &to;
  }
  return inside;
}

}  // namespace

std::optional<double> geo_distance_within(const GeoShape& shape, const GeoPoint& point) {
  if (!shape.polygon.empty()) {
    if (!is_in_polygon(shape, point)) return std::nullopt;
    return geo_distance(shape.centre, point);
  }
  if (!shape.is_box) {
    const double distance = geo_distance(shape.centre, point);
    return distance > shape.radius ? std::nullopt : std::optional(distance);
  }
  if (latitude_distance(point.latitude, shape.centre.latitude) > shape.height / 2) {
    return std::nullopt;
  }
  const GeoPoint below{shape.centre.longitude, point.latitude};
  if (geo_distance(point, below) > shape.width / 2) return std::nullopt;
  return geo_distance(shape.centre, point);
}

// The widest part of a circle is nearer to the pole than its centre; that of a box is the side that
// is nearest to it. Around a pole, and where rounding would matter, there is no limit.
GeoFilter::GeoFilter(const GeoShape& shape) : shape_(shape), columns_(360) {
  constexpr double kMargin = 1e-9;
  constexpr double kNearPole = 89.9;
  if (!shape.polygon.empty()) {
    rows_ = 180;
    return;
  }
  rows_ = degrees((shape.is_box ? shape.height / 2 : shape.radius) / kEarthRadius) + kMargin;
  const double furthest = std::fabs(shape.centre.latitude) + rows_;
  if (!(furthest < kNearPole)) return;
  const double angle = (shape.is_box ? shape.width / 4 : shape.radius) / kEarthRadius;
  const double sine =
      std::sin(angle) / std::cos(radians(shape.is_box ? furthest : shape.centre.latitude));
  if (!(angle < 1.5 && sine < 0.99)) return;
  columns_ = degrees(std::asin(sine)) * (shape.is_box ? 2 : 1) + kMargin;
}

std::optional<double> GeoFilter::distance_within(double score) const {
  constexpr double kSize = double{uint64_t{1} << kGeoStepMax};
  const uint64_t bits = to_bits(score);
  const double latitude =
      (gather(bits) + 0.5) * (2 * GeoLimits::kLatitudeMax / kSize) - GeoLimits::kLatitudeMax;
  if (std::fabs(latitude - shape_.centre.latitude) > rows_) return std::nullopt;
  const double longitude =
      (gather(bits >> 1) + 0.5) * (2 * GeoLimits::kLongitudeMax / kSize) - GeoLimits::kLongitudeMax;
  const double apart = std::fabs(longitude - shape_.centre.longitude);
  if (std::min(apart, 360 - apart) > columns_) return std::nullopt;
  return geo_distance_within(shape_, geo_point(score));
}

namespace {

// At the finest step at which they are three by three, or fewer.
GeoCells cells_over(const GeoArea& area) {
  for (int step = kGeoStepMax;; --step) {
    const uint64_t low = geo_encode(area.min, step).bits;
    const uint64_t high = geo_encode(area.max, step).bits;
    const uint32_t rows = gather(high) - gather(low) + 1;
    const uint32_t columns = gather(high >> 1) - gather(low >> 1) + 1;
    if (rows > 3 || columns > 3) continue;
    GeoCells cells{};
    for (uint32_t i = 0; i < rows * columns; ++i) {
      const uint64_t row = spread(gather(low) + i / columns);
      const uint64_t column = spread(gather(low >> 1) + i % columns);
      cells[i] = {row | column << 1, step};
    }
    return cells;
  }
}

}  // namespace

GeoCells geo_cells_around(const GeoShape& shape) {
  if (!shape.polygon.empty()) return cells_over(shape.polygon_area);
  const GeoArea box = bounding_box(shape);
  const double half_width = shape.width / 2;
  const double half_height = shape.height / 2;
  const double radius =
      shape.is_box ? std::sqrt(half_width * half_width + half_height * half_height) : shape.radius;
  int step = step_for(radius, shape.centre.latitude);
  GeoCells cells = with_neighbours(geo_encode(shape.centre, step));
  if (step > 1 && !cover(cells, box)) {
    --step;
    cells = with_neighbours(geo_encode(shape.centre, step));
  }
  if (step < 2) return cells;
  // Where the centre's cell reaches beyond the shape, nothing is to be found behind it.
  const GeoArea middle = geo_area(cells[kCentre]);
  if (middle.min.latitude < box.min.latitude) {
    leave_out(cells, {kSouth, kSouthWest, kSouthEast});
  }
  if (middle.max.latitude > box.max.latitude) {
    leave_out(cells, {kNorth, kNorthEast, kNorthWest});
  }
  if (middle.min.longitude < box.min.longitude) {
    leave_out(cells, {kWest, kSouthWest, kNorthWest});
  }
  if (middle.max.longitude > box.max.longitude) {
    leave_out(cells, {kEast, kSouthEast, kNorthEast});
  }
  return cells;
}

GeoScores geo_scores(const GeoCell& cell) {
  const int shift = 2 * (kGeoStepMax - cell.step);
  return {static_cast<double>(cell.bits << shift), static_cast<double>((cell.bits + 1) << shift)};
}

}  // namespace redoubt
