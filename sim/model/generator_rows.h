// Inside the generator: how each command is made.
#pragma once

#include <span>

#include "sim/model/generator.h"

namespace redoubt::sim {

enum class GeneratorNeed : uint8_t { nothing, newer, flush, scan, select, waiting, chance };

struct GeneratorRow {
  unsigned weight;
  GeneratorNeed needs;
  void (*make)(CommandGenerator& generator);

  bool allowed(const GeneratorConfig& config) const {
    switch (needs) {
      case GeneratorNeed::nothing: return true;
      case GeneratorNeed::newer: return config.newer;
      case GeneratorNeed::flush: return config.flush;
      case GeneratorNeed::scan: return config.scan;
      case GeneratorNeed::select: return config.select;
      case GeneratorNeed::waiting: return config.waiting;
      case GeneratorNeed::chance: return config.chance;
    }
    return false;
  }
};

// The families that have files of their own.
std::span<const GeneratorRow> set_generator_rows();
std::span<const GeneratorRow> hash_generator_rows();

// Each family has at least one row that needs nothing.
std::span<const GeneratorRow> generator_rows(CommandFamily family);

// The families that have a file of their own.
std::span<const GeneratorRow> list_generator_rows();

}  // namespace redoubt::sim
