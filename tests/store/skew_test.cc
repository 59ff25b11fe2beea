// The structures of the store under orders and sizes that average load never brings: sorted both
// ways, from the ends to the middle, all in one place, and sizes around each limit of a block.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "engine/store/intset.h"
#include "engine/store/list_type.h"
#include "engine/store/member_table.h"
#include "engine/store/ordered_pages.h"
#include "engine/store/rank_tree.h"
#include "engine/store/stream.h"
#include "tests/store/one_stream.h"

namespace redoubt {
namespace {

// The numbers from 0 to count - 1 in an order that somebody may have chosen.
std::vector<uint64_t> order_of(int kind, uint64_t count) {
  std::vector<uint64_t> order(count);
  for (uint64_t i = 0; i < count; ++i) order[i] = i;
  const auto inwards = [&](uint64_t i) { return i < count / 2 ? 2 * i : 2 * (count - i) - 1; };
  const auto by = [&](auto rank) {
    std::sort(order.begin(), order.end(),
              [&](uint64_t a, uint64_t b) { return rank(a) < rank(b); });
  };
  switch (kind) {
    case 0: break;
    case 1: std::reverse(order.begin(), order.end()); break;
    case 2: by(inwards); break;
    case 3: by([&](uint64_t i) { return ~inwards(i); }); break;
    case 4: by([&](uint64_t i) { return i % 61 * count + i; }); break;  // all over, again and again
    default: by([&](uint64_t i) { return i * 0x9e3779b97f4a7c15; }); break;
  }
  return order;
}
constexpr int kOrders = 6;

// --- RankTree

struct Scored {
  uint64_t score;
  uint64_t tie;
};
struct ScoredOrder {
  static uint64_t prefix(const Scored& item) { return item.score; }
  static bool less(const Scored& a, const Scored& b) {
    return a.score != b.score ? a.score < b.score : a.tie < b.tie;
  }
};

TEST(Skew, ARankTreeTakesAndGivesInAnyOrder) {
  constexpr uint64_t kCount = 20'000;
  for (int in = 0; in < kOrders; ++in) {
    for (int out = 0; out < kOrders; ++out) {
      for (const uint64_t scores : {uint64_t{1}, uint64_t{3}, kCount}) {
        Allocator allocator;
        RankTree<Scored, ScoredOrder> tree(allocator);
        std::vector<Scored> items(kCount);
        for (uint64_t i = 0; i < kCount; ++i) items[i] = {i * scores / kCount, i};
        for (const uint64_t i : order_of(in, kCount)) tree.insert(&items[i]);
        tree.check_invariants();
        ASSERT_EQ(tree.size(), kCount);
        // Half of it goes, in another order; what is left is right, and takes its share.
        std::vector<uint64_t> going = order_of(out, kCount);
        going.resize(kCount / 2);
        for (const uint64_t i : going) tree.erase(&items[i]);
        tree.check_invariants();
        EXPECT_LT(tree.node_bytes(), kCount / 2 * 40);
        size_t budget = kCount;
        ASSERT_TRUE(tree.clear_some(budget, [](Scored*) {}));
        EXPECT_EQ(allocator.used_bytes(), 0u);
      }
    }
  }
}

TEST(Skew, ARankTreeIsCutAnywhere) {
  // Ranges that end at, before and behind the limits of leaves and inner nodes.
  constexpr size_t kCount = 125 * 50 * 3;
  for (const size_t width : {1ul, 124ul, 125ul, 126ul, 250ul, 6249ul, 6250ul, 6251ul, 12'501ul}) {
    for (const size_t from : {0ul, 1ul, 124ul, 125ul, 6250ul, kCount - 12'501}) {
      Allocator allocator;
      RankTree<Scored, ScoredOrder> tree(allocator);
      std::vector<Scored> items(kCount);
      for (uint64_t i = 0; i < kCount; ++i) items[i] = {7, i};
      for (Scored& item : items) tree.insert(&item);
      size_t next = from;
      tree.erase_range(from, std::min(width, kCount - from), [&](Scored* item) {
        EXPECT_EQ(item, &items[next]);
        ++next;
      });
      tree.check_invariants();
      for (size_t i = from; i < next; ++i) tree.insert(&items[i]);
      tree.check_invariants();
      EXPECT_EQ(tree.size(), kCount);
      size_t budget = kCount;
      ASSERT_TRUE(tree.clear_some(budget, [](Scored*) {}));
    }
  }
}

// --- OrderedPages

struct Numbered {
  uint64_t number;
  uint64_t key() const { return number; }
};

TEST(Skew, OrderedPagesTakeAndGiveInAnyOrder) {
  constexpr uint64_t kCount = 64 * 64;
  std::vector<Numbered> items(kCount);
  for (uint64_t i = 0; i < items.size(); ++i) items[i] = {i};
  for (int in = 0; in < kOrders; ++in) {
    for (int out = 0; out < kOrders; ++out) {
      Allocator allocator;
      ValueMemory memory(allocator);
      OrderedPages<Numbered> pages;
      std::map<uint64_t, Numbered*> model;
      for (const uint64_t i : order_of(in, kCount)) {
        pages.insert(memory, &items[i]);
        model[i] = &items[i];
      }
      for (const uint64_t i : order_of(out, kCount)) {
        const auto next = model.erase(model.find(i));
        const auto behind = pages.remove_at(memory, pages.lower_bound(i));
        ASSERT_EQ(pages.at(behind), next == model.end() ? nullptr : next->second);
        ASSERT_EQ(pages.front(), model.empty() ? nullptr : model.begin()->second);
        ASSERT_EQ(pages.back(), model.empty() ? nullptr : model.rbegin()->second);
      }
      EXPECT_EQ(allocator.used_bytes(), 0u);
    }
  }
}

// --- streams

// A trim that keeps what is pending walks over blocks while it drops others: all but one block of
// each page of the list, the first, a middle or the last one.
TEST(Skew, ATrimKeepsOneBlockOfAPage) {
  constexpr uint64_t kBlocks = 64 * 4;
  const StreamLimits limits{.block_bytes_max = 0, .block_entries_max = 2};
  const std::vector<std::string_view> fields = {"f", "v"};
  for (uint64_t kept = 0; kept < 64; kept += 7) {
    OneStream s;
    for (uint64_t i = 1; i <= 2 * kBlocks; ++i) s.stream->append({i, 0}, fields, limits);
    ASSERT_EQ(s.stream->block_count(), kBlocks);
    StreamGroup* group = s.stream->add_group("g", StreamId::largest(), 0);
    StreamConsumer* consumer = s.stream->add_consumer(*group, "c", 0);
    for (uint64_t block = kept; block < kBlocks; block += 64) {
      s.stream->add_pending(*group, consumer, {2 * block + 1, 0}, 0);
    }
    StreamTrim trim;
    trim.kind = StreamTrim::Kind::length;
    trim.references = StreamReferences::acknowledged;
    StreamId reached;
    EXPECT_EQ(s.stream->trim(trim, &reached), 2 * kBlocks - 4);
    EXPECT_EQ(reached, StreamId::largest());
    EXPECT_EQ(s.stream->length(), 4u);
    EXPECT_EQ(s.stream->block_count(), 4u);
    StreamCursor cursor(*s.stream, {}, StreamId::largest(), false);
    StreamEntry entry;
    for (uint64_t block = kept; block < kBlocks; block += 64) {
      ASSERT_TRUE(cursor.next(entry));
      EXPECT_EQ(entry.id, (StreamId{2 * block + 1, 0}));
    }
    EXPECT_FALSE(cursor.next(entry));
  }
}

TEST(Skew, GroupsAndConsumersAreFreedInSlices) {
  Allocator allocator;
  Stream* stream = Stream::make(allocator);
  for (uint64_t i = 0; i < 1000; ++i) {
    StreamGroup* group = stream->add_group("g" + std::to_string(i), {}, 0);
    if (i % 100 != 0) continue;
    for (int k = 0; k < 300; ++k) stream->add_consumer(*group, "c" + std::to_string(k), 0);
  }
  const size_t pieces = stream->pieces();
  size_t slices = 1;
  for (;; ++slices) {
    size_t budget = 100;
    const size_t before = allocator.used_bytes();
    const bool done = Stream::free_some(stream, budget);
    EXPECT_LE(before - allocator.used_bytes(), 100u * 400u + 70'000u * (done ? 1 : 0));
    if (done) break;
    EXPECT_EQ(budget, 0u);
  }
  EXPECT_GT(slices, pieces / 250);
  EXPECT_EQ(allocator.used_bytes(), 0u);
}

// The largest distances between ids, and ids at the end.
TEST(Skew, AStreamBlockHoldsIdsOfAnyDistance) {
  OneStream s;
  const StreamLimits limits{.block_bytes_max = 0, .block_entries_max = 0};
  const uint64_t most = StreamId::kMax;
  const std::vector<StreamId> ids = {{0, 1},    {0, most},     {1, 0},
                                     {1, most}, {1u << 31, 5}, {most - 1, most},
                                     {most, 0}, {most, 1},     {most, most}};
  const std::vector<std::string_view> names[] = {{"f", "v"}, {"f", "v", "g", ""}, {"", ""}};
  for (size_t i = 0; i < ids.size(); ++i) s.stream->append(ids[i], names[i % 3], limits);
  EXPECT_EQ(s.stream->block_count(), 1u);
  StreamEntry entry;
  for (size_t i = 0; i < ids.size(); ++i) {
    ASSERT_TRUE(s.stream->find(ids[i], entry));
    EXPECT_EQ(entry.id, ids[i]);
    EXPECT_EQ(entry.field_count, names[i % 3].size() / 2);
  }
  StreamCursor backwards(*s.stream, {}, StreamId::largest(), true);
  for (size_t i = ids.size(); i-- > 0;) {
    ASSERT_TRUE(backwards.next(entry));
    EXPECT_EQ(entry.id, ids[i]);
  }
  // From the middle outwards, so that no end of the block moves until the last.
  for (const size_t i : {4u, 3u, 5u, 2u, 6u, 1u, 7u, 0u, 8u}) ASSERT_TRUE(s.stream->erase(ids[i]));
  EXPECT_EQ(s.stream->block_count(), 0u);
  EXPECT_EQ(s.stream->last_id(), StreamId::largest());
}

TEST(Skew, AStreamEntryOfAnySizeIsRead) {
  for (const size_t size : {0ul, 1ul, 63ul, 64ul, 127ul, 128ul, 4095ul, 4096ul, 16'383ul, 16'384ul,
                            2'097'151ul, 2'097'152ul}) {
    OneStream s;
    const std::string text(size, 'x');
    const std::vector<std::string_view> fields = {"f", text, text, "v"};
    for (uint64_t i = 1; i <= 5; ++i) s.stream->append({i, 0}, fields, {});
    StreamCursor cursor(*s.stream, {}, StreamId::largest(), true);
    StreamEntry entry;
    for (uint64_t i = 5; i >= 1; --i) {
      ASSERT_TRUE(cursor.next(entry));
      ASSERT_EQ(entry.id, (StreamId{i, 0}));
      size_t bytes = 0;
      entry.for_each_field(
          [&](std::string_view f, std::string_view v) { bytes += f.size() + v.size(); });
      EXPECT_EQ(bytes, 2 * size + 2);
    }
  }
}

// --- listpacks and lists

// Sizes of text at which the head or the length behind it gets longer, and a block that has one of
// each, in any order and from either end.
TEST(Skew, AListpackHoldsTextsOfEachLimit) {
  std::vector<std::string> texts;
  for (const size_t size :
       {0ul,      1ul,      62ul,     63ul,        64ul,        65ul,       125ul,
        126ul,    127ul,    4093ul,   4095ul,      4096ul,      4097ul,     16'378ul,
        16'379ul, 16'383ul, 16'384ul, 2'097'146ul, 2'097'147ul, 2'097'152ul}) {
    texts.emplace_back(size, 'x');
  }
  for (const char* number : {"0",
                             "127",
                             "128",
                             "-1",
                             "4095",
                             "4096",
                             "-4096",
                             "-4097",
                             "32767",
                             "32768",
                             "-32768",
                             "-32769",
                             "8388607",
                             "8388608",
                             "-8388608",
                             "-8388609",
                             "2147483647",
                             "2147483648",
                             "-2147483648",
                             "-2147483649",
                             "9223372036854775807",
                             "-9223372036854775808",
                             "9223372036854775808",
                             "-0",
                             "00",
                             "+1"}) {
    texts.emplace_back(number);
  }
  for (const bool front : {false, true}) {
    Allocator allocator;
    uint8_t* block = Listpack::make(allocator);
    for (const std::string& text : texts) {
      block = front ? Listpack::prepend(allocator, block, text)
                    : Listpack::append(allocator, block, text);
    }
    ASSERT_EQ(Listpack::validate(Listpack::span(block)), texts.size());
    std::optional<IntegerText> digits;
    const uint8_t* at = front ? Listpack::last(block) : Listpack::first(block);
    for (const std::string& text : texts) {
      ASSERT_NE(at, nullptr);
      EXPECT_TRUE(Listpack::text(at, digits) == text);
      at = front ? Listpack::previous(block, at) : Listpack::next(block, at);
    }
    EXPECT_EQ(at, nullptr);
    // Each grows by a byte in place, and then they go, from the middle outwards.
    for (size_t i = 0; i < texts.size(); ++i) {
      const uint8_t* place = Listpack::seek(block, static_cast<int64_t>(i));
      const std::string text = std::string(Listpack::text(place, digits)) + "y";
      block = Listpack::replace(allocator, block, place, text);
      EXPECT_TRUE(Listpack::text(Listpack::seek(block, static_cast<int64_t>(i)), digits) == text);
    }
    ASSERT_EQ(Listpack::validate(Listpack::span(block)), texts.size());
    for (size_t left = texts.size(); left > 0; --left) {
      block = Listpack::erase(allocator, block,
                              Listpack::seek(block, static_cast<int64_t>(left / 2)), 1);
      ASSERT_EQ(Listpack::validate(Listpack::span(block)), left - 1);
    }
    Listpack::free(allocator, block);
    EXPECT_EQ(allocator.used_bytes(), 0u);
  }
}

// --- intsets

TEST(Skew, AnIntsetTakesTheEndsOfEachWidthInAnyOrder) {
  std::vector<int64_t> values = {0, 1, -1};
  for (const int bits : {15, 31, 63}) {
    const int64_t high =
        bits == 63 ? std::numeric_limits<int64_t>::max() : (int64_t{1} << bits) - 1;
    for (const int64_t near : {high, high - 1, -high, -high - 1}) values.push_back(near);
    if (bits < 63) {
      values.push_back(high + 1);
      values.push_back(-high - 2);
    }
  }
  std::vector<int64_t> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  for (int order = 0; order < kOrders; ++order) {
    Allocator allocator;
    uint8_t* block = Intset::make(allocator);
    for (const uint64_t i : order_of(order, values.size())) {
      EXPECT_TRUE(Intset::insert(allocator, block, values[i]));
    }
    ASSERT_EQ(Intset::count(block), sorted.size());
    ASSERT_TRUE(Intset::validate(Intset::span(block)));
    for (size_t i = 0; i < sorted.size(); ++i) EXPECT_EQ(Intset::at(block, i), sorted[i]);
    for (const int64_t value : values) EXPECT_TRUE(Intset::erase(allocator, block, value));
    Intset::free(allocator, block);
    EXPECT_EQ(allocator.used_bytes(), 0u);
  }
}

// --- MemberTable

struct Member {
  std::string key;
};
struct MemberTrait {
  using Item = Member;
  static std::string_view key(const Member& member) { return member.key; }
};

// In the order of hashes, both ways, and from both ends; then all go, in the same order or another.
TEST(Skew, AMemberTableTakesAndGivesInTheOrderOfHashes) {
  constexpr uint64_t kCount = 20'000;
  uint64_t seed = 1;
  const HashKey hash_key([&] { return seed++; });
  std::vector<Member> members(kCount);
  for (uint64_t i = 0; i < kCount; ++i) members[i].key = std::to_string(i);
  std::sort(members.begin(), members.end(),
            [&](const Member& a, const Member& b) { return hash_key(a.key) < hash_key(b.key); });
  for (int in = 0; in < 4; ++in) {
    for (int out = 0; out < 4; ++out) {
      Allocator allocator;
      MemberTable<MemberTrait> table(hash_key);
      size_t step = 0;
      for (const uint64_t i : order_of(in, kCount)) {
        Member& member = members[i];
        table.insert(allocator, &member, hash_key(member.key));
        if (++step % 4001 == 0) table.check_invariants();
      }
      table.check_invariants();
      EXPECT_LT(table.table_bytes(), table.size() * 24);
      for (const uint64_t i : order_of(out, kCount)) {
        Member& member = members[i];
        ASSERT_EQ(table.erase(allocator, member.key, hash_key(member.key)), &member);
        if (++step % 4001 == 0) table.check_invariants();
      }
      EXPECT_EQ(table.size(), 0u);
      EXPECT_EQ(allocator.used_bytes(), 0u);
    }
  }
}

}  // namespace
}  // namespace redoubt
