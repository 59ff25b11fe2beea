// Directives that say up to which size values are packed. Small ones make small values go through
// all that happens to large ones: conversions, splits, joins.
#pragma once

#include <span>
#include <string_view>

namespace redoubt::sim {

struct LimitRow {
  std::string_view directive;
  // As Choice::of reads it; in half of the runs what a node has without being told.
  std::string_view choice;
};

// Each run draws all that its scenario does not say.
std::span<const LimitRow> limit_rows();

}  // namespace redoubt::sim
