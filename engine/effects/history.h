// History: which stream of effects an offset belongs to.
//
// An id names a history; (id, offset) names a state of the data. A node whose history has another
// one as its past (a replica that was promoted) knows that one's id too, and up to which offset the
// two are the same: a replica of the old one can go on with the new one if it is not ahead of that.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace redoubt {

struct History {
  static constexpr size_t kIdLength = 40;  // hexadecimal digits
  static constexpr uint64_t kNoSecond = UINT64_MAX;

  std::string id;                      // empty: it has not begun
  std::string second_id;               // of the past, empty when there is none
  uint64_t second_offset = kNoSecond;  // the first offset at which the two differ

  // The id changes at `offset`; the old one becomes the second.
  void fork(std::string_view new_id, uint64_t offset);
  // Whether one that has everything of history `of` up to `offset` (the offset of the first byte it
  // lacks) can go on with this history: it is this one or its past, not ahead of their common part,
  // and the bytes [offset, end) are there, where [first, end] is what the log holds.
  bool continues(std::string_view of, uint64_t offset, uint64_t first, uint64_t end) const;
};

class Env;

// An id that is drawn: History::kIdLength hexadecimal digits.
std::string random_hex_id(Env& env);

}  // namespace redoubt
