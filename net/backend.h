// The door: everything that a node knows of the world goes through these calls. Two worlds
// implement it: net/uring for production, sim/world for the simulator. What else a node needs
// (timers, turns, coroutines) is inline code above it that both worlds share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/expected.h"
#include "net/op.h"
#include "net/time.h"

namespace redoubt {

enum class Level : uint8_t { debug, verbose, notice, warning };

// How far a node is, for whoever supervises its process.
enum class ServiceState : uint8_t { starting, ready, stopping };

// What the system says of the process that the node lives in, for INFO. The simulator answers fixed
// numbers.
struct ProcessFacts {
  int64_t pid = 0;
  uint64_t resident_bytes = 0;  // physical memory in use
  // Processor time of the process so far, and of the thread that runs the node.
  uint64_t user_cpu_us = 0;
  uint64_t system_cpu_us = 0;
  uint64_t main_thread_user_cpu_us = 0;
  uint64_t main_thread_system_cpu_us = 0;
  // Of its child processes that have ended. A node starts none: it never forks.
  uint64_t children_user_cpu_us = 0;
  uint64_t children_system_cpu_us = 0;
  std::string os;  // "Linux 6.18 x86_64"
  uint64_t total_memory_bytes = 0;
  std::string executable;         // absolute path of the program, empty when unknown
  std::string supervised = "no";  // by "systemd" or "upstart"
};

// What the allocator of the process counts. Memory that was mapped beside it is not in it.
struct AllocatorFacts {
  std::string name;        // "jemalloc-5.3.0"; empty: it cannot be asked, and the rest is 0
  uint64_t allocated = 0;  // bytes in use, as the allocator rounds them up
  uint64_t active = 0;     // bytes of pages of which something is in use
  uint64_t resident = 0;   // bytes of pages that the allocator has from the system
};

class Backend {
 public:
  virtual ~Backend() = default;

  // The clocks. now() never goes back; wall() may jump.
  virtual Instant now() = 0;
  virtual WallTime wall() = 0;

  // 64 random bits that nobody outside can guess (in the simulator: from this node's stream).
  virtual uint64_t entropy() = 0;

  // Binds and listens at once, so that a start can fail with a clear error. The port 0 of a TCP
  // address means any free one. A plain file at a unix socket's path, or a socket on which nobody
  // listens, is removed first; `mode` are its permissions, 0 for the process's own.
  virtual Expected<Handle> listen(const Address& address, int backlog, uint32_t mode) = 0;
  // The address that a listener or a stream has on this side.
  virtual Address local_address(Handle handle) = 0;

  // Starts an operation. Errors arrive in on_done too.
  virtual void submit(Op& op) = 0;
  // Asks for an early end; on_done comes with Error::cancelled, or with the result if that was
  // quicker.
  virtual void cancel(Op& op) = 0;
  // The owner of a background job goes: nothing touches the operation afterwards, and on_done does
  // not come. Waits for a job that runs.
  virtual void abandon(Op& op) = 0;
  // Ends a stream, listener or file. What is in flight on it completes with Error::cancelled. Bytes
  // already sent leave. The handle is dead after this call.
  virtual void close(Handle handle) = 0;
  // Returns a lent chunk.
  virtual void give_back(Chunk chunk) = 0;
  // Bytes of chunks that are lent, or hold what nobody has asked for yet.
  virtual size_t receive_buffer_bytes() { return 0; }

  // Options of a TCP stream: keepalive after `idle` seconds without traffic, 0 for none.
  virtual void set_keepalive(Handle handle, int idle_s) = 0;

  // The node does nothing for this long (DEBUG SLEEP).
  virtual void stall(Duration duration) = 0;
  // One line of the log, without its newline; the world adds nothing to it.
  virtual void log(Level level, std::string_view line) = 0;
  // Tells whoever supervises the process how far the node is; `status` is a short line for people.
  virtual void report(ServiceState /*state*/, std::string_view /*status*/) {}
  // Asks the system: some microseconds, for INFO and the like.
  virtual ProcessFacts process_facts() = 0;
  // Asks the allocator: some microseconds.
  virtual AllocatorFacts allocator_facts() { return {}; }
  // What the allocator says of itself, as a text for people of some 10 KB; empty when it says
  // nothing.
  virtual std::string allocator_report() { return {}; }
  // The node is through; the world ends it after this turn.
  virtual void request_exit(int status) = 0;
};

// For worlds, when a handle is closed after an operation on it was done and before its result is
// told: what the result holds goes back, and the operation was cancelled.
void discard_result(Backend& backend, Op& op);

}  // namespace redoubt
