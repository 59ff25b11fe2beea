#include "sim/faults.h"

#include <charconv>

namespace redoubt::sim {

namespace {

constexpr FaultRow kRows[] = {
#define X(name, initial, low, high, unit, text) \
  {#name, &FaultOptions::name, initial, low, high, unit, text, false},
    REDOUBT_SIM_FAULTS(X)
#undef X
#define X(name, initial, low, high, unit, text) \
  {#name, &FaultOptions::name, initial, low, high, unit, text, true},
        REDOUBT_SIM_STRENGTHS(X)
#undef X
};

}  // namespace

std::span<const FaultRow> fault_rows() {
  return kRows;
}

const FaultRow* find_fault(std::string_view name) {
  for (const FaultRow& row : kRows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

FaultOptions draw_faults(Random& random, std::span<const Fault> eligible) {
  FaultOptions options;
  const bool calm = random.below(16) == 0;
  // Every row draws, so that a fault more in the list of a scenario changes only itself.
  for (size_t i = 0; i < std::size(kRows); ++i) {
    const FaultRow& row = kRows[i];
    const bool on = random.below(4) == 0;
    const int64_t value = random.between_log(row.low > 0 ? row.low : 1, row.high);
    bool allowed = row.strength;
    for (const Fault fault : eligible) allowed = allowed || static_cast<size_t>(fault) == i;
    if (allowed && !calm && (on || row.strength)) options.*row.field = value;
  }
  return options;
}

std::string set_fault(FaultOptions& options, std::string_view assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string_view::npos) {
    return "--fault takes name=value, not '" + std::string(assignment) + "'";
  }
  const std::string_view name = assignment.substr(0, equals);
  const std::string_view digits = assignment.substr(equals + 1);
  const FaultRow* row = find_fault(name);
  if (row == nullptr) return "there is no fault '" + std::string(name) + "'; see redoubt-sim list";
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool number = error == std::errc() && end == digits.data() + digits.size();
  const bool in_range = value >= row->low && value <= row->high;
  if (!number || !(in_range || (value == 0 && !row->strength))) {
    return std::string(name) + " takes a number from " + std::to_string(row->low) + " to " +
           std::to_string(row->high) + (row->strength ? "" : ", or 0 for off") + ", not '" +
           std::string(digits) + "'";
  }
  options.*row->field = value;
  return {};
}

std::string faults_text(const FaultOptions& options) {
  std::string text;
  for (const FaultRow& row : kRows) {
    if (options.*row.field == row.initial) continue;
    if (!text.empty()) text += ' ';
    text += std::string(row.name) + "=" + std::to_string(options.*row.field);
  }
  return text;
}

}  // namespace redoubt::sim
