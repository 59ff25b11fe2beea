// LoadProgress: how far loading is, for INFO and the log.
#pragma once

#include <cstdint>
#include <string>

#include "net/time.h"

namespace redoubt {

struct LoadProgress {
  bool active = false;
  int64_t started_unix_s = 0;
  Instant started;
  uint64_t total_bytes = 0;
  uint64_t loaded_bytes = 0;
  uint64_t keys_loaded = 0;   // of snapshots
  uint64_t keys_expired = 0;  // that were not taken
  uint64_t entries = 0;       // of append-only files
};

}  // namespace redoubt
