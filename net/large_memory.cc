#include "net/large_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

#include "net/assert.h"

namespace redoubt {

namespace {

constexpr size_t kAlignment = 2 * 1024 * 1024;
constexpr size_t kPageBytes = 4096;
// While pages are unmapped, other threads that want to map or unmap some have to wait.
constexpr size_t kUnmapBytes = 4 * 1024 * 1024;

bool is_size(size_t bytes) {
  return bytes >= kLargeMemory && bytes % kPageBytes == 0;
}

}  // namespace

void* map_large(size_t bytes) {
  ASSERT(is_size(bytes));
  // Too much, and then without what lies before and behind the part that is aligned.
  const size_t spare = kAlignment - kPageBytes;
  void* const whole = mmap(nullptr, bytes + spare, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT(whole != MAP_FAILED);
  char* const first = static_cast<char*>(whole);
  const size_t before = (kAlignment - reinterpret_cast<uintptr_t>(first) % kAlignment) % kAlignment;
  if (before > 0) unmap_large(first, before);
  if (before < spare) unmap_large(first + before + bytes, spare - before);
  return first + before;
}

void* grow_large(void* memory, size_t bytes, size_t grown_bytes) {
  ASSERT(is_size(bytes));
  ASSERT(grown_bytes >= bytes);
  if (mremap(memory, bytes, grown_bytes, 0) != MAP_FAILED) return memory;
  void* const place = map_large(grown_bytes);
  void* const moved = mremap(memory, bytes, grown_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place);
  ASSERT(moved == place);
  return moved;
}

void unmap_large(void* memory, size_t bytes) {
  for (size_t left = bytes; left > 0;) {
    const size_t step = std::min(left, kUnmapBytes);
    left -= step;
    const int result = munmap(static_cast<char*>(memory) + left, step);
    ASSERT(result == 0);
  }
}

}  // namespace redoubt
