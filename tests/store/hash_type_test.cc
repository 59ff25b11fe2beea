#include "engine/store/hash_type.h"

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
  Entry* entry = Entry::make(f.allocator_, {.key = "k",
                                            .type = Type::hash,
                                            .encoding = hash.encoding(),
                                            .layout = Layout::outside,
                                            .value = {},
                                            .integer = 0,
                                            .pointer = hash.value(),
                                            .expiry_ms = {}});
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

TEST(Hash, CountsItsMemory) {
  HashFixture f({.listpack_entries = 0, .listpack_value = 64});
  HashEditor hash = f.make();
  for (int i = 0; i < 1000; ++i) {
    hash.set("field" + std::to_string(100 + i % 900), std::string(6, 'v'), kNeverExpires);
    hash.set("name" + std::to_string(1000 + i), std::string(static_cast<size_t>(i * 3), 'v'),
             i % 2 == 0 ? kNeverExpires : 1000 + i);
  }
  Entry* entry = Entry::make(f.allocator_, {.key = "k",
                                            .type = Type::hash,
                                            .encoding = hash.encoding(),
                                            .layout = Layout::outside,
                                            .value = {},
                                            .integer = 0,
                                            .pointer = hash.value(),
                                            .expiry_ms = {}});
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
