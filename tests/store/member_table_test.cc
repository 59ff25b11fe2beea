#include "engine/store/member_table.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace redoubt {
namespace {

// A byte of length, the key, and a byte that the table does not look at.
struct TestItem {
  uint8_t length;
  uint8_t value;

  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  static size_t size(size_t key_size) { return sizeof(TestItem) + key_size; }
};

struct TestTrait {
  using Item = TestItem;
  static std::string_view key(const Item& item) {
    return {const_cast<Item&>(item).bytes(), item.length};
  }
};

class TableFixture {
 public:
  explicit TableFixture(uint64_t seed = 1)
      : random_(seed), hash_key_([&] { return random_.next(); }), table_(hash_key_) {}
  ~TableFixture() {
    size_t budget = SIZE_MAX;
    EXPECT_TRUE(table_.clear_some(allocator_, budget, [&](TestItem* item) { release(item); }));
    EXPECT_EQ(allocator_.used_bytes(), 0U);
  }

  TestItem* make(std::string_view key, uint8_t value) {
    TestItem* item = static_cast<TestItem*>(allocator_.allocate(TestItem::size(key.size())));
    item->length = static_cast<uint8_t>(key.size());
    item->value = value;
    std::memcpy(item->bytes(), key.data(), key.size());
    return item;
  }
  void release(TestItem* item) { allocator_.release(item, TestItem::size(item->length)); }

  // True when the key is new.
  bool set(std::string_view key, uint8_t value = 0) {
    const uint64_t hash = table_.hash(key);
    TestItem* made = make(key, value);
    TestItem* old = table_.find(key, hash);
    if (old == nullptr) {
      table_.insert(allocator_, made, hash);
      return true;
    }
    table_.replace(old, made, hash);
    release(old);
    return false;
  }
  bool erase(std::string_view key) {
    TestItem* item = table_.erase(allocator_, key, table_.hash(key));
    if (item == nullptr) return false;
    release(item);
    return true;
  }

  Random random_;
  Allocator allocator_;
  HashKey hash_key_;
  MemberTable<TestTrait> table_;
};

std::string name(uint64_t i) {
  return "m" + std::to_string(i);
}

RC_GTEST_PROP(MemberTable, AgreesWithAMap, (uint64_t seed)) {
  TableFixture f(seed);
  std::map<std::string, uint8_t> model;
  Random random(seed + 1);
  const uint64_t keys = 1 + random.below(3000);
  const int64_t operations = *rc::gen::inRange<int64_t>(0, 8000);
  uint64_t erasures = 2;  // of 6; drifts, so that tables grow and shrink
  for (int64_t i = 0; i < operations; ++i) {
    if (random.one_in(500)) erasures = random.below(6);
    const std::string key = name(random.below(keys));
    if (random.below(6) < erasures) {
      RC_ASSERT(f.erase(key) == (model.erase(key) == 1));
    } else {
      const auto value = static_cast<uint8_t>(random.next());
      RC_ASSERT(f.set(key, value) == !model.contains(key));
      model[key] = value;
    }
  }
  f.table_.check_invariants();
  RC_ASSERT(f.table_.size() == model.size());
  for (const auto& [key, value] : model) {
    const TestItem* found = f.table_.find(key);
    RC_ASSERT(found != nullptr);
    RC_ASSERT(found->value == value);
  }
  std::map<std::string, uint8_t> walked;
  f.table_.for_each(
      [&](const TestItem& item) { walked.emplace(TestTrait::key(item), item.value); });
  RC_ASSERT(walked == model);
}

TEST(MemberTable, IsCompactAtAnySize) {
  TableFixture f;
  double sum = 0;
  double worst = 0;
  uint64_t samples = 0;
  double next = 200;
  for (uint64_t i = 1; i <= 400'000; ++i) {
    f.set(name(i));
    if (static_cast<double>(i) < next) continue;
    next *= 1.03;
    const double each = static_cast<double>(f.table_.table_bytes()) / static_cast<double>(i);
    sum += each;
    worst = std::max(worst, each);
    ++samples;
  }
  EXPECT_LT(sum / static_cast<double>(samples), 10.0);
  EXPECT_LT(worst, 10.5);
  f.table_.check_invariants();
  RecordProperty("mean", std::to_string(sum / static_cast<double>(samples)));
  RecordProperty("worst", std::to_string(worst));
  // On the way down it may be looser, but not by much, and nothing is left at the end.
  for (uint64_t i = 400'000; i > 0; --i) {
    if (i % 50'000 == 0) {
      f.table_.check_invariants();
      EXPECT_LT(f.table_.table_bytes(), i * 14);
    }
    ASSERT_TRUE(f.erase(name(i)));
  }
  EXPECT_EQ(f.table_.table_bytes(), 0U);
}

// As a command does that makes a set from another one: all members of the first blocks come first,
// and a split leaves nothing in the other half.
TEST(MemberTable, TakesMembersInTheOrderOfTheirHashes) {
  TableFixture fixture;
  std::map<uint64_t, std::string> by_hash;
  for (uint64_t i = 0; i < 20'000; ++i) by_hash[fixture.table_.hash(name(i))] = name(i);
  for (const auto& [hash, key] : by_hash) ASSERT_TRUE(fixture.set(key)) << key;
  EXPECT_EQ(fixture.table_.size(), by_hash.size());
  for (const auto& [hash, key] : by_hash) ASSERT_NE(fixture.table_.find(key, hash), nullptr) << key;
  // Blocks that were full when they were split have room to spare.
  EXPECT_LE(fixture.table_.table_bytes(), by_hash.size() * 14);
}

TEST(MemberTable, IsSmallWithFewMembers) {
  TableFixture f;
  EXPECT_LE(sizeof f.table_, 48U);
  EXPECT_EQ(f.table_.table_bytes(), 0U);
  f.set("a");
  EXPECT_LE(f.table_.table_bytes(), 24U);
  for (uint64_t i = 0; i < 13; ++i) f.set(name(i));
  EXPECT_LE(f.table_.table_bytes(), 128U);
}

// What is there from the first call to the last comes exactly once; what comes and goes, at most.
RC_GTEST_PROP(MemberTable, ScanReturnsWhatStaysExactlyOnce, (uint64_t seed)) {
  TableFixture f(seed);
  Random random(seed);
  const uint64_t stay = random.below(3000);
  for (uint64_t i = 0; i < stay; ++i) f.set("stay" + std::to_string(i));
  uint64_t come = 0;
  std::multiset<std::string> seen;
  uint64_t cursor = 0;
  do {
    cursor =
        f.table_.scan(cursor, [&](const TestItem& item) { seen.emplace(TestTrait::key(item)); });
    if (random.one_in(2)) {
      for (uint64_t i = random.below(900); i > 0; --i) f.set("come" + std::to_string(come++));
    } else {
      for (uint64_t i = random.below(900); i > 0 && come > 0; --i) {
        f.erase("come" + std::to_string(--come));
      }
    }
  } while (cursor != 0 && come < 60'000);
  RC_PRE(cursor == 0);
  for (uint64_t i = 0; i < stay; ++i) RC_ASSERT(seen.count("stay" + std::to_string(i)) == 1);
}

// The chi-squared statistic of many draws; its mean is the number of members.
double unfairness(TableFixture& f, uint64_t draws) {
  std::map<const TestItem*, uint64_t> counts;
  f.table_.for_each([&](const TestItem& item) { counts[&item] = 0; });
  for (uint64_t i = 0; i < draws; ++i) ++counts[f.table_.random(f.random_)];
  const double expected = static_cast<double>(draws) / static_cast<double>(counts.size());
  double sum = 0;
  for (const auto& [item, count] : counts) {
    const double off = static_cast<double>(count) - expected;
    sum += off * off / expected;
  }
  return sum;
}

TEST(MemberTable, DrawsAreFair) {
  for (const uint64_t size : {1, 3, 60, 64, 100, 700, 1500, 3000}) {
    TableFixture f(size);
    for (uint64_t i = 0; i < size; ++i) f.set(name(i));
    const double degrees = static_cast<double>(size - 1);
    EXPECT_LT(unfairness(f, 50 * size), degrees + 5 * std::sqrt(2 * degrees) + 10) << size;
  }
  // Also when most members have left again.
  TableFixture f(5);
  for (uint64_t i = 0; i < 5000; ++i) f.set(name(i));
  for (uint64_t i = 300; i < 5000; ++i) f.erase(name(i));
  EXPECT_LT(unfairness(f, 15'000), 299 + 5 * std::sqrt(2 * 299.0));
}

RC_GTEST_PROP(MemberTable, CopiesAreEqualAndIndependent, (uint64_t seed)) {
  TableFixture f(seed);
  const uint64_t size = *rc::gen::inRange<uint64_t>(0, 4000);
  for (uint64_t i = 0; i < size; ++i) f.set(name(i), static_cast<uint8_t>(i));
  MemberTable<TestTrait> copy(f.hash_key_);
  copy.copy_from(f.allocator_, f.table_,
                 [&](const TestItem& item) { return f.make(TestTrait::key(item), item.value); });
  copy.check_invariants();
  RC_ASSERT(copy.table_bytes() == f.table_.table_bytes());
  for (uint64_t i = 0; i < size; i += 2) f.erase(name(i));
  RC_ASSERT(copy.size() == size);
  for (uint64_t i = 0; i < size; ++i) {
    const TestItem* found = copy.find(name(i));
    RC_ASSERT(found != nullptr);
    RC_ASSERT(found->value == static_cast<uint8_t>(i));
  }
  size_t budget = SIZE_MAX;
  copy.clear_some(f.allocator_, budget, [&](TestItem* item) { f.release(item); });
}

RC_GTEST_PROP(MemberTable, PairsAreFound, (uint64_t seed)) {
  TableFixture f(seed);
  MemberTable<TestTrait> other(f.hash_key_);
  Random random(seed);
  const uint64_t keys = 1 + random.below(5000);
  const uint64_t share = 1 + random.below(20);
  for (uint64_t i = 0; i < keys; ++i) {
    if (!random.one_in(share + 1)) f.set(name(i));
    if (random.one_in(share)) other.insert(f.allocator_, f.make(name(i), 1), other.hash(name(i)));
  }
  size_t seen = 0;
  f.table_.for_each_paired(other, [&](const TestItem& item, const TestItem* like) {
    ++seen;
    RC_ASSERT(like == other.find(TestTrait::key(item)));
    return true;
  });
  RC_ASSERT(seen == f.table_.size());
  size_t budget = SIZE_MAX;
  other.clear_some(f.allocator_, budget, [&](TestItem* item) { f.release(item); });
}

TEST(MemberTable, IsFreedInSlices) {
  TableFixture f;
  for (uint64_t i = 0; i < 5000; ++i) f.set(name(i));
  size_t calls = 0;
  size_t freed = 0;
  for (bool done = false; !done; ++calls) {
    size_t budget = 100;
    size_t here = 0;
    done = f.table_.clear_some(f.allocator_, budget, [&](TestItem* item) {
      ++here;
      f.release(item);
    });
    ASSERT_LE(here, 100U);
    freed += here;
  }
  EXPECT_EQ(freed, 5000U);
  EXPECT_GE(calls, 50U);
  EXPECT_EQ(f.allocator_.used_bytes(), 0U);
}

}  // namespace
}  // namespace redoubt
