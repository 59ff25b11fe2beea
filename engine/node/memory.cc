// What a node counts as memory, and how it follows the limit.
#include <algorithm>

#include "engine/node/node_state.h"

namespace redoubt {

size_t Node::used_memory() const {
  size_t bytes = clients_.memory_bytes() + keyspace_.snapshots().flushed_bytes();
  for (const auto& database : keyspace_.databases()) bytes += database->used_bytes();
  return bytes;
}

size_t Node::not_counted_for_eviction() const {
  size_t bytes = clients_.memory_not_evictable() + keyspace_.snapshots().flushed_bytes();
  for (const auto& database : keyspace_.databases()) {
    bytes += database->remains_bytes() + database->kept_bytes();
  }
  return bytes;
}

// Whether commands of this turn have to ask for memory.
void Node::begin_memory_turn() {
  size_t largest = 0;
  for (const RequestBatch::Request& request : batch_.requests) {
    largest = std::max(largest, static_cast<size_t>(request.bytes));
  }
  eviction_.begin_turn(largest);
}

// A command has changed data.
void Node::data_changed(int db) {
  Database& changed = keyspace_.database(db);
  keyspace_.reclaim().after_change(changed);
  if (changed.allocator().above_mark()) eviction_.above_mark();
}

}  // namespace redoubt
