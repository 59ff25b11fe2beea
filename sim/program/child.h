// Runs in processes of their own: one that crashes or hangs is a failure of its seed, and several
// run at once.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/scenario.h"

namespace redoubt::sim {

// What a child tells of its run.
struct ChildResult {
  bool ended = false;  // else it crashed, or was killed
  bool ok = false;
  uint64_t seed = 0;
  std::string digest;
  uint64_t events = 0;
  uint64_t commands = 0;
  int64_t simulated_ns = 0;
  double wall_s = 0;
  FaultCounts fired;
  MarkCounts marks{};
  FaultOptions faults;
  // Of a violation: the checker ("crash" for who did not end) and the place, for grouping.
  std::string checker;
  std::string place;
  int64_t violated_ns = 0;  // when
  // Banner and violation, for people.
  std::string text;
  // The run with nothing left open, as the text of a scenario file; if it was asked for.
  std::string fixed;
};

// For a child that tells its parent something: writes it all, or ends the process with the status.
void write_or_exit(int file, std::string_view bytes, int status);

// Processes that each do one run.
class Children {
 public:
  // Runs in the child; what it returns is told to the parent. The child is sandboxed when it
  // begins.
  using Body = std::function<ChildResult()>;

  Children() = default;
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  // Those that still run are killed.
  ~Children();

  // False: no process can be started.
  bool start(uint64_t seed, const Body& body);
  size_t count() const { return children_.size(); }
  // Waits until some have ended, at most so long; their results, in the order of their ends.
  std::vector<ChildResult> wait(int milliseconds);

 private:
  struct Child {
    pid_t pid = 0;
    int pipe = -1;
    uint64_t seed = 0;
    std::string output;
  };

  static ChildResult finish(Child& child);

  std::vector<Child> children_;
};

}  // namespace redoubt::sim
