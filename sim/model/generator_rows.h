// Inside the generator: how each command is made.
#pragma once

#include <span>

#include "sim/model/generator.h"

namespace redoubt::sim {

enum class GeneratorNeed : uint8_t { nothing, newer, flush, scan, select };

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
    }
    return false;
  }
};

// Each family has at least one row that needs nothing.
std::span<const GeneratorRow> generator_rows(CommandFamily family);

// Of files of their own.
std::span<const GeneratorRow> stream_generator_rows();
std::span<const GeneratorRow> hyperloglog_generator_rows();

}  // namespace redoubt::sim
