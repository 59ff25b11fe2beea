#include "engine/store/arena.h"

#include <sys/mman.h>

#include <cstdint>

#include "net/assert.h"

namespace redoubt {

namespace {

constexpr size_t kPageBytes = 4096;

void* reserve_space(size_t bytes) {
  void* space = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return space == MAP_FAILED ? nullptr : space;
}

}  // namespace

Arena::Arena(size_t regions) : capacity_(regions) {
  ASSERT(regions > 0);
  void* space = nullptr;
  // One region more, so that the first can be aligned.
  while ((space = reserve_space((capacity_ + 1) * kRegionBytes)) == nullptr) {
    ASSERT(capacity_ > 1);  // out of address space
    capacity_ /= 2;
  }
  const uintptr_t begin = reinterpret_cast<uintptr_t>(space);
  const uintptr_t aligned = (begin + kRegionBytes - 1) & ~(uintptr_t{kRegionBytes} - 1);
  const size_t before = aligned - begin;
  if (before > 0) munmap(space, before);
  memory_ = static_cast<char*>(space) + before;
  munmap(memory_ + capacity_ * kRegionBytes, kRegionBytes - before);
  // Only advice: without huge pages everything works, slower.
  static_cast<void>(madvise(memory_, capacity_ * kRegionBytes, MADV_HUGEPAGE));
}

Arena::~Arena() {
  munmap(memory_, capacity_ * kRegionBytes);
}

char* Arena::take() {
  ASSERT(!full());
  if (!free_.empty()) {
    char* region = free_.back();
    free_.pop_back();
    return region;
  }
  char* region = memory_ + cut_ * kRegionBytes;
  const int result = mprotect(region, kRegionBytes, PROT_READ | PROT_WRITE);
  ASSERT(result == 0);  // out of memory
  ++cut_;
  return region;
}

void Arena::give_back(char* region) {
  ASSERT(contains(region) && used() > 0);
  static_cast<void>(madvise(region, kRegionBytes, MADV_DONTNEED));
  free_.push_back(region);
}

void SpareRegion::touch() {
  volatile char* bytes = memory_;
  for (size_t at = 0; at < Arena::kRegionBytes; at += kPageBytes) bytes[at] = 0;
}

}  // namespace redoubt
