// Output: the bytes that wait to be sent to one connection, in chunks.
//
// Chunks of 4 KB come from a pool that all connections of a node share, last used first, so that
// the replies of a turn are written to memory that is in cache. What is larger and wanted in one
// piece gets a chunk of its own size; what is larger and only appended is cut into chunks of 64 KB,
// so that its memory can go back while the rest still leaves. An idle connection holds no chunk.
// Chunk addresses are staggered, because the first bytes of hundreds of chunks with a common
// power-of-two distance would share a few cache sets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "net/assert.h"
#include "net/op.h"

namespace redoubt {

struct OutputChunk {
  OutputChunk* next;
  uint32_t size;      // bytes written
  uint32_t capacity;  // bytes that fit

  char* data() { return reinterpret_cast<char*>(this + 1); }
};

// The chunks that nobody uses at the moment. Outlives every Output made from it.
class OutputPool {
 public:
  OutputPool() = default;
  OutputPool(const OutputPool&) = delete;
  OutputPool& operator=(const OutputPool&) = delete;
  ~OutputPool();

  OutputChunk* get(size_t bytes);
  void give_back(OutputChunk* chunk);

 private:
  static constexpr size_t kChunkBytes = 4096 - sizeof(OutputChunk) + 64;
  static constexpr size_t kKept = 1024;

  OutputChunk* free_ = nullptr;
  size_t free_count_ = 0;
};

class Output {
 public:
  // Longer texts are appended in several chunks of this size.
  static constexpr size_t kPieceBytes = 64 * 1024 - sizeof(OutputChunk);

  explicit Output(OutputPool& pool) : pool_(&pool) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() { clear(); }

  OutputPool& pool() const { return *pool_; }
  bool empty() const { return bytes_ == 0; }
  // Bytes waiting.
  size_t bytes() const { return bytes_; }
  // Bytes held for them.
  size_t memory_bytes() const { return memory_bytes_; }

  void append(std::string_view text) {
    if (text.size() > kPieceBytes) [[unlikely]]
      return append_in_pieces(text);
    char* to = reserve(text.size());
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    commit(text.size());
  }
  // Room for `size` bytes in one piece; commit() says how many were written.
  char* reserve(size_t size) {
    if (last_ == nullptr || last_->capacity - last_->size < size) add_chunk(size);
    return last_->data() + last_->size;
  }
  void commit(size_t size) {
    last_->size += static_cast<uint32_t>(size);
    bytes_ += size;
  }

  // Moves everything to `to`, behind what is there.
  void move_to(Output& to);
  // Moves chunks from the front to `to`, behind what is there: as many as have `bytes_max` bytes
  // together, but at least one.
  void move_front_to(Output& to, size_t bytes_max);
  // The bytes as slices for sending; valid while nothing is appended or cleared.
  void slices(std::vector<Slice>& out) const;
  // Removes the last `count` bytes.
  void drop_back(size_t count);
  // Copies the bytes from position `from` on, for looking at a reply that was just written.
  std::string copy_from(size_t from) const;
  void clear();

 private:
  void add_chunk(size_t size);
  void append_in_pieces(std::string_view text);
  void move_behind(Output& to);

  OutputPool* pool_;
  OutputChunk* first_ = nullptr;
  OutputChunk* last_ = nullptr;
  size_t bytes_ = 0;
  size_t memory_bytes_ = 0;
};

}  // namespace redoubt
