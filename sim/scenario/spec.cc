#include "sim/scenario/spec.h"

#include "net/assert.h"

namespace redoubt::sim {

namespace {

constexpr NumberRow kNumberRows[] = {
#define X(table, name, initial, least, most, text) \
  {#table, #name, &ScenarioNumbers::table##_##name, initial, least, most, text},
    REDOUBT_SIM_NUMBERS(X)
#undef X
};

}  // namespace

std::span<const NumberRow> number_rows() {
  return kNumberRows;
}

ScenarioSpec::ScenarioSpec() {
  for (size_t i = 0; i < kNumberCount; ++i) numbers[i] = Choice::of(kNumberRows[i].initial);
}

Choice& ScenarioSpec::number(int64_t ScenarioNumbers::* field) {
  size_t i = 0;
  while (kNumberRows[i].field != field) ++i;
  return numbers[i];
}

}  // namespace redoubt::sim
