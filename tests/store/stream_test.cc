#include "engine/store/stream.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "engine/store/random.h"
#include "engine/store/stream_progress.h"
#include "tests/store/one_stream.h"

namespace redoubt {
namespace {

using Fields = std::vector<std::string>;

using Expected = std::map<StreamId, Fields>;

Fields fields_of(const StreamEntry& entry) {
  Fields fields;
  entry.for_each_field([&](std::string_view field, std::string_view value) {
    fields.emplace_back(field);
    fields.emplace_back(value);
  });
  return fields;
}

void expect_range(const Stream& stream, const Expected& expected, StreamId start, StreamId end) {
  std::vector<std::pair<StreamId, Fields>> wanted;
  for (const auto& each : expected) {
    if (each.first >= start && each.first <= end) wanted.push_back(each);
  }
  EXPECT_EQ(stream.count_between(start, end, 0), wanted.size());
  StreamEntry entry;
  StreamCursor forward(stream, start, end, false);
  for (const auto& [id, fields] : wanted) {
    ASSERT_TRUE(forward.next(entry));
    EXPECT_EQ(entry.id, id);
    EXPECT_EQ(fields_of(entry), fields);
  }
  EXPECT_FALSE(forward.next(entry));
  StreamCursor backward(stream, start, end, true);
  for (size_t i = wanted.size(); i-- > 0;) {
    ASSERT_TRUE(backward.next(entry));
    EXPECT_EQ(entry.id, wanted[i].first);
  }
  EXPECT_FALSE(backward.next(entry));
}

// Entries of all shapes in blocks of all sizes, deleted and trimmed, against a map.
TEST(Stream, AgreesWithAMap) {
  for (uint64_t seed = 1; seed <= 24; ++seed) {
    Random random(seed);
    const StreamLimits limits{.block_bytes_max = seed % 3 == 0 ? 200u : 4096u,
                              .block_entries_max = seed % 4 == 0 ? 0 : 1 + seed % 7};
    OneStream stream;
    Expected expected;
    StreamId next{seed % 2, 0};
    for (int step = 0; step < 3000; ++step) {
      const uint64_t what = random.below(20);
      if (what < 14) {
        next.increment();
        const StreamId far{next.ms + random.below(uint64_t{1} << (step % 50)), 7};
        if (random.below(4) == 0) next = std::max(next, far);
        Fields fields;
        for (size_t i = 0; i <= random.below(3); ++i) {
          fields.push_back(random.below(3) == 0 ? "g" : "f");
          fields.push_back(std::string(random.below(30) == 0 ? 300 : random.below(9), 'v'));
        }
        stream.append(next, fields, limits);
        expected[next] = fields;
      } else if (what < 18 && !expected.empty()) {
        auto at = expected.begin();
        std::advance(at, static_cast<long>(random.below(std::min<size_t>(expected.size(), 40))));
        EXPECT_TRUE(stream->erase(at->first));
        EXPECT_FALSE(stream->erase(at->first));
        expected.erase(at);
      } else if (what == 18 && random.below(10) == 0) {
        StreamTrim trim;
        trim.kind = StreamTrim::Kind::length;
        trim.length = expected.size() / 2;
        StreamId reached;
        const uint64_t removed = stream->trim(trim, &reached);
        EXPECT_EQ(removed, expected.size() - expected.size() / 2);
        for (uint64_t i = 0; i < removed; ++i) expected.erase(expected.begin());
      } else if (random.below(20) == 0) {
        const StreamId a{random.below(next.ms + 2), random.below(9)};
        const StreamId b{random.below(next.ms + 2), random.below(9)};
        expect_range(*stream.stream, expected, std::min(a, b), std::max(a, b));
      }
      ASSERT_EQ(stream->length(), expected.size());
      ASSERT_EQ(stream->first_id(), expected.empty() ? StreamId() : expected.begin()->first);
      ASSERT_EQ(stream->last_entry_id(), expected.empty() ? StreamId() : expected.rbegin()->first);
    }
    expect_range(*stream.stream, expected, {}, StreamId::largest());
    for (const auto& [id, fields] : expected) {
      StreamEntry entry;
      ASSERT_TRUE(stream->find(id, entry));
      EXPECT_EQ(fields_of(entry), fields);
    }
  }
}

TEST(Stream, AShortEntryTakesAFewBytes) {
  OneStream stream;
  for (uint64_t i = 0; i < 1000; ++i) stream.append({1'700'000'000'000 + i * 37, 0}, {"f", "v"});
  EXPECT_LE(stream->bytes(), 17'000u);
}

TEST(Stream, CopiesAreEqualAndTheirOwn) {
  OneStream stream;
  for (uint64_t i = 1; i < 500; ++i) stream.append({i, 0}, {"f", std::to_string(i)});
  StreamGroup* group = stream->add_group("g", {9, 0}, 9);
  StreamConsumer* consumer = stream->add_consumer(*group, "c", 5);
  for (uint64_t i = 1; i < 200; ++i) stream->add_pending(*group, consumer, {i, 0}, 0);
  stream->erase({7, 0});
  Allocator other;
  Stream* copy = Stream::copy(other, *stream.stream);
  Digest a;
  Digest b;
  stream->digest(a);
  copy->digest(b);
  EXPECT_EQ(a, b);
  copy->erase({8, 0});
  StreamEntry entry;
  EXPECT_TRUE(stream->find({8, 0}, entry));
  size_t budget = std::numeric_limits<size_t>::max();
  EXPECT_TRUE(Stream::free_some(copy, budget));
  EXPECT_EQ(other.used_bytes(), 0u);
}

TEST(Stream, IsFreedInSlices) {
  Allocator allocator;
  Stream* stream = Stream::make(allocator);
  const std::vector<std::string_view> fields = {"f", "v"};
  for (uint64_t i = 1; i <= 5000; ++i) stream->append({i, 0}, fields, {});
  for (const char* name : {"a", "b"}) {
    StreamGroup* group = stream->add_group(name, {}, 0);
    StreamConsumer* consumer = stream->add_consumer(*group, "c", 5);
    for (uint64_t i = 1; i <= 2000; ++i) stream->add_pending(*group, consumer, {i, 0}, 0);
  }
  size_t slices = 1;
  for (;; ++slices) {
    size_t budget = 100;
    if (Stream::free_some(stream, budget)) break;
    EXPECT_EQ(budget, 0u);
  }
  EXPECT_GT(slices, 40u);
  EXPECT_EQ(allocator.used_bytes(), 0u);
}

TEST(Stream, ARemovedGroupTakesItsBytesAlong) {
  OneStream stream;
  const size_t before = stream->bytes();
  StreamGroup* group = stream->add_group("group", {}, 0);
  StreamConsumer* consumer = stream->add_consumer(*group, "c", 5);
  for (uint64_t i = 1; i <= 500; ++i) stream->add_pending(*group, consumer, {i, 0}, 0);
  Stream* remains = stream->remove_group(*group);
  EXPECT_EQ(stream->bytes(), before);
  EXPECT_GT(remains->bytes(), 500 * sizeof(StreamPending));
  size_t budget = std::numeric_limits<size_t>::max();
  EXPECT_TRUE(Stream::free_some(remains, budget));
}

TEST(Stream, EntriesThatAGroupNeedsStay) {
  OneStream stream;
  for (uint64_t i = 1; i <= 10; ++i) stream.append({i, 0}, {"f", "v"});
  StreamGroup* group = stream->add_group("g", {5, 0}, 5);
  StreamConsumer* consumer = stream->add_consumer(*group, "c", 0);
  stream->add_pending(*group, consumer, {3, 0}, 0);
  StreamTrim trim;
  trim.kind = StreamTrim::Kind::length;
  trim.references = StreamReferences::acknowledged;
  StreamId reached;
  EXPECT_EQ(stream->trim(trim, &reached), 4u);  // 1, 2, 4 and 5
  EXPECT_EQ(stream->first_id(), (StreamId{3, 0}));
  EXPECT_EQ(stream->length(), 6u);
  trim.references = StreamReferences::remove;
  EXPECT_EQ(stream->trim(trim, &reached), 6u);
  EXPECT_TRUE(group->pending.empty());
}

// Whole blocks only, no more entries than LIMIT says, with and without groups that are looked at.
TEST(Stream, ATrimKeepsToBlocksAndToItsLimit) {
  for (const StreamReferences references :
       {StreamReferences::keep, StreamReferences::acknowledged}) {
    const auto removed = [&](uint64_t length, uint64_t limit) {
      OneStream stream;
      for (uint64_t i = 1; i <= 100; ++i) {
        stream.append({i, 0}, {"f", "v"}, {.block_bytes_max = 4096, .block_entries_max = 10});
      }
      stream->add_group("g", StreamId::largest(), 100);
      StreamTrim trim;
      trim.kind = StreamTrim::Kind::length;
      trim.whole_blocks = true;
      trim.length = length;
      trim.limit = limit;
      trim.references = references;
      StreamId reached;
      return stream->trim(trim, &reached);
    };
    EXPECT_EQ(removed(0, 0), 100u);
    EXPECT_EQ(removed(0, 25), 20u);
    EXPECT_EQ(removed(55, 0), 40u);
  }
}

TEST(Stream, ABlockGoesWithItsLastEntry) {
  OneStream stream;
  for (uint64_t i = 1; i <= 4; ++i) {
    stream.append({i, 0}, {"f", "v"}, {.block_bytes_max = 4096, .block_entries_max = 2});
  }
  ASSERT_TRUE(stream->erase({2, 0}));
  StreamTrim trim;
  trim.kind = StreamTrim::Kind::id;
  trim.id = {2, 0};
  StreamId reached;
  EXPECT_EQ(stream->trim(trim, &reached), 1u);
  EXPECT_EQ(stream->block_count(), 1u);
}

TEST(Stream, DeliveriesAreCopiedAndDigested) {
  OneStream stream;
  stream.append({1, 0}, {"f", "v"});
  StreamGroup* group = stream->add_group("g", {1, 0}, 1);
  StreamConsumer* consumer = stream->add_consumer(*group, "c", 5);
  consumer->active_ms = 4;
  StreamPending* pending = stream->add_pending(*group, consumer, {1, 0}, 3);
  pending->deliveries = 2;
  const auto digest = [](const Stream& of) {
    Digest made;
    of.digest(made);
    made.end_element();
    return made.hex();
  };
  const std::string before = digest(*stream.stream);
  Allocator other;
  Stream* copy = Stream::copy(other, *stream.stream);
  EXPECT_EQ(copy->find_group("g")->consumers.front()->active_ms, 4);
  EXPECT_EQ(copy->find_group("g")->pending.front()->deliveries, 2u);
  EXPECT_EQ(digest(*copy), before);
  pending->delivered_ms = 4;
  EXPECT_NE(digest(*stream.stream), before);
  size_t budget = std::numeric_limits<size_t>::max();
  EXPECT_TRUE(Stream::free_some(copy, budget));
}

TEST(Stream, CountsStopAtTheLargestSignedNumber) {
  constexpr auto kMost = std::numeric_limits<int64_t>::max();
  OneStream stream;
  stream.append({1, 0}, {"f", "v"});
  stream->set_counts({1, 0}, static_cast<uint64_t>(kMost), {});
  StreamGroup* group = stream->add_group("g", {1, 0}, kMost);
  stream.append({2, 0}, {"f", "v"});
  EXPECT_EQ(stream->entries_added(), static_cast<uint64_t>(kMost));
  StreamProgress(*stream).advance(*group, {2, 0});
  EXPECT_EQ(group->entries_read, kMost);
}

// --- OrderedPages

struct Item {
  uint64_t number;
  uint64_t key() const { return number; }
};

TEST(OrderedPages, AgreesWithAMap) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Random random(seed);
    Allocator allocator;
    ValueMemory memory(allocator);
    OrderedPages<Item> pages;
    std::map<uint64_t, Item> expected;
    for (int step = 0; step < 20'000; ++step) {
      const uint64_t number =
          seed % 2 == 0 ? random.below(3000) : static_cast<uint64_t>(step) + random.below(5);
      const bool grows = (step / 4000) % 2 == 0;
      if (random.below(10) < (grows ? 7u : 3u)) {
        const auto [at, is_new] = expected.try_emplace(number, Item{number});
        if (is_new) pages.insert(memory, &at->second);
      } else if (!expected.empty()) {
        auto at = seed % 3 == 0 ? expected.begin() : expected.lower_bound(number);
        if (at == expected.end()) --at;
        ASSERT_EQ(pages.remove(memory, at->first), &at->second);
        EXPECT_EQ(pages.find(at->first), nullptr);
        expected.erase(at);
      }
      ASSERT_EQ(pages.size(), expected.size());
    }
    auto place = pages.first();
    for (const auto& [number, item] : expected) {
      ASSERT_EQ(pages.at(place), &item);
      place = pages.next(place);
    }
    EXPECT_EQ(pages.at(place), nullptr);
    for (auto at = expected.rbegin(); at != expected.rend(); ++at) {
      place = pages.previous(place);
      ASSERT_EQ(pages.at(place), &at->second);
    }
    while (pages.pop_back(memory) != nullptr) {
    }
    EXPECT_EQ(memory.bytes(), 0u);
    EXPECT_EQ(allocator.used_bytes(), 0u);
  }
}

// Pages of 64 pointers are kept full, and joined when they are not: whichever way the items of
// each go, few of those that stay are alone on theirs.
TEST(OrderedPages, TakeLittleMemory) {
  constexpr size_t kItems = 6400;
  for (const bool ascending : {true, false}) {
    Allocator allocator;
    ValueMemory memory(allocator);
    OrderedPages<Item> pages;
    std::vector<Item> items(kItems);
    for (size_t i = 0; i < kItems; ++i) {
      items[i].number = i;
      pages.insert(memory, &items[i]);
    }
    EXPECT_LT(memory.bytes(), kItems * 10);
    for (size_t i = 0; i < kItems; ++i) {
      const size_t number = ascending ? i : kItems - 1 - i;
      if (number % 16 != 0) pages.remove(memory, number);
    }
    EXPECT_EQ(pages.size(), 400u);
    EXPECT_LT(memory.bytes(), pages.size() * 40) << ascending;
    while (pages.pop_back(memory) != nullptr) {
    }
    EXPECT_EQ(memory.bytes(), 0u);
  }
}

TEST(OrderedPages, WhatIsNotThereIsNotRemoved) {
  Allocator allocator;
  ValueMemory memory(allocator);
  OrderedPages<Item> pages;
  Item items[] = {{2}, {4}};
  for (Item& item : items) pages.insert(memory, &item);
  for (const uint64_t number : {1, 3, 5}) EXPECT_EQ(pages.remove(memory, number), nullptr);
  EXPECT_EQ(pages.size(), 2u);
  while (pages.pop_back(memory) != nullptr) {
  }
}

}  // namespace
}  // namespace redoubt
