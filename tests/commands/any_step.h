// Generated commands as RapidCheck draws them.
#pragma once

#include <rapidcheck.h>

#include "sim/model/generator.h"
#include "tests/commands/checked_node.h"

namespace redoubt {

// The first command of a generator with any seed, so that RapidCheck can leave any step out; before
// one of four, time passes.
inline rc::Gen<TestStep> any_step(const sim::GeneratorConfig& config) {
  return rc::gen::map(rc::gen::arbitrary<uint64_t>(), [config](uint64_t seed) {
    sim::CommandGenerator generator(config, seed);
    TestStep step;
    step.advance_ms = seed % 4 == 0 ? static_cast<int64_t>(seed % 3000) : 0;
    const sim::GeneratedCommand command = generator.next(kQuietStart_ms);
    step.command.assign(command.arguments.begin(), command.arguments.end());
    return step;
  });
}

}  // namespace redoubt
