// redoubt-sim: runs scenarios in the simulated world. This file reads the command line; the
// commands are in sim/program, the only folder of sim/ that may look at a clock, make processes or
// read and write files.
#include <sys/prctl.h>

#include <CLI/CLI.hpp>

#include "sim/program/commands.h"
#include "sim/program/compare.h"

namespace redoubt::sim {
namespace {

void add_scenario(CLI::App* command, Arguments& arguments) {
  command->add_option("--scenario", arguments.scenario, "see redoubt-sim list, or a file F.toml")
      ->required();
  command->add_option("--fault", arguments.run.faults, "name=value, instead of what the seed drew");
  command->add_option("--commands", arguments.run.commands, "how many the clients send, roughly");
  command->add_option("--bug", arguments.run.plant, "a bug that a checker must find");
}

void add_seed(CLI::App* command, Arguments& arguments) {
  command->add_option("--seed", arguments.run.seed, "any number")->required();
}

int main_program(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("redoubt-sim: Redoubt in a simulated world that fails, from a seed");
  app.require_subcommand(1);
  CLI::App* list = app.add_subcommand("list", "scenarios, checkers, bugs to plant and faults");
  CLI::App* run = app.add_subcommand("run", "one run; the same seed is the same run");
  add_scenario(run, arguments);
  add_seed(run, arguments);
  run->add_option("--trace", arguments.trace, "a file for one line an event");
  run->add_option("--report", arguments.report, "a file for an HTML page of what happened");
  CLI::App* sweep = app.add_subcommand("sweep", "many seeds");
  add_scenario(sweep, arguments);
  sweep->add_option("--seeds", arguments.seeds, "A..B")->required();
  sweep->add_option("--jobs", arguments.jobs, "how many at once; one a core if not said")
      ->check(CLI::Range(1, 1'000));
  sweep->add_option("--time", arguments.time, "start no seed after so long: 90s, 10m, 2h");
  sweep->add_flag("--twice", arguments.twice, "each seed twice; the digests must be equal");
  sweep->add_option("--digests", arguments.digests, "a file for seed and digest, a line each");
  CLI::App* shrink = app.add_subcommand("shrink", "the smallest schedule that still fails");
  add_scenario(shrink, arguments);
  add_seed(shrink, arguments);
  shrink->add_option("-o,--out", arguments.out, "the file to write, for redoubt-sim replay")
      ->required();
  shrink->add_option("--time", arguments.time, "how long to try: 60s if not said");
  CLI::App* replay = app.add_subcommand("replay", "runs a failure that was shrunk or recorded");
  replay->add_option("FILE", arguments.scenario, "what redoubt-sim shrink has written")->required();
  replay->add_option("--trace", arguments.trace, "a file for one line an event");
  replay->add_option("--report", arguments.report, "a file for an HTML page of what happened");
  CompareCommand compare(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  if (list->parsed()) return list_command();
  if (compare.asked()) return compare.run();
  if (const std::string wrong = check_options(arguments.run); !wrong.empty()) {
    return bad_usage(wrong);
  }
  if (run->parsed()) return run_command(arguments);
  if (sweep->parsed()) return sweep_command(arguments);
  return shrink->parsed() ? shrink_command(arguments) : replay_command(arguments);
}

}  // namespace
}  // namespace redoubt::sim

int main(int argc, char** argv) {
  // The databases of simulated nodes are small and many: clearing huge pages would be most of what
  // a short run does. Only advice, and for this process and its children.
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  return redoubt::sim::main_program(argc, argv);
}
