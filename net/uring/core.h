// What the parts of the io_uring world share: the ring, the table of handles, and the operations
// whose results wait for the next turn.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "net/env.h"
#include "net/op.h"
#include "net/uring/ring.h"

namespace redoubt {

// The end of a list of rows or buffers.
constexpr uint32_t kNoIndex = 0xffffffff;

enum class RowKind : uint8_t { free, listener, stream, connecting, file };

// What the world knows of a handle. An idle connection is one of these and nothing else.
struct Row {
  int fd = -1;
  uint32_t generation = 1;  // of this use, or of the next one while free
  RowKind kind = RowKind::free;
  Error end = Error::none;  // streams: why nothing more will be received
  bool closing = false;     // the handle is dead; the row waits for the kernel to let go of it
  bool greedy = false;      // streams: sent more than was asked for, so receives one by one

  bool armed = false;        // streams: a receive into a lent buffer is with the kernel; listeners:
                             // connections that come end a wait
  bool cancelling = false;   // and was asked to end
  bool into_flight = false;  // a receive into the caller's memory is with the kernel
  bool send_stopped = false;
  bool pressed = false;  // listed among the rows to look at before the wait
  bool starved = false;  // streams: waits for a free buffer
  bool holding = false;  // streams: listed among those that hold buffers of the pool
  bool tcp = false;
  bool waits_for_writes = false;  // files: the file system has no write that does not wait

  uint32_t in_flight = 0;    // requests that the kernel or a helper thread works on
  uint32_t link = kNoIndex;  // next free row
  Op* receiver = nullptr;    // the accept, receive or connect that waits
  Op* sender = nullptr;      // the send that waits; a file's operations
  // Streams: the buffers that came before someone asked for them, oldest first.
  uint32_t held_first = kNoIndex;
  uint32_t held_last = kNoIndex;
};
static_assert(sizeof(Row) <= 64, "an idle connection is one cache line");

// The table of handles. Rows do not move.
class Rows {
 public:
  static constexpr uint32_t kPageRows = 1024;
  static constexpr uint32_t kRowsMax = 1u << 24;

  Handle add(RowKind kind, int fd);
  void remove(Handle handle);
  // The row of a handle that is alive; nullptr for a stale or closed one.
  Row* find(Handle handle) {
    Row* row = find_dead(handle);
    return row != nullptr && !row->closing ? row : nullptr;
  }
  // The same, also while the row waits for the kernel.
  Row* find_dead(Handle handle) {
    if (handle.index >= count_) return nullptr;
    Row& row = at(handle.index);
    return row.generation == handle.generation && row.kind != RowKind::free ? &row : nullptr;
  }
  Row& at(uint32_t index) { return pages_[index / kPageRows][index % kPageRows]; }
  Handle handle(uint32_t index) { return {index, at(index).generation}; }
  uint32_t count() const { return count_; }

 private:
  std::vector<std::unique_ptr<Row[]>> pages_;
  uint32_t count_ = 0;
  uint32_t free_ = kNoIndex;
};

// Operations that are done, or were before they began, and wait for delivery. First in, first out.
class ReadyList {
 public:
  bool empty() const { return first_ == nullptr; }
  void push(Op& op);
  void push(Op& op, Error error) {
    op.result.error = error;
    push(op);
  }
  Op* pop();

 private:
  Op* first_ = nullptr;
  Op* last_ = nullptr;
};

struct Core {
  Ring ring;
  Rows rows;
  ReadyList ready;
  std::string directory;  // absolute
  int directory_fd = -1;  // keeps its number when the directory changes
  int64_t unix_socket_group = -1;
  uint32_t socket_mark = 0;
};

// What is left of the first slice of a send or write that has bytes left: op.result.bytes of all
// are done. The place is kept in the Op, so that a transfer in many pieces looks at each slice
// once.
Slice next_slice(Op& op);

// `path` from the point of view of the node's directory.
std::string absolute_path(const Core& core, std::string_view path);

}  // namespace redoubt
