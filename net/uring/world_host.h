// The process that a world of io_uring lives in. A process may hold several worlds, each on a
// thread of its own: calls come from these threads, and from the threads that help them.
#pragma once

#include <string>
#include <string_view>

#include "net/backend.h"

namespace redoubt {

class WorldHost {
 public:
  virtual ~WorldHost() = default;

  // One line of the log, without its newline.
  virtual void log(Level level, std::string_view line) = 0;
  // How far a node is, for whoever supervises the process.
  virtual void report(ServiceState state, std::string_view status) = 0;
  // Who supervises it: "no", "systemd" or "upstart".
  virtual std::string supervised() const = 0;
  // The allocator that the process is linked with, as Backend has it.
  virtual AllocatorFacts allocator_facts() const { return {}; }
  virtual std::string allocator_report() const { return {}; }
  // The first call on each thread that helps a world.
  virtual void on_helper_thread() = 0;
};

}  // namespace redoubt
