// Files: io_uring operations where the kernel has them, a helper thread for the rest. Short reads
// and writes are continued here.
#pragma once

#include <cstdint>

#include "net/uring/core.h"
#include "net/uring/helper_threads.h"

namespace redoubt {

class Files {
 public:
  Files(Core& core, HelperThreads& helpers) : core_(core), helpers_(helpers) {}

  void submit(Op& op);
  void cancel(Op& op);
  void close(Handle handle, Row& row);

  // Completions: from the ring, and from a helper thread.
  void on_done(Op& op, int result);
  void on_helped(Op& op);

  // The jobs of the lane `files`, for the helper thread.
  static void run_truncate(Op& op);
  static void run_list(Op& op);
  static void run_sync_directory(Op& op);

 private:
  void submit_on_handle(Op& op, Row& row);
  void submit_on_path(Op& op);
  void submit_write(Op& op, const Row& row);
  bool written_promptly(Op& op, Row& row);
  void submit_remove(Op& op, int flags);
  void submit_helped(Op& op);
  void send_off(Op& op, io_uring_sqe* sqe);
  void begin(Op& op, Row& row);
  void finish(Op& op);
  bool continued(Op& op, int result);
  bool moved_on(Op& op, int result);
  void answer_size(Op& op, const Row& row);
  void settle_close(Handle handle, Row& row);

  Core& core_;
  HelperThreads& helpers_;
};

}  // namespace redoubt
