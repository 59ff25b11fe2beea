// What values that go leave to be freed in slices, and how much of it a slice frees.
#include <gtest/gtest.h>

#include <string>

#include "engine/store/database.h"
#include "engine/store/set_type.h"

namespace redoubt {
namespace {

constexpr size_t kMembers = 10'000;

class Remains : public testing::Test {
 protected:
  Remains() : hash_key_([this] { return ++seed_; }), database_(hash_key_) {}

  // A new set under the key, in place of whatever was there.
  void replace(const std::string& key) {
    SetEditor set(database_.allocator(), hash_key_, limits_);
    for (size_t i = 0; i < kMembers; ++i) set.add(SetMember("member" + std::to_string(i)));
    database_.replace_value(key, database_.hash(key), Type::set, set.encoding(), set.value(),
                            NewExpiry::none());
  }
  void slice(size_t budget) { database_.remains().free_some(budget); }

  const SetLimits limits_;
  uint64_t seed_ = 0;
  HashKey hash_key_;
  Database database_;
};

TEST_F(Remains, AreFreedAsFastAsNewOnesCome) {
  replace("k");
  for (int i = 0; i < 20; ++i) {
    replace("k");
    slice(1);
    EXPECT_LE(database_.remains().count(), 2u);
  }
}

TEST_F(Remains, OfWhatOnlyGoesAreFreedByTheBudget) {
  for (int i = 0; i < 20; ++i) {
    replace("k");
    database_.erase("k", database_.hash("k"));
    size_t all = SIZE_MAX;
    ASSERT_TRUE(database_.remains().free_some(all));
  }
  replace("k");
  const size_t before = database_.used_bytes();
  database_.erase("k", database_.hash("k"));
  slice(100);
  EXPECT_EQ(database_.remains().count(), 1u);
  EXPECT_GT(database_.used_bytes(), before - before / 10);
}

}  // namespace
}  // namespace redoubt
