#include <fmt/format.h>

#include "sim/program/canary.h"
#include "sim/program/commands.h"

namespace redoubt::sim {

int list_command() {
  fmt::print("Scenarios (--scenario NAME, or a file of your own that ends in .toml)\n");
  for (const ScenarioSpec& spec : scenarios())
    fmt::print("  {:<18} {}\n", spec.name, spec.description);
  fmt::print("\nCheckers\n");
  for (const Named& row : all_checkers()) fmt::print("  {:<18} {}\n", row.name, row.description);
  fmt::print("\nBugs to plant (--bug NAME), the checkers that find them, and where\n");
  for (const std::span<const Plant> plants : {all_plants(), canary_plants()}) {
    for (const Plant& row : plants) {
      fmt::print("  {:<20} {:<16} {:<12} {}\n", row.name, row.found_by, row.scenario,
                 row.description);
    }
  }
  for (const bool strength : {false, true}) {
    fmt::print("\n{}\n", strength ? "Strengths of faults (--fault NAME=VALUE)"
                                  : "Faults (--fault NAME=VALUE; 0: off)");
    for (const FaultRow& row : fault_rows()) {
      if (row.strength != strength) continue;
      const std::string range = fmt::format("{}..{} {}", row.low, row.high, row.unit);
      fmt::print("  {:<18} {:<20} {}\n", row.name, range, row.description);
    }
  }
  fmt::print("\nUnlucky places in the code (drawn, or [unlucky] of a scenario file)\n");
  for (const PlaceRow& row : unlucky_rows()) fmt::print("  {:<22} {}\n", row.name, row.description);
  fmt::print("\nMarks: states that a sweep should reach\n");
  for (const PlaceRow& row : mark_rows()) fmt::print("  {:<22} {}\n", row.name, row.description);
  fmt::print("\nNumbers of a scenario file\n");
  std::string_view table;
  for (const NumberRow& row : number_rows()) {
    if (row.table != table) fmt::print("  [{}]\n", table = row.table);
    fmt::print("  {:<20} {:<20} {}\n", row.name, row.initial, row.description);
  }
  return kOk;
}

}  // namespace redoubt::sim
