#include "engine/store/set_type.h"
#include "tests/store/outside_entry.h"

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

// What is walked, with deadlines.
std::map<std::string, int64_t> walked(const SetView& set) {
  std::map<std::string, int64_t> out;
  set.for_each([&](const SetElement& element) {
    const SetMember member(element);
    out[std::string(member.text())] = set.find(member)->deadline_ms;
  });
  return out;
}

std::map<std::string, int64_t> living(std::map<std::string, int64_t> model, int64_t now_ms) {
  std::erase_if(model, [&](const auto& member) { return member.second < now_ms; });
  return model;
}

int64_t earliest(const std::map<std::string, int64_t>& model) {
  int64_t first = kNeverExpires;
  for (const auto& [member, deadline] : model) first = std::min(first, deadline);
  return first;
}

Entry* entry_of(SetFixture& f, const SetEditor& set) {
  return outside_entry(f.allocator_, Type::set, set.encoding(), set.value());
}

// A copy is equal, stays so, and each of them gives back all of its memory, in slices.
void expect_equal_copy(SetFixture& f, SetEditor& set, const std::map<std::string, int64_t>& model) {
  Entry* entry = entry_of(f, set);
  RC_ASSERT(f.allocator_.used_bytes() ==
            set_outside_bytes(*entry) + counted_size(entry->footprint()));
  void* copy = copy_set(f.allocator_, *entry);
  const Encoding encoding = set.encoding();
  set.discard();
  RC_ASSERT(walked(SetView(encoding, copy)) == model);
  for (bool done = false; !done;) {
    size_t budget = 10;
    done = free_some_set(f.allocator_, encoding, copy, budget);
  }
  Entry::release(f.allocator_, entry);
  RC_ASSERT(f.allocator_.used_bytes() == 0U);
}

RC_GTEST_PROP(Set, AgreesWithAMapOfDeadlines, (uint64_t seed)) {
  SetFixture f({.intset_entries = seed % 20,
                .listpack_entries = seed / 20 % 30,
                .listpack_value = 100 + seed % 60});
  Random random(seed);
  SetEditor set = f.make();
  std::map<std::string, int64_t> model;
  for (uint64_t i = 0, steps = random.below(300); i < steps; ++i) {
    std::string member = std::to_string(random.below(60));
    // Also of lengths that take two bytes, 128 among them.
    if (random.one_in(4)) member.resize(random.below(3) + 127, 'x');
    const int64_t deadline =
        random.one_in(3) ? kNeverExpires : static_cast<int64_t>(1 + random.below(50));
    switch (random.below(5)) {
      case 0: RC_ASSERT(set.remove(member) == (model.erase(member) == 1)); break;
      case 1:
      case 2:
        if (!model.contains(member)) break;
        set.set_deadline(member, deadline);
        model[member] = deadline;
        break;
      default: RC_ASSERT(set.add(SetMember(member)) == model.emplace(member, kNeverExpires).second);
    }
    RC_ASSERT(set.view().earliest_ms() == earliest(model));
    RC_ASSERT(set.view().may_expire() == (earliest(model) != kNeverExpires));
  }
  RC_ASSERT(walked(set.view()) == model);
  // As it is seen at a time.
  const int64_t now_ms = static_cast<int64_t>(random.below(55));
  const std::map<std::string, int64_t> live = living(model, now_ms);
  const SetView view(set.encoding(), set.value(), now_ms);
  RC_ASSERT(walked(view) == live);
  RC_ASSERT(view.size() == live.size());
  RC_ASSERT(view.hidden() == model.size() - live.size());
  for (const auto& [member, deadline] : model) {
    RC_ASSERT(view.contains(SetMember(member)) == live.contains(member));
    RC_ASSERT(view.find(member).has_value() == live.contains(member));
  }
  for (int i = 0; i < 5 && !live.empty(); ++i) {
    RC_ASSERT(live.contains(std::string(SetMember(view.random(random)).text())));
  }
  std::set<std::string> scanned;
  uint64_t cursor = 0;
  do {
    cursor = view.scan(
        cursor, [&](const SetElement& element) { scanned.emplace(SetMember(element).text()); });
  } while (cursor != 0);
  RC_ASSERT(scanned.size() == live.size());
  expect_equal_copy(f, set, model);
}

// Those that are overdue go, the longest overdue first, and no others.
RC_GTEST_PROP(Set, LosesWhatHasExpired, (uint64_t seed)) {
  SetFixture f;
  Random random(seed);
  SetEditor set = f.make();
  std::map<std::string, int64_t> model;
  for (uint64_t i = 0, count = 1 + random.below(200); i < count; ++i) {
    const std::string member = "m" + std::to_string(i);
    const int64_t deadline = static_cast<int64_t>(1 + random.below(50));
    set.add(SetMember(member));
    set.set_deadline(member, deadline);
    model[member] = deadline;
  }
  Entry* entry = entry_of(f, set);
  const int64_t now_ms = static_cast<int64_t>(random.below(60));
  const size_t most = random.below(100);
  std::vector<std::string> names;
  remove_expired_members(f.allocator_, f.hash_key_, *entry, now_ms, most, names);
  const size_t due = model.size() - living(model, now_ms).size();
  RC_ASSERT(names.size() == std::min(due, most));
  int64_t before = 0;
  for (const std::string& name : names) {
    RC_ASSERT(model.at(name) >= before);
    before = model.at(name);
    model.erase(name);
  }
  RC_ASSERT(walked(SetView(*entry)) == model);
  RC_ASSERT(set_next_expiry(*entry) == earliest(model));
  SetEditor rest(f.allocator_, f.hash_key_, f.limits_, *entry, 0);
  rest.discard();
  Entry::release(f.allocator_, entry);
  RC_ASSERT(f.allocator_.used_bytes() == 0U);
}

TEST(Set, IsAsBeforeWithoutItsLastDeadline) {
  SetFixture f;
  SetEditor set = f.make();
  for (int i = 0; i < 1000; ++i) set.add(SetMember("member" + std::to_string(i)));
  const size_t before = f.allocator_.used_bytes();
  set.set_deadline("member7", 1000);
  EXPECT_EQ(set.encoding(), Encoding::expiring_hashtable);
  EXPECT_LE(f.allocator_.used_bytes(), before + 200);
  for (int i = 0; i < 1000; ++i) set.set_deadline("member" + std::to_string(i), 1000 + i);
  EXPECT_LE(f.allocator_.used_bytes(), before + 25'000);
  for (int i = 0; i < 1000; ++i) set.set_deadline("member" + std::to_string(i), kNeverExpires);
  EXPECT_EQ(set.encoding(), Encoding::hashtable);
  EXPECT_EQ(f.allocator_.used_bytes(), before);
  set.discard();
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
