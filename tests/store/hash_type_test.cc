#include "engine/store/hash_type.h"
#include "tests/store/outside_entry.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace redoubt {
namespace {

class HashFixture {
 public:
  explicit HashFixture(HashLimits limits = {})
      : limits_(limits), random_(7), hash_key_([this] { return random_.next(); }) {}

  HashEditor make() { return {allocator_, hash_key_, limits_}; }

  HashLimits limits_;
  Random random_;
  Allocator allocator_;
  HashKey hash_key_;
};

struct Value {
  std::string text;
  int64_t deadline_ms;
  bool operator==(const Value&) const = default;
};

std::string text_of(const Listpack::Element& element) {
  return element.is_number ? std::to_string(element.number) : std::string(element.text);
}

std::map<std::string, Value> walked(const HashView& hash) {
  std::map<std::string, Value> out;
  hash.for_each([&](const HashField& field) {
    out[text_of(field.name)] = {text_of(field.value), field.deadline_ms};
  });
  return out;
}

int64_t earliest(const std::map<std::string, Value>& model) {
  int64_t first = kNeverExpires;
  for (const auto& [name, value] : model) first = std::min(first, value.deadline_ms);
  return first;
}

RC_GTEST_PROP(Hash, AgreesWithAMapInEveryEncoding, (uint64_t seed)) {
  HashFixture f({.listpack_entries = seed % 60, .listpack_value = 20 + seed % 9});
  Random random(seed);
  HashEditor hash = f.make();
  std::map<std::string, Value> model;
  for (uint64_t i = 0, steps = random.below(300); i < steps; ++i) {
    const std::string name = "f" + std::to_string(random.below(70));
    const int64_t deadline =
        random.one_in(3) ? static_cast<int64_t>(1 + random.below(50)) : kNeverExpires;
    switch (random.below(5)) {
      case 0: RC_ASSERT(hash.remove(name) == (model.erase(name) == 1)); break;
      case 1:
        if (model.contains(name)) {
          hash.set_deadline(name, deadline);
          model[name].deadline_ms = deadline;
        }
        break;
      default: {
        const std::string value = random.one_in(seed % 40 + 2)
                                      ? std::string(random.below(3000), 'v')
                                      : std::to_string(random.below(100'000));
        RC_ASSERT(hash.set(name, value, deadline) == !model.contains(name));
        model[name] = {value, deadline};
      }
    }
    RC_ASSERT(hash.view().earliest_ms() == earliest(model));
  }
  RC_ASSERT(hash.size() == model.size());
  RC_ASSERT(walked(hash.view()) == model);
  for (const auto& [name, value] : model) {
    const std::optional<HashField> field = hash.view().find(name);
    RC_ASSERT(field.has_value());
    RC_ASSERT(text_of(field->value) == value.text);
  }
  size_t due = 0;
  hash.view().for_each_due(25, SIZE_MAX, [&](const HashField& field) {
    RC_ASSERT(field.deadline_ms < 25);
    ++due;
  });
  RC_ASSERT(due ==
            static_cast<size_t>(std::count_if(model.begin(), model.end(), [](const auto& at) {
              return at.second.deadline_ms < 25;
            })));
  // A copy is equal, stays so, and each of them gives back all of its memory, in slices.
  Entry* entry = outside_entry(f.allocator_, Type::hash, hash.encoding(), hash.value());
  const size_t before = f.allocator_.used_bytes();
  void* copy = copy_hash(f.allocator_, *entry);
  RC_ASSERT(f.allocator_.used_bytes() - before >= hash_outside_bytes(*entry) / 2);
  const Encoding encoding = hash.encoding();
  hash.discard();
  RC_ASSERT(walked(HashView(encoding, copy)) == model);
  for (bool done = false; !done;) {
    size_t budget = 10;
    done = free_some_hash(f.allocator_, encoding, copy, budget);
  }
  Entry::release(f.allocator_, entry);
  RC_ASSERT(f.allocator_.used_bytes() == 0U);
}

// A value that is looked at as that of a key.
class OneEntry {
 public:
  OneEntry(HashFixture& f, const HashEditor& hash)
      : f_(f), entry_(outside_entry(f.allocator_, Type::hash, hash.encoding(), hash.value())) {}
  ~OneEntry() { Entry::release(f_.allocator_, entry_); }
  OneEntry(const OneEntry&) = delete;
  OneEntry& operator=(const OneEntry&) = delete;

  Entry& operator*() { return *entry_; }
  // Bytes in use without the entry itself.
  size_t used() const { return f_.allocator_.used_bytes() - counted_size(entry_->footprint()); }

 private:
  HashFixture& f_;
  Entry* entry_;
};

// Limits with which a few fields are a small hash, or a table.
constexpr HashLimits kSmall = {.listpack_entries = 100, .listpack_value = 64};
constexpr HashLimits kTable = {.listpack_entries = 0, .listpack_value = 64};

// Fields that expire at 10, 20, 20 and 21, and one that does not.
void set_five(HashEditor& hash) {
  hash.set("a", "1", 20);
  hash.set("b", "2", kNeverExpires);
  hash.set("c", "3", 10);
  hash.set("d", "4", 21);
  hash.set("e", "5", 20);
}

std::vector<std::string> due(const HashView& hash, int64_t now_ms, size_t most) {
  std::vector<std::string> names;
  hash.for_each_due(now_ms, most,
                    [&](const HashField& field) { names.emplace_back(text_of(field.name)); });
  return names;
}

TEST(Hash, AFieldIsDueBehindItsDeadlineAndNoMoreAreVisitedThanAskedFor) {
  for (const HashLimits& limits : {kSmall, kTable}) {
    HashFixture f(limits);
    HashEditor hash = f.make();
    set_five(hash);
    EXPECT_EQ(due(hash.view(), 10, 9).size(), 0u);
    EXPECT_EQ(due(hash.view(), 20, 9), std::vector<std::string>{"c"});
    EXPECT_EQ(due(hash.view(), 21, 9).size(), 3u);
    EXPECT_EQ(due(hash.view(), 22, 9).size(), 4u);
    EXPECT_EQ(due(hash.view(), 22, 2).size(), 2u);
    EXPECT_EQ(due(hash.view(), 22, 0).size(), 0u);
    hash.discard();
  }
}

TEST(Hash, ABlockHoldsZeroForNoDeadline) {
  HashFixture f(kSmall);
  HashEditor hash = f.make();
  hash.set("a", "1", kNeverExpires);
  hash.set("b", "2", 20);
  hash.set("c", "3", kNeverExpires);
  const uint8_t* block = hash.view().block();
  EXPECT_EQ(Listpack::get(Listpack::seek(block, 2)).number, 0);
  EXPECT_EQ(Listpack::get(Listpack::seek(block, 5)).number, 20);
  EXPECT_EQ(Listpack::get(Listpack::seek(block, 8)).number, 0);
  hash.discard();
}

TEST(Hash, ATextAtTheLimitStaysSmallAndALongerOneDoesNot) {
  const std::string eight(8, 'x');
  const std::string nine(9, 'x');
  const auto encoding = [](const std::string& name, const std::string& value) {
    HashFixture f({.listpack_entries = 4, .listpack_value = 8});
    HashEditor hash = f.make();
    hash.set(name, value, kNeverExpires);
    const Encoding reached = hash.encoding();
    hash.discard();
    return reached;
  };
  EXPECT_EQ(encoding(eight, eight), Encoding::listpack);
  EXPECT_EQ(encoding("n", nine), Encoding::hashtable);
  EXPECT_EQ(encoding(nine, "v"), Encoding::hashtable);
}

TEST(Hash, AsManyFieldsAsTheLimitStaySmallAndOneMoreDoesNot) {
  for (const int64_t deadline : {int64_t{7}, kNeverExpires}) {
    HashFixture f({.listpack_entries = 4, .listpack_value = 8});
    HashEditor hash = f.make();
    for (const char* name : {"a", "b", "c", "d"}) hash.set(name, "v", deadline);
    EXPECT_NE(hash.encoding(), Encoding::hashtable);
    hash.set("e", "v", deadline);
    EXPECT_EQ(hash.encoding(), Encoding::hashtable);
    EXPECT_EQ(hash.view().earliest_ms(), deadline);
    hash.discard();
  }
}

TEST(Hash, WhatIsExpectedDecidesTheEncodingBeforehand) {
  const auto encoding = [](size_t fields, size_t text_size) {
    HashFixture f({.listpack_entries = 4, .listpack_value = 8});
    HashEditor hash = f.make();
    hash.expect_fields(fields);
    hash.expect(std::string(text_size, 'x'));
    const Encoding reached = hash.encoding();
    hash.discard();
    return reached;
  };
  EXPECT_EQ(encoding(4, 8), Encoding::listpack);
  EXPECT_EQ(encoding(5, 8), Encoding::hashtable);
  EXPECT_EQ(encoding(4, 9), Encoding::hashtable);
}

// Values that lie within an item and beside it, of which the deadline comes, changes and goes.
TEST(Hash, CountsItsMemoryWhileDeadlinesComeAndGo) {
  for (const HashLimits& limits : {kSmall, kTable}) {
    HashFixture f(limits);
    HashEditor hash = f.make();
    const auto expect_counted = [&] {
      OneEntry entry(f, hash);
      EXPECT_EQ(hash_outside_bytes(*entry), entry.used());
    };
    hash.set("small", "v", kNeverExpires);
    if (limits.listpack_entries == 0) hash.set("large", std::string(3000, 'v'), kNeverExpires);
    expect_counted();
    for (const int64_t deadline : {int64_t{10}, int64_t{20}, kNeverExpires, int64_t{5}}) {
      for (const char* name : {"small", "large"}) {
        if (!hash.view().find(name)) continue;
        hash.set_deadline(name, deadline);
        expect_counted();
        hash.set(name, name, deadline);
        expect_counted();
      }
    }
    hash.discard();
    EXPECT_EQ(f.allocator_.used_bytes(), 0U);
  }
}

TEST(Hash, ACopyKnowsItsDeadlines) {
  for (const HashLimits& limits : {kSmall, kTable}) {
    HashFixture f(limits);
    HashEditor hash = f.make();
    set_five(hash);
    OneEntry entry(f, hash);
    void* copy = copy_hash(f.allocator_, *entry);
    const HashView view(hash.encoding(), copy);
    EXPECT_EQ(view.earliest_ms(), 10);
    EXPECT_EQ(due(view, 21, 9), due(hash.view(), 21, 9));
    size_t budget = SIZE_MAX;
    free_some_hash(f.allocator_, hash.encoding(), copy, budget);
    hash.discard();
  }
}

TEST(Hash, ADigestDependsOnDeadlinesAndNotOnTheEncoding) {
  const auto digest = [](const HashLimits& limits, int64_t deadline) {
    HashFixture f(limits);
    HashEditor hash = f.make();
    set_five(hash);
    hash.set_deadline("b", deadline);
    Digest whole;
    {
      OneEntry entry(f, hash);
      digest_hash(*entry, whole);
    }
    whole.end_element();
    hash.discard();
    return whole.hex();
  };
  EXPECT_EQ(digest(kSmall, 30), digest(kTable, 30));
  EXPECT_NE(digest(kSmall, 30), digest(kSmall, 31));
  EXPECT_NE(digest(kTable, 30), digest(kTable, 31));
}

TEST(Hash, EachFieldIsDrawn) {
  for (const HashLimits& limits : {kSmall, kTable}) {
    for (const int64_t deadline : {int64_t{7}, kNeverExpires}) {
      HashFixture f(limits);
      HashEditor hash = f.make();
      for (const char* name : {"a", "b", "c"}) hash.set(name, "v", deadline);
      std::map<std::string, int> drawn;
      for (int i = 0; i < 300; ++i) ++drawn[text_of(hash.view().random(f.random_).name)];
      EXPECT_EQ(drawn.size(), 3u);
      for (const auto& [name, times] : drawn) EXPECT_GT(times, 50) << name;
      hash.discard();
    }
  }
}

TEST(Hash, AWholeSliceOfWorkIsOneForASmallHashAndOneAFieldForATable) {
  for (const HashLimits& limits : {kSmall, kTable}) {
    HashFixture f(limits);
    HashEditor hash = f.make();
    for (int i = 0; i < 50; ++i) hash.set("f" + std::to_string(i), "v", kNeverExpires);
    const bool small = hash.encoding() != Encoding::hashtable;
    {
      OneEntry entry(f, hash);
      EXPECT_EQ(hash_free_effort(*entry), small ? 1u : 50u);
    }
    size_t budget = 1000;
    void* value = hash.value();
    EXPECT_TRUE(free_some_hash(f.allocator_, hash.encoding(), value, budget));
    EXPECT_LE(budget, small ? 999u : 950u);
  }
}

TEST(Hash, ABlobThatDoesNotHoldTheValueIsNotTakenOver) {
  HashFixture f(kTable);
  HashEditor hash = f.make();
  Blob other;
  other.reserve(5000);
  other.set_size(5000);
  std::memset(other.data(), 'o', other.size());
  const std::string value(3000, 'v');
  hash.set("name", value, kNeverExpires, std::move(other));
  EXPECT_EQ(text_of(hash.view().find("name")->value), value);
  hash.discard();
  EXPECT_EQ(f.allocator_.used_bytes(), 0U);
}

TEST(Hash, CountsItsMemory) {
  HashFixture f({.listpack_entries = 0, .listpack_value = 64});
  HashEditor hash = f.make();
  for (int i = 0; i < 1000; ++i) {
    hash.set("field" + std::to_string(100 + i % 900), std::string(6, 'v'), kNeverExpires);
    hash.set("name" + std::to_string(1000 + i), std::string(static_cast<size_t>(i * 3), 'v'),
             i % 2 == 0 ? kNeverExpires : 1000 + i);
  }
  Entry* entry = outside_entry(f.allocator_, Type::hash, hash.encoding(), hash.value());
  EXPECT_EQ(hash_outside_bytes(*entry) + counted_size(entry->footprint()),
            f.allocator_.used_bytes());
  hash.discard();
  Entry::release(f.allocator_, entry);
  EXPECT_EQ(f.allocator_.used_bytes(), 0U);
}

TEST(Hash, TakesLittleMemory) {
  HashFixture f;
  HashEditor small = f.make();
  for (int i = 0; i < 10; ++i) {
    small.set("field" + std::to_string(i), "value" + std::to_string(i), kNeverExpires);
  }
  EXPECT_LE(f.allocator_.used_bytes(), 190U);
  small.discard();
  HashEditor large = f.make();
  for (int i = 0; i < 1000; ++i) {
    large.set("name" + std::to_string(1000 + i), "v" + std::to_string(10000 + i), kNeverExpires);
  }
  EXPECT_EQ(large.encoding(), Encoding::hashtable);
  EXPECT_LE(f.allocator_.used_bytes(), 35'500U);
  large.discard();
}

}  // namespace
}  // namespace redoubt
