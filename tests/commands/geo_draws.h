// Random coordinates and sizes for tests of places.
#pragma once

#include <cstdint>
#include <random>

namespace redoubt {

class Draws {
 public:
  explicit Draws(uint64_t seed) : engine_(seed) {}
  double between(double low, double high) {
    return low + (high - low) * (static_cast<double>(engine_() >> 11) * 0x1p-53);
  }
  bool coin() { return (engine_() >> 40 & 1) != 0; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace redoubt
