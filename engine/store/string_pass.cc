#include "engine/store/string_pass.h"

#include <cstring>

#include "net/blob.h"

namespace redoubt {

StringPass::StringPass(PassMemory& memory, unsigned slot, const void* block)
    : ValuePass(memory, memory.strings(), slot),
      block_(block),
      size_(Blob::view_of(block).size()) {}

StringPass::~StringPass() {
  size_t everything = SIZE_MAX;
  release_some(everything);
}

void StringPass::drop(std::map<size_t, char*>::iterator at) {
  const size_t size = chunk_size(at->first);
  memory().let_go(counted_size(size));
  memory().allocator().release(at->second, size);
  kept_.erase(at);
}

void StringPass::before_change(size_t from, size_t size) {
  const size_t end = size < size_ - std::min(from, size_) ? from + size : size_;
  if (from >= end) return;
  for (size_t chunk = std::max(from / kChunk, next_); chunk * kChunk < end; ++chunk) {
    const auto [at, added] = kept_.try_emplace(chunk, nullptr);
    if (!added) continue;
    const size_t bytes = chunk_size(chunk);
    at->second = static_cast<char*>(memory().allocator().allocate(bytes));
    std::memcpy(at->second, Blob::view_of(block_).data() + chunk * kChunk, bytes);
    memory().hold(counted_size(bytes));
  }
}

bool StringPass::deliver(SnapshotSink& sink, size_t& budget) {
  for (; next_ * kChunk < size_; ++next_) {
    if (budget == 0 || !sink.takes_more()) return false;
    --budget;
    const auto kept = kept_.find(next_);
    if (kept == kept_.end()) {
      sink.string_bytes(Blob::view_of(block_).substr(next_ * kChunk, chunk_size(next_)));
      continue;
    }
    sink.string_bytes({kept->second, chunk_size(next_)});
    drop(kept);
  }
  return true;
}

bool StringPass::release_some(size_t& budget) {
  for (; !kept_.empty(); --budget) {
    if (budget == 0) return false;
    drop(kept_.begin());
  }
  return true;
}

}  // namespace redoubt
