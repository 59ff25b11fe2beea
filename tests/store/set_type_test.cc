#include "engine/store/set_type.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace redoubt {
namespace {

RC_GTEST_PROP(Intset, AgreesWithASet, (const std::vector<std::pair<bool, int64_t>>& steps)) {
  Allocator allocator;
  uint8_t* block = Intset::make(allocator);
  std::set<int64_t> model;
  for (const auto& [add, wide] : steps) {
    const int64_t value = wide % 3 == 0 ? wide : wide % 40;
    const bool expected = add ? model.insert(value).second : model.erase(value) == 1;
    const bool changed =
        add ? Intset::insert(allocator, block, value) : Intset::erase(allocator, block, value);
    RC_ASSERT(changed == expected);
    RC_ASSERT(Intset::contains(block, value) == model.contains(value));
  }
  RC_ASSERT(Intset::count(block) == model.size());
  size_t index = 0;
  for (int64_t value : model) RC_ASSERT(Intset::at(block, index++) == value);
  RC_ASSERT(model.empty() || Intset::validate(Intset::span(block)));
  RC_ASSERT(allocator.used_bytes() == Intset::counted_bytes(block));
  Intset::free(allocator, block);
  RC_ASSERT(allocator.used_bytes() == 0U);
}

TEST(Intset, RefusesWhatIsNone) {
  Allocator allocator;
  uint8_t* block = Intset::make(allocator);
  EXPECT_FALSE(Intset::validate(Intset::span(block)));  // empty
  for (int64_t value : {5, -1, 70000}) Intset::insert(allocator, block, value);
  std::vector<uint8_t> bytes(block, block + Intset::bytes(block));
  EXPECT_TRUE(Intset::validate(bytes));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Intset::validate(std::span(bytes).first(size)));
  }
  std::vector<uint8_t> unsorted = bytes;
  std::swap(unsorted[8], unsorted[12]);
  std::swap(unsorted[9], unsorted[13]);
  std::swap(unsorted[10], unsorted[14]);
  std::swap(unsorted[11], unsorted[15]);
  EXPECT_FALSE(Intset::validate(unsorted));
  bytes[0] = 3;
  EXPECT_FALSE(Intset::validate(bytes));
  Intset::free(allocator, block);
}

class SetFixture {
 public:
  explicit SetFixture(SetLimits limits = {})
      : limits_(limits), random_(7), hash_key_([this] { return random_.next(); }) {}

  SetEditor make() { return {allocator_, hash_key_, limits_}; }

  SetLimits limits_;
  Random random_;
  Allocator allocator_;
  HashKey hash_key_;
};

RC_GTEST_PROP(Set, AgreesWithASetInEveryEncoding, (uint64_t seed)) {
  SetFixture f({.intset_entries = seed % 20,
                .listpack_entries = seed / 20 % 30,
                .listpack_value = seed % 9});
  Random random(seed);
  SetEditor set = f.make();
  std::set<std::string> model;
  for (uint64_t i = 0, steps = random.below(400); i < steps; ++i) {
    std::string member = std::to_string(random.below(60));
    if (random.one_in(seed % 50 + 1)) member = std::string(random.below(12), 'x') + member;
    if (random.below(3) > 0) {
      RC_ASSERT(set.add(SetMember(member)) == model.insert(member).second);
    } else {
      RC_ASSERT(set.remove(SetMember(member)) == (model.erase(member) == 1));
    }
  }
  RC_ASSERT(set.size() == model.size());
  std::set<std::string> walked;
  set.view().for_each(
      [&](const SetElement& element) { walked.emplace(SetMember(element).text()); });
  RC_ASSERT(walked == model);
  for (const std::string& member : model) RC_ASSERT(set.view().contains(SetMember(member)));
  // A sample holds different members.
  if (model.size() > 1) {
    std::set<std::string> sampled;
    const size_t count = 1 + random.below(model.size() - 1);
    set.view().sample(random, count, [&](const SetElement& element) {
      sampled.emplace(SetMember(element).text());
    });
    RC_ASSERT(sampled.size() == count);
  }
  set.discard();
  RC_ASSERT(f.allocator_.used_bytes() == 0U);
}

TEST(Set, GoesToLargerEncodings) {
  SetFixture f({.intset_entries = 4, .listpack_entries = 6, .listpack_value = 8});
  SetEditor set = f.make();
  for (const char* member : {"1", "2", "3", "4"}) set.add(SetMember(member));
  EXPECT_EQ(set.encoding(), Encoding::intset);
  set.add(SetMember("x"));
  EXPECT_EQ(set.encoding(), Encoding::listpack);
  set.add(SetMember("y"));
  EXPECT_EQ(set.encoding(), Encoding::listpack);
  set.add(SetMember("z"));
  EXPECT_EQ(set.encoding(), Encoding::hashtable);
  set.discard();
  SetEditor integers = f.make();
  for (const char* member : {"1", "2", "3", "4", "5"}) integers.add(SetMember(member));
  EXPECT_EQ(integers.encoding(), Encoding::hashtable);
  integers.discard();
  SetEditor wide = f.make();
  wide.add(SetMember("1234567890"));
  wide.add(SetMember("x"));  // the number is too long for a listpack
  EXPECT_EQ(wide.encoding(), Encoding::hashtable);
  wide.discard();
}

TEST(Set, TakesLittleMemory) {
  SetFixture f;
  SetEditor set = f.make();
  for (int i = 0; i < 1000; ++i)
    set.add(SetMember("member" + std::to_string(100 + i).substr(0, 3)));
  for (int i = 0; set.size() < 1000; ++i) set.add(SetMember("other" + std::to_string(1000 + i)));
  EXPECT_LE(f.allocator_.used_bytes(), 27'000U);
  set.discard();
}

}  // namespace
}  // namespace redoubt
