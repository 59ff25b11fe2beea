// Faults of tests, from text.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "sim/nemesis.h"

namespace redoubt::sim {

inline FaultStrike read_strike(const std::string& text) {
  FaultStrike strike;
  EXPECT_EQ(parse_strike(text, &strike), "") << text;
  return strike;
}

}  // namespace redoubt::sim
