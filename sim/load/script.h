// What clients do, step by step: recorded from a run, kept in a file, cut down to what a failure
// needs, and played again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "net/time.h"

namespace redoubt::sim {

// One pipeline of a client. Without commands: what it waited for last, before the run ended.
struct ScriptStep {
  uint32_t node = 0;
  uint32_t client = 0;
  Instant at;  // when it was sent
  // The pauses before it: before each attempt to connect, or between the last reply and this. None:
  // it is sent at `at`, or as soon after that as there is a connection.
  std::vector<Duration> pauses;
  // Commands as words; whether each was sent as an inline command.
  std::vector<std::vector<std::string>> commands;
  std::vector<uint8_t> inline_form;
  // It breaks off after so many bytes; 0: it is sent whole.
  uint64_t cut = 0;
  // The connection ends when the replies are there.
  bool hangs_up = false;
  // It was sent after the load, when each client connects anew and is served once.
  bool farewell = false;

  // Part of the load.
  bool loads() const { return !farewell && !commands.empty(); }
};

using Script = std::vector<ScriptStep>;

}  // namespace redoubt::sim
