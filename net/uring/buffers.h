// The memory that the kernel receives into, and that is lent to the node as Chunks.
//
// A ring of buffer numbers is shared with the kernel, which takes from its head; what the node
// gives back is added at its tail, so all buffers in use are cycled through. That is why it starts
// with few: they stay in cache. When the kernel finds none their number doubles; when a quarter
// would have been enough for a while it halves, and the memory of the others goes back to the
// system. Address space for the most is reserved at once.
//
// A buffer is in one of four places: in the ring, in a row's queue of held chunks (linked by
// number), lent to the node, or parked. When all are out and somebody waits for one, held chunks
// are moved to the heap (`spill`), so that connections which nobody listens to cannot starve the
// others. A spilled chunk has a number above those of the buffers, and otherwise behaves as one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "net/op.h"
#include "net/uring/core.h"

namespace redoubt {

class BufferPool {
 public:
  static constexpr uint32_t kCountMax = 4096;
  static constexpr uint32_t kSpilledMax = 16 * 1024;
  static constexpr uint16_t kGroup = 0;

  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  // `count` buffers of `size` bytes to begin with, at most `count_max` (both powers of two). False:
  // *why has one line.
  bool open(Ring& ring, uint32_t size, uint32_t count, uint32_t count_max, std::string* why);

  // The kernel has filled buffer `id`: it is out of the ring.
  void filled(uint32_t id, uint32_t size);
  // A chunk of all that is left in it.
  Chunk chunk(uint32_t id) const;
  // Copies from it and forgets what was copied; returns how much.
  size_t copy_out(uint32_t id, std::span<std::byte> into);
  bool empty(uint32_t id) const { return infos_[id].size == 0; }
  // To the ring again, or to the heap.
  void recycle(uint32_t id);
  // Doubles the number of buffers; false when they are the most already.
  bool grow();
  // Once a turn: halves the number when that was too many for long enough.
  void age();
  // Moves the chunk to the heap and frees its buffer. Gives the new number; `id` itself when it is
  // on the heap already, or when there is too much.
  uint32_t spill(uint32_t id);
  bool is_spilled(uint32_t id) const { return id >= count_max_; }

  // Buffers in the kernel's hands.
  uint32_t available() const { return available_; }
  // Buffers in circulation.
  uint32_t count() const { return target_; }
  // Bytes of those that hold what was received, and of the chunks on the heap.
  size_t bytes_in_use() const {
    const size_t out = target_ > available_ ? target_ - available_ : 0;
    return (out + spilled_.size() - spilled_free_.size()) * size_;
  }

  // A queue of buffers, first in, first out; kNoIndex is the end.
  uint32_t next(uint32_t id) const { return infos_[id].next; }
  void link(uint32_t id, uint32_t next) { infos_[id].next = next; }

 private:
  struct Info {
    uint32_t offset = 0;
    uint32_t size = 0;
    uint32_t next = kNoIndex;
    bool out = false;  // of the ring; guards against a chunk that is given back twice
  };

  std::byte* data(uint32_t id) const {
    return is_spilled(id) ? spilled_[id - count_max_].get() : memory_ + size_t{id} * size_;
  }
  void add(uint32_t id);
  void park(uint32_t id);

  io_uring_buf_ring* ring_ = nullptr;
  std::byte* memory_ = nullptr;
  std::vector<Info> infos_;
  uint32_t size_ = 0;
  uint32_t count_min_ = 0;
  uint32_t count_max_ = 0;
  uint32_t count_ = 0;   // buffers that have been in use; the numbers from here on are fresh
  uint32_t target_ = 0;  // buffers to keep in circulation
  uint32_t available_ = 0;
  uint32_t available_low_ = 0;  // the least since the turn of the last look
  uint32_t turns_ = 0;          // since that look
  std::vector<uint32_t> parked_;
  std::vector<std::unique_ptr<std::byte[]>> spilled_;
  std::vector<uint32_t> spilled_free_;
};

}  // namespace redoubt
