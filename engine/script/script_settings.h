// The settings of scripts. Their directives are in script_directives.cc.
#pragma once

#include <cstddef>
#include <cstdint>

namespace redoubt {

// The enumerators stand in the order of the words in the rows of their directives.
enum class ScriptOnError : uint8_t { keep, rollback };

struct ScriptSettings {
  int64_t busy_reply_threshold_ms = 5000;
  int64_t time_max_ms = 0;  // a script that takes longer is ended; 0: none is
  ScriptOnError on_error = ScriptOnError::keep;
  bool undo_killed = true;  // a script that has written can be killed: its changes are undone
  size_t memory_max = size_t{1} << 30;  // of each interpreter
};

}  // namespace redoubt
