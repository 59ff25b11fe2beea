// The order of many scores, for SORT: by radix, a byte at a time from the lowest.
//
// A double becomes an unsigned number that compares as it does. Of its eight bytes a sort of small
// integers needs two or three: bytes that are the same in all keys are left out. A pass costs two
// walks over the items and no comparison, so a thousand numbers take some microseconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace redoubt {

// The key of a score, and which element it belongs to.
struct RankedScore {
  uint64_t key;
  size_t index;
};

// Keys compare as scores do, or the other way round with `descending`. -0 is 0. Not for nan.
uint64_t score_key(double score, bool descending);

// Sorts by key, and by index where keys are equal; in the beginning the indexes rise.
void sort_by_key(std::vector<RankedScore>& items);

}  // namespace redoubt
