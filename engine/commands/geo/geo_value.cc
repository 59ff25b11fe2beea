#include "engine/commands/geo/geo_value.h"

#include <fmt/format.h>

#include <cmath>

namespace redoubt {

std::optional<GeoPoint> read_point(Context& c, size_t index) {
  const std::optional<double> longitude = read_double(c, index);
  if (!longitude) return std::nullopt;
  const std::optional<double> latitude = read_double(c, index + 1);
  if (!latitude) return std::nullopt;
  if (std::fabs(*longitude) > GeoLimits::kLongitudeMax ||
      std::fabs(*latitude) > GeoLimits::kLatitudeMax) {
    c.error(fmt::format("ERR invalid longitude,latitude pair {:f},{:f}", *longitude, *latitude));
    return std::nullopt;
  }
  return GeoPoint{*longitude, *latitude};
}

std::optional<double> read_unit(Context& c, size_t index) {
  if (c.is(index, "m")) return 1;
  if (c.is(index, "km")) return 1000;
  if (c.is(index, "ft")) return 0.3048;
  if (c.is(index, "mi")) return 1609.34;
  c.error("ERR unsupported unit provided. please use M, KM, FT, MI");
  return std::nullopt;
}

void reply_point(Context& c, const GeoPoint& point) {
  c.reply.array(2);
  for (const double number : {point.longitude, point.latitude}) {
    c.reply.real_text(LongDoubleText(static_cast<long double>(number)).view());
  }
}

void reply_distance(Context& c, double distance) {
  c.reply.bulk(FixedText(distance, 4).view());
}

}  // namespace redoubt
