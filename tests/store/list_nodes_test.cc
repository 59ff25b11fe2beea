// How elements lie in the nodes of a large list: where a node is cut, and when two become one.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/store/list_type.h"
#include "tests/store/outside_entry.h"

namespace redoubt {
namespace {

using Counts = std::vector<size_t>;

// A list that has nodes from the beginning, or, with `packed`, one that has not.
class Nodes {
 public:
  explicit Nodes(int fill, bool packed = false) : fill_(fill) {
    entry_ = outside_entry(allocator_, Type::list, Encoding::listpack, Listpack::make(allocator_));
    if (!packed) list().before_growth(size_t{1} << 40, size_t{1} << 40);
  }
  ~Nodes() {
    EXPECT_EQ(list_outside_bytes(*entry_), used());
    void* value = entry_->outside();
    size_t budget = SIZE_MAX;
    EXPECT_TRUE(free_some_list(allocator_, entry_->encoding(), value, budget));
    Entry::release(allocator_, entry_);
    EXPECT_EQ(allocator_.used_bytes(), 0u);
  }
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;

  List list() { return {allocator_, *entry_, fill_}; }
  Allocator& allocator() { return allocator_; }
  Entry& entry() { return *entry_; }
  bool packed() const { return entry_->encoding() == Encoding::listpack; }
  size_t used() const { return allocator_.used_bytes() - counted_size(entry_->footprint()); }
  ListCursor at(int64_t index) { return ListCursor::at(*entry_, index); }

  void push(const std::string& text, ListEnd end = ListEnd::back) {
    List changed = list();
    changed.before_growth(1, text.size());
    changed.push(end, text);
  }
  // The elements "0", "1", "2" ...
  Nodes& with(int count) {
    for (int i = 0; i < count; ++i) push(std::to_string(i));
    return *this;
  }
  void insert_before(int64_t index, const std::string& text) {
    list().insert(at(index), false, text);
  }

  // How many elements are in each node; 0: one large element.
  Counts counts() const {
    Counts found;
    for (const QuicklistNode* node = quick().head; node != nullptr; node = node->next) {
      found.push_back(node->is_plain() ? 0 : node->count);
    }
    EXPECT_EQ(found.size(), quick().node_count);
    return found;
  }
  // Bytes of each listpack.
  Counts bytes() const {
    Counts found;
    for (const QuicklistNode* node = quick().head; node != nullptr; node = node->next) {
      found.push_back(node->bytes);
    }
    return found;
  }
  std::string text() const {
    std::string all;
    for (ListCursor at = ListCursor::at(*entry_, 0); at; at.next()) {
      const Listpack::Element element = at.element();
      if (!all.empty()) all += ' ';
      all += element.is_number ? std::to_string(element.number) : std::string(element.text);
    }
    return all;
  }

 private:
  const Quicklist& quick() const { return *static_cast<const Quicklist*>(entry_->outside()); }

  Allocator allocator_;
  int fill_;
  Entry* entry_ = nullptr;
};

TEST(ListNodes, HoldAsManyElementsAsTheyMay) {
  EXPECT_EQ(Nodes(4).with(9).counts(), (Counts{4, 4, 1}));
  EXPECT_EQ(Nodes(1).with(3).counts(), (Counts{1, 1, 1}));
  EXPECT_EQ(Nodes(0).with(3).counts(), (Counts{1, 1, 1}));
  Nodes front(4);
  for (int i = 0; i < 9; ++i) front.push("x", ListEnd::front);
  EXPECT_EQ(front.counts(), (Counts{1, 4, 4}));
}

TEST(ListNodes, AnElementInTheMiddleOfAFullOneCutsIt) {
  Nodes nodes(4);
  nodes.with(12).insert_before(5, "x");
  EXPECT_EQ(nodes.counts(), (Counts{4, 2, 3, 4}));
  EXPECT_EQ(nodes.text(), "0 1 2 3 4 x 5 6 7 8 9 10 11");
}

TEST(ListNodes, TheBackOfACutIsMergedWithItsNeighbour) {
  Nodes nodes(4);
  nodes.with(9).insert_before(5, "x");
  // 5, 6 and 7 are three, and 8 is one: they fit one node, and nothing else does.
  EXPECT_EQ(nodes.counts(), (Counts{4, 2, 4}));
  EXPECT_EQ(nodes.text(), "0 1 2 3 4 x 5 6 7 8");
}

TEST(ListNodes, TheFrontOfACutIsMergedWithItsNeighbour) {
  Nodes nodes(4);
  nodes.with(8).push("a", ListEnd::front);
  ASSERT_EQ(nodes.counts(), (Counts{1, 4, 4}));
  nodes.insert_before(2, "x");
  EXPECT_EQ(nodes.counts(), (Counts{3, 3, 4}));
  EXPECT_EQ(nodes.text(), "a 0 x 1 2 3 4 5 6 7");
}

TEST(ListNodes, TwoThatAreOneElementTooManyStayTwo) {
  Nodes nodes(4);
  nodes.with(10).insert_before(5, "x");
  EXPECT_EQ(nodes.counts(), (Counts{4, 2, 3, 2}));
}

TEST(ListNodes, ALargeElementIsNotMerged) {
  Nodes nodes(4);
  const std::string large(9000, 'l');
  nodes.with(4).push(large);
  nodes.with(4).insert_before(1, large);
  EXPECT_EQ(nodes.counts(), (Counts{1, 0, 3, 0, 4}));
}

// As many bytes as a node may have, and one more.
TEST(ListNodes, AreMergedUpToTheBytesThatOneMayHave) {
  for (const size_t more : {0u, 1u}) {
    Nodes nodes(-1);  // 4096 bytes
    // The third is cut off and joined with the fourth: 7 bytes of a block, 4 beside each text.
    const size_t third = 2000;
    const size_t fourth = 4096 - 7 - (2 + third + 2) - (2 + 2) + more;
    nodes.push(std::string(1000, 'a'));
    nodes.push(std::string(1000, 'b'));
    nodes.push(std::string(third, 'c'));
    nodes.push(std::string(fourth, 'd'));
    ASSERT_EQ(nodes.counts(), (Counts{3, 1}));
    nodes.insert_before(2, std::string(3000, 'x'));
    EXPECT_EQ(nodes.counts(), more == 0 ? (Counts{2, 1, 2}) : (Counts{2, 1, 1, 1}));
    for (const size_t bytes : nodes.bytes()) EXPECT_LE(bytes, 4096u);
  }
}

// What is beside a full node takes an element before there is a new one.
TEST(ListNodes, AnElementGoesToTheNeighbourThatHasRoom) {
  Nodes front(4);
  front.with(8).push("a", ListEnd::front);
  front.insert_before(1, "x");  // in front of a full one
  EXPECT_EQ(front.counts(), (Counts{2, 4, 4}));
  Nodes back(4);
  back.with(5);
  back.list().insert(back.at(3), true, "x");  // behind a full one
  EXPECT_EQ(back.counts(), (Counts{4, 2}));
  EXPECT_EQ(back.text(), "0 1 2 3 x 4");
  Nodes neither(4);
  neither.with(8);
  neither.list().insert(neither.at(3), true, "x");
  EXPECT_EQ(neither.counts(), (Counts{4, 1, 4}));
}

TEST(ListNodes, OfTheDefaultSizeEndWhereSeventeenFillASlab) {
  Nodes nodes(-2);
  for (int i = 0; i < 300; ++i) nodes.push(std::string(97, 'x'));
  // 100 bytes each and 7 of the block: 76 make 7607.
  EXPECT_EQ(nodes.counts(), (Counts{76, 76, 76, 72}));
  for (const size_t bytes : nodes.bytes()) EXPECT_LE(bytes, 7680u);
}

TEST(ListNodes, OfOtherSizesHaveAsManyBytesAsTheyMay) {
  const std::pair<int, size_t> sizes[] = {
      {-1, 4096}, {-3, 16384}, {-4, 32768}, {-5, 65536}, {-6, 65536}};
  for (const auto& [fill, most] : sizes) {
    Nodes nodes(fill);
    for (int i = 0; i < 2000; ++i) nodes.push(std::string(97, 'x'));
    const Counts bytes = nodes.bytes();
    ASSERT_GT(bytes.size(), 2u);
    EXPECT_LE(bytes[0], most);
    EXPECT_GT(bytes[0] + 110, most);
  }
}

TEST(ListNodes, AreNeverLargerThanTheyMayBe) {
  for (size_t size = 60; size < 200; ++size) {
    Nodes nodes(-1);
    for (int i = 0; i < 150; ++i) nodes.push(std::string(size, 'x'));
    for (const size_t bytes : nodes.bytes()) EXPECT_LE(bytes, 4096u) << size;
  }
}

TEST(ListNodes, OnlyATextLongerThanANodeIsALargeElement) {
  Nodes nodes(-1);
  nodes.push(std::string(4096, 'x'));
  nodes.push(std::string(4097, 'x'));
  EXPECT_EQ(nodes.counts(), (Counts{1, 0}));
}

// And goes to the neighbour that has room for it.
TEST(ListNodes, AnElementThatGrowsBeyondItsNodeCutsIt) {
  Nodes nodes(-1);
  for (int i = 0; i < 4; ++i) nodes.push(std::string(900, 'x'));
  ASSERT_EQ(nodes.counts(), Counts{4});
  nodes.list().replace(nodes.at(1), std::string(1300, 'y'));
  EXPECT_EQ(nodes.counts(), Counts{4});
  nodes.list().replace(nodes.at(2), std::string(1300, 'z'));
  EXPECT_EQ(nodes.counts(), (Counts{3, 1}));
  for (const size_t bytes : nodes.bytes()) EXPECT_LE(bytes, 4096u);
}

// --- small lists, and those that have become small

TEST(ListNodes, ASmallListIsNeverLargerThanANode) {
  for (size_t size = 0; size < 500; ++size) {
    Nodes nodes(-1, true);
    while (nodes.packed()) {
      EXPECT_LE(Listpack::bytes(static_cast<const uint8_t*>(nodes.entry().outside())), 4096u);
      nodes.push(std::string(size, 'x'));
    }
  }
}

TEST(ListNodes, OneElementIsASmallListWhateverTheLimit) {
  for (const int fill : {0, 1}) {
    Nodes nodes(fill, true);
    nodes.push("x");
    EXPECT_TRUE(nodes.packed());
    nodes.push("y");
    EXPECT_EQ(nodes.counts(), (Counts{1, 1}));
  }
}

TEST(ListNodes, ASmallListMayFillANode) {
  Nodes nodes(-1, true);
  // 64 bytes each, and 7 of the block.
  for (int i = 0; i < 63; ++i) nodes.push(std::string(62, 'x'));
  ASSERT_EQ(Listpack::bytes(static_cast<const uint8_t*>(nodes.entry().outside())), 7u + 63 * 64);
  nodes.push(std::string(54, 'x'));  // is taken to need 57, which makes 4096
  EXPECT_TRUE(nodes.packed());
  nodes.push("");
  EXPECT_FALSE(nodes.packed());
}

TEST(ListNodes, AnEmptyListThatBecomesLargeLeavesNothingBehind) {
  Nodes nodes(-1, true);
  nodes.list().before_growth(10'000, 0);
  EXPECT_FALSE(nodes.packed());
  EXPECT_EQ(nodes.counts(), Counts{});
}

// The last node becomes a small list with half of what it may hold.
TEST(ListNodes, AListBecomesSmallAtHalfItsLimit) {
  const auto becomes_small = [](int fill, int count, size_t text_size) {
    Nodes nodes(fill);
    for (int i = 0; i < count; ++i) nodes.push(std::string(text_size, 'x'));
    nodes.list().after_shrinking();
    return nodes.packed();
  };
  EXPECT_TRUE(becomes_small(8, 4, 3));
  EXPECT_FALSE(becomes_small(8, 5, 3));
  // 7 bytes of the block, 3 more than the text of an element of 64 to 4095.
  EXPECT_TRUE(becomes_small(-1, 1, 2048 - 7 - 4));
  EXPECT_FALSE(becomes_small(-1, 1, 2048 - 7 - 3));
  EXPECT_FALSE(becomes_small(8, 1, 9000));
}

// --- what is given back at once, and what in slices

TEST(ListNodes, WhatTakesLongToFreeIsHandedOver) {
  const auto handed_over = [](size_t text_size, int count) {
    Nodes nodes(1);
    for (int i = 0; i < count + 1; ++i) nodes.push(std::string(text_size, 'x'));
    Quicklist* cut = nodes.list().erase_range(0, static_cast<size_t>(count));
    if (cut == nullptr) return false;
    void* value = cut;
    size_t budget = SIZE_MAX;
    EXPECT_TRUE(free_some_list(nodes.allocator(), Encoding::quicklist, value, budget));
    return true;
  };
  EXPECT_FALSE(handed_over(1, 64));
  EXPECT_TRUE(handed_over(1, 65));
  EXPECT_FALSE(handed_over(300'000, 3));
  EXPECT_TRUE(handed_over(300'000, 4));
}

TEST(ListNodes, FreeingIsAsMuchWorkAsItIsSaidToBe) {
  for (const bool packed : {true, false}) {
    Nodes nodes(10, packed);
    nodes.with(packed ? 10 : 100);
    Allocator other;
    void* copy = copy_list(other, nodes.entry());
    size_t budget = 1000;
    EXPECT_TRUE(free_some_list(other, nodes.entry().encoding(), copy, budget));
    EXPECT_EQ(list_free_effort(nodes.entry()), packed ? 1u : 21u);
    EXPECT_EQ(1000 - budget, packed ? 1u : 20u);
  }
}

TEST(ListNodes, ABlobThatDoesNotHoldTheTextIsNotTakenOver) {
  Nodes nodes(-1);
  Blob other;
  other.reserve(9000);
  other.set_size(9000);
  std::fill_n(other.data(), 9000, 'o');
  const std::string text(5000, 't');
  nodes.list().push(ListEnd::back, text, std::move(other));
  EXPECT_EQ(nodes.text(), text);
}

}  // namespace
}  // namespace redoubt
