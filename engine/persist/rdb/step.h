// How a part of an RDB file is read: in steps, from the bytes that have come so far.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "engine/persist/rdb/input.h"

namespace redoubt {

enum class RdbStep : uint8_t {
  done,
  more_bytes,  // input.missing() says how many at least
  more_steps,  // the budget is used up
  failed,      // input.fault() says why
};

// Why reading stopped before an item.
inline RdbStep stopped(const RdbInput& in) {
  return in.fault() != nullptr ? RdbStep::failed : RdbStep::more_bytes;
}
inline RdbStep failed(RdbInput& in, const char* why) {
  in.fail(why);
  return RdbStep::failed;
}

// So many bytes cost as much as an element.
inline constexpr size_t kRdbBytesPerElement = 256;

// Takes an element of so many bytes from the budget.
inline void spend(size_t& budget, size_t bytes) {
  budget -= std::min(budget, 1 + bytes / kRdbBytesPerElement);
}

}  // namespace redoubt
