// What the commands of the geo family share.
#pragma once

#include "engine/commands/geo/geo_cells.h"
#include "engine/commands/zsets/zset_value.h"

namespace redoubt {

// Longitude and latitude at an argument and the next one; replies with an error when they are none,
// or not on the map.
std::optional<GeoPoint> read_point(Context& c, size_t index);
// M, KM, FT or MI as metres; replies with an error when it is none.
std::optional<double> read_unit(Context& c, size_t index);

void reply_point(Context& c, const GeoPoint& point);
void reply_distance(Context& c, double distance);

}  // namespace redoubt
