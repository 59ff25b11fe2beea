// The production world: a node on Linux's io_uring, in one thread.
//
// A turn of the loop is one system call: it submits all that the last turn asked for, and waits for
// a completion or the next deadline. Between two of them the node runs undisturbed.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "net/backend.h"
#include "net/env.h"
#include "net/uring/buffers.h"
#include "net/uring/core.h"
#include "net/uring/files.h"
#include "net/uring/helper_threads.h"
#include "net/uring/listeners.h"
#include "net/uring/streams.h"
#include "net/uring/world_host.h"

namespace redoubt {

struct UringOptions {
  std::string directory = ".";  // the node's own, for relative paths
  WorldHost* host = nullptr;    // outlives the world; null: log lines go to standard output
  // Of listeners: the group that owns a unix socket, and the mark of packets for filters; -1 and 0
  // for none. Connections that the world makes have the mark too.
  int64_t unix_socket_group = -1;
  uint32_t socket_mark = 0;
  // Lent buffers: the kernel fills each with one received chunk. Counts and size are powers of two.
  uint32_t receive_buffer_bytes = 16 * 1024;
  uint32_t receive_buffers = 64;
  uint32_t receive_buffers_max = BufferPool::kCountMax;
};

class UringBackend final : public Backend {
 public:
  // nullptr: *why is one line that says what is wrong and what to do about it. create(), run() and
  // the destructor belong on the same thread.
  static std::unique_ptr<UringBackend> create(const UringOptions& options, std::string* why);
  ~UringBackend() override;
  UringBackend(const UringBackend&) = delete;
  UringBackend& operator=(const UringBackend&) = delete;

  // Turns until request_exit(); returns its status. Then no operation completes any more, the
  // kernel and the helper threads have let go of all memory that operations lent them, and none is
  // marked as in flight. The paths of unix sockets are gone.
  int run(Env& env);

  // handler(owner) is called within a turn after something was written to wake_descriptor(), an
  // event descriptor: other threads and signal handlers may do so. Also called at other times.
  void set_wake_handler(void (*handler)(void*), void* owner);
  int wake_descriptor() const { return wake_fd_; }
  // Relative paths are seen from there from now on. On an error nothing changes.
  Error change_directory(const std::string& path);
  const std::string& directory() const { return core_.directory; }

  Instant now() override;
  WallTime wall() override;
  uint64_t entropy() override;
  Expected<Handle> listen(const Address& address, int backlog, uint32_t mode) override;
  Address local_address(Handle handle) override;
  void submit(Op& op) override;
  void cancel(Op& op) override;
  void abandon(Op& op) override;
  void close(Handle handle) override;
  void give_back(Chunk chunk) override { streams_.give_back(chunk); }
  size_t receive_buffer_bytes() override { return buffers_.bytes_in_use(); }
  void set_keepalive(Handle handle, int idle_s) override;
  void stall(Duration duration) override;
  void log(Level level, std::string_view line) override;
  void report(ServiceState state, std::string_view status) override;
  ProcessFacts process_facts() override;
  AllocatorFacts allocator_facts() override;
  std::string allocator_report() override;
  void request_exit(int status) override;

 private:
  static constexpr size_t kEntropyWords = 64;

  UringBackend(int wake_fd, const UringOptions& options);

  int64_t wait_ns(Env& env);
  void deliver();
  void deliver_ready();
  void dispatch(uint64_t data, int result, uint32_t flags);
  void end();
  void forget_operations();
  static void forget_completion(uint64_t data, int result);
  void cancel_requests(Handle handle, const Row& row);
  void watch_wake();
  void on_wake();
  void submit_helped(Lane lane, Op& op);
  static void run_helped(Op& op);

  const int wake_fd_;
  WorldHost* const host_;
  uint64_t wake_count_ = 0;  // read from wake_fd_
  BufferPool buffers_;       // outlives the ring, which fills them
  Core core_;
  HelperThreads helpers_;
  Streams streams_;
  Listeners listeners_;
  Files files_;

  std::array<uint64_t, kEntropyWords> entropy_{};
  size_t entropy_used_ = kEntropyWords;
  void (*wake_handler_)(void*) = nullptr;
  void* wake_owner_ = nullptr;
  bool exit_requested_ = false;
  bool ended_ = false;
  int exit_status_ = 0;
};

}  // namespace redoubt
