// The io_uring instance: set-up, submission, waiting.
//
// SINGLE_ISSUER and DEFER_TASKRUN: the kernel does its part of the work (receiving, posting
// completions) only inside our own enter call, so nothing interrupts a turn and a turn costs one
// system call. The ring belongs to the thread that opened it.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "net/op.h"

namespace redoubt {

// What a completion is about. A file operation's user_data is the address of its Op, whose low
// bits are zero; everything else names a row of the handle table.
enum class Tag : uint64_t {
  file = 0,
  receive = 1,       // into a lent buffer, multishot or not
  receive_into = 2,  // into the caller's memory
  send = 3,
  accept = 4,  // the poll of all listeners
  connect = 5,
  cancel = 6,  // a failed request to cancel the row's receive
  wake = 7,    // the event descriptor of helper threads and signals
};

constexpr uint64_t kTagMask = 7;
constexpr unsigned kTagBits = 3;

inline uint64_t user_data(Tag tag, Handle handle) {
  return uint64_t{handle.generation} << 32 | uint64_t{handle.index} << kTagBits |
         static_cast<uint64_t>(tag);
}
inline Tag tag_of(uint64_t data) {
  return static_cast<Tag>(data & kTagMask);
}
inline Handle handle_of(uint64_t data) {
  return {static_cast<uint32_t>(data) >> kTagBits, static_cast<uint32_t>(data >> 32)};
}

// Memory that must stay until the next submission: paths, socket addresses, message headers.
class Scratch {
 public:
  // Aligned to 16 bytes; valid until clear().
  void* take(size_t size);
  const char* text(std::string_view text);  // a copy that ends with a zero byte
  void clear();

 private:
  static constexpr size_t kBlockSize = 64 * 1024;
  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    size_t size = 0;
  };
  std::vector<Block> blocks_;
  size_t used_ = 0;  // of the last block
};

class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring();

  // False: *why has one line that says what is missing and what to do.
  bool open(std::string* why);

  bool is_open() const { return open_; }

  // A free submission entry, to be filled by an io_uring_prep_ function and its user_data; flushes
  // to the kernel when the queue is full. The request is outstanding until its last completion.
  io_uring_sqe* request() {
    ++outstanding_;
    return entry();
  }
  // Asks for the end of the request with that user_data. A failure to find it is reported as
  // `report` when that is not 0; success is silent.
  void cancel(uint64_t data, uint64_t report);

  // Submits what is queued, and waits for a completion until the time is over; no wait for 0.
  void submit_and_wait(int64_t timeout_ns);
  void submit();

  // Calls visit(user_data, result, flags) for each completion that is there.
  template <typename Visit>
  unsigned reap(Visit&& visit) {
    unsigned head = *ring_.cq.khead;
    const unsigned tail = io_uring_smp_load_acquire(ring_.cq.ktail);
    const unsigned count = tail - head;
    for (; head != tail; ++head) {
      const io_uring_cqe cqe = ring_.cq.cqes[head & ring_.cq.ring_mask];
      // The place is free for the kernel before the visit, which may submit.
      io_uring_smp_store_release(ring_.cq.khead, head + 1);
      if ((cqe.flags & IORING_CQE_F_MORE) == 0 && tag_of(cqe.user_data) != Tag::cancel) {
        --outstanding_;
      }
      visit(cqe.user_data, cqe.res, cqe.flags);
    }
    return count;
  }

  // Requests whose final completion has not come.
  uint64_t outstanding() const { return outstanding_; }
  // Taken after request(), which may submit and thereby clear it.
  Scratch& scratch() { return scratch_; }
  io_uring* raw() { return &ring_; }

  // Submits, and waits (at most two seconds) until no request is outstanding, so that the kernel
  // uses no memory of ours. What is to end has to be cancelled before. Calls visit(user_data,
  // result) for each completion.
  void drain(void (*visit)(uint64_t, int));

 private:
  io_uring_sqe* entry();
  void submitted(int result);

  io_uring ring_{};
  bool open_ = false;
  uint64_t outstanding_ = 0;
  Scratch scratch_;
};

}  // namespace redoubt
