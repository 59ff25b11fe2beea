// What snapshot passes cost: writers never copy a big value, steps are bounded, what is kept is
// counted and has a limit, and marks that an aborted pass leaves are cleared little by little.
#include <gtest/gtest.h>

#include <string>

#include "engine/store/database.h"
#include "engine/store/hash_type.h"
#include "engine/store/list_type.h"
#include "engine/store/snapshot.h"
#include "engine/store/snapshot_digest.h"
#include "engine/store/zset.h"
#include "tests/store/random_hash_key.h"

namespace redoubt {
namespace {

constexpr size_t kManyMembers = 20'000;
// What opening a pass on a value, or keeping an entry, may take.
constexpr size_t kLittleKept = 2048;

class SnapshotCost : public testing::Test {
 protected:
  SnapshotCost() : hash_key_(make_hash_key()), database_(hash_key_) {}

  uint64_t hash(std::string_view key) const { return database_.hash(key); }
  std::string digest() const {
    Digest digest;
    database_.digest(digest, 0);
    return digest.hex();
  }
  void begin(size_t kept_bytes = SIZE_MAX) {
    expected_ = digest();
    limits_.kept_bytes = kept_bytes;
    pass_.emplace(database_, limits_);
  }
  bool step(size_t budget) { return pass_->step(sink_, budget); }
  void expect_complete() {
    sink_.set_room(UINT64_MAX);
    while (!step(1000)) {
    }
    EXPECT_EQ(pass_->end(), SnapshotEnd::complete);
    EXPECT_EQ(sink_.digest().hex(), expected_);
    pass_.reset();
    EXPECT_EQ(database_.kept_bytes(), 0u);
  }

  void add_zset(std::string_view key) {
    Zset zset(database_.allocator(), hash_key_, {.entries_max = 8, .value_bytes_max = 8});
    for (size_t i = 0; i < kManyMembers; ++i) {
      zset.set("member" + std::to_string(i), static_cast<double>(i));
    }
    database_.replace_value(key, hash(key), Type::zset, zset.encoding(), zset.payload(),
                            NewExpiry::none());
  }
  void add_list(std::string_view key) {
    Entry* entry = database_.insert_value(key, hash(key), Type::list, Encoding::listpack,
                                          Listpack::make(database_.allocator()));
    List list(database_.allocator(), *entry, 16);
    for (size_t i = 0; i < kManyMembers; ++i) {
      list.before_growth(1, 10);
      list.push(ListEnd::back, "element" + std::to_string(i));
    }
  }
  // What something makes the passes keep.
  template <typename Write>
  size_t kept_by(Write&& write) {
    const size_t before = database_.kept_bytes();
    write();
    return database_.kept_bytes() - before;
  }

  HashKey hash_key_;
  Database database_;
  SnapshotLimits limits_;
  SnapshotDigest sink_;
  std::optional<SnapshotPass> pass_;
  std::string expected_;
};

TEST_F(SnapshotCost, ARemovedValueIsHandedOver) {
  add_zset("z");
  begin();
  const size_t used = database_.used_bytes();
  EXPECT_GT(kept_by([&] { database_.erase("z", hash("z")); }), kManyMembers * 16);
  EXPECT_LT(database_.used_bytes(), used + kLittleKept);
  EXPECT_EQ(database_.size(), 0u);
  expect_complete();
}

TEST_F(SnapshotCost, ABigValueIsNotCopiedWhenItChanges) {
  add_zset("z");
  begin();
  const auto change = [&] {
    Zset zset(database_.allocator(), hash_key_, {.entries_max = 8, .value_bytes_max = 8},
              *database_.write("z", hash("z")));
    zset.set("member7", 123456.75);
  };
  EXPECT_LT(kept_by(change), kLittleKept);
  expect_complete();
}

TEST_F(SnapshotCost, ABigValueIsNotCopiedForANewKeyOrExpiry) {
  add_zset("z");
  add_list("l");
  begin();
  EXPECT_LT(kept_by([&] { database_.rename("z", hash("z"), "other", hash("other")); }),
            kLittleKept);
  EXPECT_LT(kept_by([&] { database_.set_expiry("l", hash("l"), 1000); }), kLittleKept);
  EXPECT_LT(kept_by([&] { database_.rename("l", hash("l"), "list", hash("list")); }), kLittleKept);
  // It goes while its parts are delivered.
  step(100);
  database_.erase("other", hash("other"));
  database_.erase("list", hash("list"));
  expect_complete();
}

TEST_F(SnapshotCost, OfALargeStringOnlyWhatChangesIsCopied) {
  constexpr size_t kBytes = 8 * 1024 * 1024;
  database_.set_string("s", hash("s"), std::string(kBytes, 'x'), NewExpiry::none());
  begin();
  const auto set_byte = [&](size_t at) {
    database_.string_for_update("s", hash("s"), at + 1, {at, 1})[at] = 'y';
  };
  EXPECT_LT(kept_by([&] { set_byte(5'000'000); }), 16 * 1024 + kLittleKept);
  EXPECT_LT(kept_by([&] { set_byte(5'000'001); }), 1u);
  // It grows, and moves.
  EXPECT_LT(kept_by([&] { set_byte(kBytes + 100); }), 1u);
  EXPECT_LT(kept_by([&] { set_byte(3 * kBytes); }), 1u);
  expect_complete();
}

TEST_F(SnapshotCost, StepsAreBounded) {
  add_zset("z");
  add_list("l");
  for (int i = 0; i < 5000; ++i) {
    const std::string key = "key" + std::to_string(i);
    database_.set_integer(key, hash(key), i, NewExpiry::none());
  }
  begin();
  size_t steps = 0;
  while (!step(100)) ++steps;
  EXPECT_GT(steps, (2 * kManyMembers + 5000) / (100 + 1000));
  EXPECT_EQ(sink_.digest().hex(), expected_);
}

TEST_F(SnapshotCost, ASinkThatTakesNothingStopsThePassAndNotTheWriters) {
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "key" + std::to_string(i);
    database_.set_integer(key, hash(key), i, NewExpiry::none());
  }
  begin();
  sink_.set_room(0);
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "key" + std::to_string(i);
    database_.set_integer(key, hash(key), i + 1, NewExpiry::none());
    EXPECT_FALSE(step(100));
  }
  EXPECT_EQ(sink_.entries(), 0u);
  EXPECT_GT(database_.kept_bytes(), 1000u * 16);
  EXPECT_LE(database_.kept_bytes(), 1000u * 128);
  expect_complete();
}

TEST_F(SnapshotCost, WhatIsKeptHasALimit) {
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "key" + std::to_string(i);
    database_.set_integer(key, hash(key), i, NewExpiry::none());
  }
  const size_t used = database_.used_bytes();
  begin(10'000);
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "key" + std::to_string(i);
    database_.set_integer(key, hash(key), i + 1, NewExpiry::none());
    EXPECT_LT(database_.kept_bytes(), 10'000u + kLittleKept);
  }
  EXPECT_TRUE(step(1));
  EXPECT_EQ(pass_->end(), SnapshotEnd::kept_too_much);
  size_t budget = 10;
  EXPECT_FALSE(pass_->release_some(budget));
  while (!pass_->release_some(budget = 10)) {
  }
  EXPECT_EQ(database_.kept_bytes(), 0u);
  EXPECT_EQ(database_.used_bytes(), used);
}

TEST_F(SnapshotCost, MarksOfAbortedPassesAreClearedBeforeTheyAreUsedAgain) {
  for (int i = 0; i < 3000; ++i) {
    const std::string key = "key" + std::to_string(i);
    database_.set_integer(key, hash(key), i, NewExpiry::none());
  }
  int aborted = 0;
  for (; database_.passes().has_room(); ++aborted) {
    begin();
    step(10);
    for (int i = 0; i < 3000; ++i) {
      const std::string key = "key" + std::to_string(i);
      database_.set_integer(key, hash(key), i + aborted, NewExpiry::none());
    }
    pass_.reset();
  }
  EXPECT_EQ(aborted, 8);
  size_t steps = 0;
  for (size_t budget = 100; !database_.passes().clear_marks(budget); budget = 100) ++steps;
  EXPECT_GT(steps, 20u);
  EXPECT_TRUE(database_.passes().has_room());
  sink_ = {};
  begin();
  expect_complete();
}

TEST_F(SnapshotCost, APassThatComesRoundClearsTheMarksOfOthers) {
  for (int i = 0; i < 3000; ++i) {
    const std::string key = "key" + std::to_string(i);
    database_.set_integer(key, hash(key), i, NewExpiry::none());
  }
  begin();
  for (int i = 0; i < 3000; ++i) {
    const std::string key = "key" + std::to_string(i);
    database_.set_integer(key, hash(key), i + 1, NewExpiry::none());
  }
  pass_.reset();
  EXPECT_TRUE(database_.passes().has_marks_to_clear());
  begin();
  expect_complete();
  EXPECT_FALSE(database_.passes().has_marks_to_clear());
  database_.dict().for_each([](const Entry& entry) { EXPECT_EQ(entry.marks(), 0); });
}

}  // namespace
}  // namespace redoubt
