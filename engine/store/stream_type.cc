#include "engine/store/stream_type.h"

#include "engine/store/stream_pass.h"

namespace redoubt {

bool free_some_stream(Allocator&, Encoding, void*& value, size_t& budget) {
  return Stream::free_some(static_cast<Stream*>(value), budget);
}

size_t stream_outside_bytes(const Entry& entry) {
  return stream_of(entry).bytes();
}

size_t stream_free_effort(const Entry& entry) {
  return stream_of(entry).pieces();
}

void* copy_stream(Allocator& to, const Entry& entry) {
  return Stream::copy(to, stream_of(entry));
}

void digest_stream(const Entry& entry, Digest& digest) {
  stream_of(entry).digest(digest);
}

size_t stream_length(const Entry& entry) {
  return stream_of(entry).length();
}

PassList* stream_passes(const Entry& entry) {
  return &stream_of(entry).passes();
}

std::unique_ptr<ValuePass> open_stream_pass(PassMemory& memory, unsigned slot, const Entry& entry) {
  return std::make_unique<StreamPass>(memory, slot, stream_of(entry));
}

}  // namespace redoubt
