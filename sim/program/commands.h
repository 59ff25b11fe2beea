// The commands of redoubt-sim. Each prints for people, with a last line that programs can read, and
// returns the exit status: 0 when all is well, 1 on a violation, 2 on bad usage.
#pragma once

#include "sim/program/arguments.h"

namespace redoubt::sim {

// Scenarios, checkers, planted bugs, faults.
int list_command();
int run_command(const Arguments& arguments);
// Many seeds, each in a process of its own.
int sweep_command(const Arguments& arguments);
// A seed that fails, cut down to the faults and operations that it takes to fail.
int shrink_command(const Arguments& arguments);
// A file that shrink or a person has written.
int replay_command(const Arguments& arguments);

// One run in a child process. `with_fixed`: what it comes to as a scenario file is wanted, too.
class Children;
bool start_run(Children& children, const ScenarioSpec& spec, const Arguments& arguments,
               const RunOptions& options, bool with_fixed);

}  // namespace redoubt::sim
