#include "net/output.h"

#include <algorithm>
#include <cstdlib>

namespace redoubt {

OutputPool::~OutputPool() {
  while (free_ != nullptr) {
    OutputChunk* next = free_->next;
    std::free(free_);
    free_ = next;
  }
}

OutputChunk* OutputPool::get(size_t bytes) {
  if (bytes <= kChunkBytes && free_ != nullptr) {
    OutputChunk* chunk = free_;
    free_ = chunk->next;
    --free_count_;
    chunk->next = nullptr;
    chunk->size = 0;
    return chunk;
  }
  const size_t capacity = std::max(bytes, kChunkBytes);
  ASSERT(capacity <= UINT32_MAX);
  void* memory = std::malloc(sizeof(OutputChunk) + capacity);
  ASSERT(memory != nullptr);
  OutputChunk* chunk = static_cast<OutputChunk*>(memory);
  *chunk = {nullptr, 0, static_cast<uint32_t>(capacity)};
  return chunk;
}

void OutputPool::give_back(OutputChunk* chunk) {
  if (chunk->capacity != kChunkBytes || free_count_ >= kKept) {
    std::free(chunk);
    return;
  }
  chunk->next = free_;
  free_ = chunk;
  ++free_count_;
}

void Output::add_chunk(size_t size) {
  OutputChunk* chunk = pool_->get(size);
  memory_bytes_ += chunk->capacity + sizeof(OutputChunk);
  if (last_ == nullptr) {
    first_ = chunk;
  } else {
    last_->next = chunk;
  }
  last_ = chunk;
}

void Output::append_in_pieces(std::string_view text) {
  while (!text.empty()) {
    size_t room = last_ == nullptr ? 0 : last_->capacity - last_->size;
    if (room == 0) {
      add_chunk(std::min(text.size(), kPieceBytes));
      room = last_->capacity;
    }
    const size_t size = std::min(room, text.size());
    std::memcpy(last_->data() + last_->size, text.data(), size);
    commit(size);
    text.remove_prefix(size);
  }
}

void Output::move_to(Output& to) {
  ASSERT(pool_ == to.pool_);
  if (to.last_ != nullptr) return move_behind(to);
  to.first_ = first_;
  to.last_ = last_;
  to.bytes_ = bytes_;
  to.memory_bytes_ = memory_bytes_;
  first_ = last_ = nullptr;
  bytes_ = memory_bytes_ = 0;
}

void Output::move_behind(Output& to) {
  ASSERT(this != &to);
  if (first_ == nullptr) return;
  if (first_ == last_ && to.last_->capacity - to.last_->size >= first_->size) {
    // A reader that is behind would otherwise hold a chunk for each turn, however short the reply.
    std::memcpy(to.last_->data() + to.last_->size, first_->data(), first_->size);
    to.commit(first_->size);
    clear();
    return;
  }
  to.last_->next = first_;
  to.last_ = last_;
  to.bytes_ += bytes_;
  to.memory_bytes_ += memory_bytes_;
  first_ = last_ = nullptr;
  bytes_ = memory_bytes_ = 0;
}

void Output::move_front_to(Output& to, size_t bytes_max) {
  ASSERT(pool_ == to.pool_ && this != &to);
  size_t moved = 0;
  while (first_ != nullptr && (moved == 0 || moved + first_->size <= bytes_max)) {
    OutputChunk* chunk = first_;
    const size_t memory = chunk->capacity + sizeof(OutputChunk);
    first_ = chunk->next;
    if (first_ == nullptr) last_ = nullptr;
    chunk->next = nullptr;
    (to.last_ == nullptr ? to.first_ : to.last_->next) = chunk;
    to.last_ = chunk;
    moved += chunk->size;
    to.memory_bytes_ += memory;
    memory_bytes_ -= memory;
  }
  to.bytes_ += moved;
  bytes_ -= moved;
}

void Output::slices(std::vector<Slice>& out) const {
  for (OutputChunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
    if (chunk->size > 0) out.push_back(as_slice({chunk->data(), chunk->size}));
  }
}

void Output::drop_back(size_t count) {
  ASSERT(count <= bytes_);
  const size_t keep = bytes_ - count;
  size_t before = 0;
  OutputChunk* chunk = first_;
  while (chunk != nullptr && before + chunk->size < keep) {
    before += chunk->size;
    chunk = chunk->next;
  }
  if (chunk == nullptr) return;
  chunk->size = static_cast<uint32_t>(keep - before);
  for (OutputChunk* later = chunk->next; later != nullptr;) {
    OutputChunk* next = later->next;
    memory_bytes_ -= later->capacity + sizeof(OutputChunk);
    pool_->give_back(later);
    later = next;
  }
  chunk->next = nullptr;
  last_ = chunk;
  bytes_ = keep;
}

std::string Output::copy_from(size_t from) const {
  std::string copy;
  size_t before = 0;
  for (OutputChunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
    const size_t skip = from > before ? std::min<size_t>(from - before, chunk->size) : 0;
    copy.append(chunk->data() + skip, chunk->size - skip);
    before += chunk->size;
  }
  return copy;
}

void Output::clear() {
  while (first_ != nullptr) {
    OutputChunk* next = first_->next;
    pool_->give_back(first_);
    first_ = next;
  }
  last_ = nullptr;
  bytes_ = memory_bytes_ = 0;
}

}  // namespace redoubt
