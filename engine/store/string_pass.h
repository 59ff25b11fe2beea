// StringPass: a snapshot pass over the bytes of a large string, chunk by chunk. A write to the
// string first copies the chunks that it touches, so its cost follows from the bytes that it
// writes, not from the size of the string.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>

#include "engine/store/value_pass.h"

namespace redoubt {

class StringPass final : public ValuePass {
 public:
  static constexpr size_t kChunk = 16 * 1024;

  // `block` is that of the Blob.
  StringPass(PassMemory& memory, unsigned slot, const void* block);
  ~StringPass() override;

  // The pass of this string in the list, for the value's writers.
  bool is_of(const void* block) const { return block_ == block; }
  // `size` bytes from `from` on are about to change.
  void before_change(size_t from, size_t size);
  // The Blob has moved.
  void moved(const void* block) { block_ = block; }

  uint64_t count() const override { return size_; }
  bool deliver(SnapshotSink& sink, size_t& budget) override;
  bool release_some(size_t& budget) override;

 private:
  size_t chunk_size(size_t chunk) const { return std::min(kChunk, size_ - chunk * kChunk); }
  void drop(std::map<size_t, char*>::iterator at);

  const void* block_;
  const size_t size_;  // as it was
  size_t next_ = 0;    // the chunk that comes next
  std::map<size_t, char*> kept_;
};

}  // namespace redoubt
