#include "sim/model/generator_parts.h"

namespace redoubt::sim {

size_t add_keys(CommandGenerator& generator, size_t most, AddKey add_key) {
  const size_t keys = 1 + generator.random().below(most);
  for (size_t i = 0; i < keys; i++) {
    add_key(generator);
  }
  return keys;
}

void add_counted_keys(CommandGenerator& generator, AddKey add_key) {
  const size_t keys = 1 + generator.random().below(3);
  if (generator.random().per_mille(generator.config().extreme_per_mille)) {
    generator.add_integer(-5, 10);
  } else {
    generator.add_number(static_cast<int64_t>(keys));
  }
  for (size_t i = 0; i < keys; i++) {
    add_key(generator);
  }
}

void add_cardinality_limit(CommandGenerator& generator) {
  if (generator.random().one_in(2)) {
    generator.add_word("LIMIT");
    generator.add_integer(-1, 10);
  }
}

void add_element_scan(CommandGenerator& generator) {
  generator.random().one_in(16) ? generator.add_increment() : generator.add("0");
  if (generator.random().one_in(2)) {
    generator.add_word("COUNT");
    generator.add_integer(1, 2000);
  }
  if (generator.random().one_in(4)) {
    generator.add_word("MATCH");
    generator.random().one_in(2) ? generator.add_pattern() : generator.add("*1*");
  }
}

}  // namespace redoubt::sim
