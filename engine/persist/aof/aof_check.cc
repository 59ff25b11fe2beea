#include "engine/persist/aof/aof_check.h"

#include "engine/persist/aof/aof_entries.h"

namespace redoubt {

AofCheck check_aof(const AofRead& read, uint64_t from) {
  AofCheck check;
  AofEntries entries(from);
  for (;;) {
    for (;;) {
      const AofEntries::Item item = entries.next();
      if (item == AofEntries::Item::need_more) break;
      if (item == AofEntries::Item::time) continue;
      if (item == AofEntries::Item::damaged) {
        check.problem = entries.problem();
        check.damaged = true;
        check.good_bytes = entries.begin();
        check.bytes = entries.fed();
        return check;
      }
      ++check.entries;
      if (entries.marked()) ++check.marked;
    }
    const std::string_view bytes = read();
    if (bytes.empty()) break;
    bytes.copy(entries.room(bytes.size()), bytes.size());
    entries.took(bytes.size());
  }
  check.good_bytes = entries.begin();
  check.bytes = entries.fed();
  if (check.good_bytes < check.bytes) check.problem = entries.incomplete();
  return check;
}

}  // namespace redoubt
