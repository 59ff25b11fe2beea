// What checkers find, wherever they are.
#pragma once

#include <string>

#include "net/time.h"

namespace redoubt::sim {

// What a checker found. `expected` and `seen` are for people.
struct Violation {
  std::string checker;
  Instant at;
  std::string node;
  std::string expected;
  std::string seen;
};

}  // namespace redoubt::sim
