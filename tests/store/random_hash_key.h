// The keys of keyed hashes, from a seed.
#pragma once

#include "engine/store/hash.h"
#include "engine/store/random.h"

namespace redoubt {

inline HashKey make_hash_key(uint64_t seed = 1) {
  Random random(seed);
  return HashKey([&] { return random.next(); });
}

}  // namespace redoubt
