// Where two runs that should be the same part: their streams of events are read side by side.
#pragma once

#include <optional>

#include "sim/first_difference/event_stream.h"

namespace redoubt::sim {

struct FirstDifference {
  uint64_t place = 0;  // so many events before it are the same
  // The event in either run, as a line; or that it ends here, or breaks off.
  std::string left;
  std::string right;
  // The last events before, which are the same.
  std::vector<std::string> before;
};

struct Comparison {
  std::optional<FirstDifference> difference;
  uint64_t events = 0;  // that are the same
  std::string outcome;  // of both runs, when nothing differs
};

// Reads until the first difference, or to the end. Two streams that both break off at the same
// place differ there, because nobody knows how they would have gone on.
Comparison compare_events(EventReader& left, EventReader& right);

}  // namespace redoubt::sim
