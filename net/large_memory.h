// Memory of megabytes, in mappings of its own.
//
// What grows while it holds hundreds of megabytes must not be copied, and an allocator may do just
// that: jemalloc's realloc copies whatever does not fit in place, and 512 MB take it a quarter of a
// second. The kernel can move pages to another address instead. It moves the tables of 2 MB each
// where both addresses are multiples of 2 MB, so these are.
#pragma once

#include <cstddef>

namespace redoubt {

// From here on a mapping costs little beside what is in it.
inline constexpr size_t kLargeMemory = 2 * 1024 * 1024;

// Sizes are multiples of 4096 from kLargeMemory on. Fresh memory is zero. Without memory the
// process stops.
void* map_large(size_t bytes);
// Other memory, or the same, of a larger size, with the contents of the old, which is gone.
void* grow_large(void* memory, size_t bytes, size_t grown_bytes);
// Takes about 0.1 us a page that was touched.
void unmap_large(void* memory, size_t bytes);

}  // namespace redoubt
