// The report of a run: one HTML page that needs nothing else, with the viewer and what it shows.
//
//   RunRecorder recorder;
//   run_options.recorder = &recorder;
//   const RunResult result = scenario.run(run_options);
//   write(make_report(recorder, {scenario.name, seed, replay_line, result}));
#pragma once

#include <string>
#include <string_view>

#include "sim/scenario/scenario.h"
#include "sim/trace/run_recorder.h"

namespace redoubt::sim {

struct ReportFacts {
  std::string_view scenario;
  uint64_t seed;
  std::string_view replay;  // the command line that gives the same run
  const RunResult& result;
};

struct ReportLimits {
  // Of the whole page. What does not fit is left out, the furthest from the violation first.
  size_t bytes_max = 2'000'000;
  size_t items_max = 40'000;
};

std::string make_report(const RunRecorder& recorder, const ReportFacts& facts,
                        const ReportLimits& limits = {});

}  // namespace redoubt::sim
