// KeyRemover: the keyspace as those see it that remove keys of their own accord, the active expiry
// and eviction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "engine/store/database.h"
#include "net/time.h"

namespace redoubt {

class KeyRemover {
 public:
  virtual std::span<const std::unique_ptr<Database>> databases() const = 0;
  // False: data stands still (CLIENT PAUSE), and nothing may be removed.
  virtual bool decides() const = 0;
  // Removes the key if it has expired, else up to `parts_max` parts of its value (fields of a hash,
  // members of a set) that have. Counted and announced, with their effects. The key is there.
  virtual void remove_expired(int db, std::string_view key, size_t parts_max) = 0;
  // Removes a key to make room: counted and announced, with its effect.
  virtual void evict(int db, std::string_view key) = 0;
  // Bytes that maxmemory is compared with, summed anew.
  virtual size_t evictable_bytes() const = 0;
  // The part of them that no database holds.
  virtual size_t client_bytes() const = 0;
  // From now on commands that may need memory ask Eviction::admit(), or need not.
  virtual void on_tight(bool tight) = 0;
  // An event of LATENCY that took this long.
  virtual void note_latency(std::string_view event, Duration time) = 0;

 protected:
  ~KeyRemover() = default;
};

}  // namespace redoubt
