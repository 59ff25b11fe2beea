// A process that goes to the background (daemonize yes).
#pragma once

#include <string>

namespace redoubt {

// Forks before the process has threads, a ring or open files. The parent waits in detach() until
// the child calls ready() or ends, and ends with the matching status: whoever has started it knows
// whether it runs. What the child writes to standard error until then reaches the terminal.
class Detached {
 public:
  Detached() = default;
  Detached(const Detached&) = delete;
  Detached& operator=(const Detached&) = delete;

  // Returns in the child only, which leads a session of its own. False: *why says why not, and the
  // process is as it was.
  bool detach(std::string* why);
  // Lets the parent end with status 0, and lets go of the terminal. Does nothing without detach().
  void ready();

 private:
  int parent_fd_ = -1;
};

}  // namespace redoubt
