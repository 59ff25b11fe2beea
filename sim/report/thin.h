// Which items of a run a report holds, when it cannot hold all of them.
//
// Near the violation (or the end, when all is well) everything stays: half of what there is room
// for. Further away lie stretches that are twice as long each, and each of them gets an equal share
// of the rest: fewer and fewer. Within a stretch it is divided evenly, and of each division what
// tells most stays. What led to the violation stays wherever it is, and what lasts (boots, stops,
// faults, roles) is thinned by itself, far later than the rest.
//
// How many items were left out is known for every place, and a cause that was left out is replaced
// by its nearest cause that was not.
#pragma once

#include "sim/report/timeline.h"

namespace redoubt::sim {

struct Kept {
  uint32_t item = 0;
  uint32_t cause = kNoItem;     // in Thinned::kept
  uint32_t result = kNoItem;    // the same
  uint32_t steps_left_out = 0;  // between it and its cause
  uint32_t items_left_out = 0;  // between it and the one before
  bool near = false;            // everything is here: texts are whole, too
};

struct Thinned {
  std::vector<Kept> kept;  // in the order of items
  uint64_t left_out = 0;
  uint32_t left_out_behind = 0;  // after the last
};

// Keeps `room` items or a few more.
Thinned thin(const Timeline& timeline, size_t room);

}  // namespace redoubt::sim
