// What clients say beside commands about data: unknown and malformed commands, changes of the
// configuration, client-side tracking, walks over keys and elements, questions of what is counted.
#pragma once

#include <string>
#include <vector>

#include "sim/model/generator.h"
#include "sim/random.h"

namespace redoubt::sim {

class Asides {
 public:
  using Words = std::vector<std::string>;

  // `generator` and `random` outlive this. `evicts`: there is a limit of memory.
  Asides(const CommandGenerator& generator, uint64_t keys, bool evicts, Random& random)
      : generator_(generator), keys_(keys), evicts_(evicts), random_(random) {}

  Words unknown();
  Words settings();
  // CLIENT PAUSE, mostly of writes, or its end.
  Words pause();
  // `redirect`: a session that messages may go to, or nothing.
  Words tracking(const std::string& redirect);
  // The first command of a walk.
  Words walk();
  Words question();
  // A use of a key that nothing else names, some more often than others, or when and how often it
  // was used.
  Words quiet();

 private:
  std::string key();

  const CommandGenerator& generator_;
  const uint64_t keys_;
  const bool evicts_;
  Random& random_;
};

}  // namespace redoubt::sim
