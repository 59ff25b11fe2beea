// Streams as values: an object of class Stream (stream.h).
#pragma once

#include "engine/store/stream.h"
#include "engine/store/type_ops.h"

namespace redoubt {

inline const Stream& stream_of(const Entry& entry) {
  return *static_cast<const Stream*>(entry.outside());
}
inline Stream& stream_of(Entry& entry) {
  return *static_cast<Stream*>(entry.outside());
}

bool free_some_stream(Allocator& allocator, Encoding encoding, void*& value, size_t& budget);
size_t stream_outside_bytes(const Entry& entry);
size_t stream_free_effort(const Entry& entry);
void* copy_stream(Allocator& to, const Entry& entry);
void digest_stream(const Entry& entry, Digest& digest);
size_t stream_length(const Entry& entry);
PassList* stream_passes(const Entry& entry);
std::unique_ptr<ValuePass> open_stream_pass(PassMemory& memory, unsigned slot, const Entry& entry);

inline constexpr TypeOps kStreamOps = {
    .name = "stream",
    .free_some = free_some_stream,
    .outside_bytes = stream_outside_bytes,
    .free_effort = stream_free_effort,
    .copy = copy_stream,
    .digest = digest_stream,
    .length = stream_length,
    .passes = stream_passes,
    .open_pass = open_stream_pass,
};

}  // namespace redoubt
