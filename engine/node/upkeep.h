// Upkeep: what a node does to its data of its own accord (active expiry, eviction, freeing what was
// removed), and the sum of the memory that it counts.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "engine/dispatch/part.h"
#include "engine/dispatch/services.h"
#include "engine/keyspace/expiry.h"
#include "engine/keyspace/key_remover.h"

namespace redoubt {

class Upkeep final : private KeyRemover {
 public:
  // What the services refer to outlives it.
  Upkeep(const Services& services, const Parts& parts);
  Upkeep(const Upkeep&) = delete;
  Upkeep& operator=(const Upkeep&) = delete;

  // For the eviction of this node.
  KeyRemover& remover() { return *this; }
  // DEBUG SET-ACTIVE-EXPIRE.
  void set_active_expiry(bool on) { expiry_.set_active(on); }
  // `hz` times a second.
  void cron();

  // The node is made: asks the allocator what an empty one takes, if it can be asked.
  void measure_startup();
  // Bytes that an empty node takes; 0 when the allocator cannot be asked. maxmemory counts them.
  size_t startup_bytes() const { return startup_bytes_; }
  // Bytes of data, connections and tables, as counted, without those.
  size_t used_memory() const;
  // The part of it that maxmemory does not count: replies on their way, removed values.
  size_t not_counted_for_eviction() const;

 private:
  std::span<const std::unique_ptr<Database>> databases() const override;
  bool decides() const override;
  void remove_expired(int db, std::string_view key, size_t parts_max) override;
  void evict(int db, std::string_view key) override;
  size_t evictable_bytes() const override {
    return startup_bytes_ + used_memory() - not_counted_for_eviction();
  }
  size_t client_bytes() const override;
  void on_tight(bool tight) override;
  void note_latency(std::string_view event, Duration time) override;

  const Services& services_;
  const Parts& parts_;
  Expiry expiry_;
  size_t startup_bytes_ = 0;
};

}  // namespace redoubt
