// What XINFO STREAM says of a radix tree that is not there: how many nodes one would have whose
// keys are the first ids of the blocks.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "engine/store/random.h"
#include "engine/store/stream.h"

namespace redoubt {
namespace {

using Keys = std::vector<std::string>;

// 16 bytes, big-endian.
std::string bytes_of(StreamId id) {
  std::string key;
  for (int shift = 56; shift >= 0; shift -= 8) key += static_cast<char>(id.ms >> shift);
  for (int shift = 56; shift >= 0; shift -= 8) key += static_cast<char>(id.seq >> shift);
  return key;
}

// The nodes below and with the one at which these keys, which are in order, have the first `depth`
// bytes in common. Built as the tree itself: a node either parts, or holds the bytes up to the next
// one that does, or ends a key.
size_t nodes_of(std::span<const std::string> keys, size_t depth) {
  if (depth == keys[0].size()) return 1;
  const auto parts_at = [&](size_t at) { return keys.front()[at] != keys.back()[at]; };
  size_t at = depth;
  while (at < keys[0].size() && !parts_at(at)) ++at;
  if (at > depth) return 1 + nodes_of(keys, at);
  size_t nodes = 1;
  for (size_t from = 0; from < keys.size();) {
    size_t to = from + 1;
    while (to < keys.size() && keys[to][depth] == keys[from][depth]) ++to;
    nodes += nodes_of(keys.subspan(from, to - from), depth + 1);
    from = to;
  }
  return nodes;
}

// A stream with a block for each of these ids.
size_t radix_nodes(const std::vector<StreamId>& ids) {
  Allocator allocator;
  Stream* stream = Stream::make(allocator);
  const std::vector<std::string_view> fields = {"f", "v"};
  const StreamLimits limits = {.block_bytes_max = 4096, .block_entries_max = 1};
  for (const StreamId id : ids) stream->append(id, fields, limits);
  EXPECT_EQ(stream->block_count(), ids.size());
  const size_t nodes = stream->radix_nodes();
  size_t budget = std::numeric_limits<size_t>::max();
  EXPECT_TRUE(Stream::free_some(stream, budget));
  return nodes;
}

size_t nodes_of(const std::vector<StreamId>& ids) {
  Keys keys;
  std::transform(ids.begin(), ids.end(), std::back_inserter(keys), bytes_of);
  return nodes_of(keys, 0);
}

std::vector<StreamId> ascending(size_t count, uint64_t from, uint64_t step) {
  std::vector<StreamId> ids;
  ids.reserve(count);
  for (uint64_t i = 0; i < count; ++i) ids.push_back({from + i * step, 0});
  return ids;
}

// As Redis 7.0.15 says it, with stream-node-max-entries 1.
TEST(RadixNodes, AreAsManyAsInRedis) {
  EXPECT_EQ(radix_nodes({}), 1u);
  EXPECT_EQ(radix_nodes({{1, 0}}), 2u);
  EXPECT_EQ(radix_nodes({{1, 0}, {2, 0}}), 6u);
  EXPECT_EQ(radix_nodes({{1, 0}, {1, 1}}), 4u);
  EXPECT_EQ(radix_nodes({{1, 0}, {1, 1}, {1, 2}, {1, 3}}), 6u);
  EXPECT_EQ(radix_nodes({{1, 0}, {256, 0}}), 6u);
  EXPECT_EQ(radix_nodes({{1, 0}, {256, 0}, {257, 0}}), 9u);
  EXPECT_EQ(radix_nodes({{1, 1}, {1, 256}}), 6u);
  EXPECT_EQ(radix_nodes({{1, 1}, {2, 1}, {2, 300}}), 10u);
  // Keys that part at their first byte.
  EXPECT_EQ(radix_nodes({{1, 0}, {uint64_t{1} << 56, 0}}), 5u);
  EXPECT_EQ(radix_nodes({{1, 0}, {uint64_t{1} << 56, 0}, {uint64_t{1} << 56, 1}}), 7u);
  // At the second, and below that at the last two.
  const uint64_t far = uint64_t{1} << 48;
  EXPECT_EQ(radix_nodes({{1, 0}, {far, 0}, {far + 1, 0}, {far + 1, 255}, {far + 1, 256}}), 15u);
  EXPECT_EQ(radix_nodes(ascending(300, 1, 1)), 604u);
  EXPECT_EQ(radix_nodes(ascending(1000, 1'700'000'000'000, 37)), 2147u);
}

TEST(RadixNodes, AreAsManyAsInATreeThatIsBuilt) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    std::set<StreamId> ids;
    const size_t count = 1 + random.below(seed % 3 == 0 ? 60 : 6);
    while (ids.size() < count) {
      // Bytes that are often equal, in any places.
      StreamId id{random.below(3) << 8 * random.below(8), random.below(3) << 8 * random.below(8)};
      id.ms += random.below(2);
      id.seq += random.below(300);
      ids.insert(id.is_zero() ? StreamId{0, 1} : id);
    }
    const std::vector<StreamId> in_order(ids.begin(), ids.end());
    EXPECT_EQ(radix_nodes(in_order), nodes_of(in_order)) << seed;
  }
}

// Of a longer stream the first 4096 blocks are counted, and the rest is taken to be like them.
TEST(RadixNodes, OfALongStreamAreAnEstimate) {
  EXPECT_EQ(radix_nodes(ascending(4096, 1, 1)), nodes_of(ascending(4096, 1, 1)));
  const std::vector<StreamId> ids = ascending(20'000, 1'700'000'000'000, 5);
  const auto exact = static_cast<double>(nodes_of(ids));
  EXPECT_NEAR(static_cast<double>(radix_nodes(ids)), exact, exact / 50);
}

}  // namespace
}  // namespace redoubt
