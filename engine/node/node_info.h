// NodeInfo: what a node says about itself, by INFO and MEMORY. It gathers the rows that the parts
// of the node register, and brings those about the node as a whole and about its process.
//
// What an empty server takes is measured when the node is made, as far as the allocator can be
// asked:
//
//   used_memory = used_memory_startup + Node::used_memory() + the log of effects
//
// and maxmemory is compared with that less mem_not_counted_for_evict.
#pragma once

#include <cstdint>
#include <string>

#include "engine/insight/command_stats.h"
#include "engine/insight/info_registry.h"
#include "net/backend.h"

namespace redoubt {

class Node;

// Bytes, and for what.
struct MemoryUse {
  uint64_t used = 0;      // by all that is counted
  uint64_t peak = 0;      // the most that it was
  uint64_t startup = 0;   // by an empty server; 0 when the allocator cannot be asked
  uint64_t clients = 0;   // by connections and what they hold
  uint64_t tables = 0;    // by buckets of the dicts
  uint64_t effects = 0;   // by the log of effects, and by what waits for it
  uint64_t overhead = 0;  // all of these but the peak: what is not data
  uint64_t keys = 0;      // how many there are

  uint64_t dataset() const { return used - overhead; }
  // Of what came since the start.
  uint64_t net() const { return used - startup; }
};

class NodeInfo {
 public:
  // All parts of the node are made.
  explicit NodeInfo(Node& node);
  NodeInfo(const NodeInfo&) = delete;
  NodeInfo& operator=(const NodeInfo&) = delete;

  const InfoRegistry& registry() const { return registry_; }
  Node& node() const { return node_; }
  // As of the last refresh().
  const ProcessFacts& process() const { return process_; }
  const AllocatorFacts& allocator() const { return allocator_; }
  const MemoryUse& memory() const { return memory_; }
  // Asks the system, the allocator and the node: some ten microseconds.
  void refresh();

  // Ten times a second; so much time has passed since the last call. Samples the loop.
  void sample_loop(int64_t elapsed_ns);

 private:
  void measure_memory();

  Node& node_;
  InfoRegistry registry_;
  CommandStats command_stats_;
  ProcessFacts process_;
  AllocatorFacts allocator_;
  MemoryUse memory_;
};

}  // namespace redoubt
