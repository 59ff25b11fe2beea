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
#include "net/uring/log_sink.h"
#include "net/uring/streams.h"

namespace redoubt {

struct UringOptions {
  std::string directory = ".";  // the node's own, for relative paths
  std::string log_file;         // appended to; "" is standard output
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

  // Turns until request_exit(); returns its status. Then no operation completes any more, and the
  // kernel and the helper threads have let go of all memory that operations lent them.
  int run(Env& env);

  // The first SIGTERM or SIGINT calls handler(owner) within a turn. A second ends the process with
  // status 1 at once. Without this call the signals end the process.
  void set_stop_handler(void (*handler)(void*), void* owner);
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
  ProcessFacts process_facts() override;
  void request_exit(int status) override;

 private:
  static constexpr size_t kEntropyWords = 64;

  explicit UringBackend(int wake_fd);

  int64_t wait_ns(const Env& env);
  void deliver();
  void deliver_ready();
  void dispatch(uint64_t data, int result, uint32_t flags);
  void end();
  void cancel_requests(Handle handle, const Row& row);
  void watch_wake();
  void on_wake();
  void submit_helped(Lane lane, Op& op);
  static void run_helped(Op& op);

  const int wake_fd_;
  uint64_t wake_count_ = 0;  // read from wake_fd_
  BufferPool buffers_;       // outlives the ring, which fills them
  Core core_;
  HelperThreads helpers_;
  Streams streams_;
  Listeners listeners_;
  Files files_;
  LogSink log_;

  std::array<uint64_t, kEntropyWords> entropy_{};
  size_t entropy_used_ = kEntropyWords;
  void (*stop_handler_)(void*) = nullptr;
  void* stop_owner_ = nullptr;
  bool stop_told_ = false;
  bool exit_requested_ = false;
  bool ended_ = false;
  int exit_status_ = 0;
};

}  // namespace redoubt
