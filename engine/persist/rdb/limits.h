// Up to which size values that are loaded have which encoding: the settings in force, as commands
// take them.
#pragma once

#include "engine/store/hash_type.h"
#include "engine/store/set_type.h"
#include "engine/store/zset.h"

namespace redoubt {

struct RdbLimits {
  int list_fill = -2;  // list-max-listpack-size
  SetLimits set;
  HashLimits hash;
  ZsetLimits zset{.entries_max = 128, .value_bytes_max = 64};
};

}  // namespace redoubt
