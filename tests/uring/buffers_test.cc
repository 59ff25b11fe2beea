// The pool of lent buffers: growing, ageing, and chunks on the heap.
#include "net/uring/buffers.h"

#include <cstring>
#include <set>

#include "tests/uring/support.h"

namespace redoubt {
namespace {

class Buffers : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    ASSERT_TRUE(ring.open(&why)) << why;
    ASSERT_TRUE(pool.open(ring, 4096, 4, 16, &why)) << why;
  }

  // As if the kernel had taken every buffer of the ring; their numbers.
  std::set<uint32_t> take_all() {
    std::set<uint32_t> taken;
    for (uint32_t id = 0; id < 16 && pool.available() > 0; ++id) {
      if (out.contains(id) || id >= seen) continue;
      pool.filled(id, 1);
      out.insert(id);
      taken.insert(id);
    }
    return taken;
  }
  void give_all_back() {
    for (uint32_t id : out) pool.recycle(id);
    out.clear();
  }
  void grow() {
    ASSERT_TRUE(pool.grow());
    seen = std::max(seen, pool.count());
  }

  BufferPool pool;
  Ring ring;
  std::set<uint32_t> out;
  uint32_t seen = 4;  // numbers that the pool has used
};

TEST_F(Buffers, GrowUpToTheirLimit) {
  EXPECT_EQ(pool.available(), 4u);
  EXPECT_EQ(take_all().size(), 4u);
  grow();
  EXPECT_EQ(take_all().size(), 4u);
  grow();
  EXPECT_EQ(take_all().size(), 8u);
  EXPECT_FALSE(pool.grow());
  give_all_back();
  EXPECT_EQ(pool.available(), 16u);
}

TEST_F(Buffers, BecomeFewAgain) {
  take_all();
  grow();
  take_all();
  grow();
  give_all_back();
  for (int turn = 0; turn < 100'000; ++turn) {
    pool.age();
    // One buffer at a time is in use; the kernel cycles through all of the ring.
    const auto id = static_cast<uint32_t>(turn) % 16;
    if (pool.available() == 4) break;
    pool.filled(id, 10);
    pool.recycle(id);
  }
  EXPECT_EQ(pool.count(), 4u);
  EXPECT_EQ(pool.available(), 4u);
  // And many again, from those that were put aside.
  EXPECT_TRUE(pool.grow());
  EXPECT_TRUE(pool.grow());
  EXPECT_EQ(pool.available(), 16u);
  EXPECT_FALSE(pool.grow());
}

TEST_F(Buffers, MoveToTheHeap) {
  pool.filled(2, 100);
  const std::string bytes = pattern(1, 100);
  std::memcpy(pool.chunk(2).data, bytes.data(), 100);
  std::byte head[10];
  EXPECT_EQ(pool.copy_out(2, head), 10u);
  EXPECT_EQ(pool.available(), 3u);

  const uint32_t id = pool.spill(2);
  EXPECT_NE(id, 2u);
  EXPECT_EQ(pool.available(), 4u);
  EXPECT_EQ(pool.spill(id), id);
  const Chunk chunk = pool.chunk(id);
  ASSERT_EQ(chunk.size, 90u);
  EXPECT_EQ(std::memcmp(chunk.data, bytes.data() + 10, 90), 0);
  pool.recycle(chunk.id);
  EXPECT_EQ(pool.available(), 4u);
  pool.filled(3, 5);
  EXPECT_EQ(pool.spill(3), id) << "a place is used again";
}

}  // namespace
}  // namespace redoubt
