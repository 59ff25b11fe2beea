#include "engine/effects/history.h"

#include "net/assert.h"

namespace redoubt {

void History::fork(std::string_view new_id, uint64_t offset) {
  ASSERT(new_id.size() == kIdLength && new_id != id);
  second_id = id;
  second_offset = id.empty() ? kNoSecond : offset;
  id = new_id;
}

bool History::continues(std::string_view of, uint64_t offset, uint64_t first, uint64_t end) const {
  if (id.empty() || of.empty()) return false;
  const bool same = of == id;
  const bool past = !same && of == second_id && offset <= second_offset;
  return (same || past) && offset >= first && offset <= end;
}

}  // namespace redoubt
