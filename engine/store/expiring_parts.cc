#include "engine/store/expiring_parts.h"

#include <limits>

#include "engine/store/type_ops.h"

namespace redoubt {

namespace {

constexpr int64_t kNoDeadline = std::numeric_limits<int64_t>::max();

}  // namespace

void ExpiringParts::changed(std::string_view key, int64_t before_ms, int64_t after_ms) {
  if (before_ms == after_ms) return;
  // A node of the tree, as counted.
  const size_t bytes = counted_size(sizeof(std::pair<int64_t, std::string>) + 32 + key.size());
  if (before_ms != kNoDeadline && keys_.erase({before_ms, std::string(key)}) > 0) {
    allocator_.discount(bytes);
  }
  if (after_ms != kNoDeadline && keys_.emplace(after_ms, key).second) allocator_.count(bytes);
}

void ExpiringParts::follow(const Entry& entry, bool comes) {
  const TypeOps& ops = ops_of(entry);
  if (ops.next_expiry == nullptr) return;
  const int64_t next = ops.next_expiry(entry);
  changed(entry.key(), comes ? kNoDeadline : next, comes ? next : kNoDeadline);
}

}  // namespace redoubt
