#include "engine/store/stream_type.h"

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

}  // namespace redoubt
