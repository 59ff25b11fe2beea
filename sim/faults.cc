#include "sim/faults.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace redoubt::sim {

namespace {

constexpr FaultRow kFaultRows[] = {
#define X(name, kind, low, high, unit, text) \
  {#name, &FaultOptions::name, 0, low, high, unit, text, false, FaultKind::kind, {}},
    REDOUBT_SIM_FAULTS(X)
#undef X
#define X(name, of, initial, low, high, unit, text) \
  {#name, &FaultOptions::name, initial, low, high, unit, text, true, FaultKind::strength, of},
        REDOUBT_SIM_STRENGTHS(X)
#undef X
};

// Whether one of the faults of a strength is on.
bool matters(const FaultRow& strength, const FaultOptions& options) {
  return std::any_of(std::begin(kFaultRows), std::end(kFaultRows), [&](const FaultRow& row) {
    return options.*row.field != 0 && is_strength_of(strength, row);
  });
}

}  // namespace

std::span<const FaultRow> fault_rows() {
  return kFaultRows;
}

const FaultRow* find_fault(std::string_view name) {
  for (const FaultRow& row : kFaultRows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

bool is_strength_of(const FaultRow& strength, const FaultRow& fault) {
  const std::string names = " " + std::string(strength.of) + " ";
  return names.find(" " + std::string(fault.name) + " ") != std::string::npos;
}

FaultRandoms::FaultRandoms(uint64_t seed, std::string_view place, uint64_t index)
    : base_(Random(seed, place, index).next()) {}

void FaultRandoms::make() {
  streams_.reserve(kFaultCount);
  for (size_t i = 0; i < kFaultCount; ++i) {
    streams_.emplace_back(base_, kFaultRows[i].name);
  }
}

uint64_t FaultRandoms::draws() const {
  uint64_t draws = 0;
  for (const Random& stream : streams_) draws += stream.draws();
  return draws;
}

FaultOptions draw_faults(Random& random, std::span<const Fault> eligible) {
  FaultOptions options;
  const bool calm = random.below(16) == 0;
  const uint64_t base = random.next();
  for (size_t i = 0; i < std::size(kFaultRows); ++i) {
    const FaultRow& row = kFaultRows[i];
    Random own(base, row.name);
    const bool on = own.below(4) == 0;
    const int64_t value = own.between_log(row.low > 0 ? row.low : 1, row.high);
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
  for (const FaultRow& row : kFaultRows) {
    if (options.*row.field == row.initial) continue;
    if (row.strength && !matters(row, options)) continue;
    if (!text.empty()) text += ' ';
    text += std::string(row.name) + "=" + std::to_string(options.*row.field);
  }
  return text;
}

}  // namespace redoubt::sim
