#include "net/blob.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdint>

#include "net/large_memory.h"

namespace redoubt {
namespace {

// A byte that its place determines.
char byte_at(size_t at) {
  return static_cast<char>(at * 2654435761u >> 13);
}

void fill(Blob& blob, size_t from) {
  for (size_t i = from; i < blob.size(); ++i) blob.data()[i] = byte_at(i);
}

bool is_whole(const Blob& blob) {
  for (size_t i = 0; i < blob.size(); ++i) {
    if (blob.data()[i] != byte_at(i)) return false;
  }
  return true;
}

TEST(Blob, KeepsItsBytesWhileItGrowsOutOfSmallMemory) {
  Blob blob;
  for (size_t size = 1; size < 40'000'000; size = size * 5 / 4 + 1) {
    const size_t before = blob.size();
    blob.reserve(size);
    ASSERT_GE(blob.capacity(), size);
    ASSERT_EQ(blob.size(), before);
    blob.set_size(size);
    fill(blob, before);
  }
  EXPECT_TRUE(is_whole(blob));
  Blob moved = std::move(blob);
  EXPECT_TRUE(is_whole(moved));
  moved.reset();
  EXPECT_FALSE(moved);
}

TEST(Blob, KeepsItsBytesAtTheBorderOfLargeMemory) {
  for (size_t size = kLargeMemory - 20; size <= kLargeMemory + 20; ++size) {
    Blob blob;
    blob.reserve(size);
    blob.set_size(size);
    blob.data()[0] = 'a';
    blob.data()[size - 1] = 'z';
    blob.reserve(size + kLargeMemory);
    EXPECT_EQ(blob.data()[0], 'a');
    EXPECT_EQ(blob.data()[size - 1], 'z');
  }
}

int64_t page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// Copying would touch all pages.
TEST(LargeMemory, GrowsByMovingPages) {
  const size_t bytes = kLargeMemory;
  char* memory = static_cast<char*>(map_large(bytes));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % kLargeMemory, 0U);
  memory[0] = 'a';
  memory[bytes - 1] = 'z';
  // Something lies behind it now, or in its way, so that it cannot always grow in place.
  void* other = map_large(bytes);
  size_t size = bytes;
  const int64_t faults = page_faults();
  while (size < 64 * bytes) {
    memory = static_cast<char*>(grow_large(memory, size, 2 * size));
    size *= 2;
    ASSERT_EQ(reinterpret_cast<uintptr_t>(memory) % kLargeMemory, 0U);
    ASSERT_EQ(memory[0], 'a');
    ASSERT_EQ(memory[bytes - 1], 'z');
    ASSERT_EQ(memory[size - 1], '\0');
  }
  EXPECT_LT(page_faults() - faults, 200);
  unmap_large(memory, size);
  unmap_large(other, bytes);
}

}  // namespace
}  // namespace redoubt
