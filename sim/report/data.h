// What the viewer shows, as JSON. Names are short and lists are by column, because a page holds
// tens of thousands of items; viewer.js says it all again where it reads it.
#pragma once

#include <string>

#include "sim/report/report.h"
#include "sim/report/thin.h"

namespace redoubt::sim {

std::string report_data(const Timeline& timeline, const Thinned& thinned, const ReportFacts& facts);

}  // namespace redoubt::sim
