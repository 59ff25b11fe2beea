// The rows of the hash family.
#include "sim/model/generator_rows.h"

namespace redoubt::sim {

std::span<const GeneratorRow> hash_generator_rows() {
  return {};
}

}  // namespace redoubt::sim
